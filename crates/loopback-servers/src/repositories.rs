//! Bare Git repositories in a folder, which a server of this crate serves.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// The folder of a server's repositories.
#[derive(Debug)]
pub(crate) struct Repositories(PathBuf);

impl Repositories {
    /// Repositories in `folder`, which is made where it is missing.
    pub(crate) fn in_folder(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Where a repository lies on disk, for looking at it with plain `git`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.git"))
    }

    /// Creates a repository whose branch `main` holds `files` in one commit.
    pub(crate) fn create(&self, name: &str, files: &[(&str, &str)]) -> Result<()> {
        let bare = self.path(name);
        fs::create_dir_all(&bare)?;
        git(
            &bare,
            &["init", "--quiet", "--bare", "--initial-branch=main", "."],
        )?;
        for (key, value) in [
            ("http.receivepack", "true"),
            ("uploadpack.allowFilter", "true"),
        ] {
            git(&bare, &["config", key, value])?;
        }
        self.commit(name, files, "Start")
    }

    /// Adds a commit on `main` that writes `files`, as somebody with a clone would.
    pub(crate) fn commit(&self, name: &str, files: &[(&str, &str)], message: &str) -> Result<()> {
        self.change(name, message, |clone| {
            for (path, content) in files {
                let file = clone.join(path);
                fs::create_dir_all(file.parent().context("a file has a folder")?)?;
                fs::write(&file, content)?;
            }
            git(clone, &["add", "--all"]).map(drop)
        })
    }

    /// Adds a commit on `main` by which the newest commit of the repository `of` is a submodule at `path`; `url` is what
    /// `.gitmodules` says of where it is.
    pub(crate) fn add_submodule(&self, name: &str, path: &str, of: &str, url: &str) -> Result<()> {
        let commit = self.git(of, &["rev-parse", "main"])?;
        let link = format!("160000,{},{path}", commit.trim());
        self.change(name, &format!("Add {path}"), |clone| {
            for (key, value) in [("path", path), ("url", url)] {
                let key = format!("submodule.{path}.{key}");
                git(clone, &["config", "--file", ".gitmodules", &key, value])?;
            }
            git(clone, &["add", ".gitmodules"])?;
            git(clone, &["update-index", "--add", "--cacheinfo", &link]).map(drop)
        })
    }

    /// Adds a commit on `main` of what `stage` stages in a clone.
    fn change(
        &self,
        name: &str,
        message: &str,
        stage: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<()> {
        let clone = tempfile::tempdir_in(&self.0)?;
        let from = self.path(name).display().to_string();
        git(clone.path(), &["clone", "--quiet", &from, "."])?;
        git(clone.path(), &["checkout", "--quiet", "-B", "main"])?;
        stage(clone.path())?;
        git(
            clone.path(),
            &["commit", "--quiet", "--allow-empty", "--message", message],
        )?;
        git(clone.path(), &["push", "--quiet", "origin", "main"])?;
        Ok(())
    }

    /// Adds `count` commits on `main`, each of which writes one of a thousand files: in seconds, since no tree is checked
    /// out.
    pub(crate) fn grow(&self, name: &str, count: usize) -> Result<()> {
        let mut stream = String::new();
        for number in 1..=count {
            let (message, content) = (format!("Change {number}"), format!("{number}\n"));
            let from = if number == 1 {
                "from refs/heads/main^0\n"
            } else {
                ""
            };
            write!(
                stream,
                "commit refs/heads/main\ncommitter Somebody <somebody@example.com> {} +0000\n\
                 data {}\n{message}\n{from}M 100644 inline history/{}.txt\ndata {}\n{content}\n",
                1_700_000_000 + number,
                message.len(),
                number % 1_000,
                content.len(),
            )?;
        }
        let mut importing = Command::new("git")
            .current_dir(self.path(name))
            .args(["-c", "safe.directory=*", "fast-import", "--quiet"])
            .stdin(Stdio::piped())
            .spawn()
            .context("failed to start git; install git")?;
        let mut input = importing.stdin.take().context("git takes input")?;
        input.write_all(stream.as_bytes())?;
        drop(input);
        let status = importing.wait()?;
        ensure!(status.success(), "git fast-import: {status}");
        Ok(())
    }

    /// Runs git in the repository and gives what it prints: `log`, `show`, `rev-parse` …
    pub(crate) fn git(&self, name: &str, arguments: &[&str]) -> Result<String> {
        git(&self.path(name), arguments)
    }
}

/// Runs git in `folder`, as nobody in particular and with no configuration but the repository's own.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "safe.directory=*",
            "-c",
            "user.name=Somebody",
            "-c",
            "user.email=somebody@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .context("failed to start git; install git")?;
    ensure!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
