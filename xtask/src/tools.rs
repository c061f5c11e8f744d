//! Puts the real programs of `tools.lock`, and the Python packages of `python.lock`, into one cache outside the tree.
//!
//! ```text
//! tools.lock → apt-get download / pip download → sha-256 → <cache>/<lock digest>/{root, bin} → <cache>/current
//! python.lock → pip install --require-hashes → <cache>/<lock digest>/python, and bin/python
//! go.sum → go build → <cache>/<lock digest>/go, for bin/go
//! ```
//!
//! Nothing is installed: packages are unpacked beside each other, and `bin/` holds the programs or a small wrapper that
//! points them at what they need. A package whose pinned version has left the archive is replaced by the archive's present
//! one, whose signature apt has checked, and that is said.

mod go;
mod packages;
mod python;
mod terraform;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context as _, Result, bail, ensure};
use packages::{Downloaded, Package, Pinned};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::workspace;

#[derive(Debug, Deserialize)]
struct Lock {
    architecture: String,
    /// The programs that need libraries of other packages.
    with_libraries: Vec<String>,
    #[serde(rename = "package")]
    packages: Vec<Package>,
    tools: BTreeMap<String, String>,
}

/// Gives the folder of programs, fetching what is missing. Takes about half a minute the first time, none after.
pub(crate) fn ensure_tools() -> Result<PathBuf> {
    Ok(ensure_home()?.join("bin"))
}

/// Compiles the Go program that tests drive, with Google's clients. Takes half a minute of two cores the first time.
pub(crate) fn compile_go_of_tests() -> Result<()> {
    go::compile_clients(&ensure_home()?)
}

fn ensure_home() -> Result<PathBuf> {
    let text = fs::read_to_string(lock_path()?)
        .context("failed to read tools.lock; to have it back: git checkout tools.lock")?;
    let python = fs::read_to_string(python::lock_path()?)
        .context("failed to read python.lock; to have it back: git checkout python.lock")?;
    let digest = hex::encode(Sha256::digest(format!("{text}{python}")));
    let cache = cache_dir()?;
    let home = cache.join(&digest[..16]);
    if !home.join("complete").exists() {
        let lock: Lock = toml::from_str(&text)
            .context("failed to parse tools.lock; to have it back: git checkout tools.lock")?;
        fetch(&lock, &cache, &home)?;
    }
    point_current_at(&cache, &home)?;
    Ok(home)
}

/// Writes the versions and digests that the archives hold today into `tools.lock`.
pub(crate) fn lock() -> Result<()> {
    let path = lock_path()?;
    let text = fs::read_to_string(&path)?;
    let lock: Lock = toml::from_str(&text)?;
    let work = tempfile::tempdir()?;
    let files = packages::download(&lock, work.path(), Pinned::No)?;
    let mut written = String::new();
    let mut current: Option<&Downloaded> = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("name = ") {
            current = files
                .iter()
                .find(|file| file.name == name.trim_matches('"'));
        }
        match (current, line.split(" = ").next()) {
            (Some(file), Some("version")) => writeln!(written, "version = \"{}\"", file.version)?,
            (Some(file), Some("sha256")) => writeln!(written, "sha256 = \"{}\"", file.sha256)?,
            _ => writeln!(written, "{line}")?,
        }
    }
    fs::write(&path, written)?;
    Ok(())
}

fn lock_path() -> Result<PathBuf> {
    Ok(workspace::root()?.join("tools.lock"))
}

fn cache_dir() -> Result<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a binary reads its settings")]
    let setting = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(folder) = setting("ARGOSY_TOOLS_CACHE") {
        return Ok(PathBuf::from(folder));
    }
    let base = match (setting("XDG_CACHE_HOME"), setting("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => Path::new(&home).join(".cache"),
        (None, None) => bail!(
            "neither HOME nor XDG_CACHE_HOME is set; set ARGOSY_TOOLS_CACHE to a folder for the tools"
        ),
    };
    Ok(base.join("argosy/tools"))
}

fn fetch(lock: &Lock, cache: &Path, home: &Path) -> Result<()> {
    let machine = if cfg!(target_arch = "x86_64") {
        "amd64"
    } else {
        std::env::consts::ARCH
    };
    ensure!(
        cfg!(target_os = "linux") && machine == lock.architecture,
        "tools.lock pins programs for linux/{}, this is {}/{machine}",
        lock.architecture,
        std::env::consts::OS
    );
    fs::create_dir_all(cache)?;
    let work = tempfile::Builder::new()
        .prefix("fetch-")
        .tempdir_in(cache)?;
    eprintln!(
        "tools: fetching {} packages into {}",
        lock.packages.len(),
        cache.display()
    );
    let root = work.path().join("home/root");
    fs::create_dir_all(&root)?;
    for file in packages::download(lock, work.path(), Pinned::Yes)? {
        packages::unpack(&file.path, &root)
            .with_context(|| format!("failed to unpack {}", file.name))?;
    }
    let finished = work.path().join("home");
    write_wrappers(lock, &finished, home)?;
    python::install(&finished, home)?;
    terraform::install(&finished)?;
    go::install(&finished)?;
    fs::write(finished.join("complete"), "")?;
    if let Err(error) = fs::rename(&finished, home) {
        // Another run was faster; its folder holds the same packages.
        ensure!(
            home.join("complete").exists(),
            "failed to move the tools to {}: {error}",
            home.display()
        );
    }
    Ok(())
}

/// Fills `bin/`: the program itself where it needs nothing beside it, else a wrapper that names its libraries.
fn write_wrappers(lock: &Lock, finished: &Path, home: &Path) -> Result<()> {
    let bin = finished.join("bin");
    fs::create_dir_all(&bin)?;
    let libraries = home.join("root/usr/lib/x86_64-linux-gnu");
    let more = home.join("root/lib/x86_64-linux-gnu");
    for (name, file) in &lock.tools {
        let program = finished.join("root").join(file);
        ensure!(
            program.exists(),
            "{name}: no {file} in the unpacked packages"
        );
        make_executable(&program)?;
        let entry = bin.join(name);
        if !lock.with_libraries.contains(name) {
            fs::hard_link(&program, &entry)?;
            continue;
        }
        let text = format!(
            "#!/bin/sh\nexport LD_LIBRARY_PATH=\"{}:{}\"\nexec \"{}\" \"$@\"\n",
            libraries.display(),
            more.display(),
            home.join("root").join(file).display()
        );
        fs::write(&entry, text)?;
        make_executable(&entry)?;
    }
    Ok(())
}

fn make_executable(program: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("failed to make {} executable", program.display()))
}

fn point_current_at(cache: &Path, home: &Path) -> Result<()> {
    let link = cache.join("current");
    if fs::read_link(&link).is_ok_and(|target| target == home) {
        return Ok(());
    }
    let fresh = cache.join(format!("current-{}", std::process::id()));
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    std::os::unix::fs::symlink(home, &fresh)?;
    fs::rename(&fresh, &link).context("failed to point `current` at the tools")?;
    Ok(())
}

fn run(command: &mut Command, hint: &str) -> Result<()> {
    let output = command.output().with_context(|| {
        format!(
            "failed to start {}; {hint}",
            command.get_program().display()
        )
    })?;
    ensure!(
        output.status.success(),
        "{} failed: {}; {hint}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
