//! Clones repositories, checks out their branches side by side, commits and pushes.
//!
//! A [`Repository`] is a bare clone in a folder of its own; a [`WorkTree`] is one revision of it, checked out where the
//! user wants it. A work tree is opened again by its path alone: which repository it belongs to and how to reach the
//! remote is read from files beside the bare clone, never from what a checked-out tree says about itself.

mod checked_out;
mod error;
mod place;
mod push;
mod revision;
mod signing;
mod submodules;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use credentials::Login;
use serde::{Deserialize, Serialize};

use self::{
    checked_out::{Held, git_dir_of},
    place::is_same_host,
};
pub use self::{
    checked_out::{Staged, WorkTree, remove_unfinished},
    error::Error,
    place::{admit, follow},
    push::{Answer, Integration, Target},
    revision::Revision,
    signing::{Signing, take_signing_key},
    submodules::Submodule,
};
use crate::child::{self, Command, GitAccess, Launcher, Output, create_private_dir};

/// The folder of bare clones in a work directory.
const REPOSITORIES: &str = "repositories";
/// What we remember of a clone, in its folder.
const RECORD: &str = "argosy.json";

/// Who makes commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    pub name: String,
    pub email: String,
    /// How commits are signed; none leaves them unsigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
}

/// What is remembered of a clone, so that a later step finds it by a path alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The repository's URL, as the user wrote it.
    pub url: String,
    /// Where its host sends git from there, if it does; see [`follow`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    pub insecure_skip_tls_verify: bool,
    pub identity: Identity,
}

impl Origin {
    /// The URL that git is given.
    pub fn place(&self) -> &str {
        self.moved_to.as_deref().unwrap_or(&self.url)
    }
}

/// A bare clone.
#[derive(Debug)]
pub struct Repository {
    launcher: Launcher,
    work_dir: PathBuf,
    folder: PathBuf,
    origin: Origin,
    login: Option<Login>,
}

impl Repository {
    /// Clones every branch and tag into the folder `name` of the work directory's clones.
    ///
    /// A clone of that name that an interrupted attempt left there is replaced.
    pub async fn clone(
        launcher: &Launcher,
        work_dir: &Path,
        name: &str,
        origin: Origin,
        login: Option<Login>,
        blobs: Blobs,
    ) -> Result<Self, Error> {
        let repositories = work_dir.join(REPOSITORIES);
        let folder = repositories.join(name);
        let prepare = || {
            create_private_dir(&repositories)?;
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Ok(()) | Err(_) => Ok(()),
            }
        };
        prepare().map_err(|source| Error::Record {
            path: folder.clone(),
            source,
        })?;
        let repository = Self {
            launcher: launcher.clone(),
            work_dir: work_dir.to_owned(),
            folder,
            origin,
            login,
        };
        let mut command = launcher
            .remote_git(work_dir, &repository.access())?
            .args(["clone", "--quiet", "--bare", "--template="])
            .args([
                "--config",
                "remote.origin.fetch=+refs/heads/*:refs/remotes/origin/*",
            ]);
        if blobs == Blobs::WhenNeeded {
            command = command.arg("--filter=blob:none");
        }
        command = command
            .arg("--")
            .arg(repository.origin.place())
            .arg(&repository.folder);
        launcher.run(command).await?.checked()?;
        repository.write_record()?;
        Ok(repository)
    }

    /// Checks a revision out at `path`, which is missing or empty; gives the commit's id too.
    ///
    /// With `sparse`, only these folders (and the files above them) are written.
    ///
    /// # Errors
    /// [`Error::NoRevision`] when the remote has no such branch, tag or commit.
    pub async fn check_out(
        &self,
        path: &Path,
        revision: Revision<'_>,
        sparse: &[String],
    ) -> Result<(WorkTree<'_>, String), Error> {
        let mut command = self
            .remote_git()?
            .args(["worktree", "add", "--quiet", "--force"]);
        if !sparse.is_empty() {
            command = command.arg("--no-checkout");
        }
        let (branch, commit) = self.find_revision(revision).await?;
        command = match branch {
            Some(branch) => command.arg("--").arg(path).arg(branch),
            None => command.args(["--detach", "--"]).arg(path).arg(&commit),
        };
        self.run(command).await?.checked()?;
        let tree = WorkTree {
            repository: Held::Borrowed(self),
            git_dir: git_dir_of(path)?,
            path: path.to_owned(),
        };
        if !sparse.is_empty() {
            let command = tree
                .git(self.local_git()?)
                .args(["sparse-checkout", "set", "--cone", "--"])
                .args(sparse);
            self.run(command).await?.checked()?;
            self.run(tree.git(self.remote_git()?).args(["checkout", "--quiet"]))
                .await?
                .checked()?;
        }
        Ok((tree, commit))
    }

    fn missing(&self, what: String) -> Error {
        Error::NoRevision {
            url: child::shown(&self.origin.url),
            what,
        }
    }

    fn access(&self) -> GitAccess {
        let Origin { url, .. } = &self.origin;
        let place = self.origin.place();
        GitAccess {
            url: place.to_owned(),
            // It was looked up for one host, and goes to no other.
            login: self
                .login
                .clone()
                .filter(|_| place == url || is_same_host(place, url)),
            insecure_skip_tls_verify: self.origin.insecure_skip_tls_verify,
        }
    }

    fn local_git(&self) -> Result<Command, Error> {
        Ok(self
            .launcher
            .local_git(&self.work_dir)?
            .env("GIT_DIR", &self.folder))
    }

    fn remote_git(&self) -> Result<Command, Error> {
        Ok(self
            .launcher
            .remote_git(&self.work_dir, &self.access())?
            .env("GIT_DIR", &self.folder))
    }

    async fn run(&self, command: Command) -> Result<Output, Error> {
        Ok(self.launcher.run(command).await?)
    }

    fn write_record(&self) -> Result<(), Error> {
        let path = self.folder.join(RECORD);
        let text = serde_json::to_vec(&self.origin).expect("a record of strings can be written");
        fs::write(&path, text).map_err(|source| Error::Record { path, source })
    }
}

/// Which file contents a clone brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    All,
    /// Those that a checkout needs, fetched then.
    WhenNeeded,
}

impl Identity {
    /// Makes `command` commit as this identity.
    fn apply(&self, command: Command) -> Command {
        self.with_keys(command)
            .env("GIT_COMMITTER_NAME", &self.name)
            .env("GIT_COMMITTER_EMAIL", &self.email)
            .env("GIT_AUTHOR_NAME", &self.name)
            .env("GIT_AUTHOR_EMAIL", &self.email)
    }

    /// Lets `command` find the keys that this identity signs with.
    fn with_keys(&self, command: Command) -> Command {
        match self.signing {
            Some(Signing::OpenPgp(_)) => command.uses_gpg(),
            Some(Signing::Ssh(_)) | None => command,
        }
    }

    /// Options for git itself that make it sign commits.
    fn signing_options(&self) -> Vec<String> {
        self.signing
            .as_ref()
            .map(Signing::options)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
