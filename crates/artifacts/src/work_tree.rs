//! Clones repositories, checks out their branches side by side, commits and pushes.
//!
//! A [`Repository`] is a bare clone in a folder of its own; a [`WorkTree`] is one revision of it, checked out where the
//! user wants it. A work tree is opened again by its path alone: which repository it belongs to and how to reach the
//! remote is read from files beside the bare clone, never from what a checked-out tree says about itself.

mod checked_out;
mod error;
mod push;
mod signing;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use credentials::Login;
use serde::{Deserialize, Serialize};

use self::checked_out::{Held, git_dir_of};
pub use self::{
    checked_out::{Staged, WorkTree, remove_unfinished},
    error::Error,
    push::{Answer, Integration, Target},
    signing::{Signing, take_signing_key},
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
    pub insecure_skip_tls_verify: bool,
    pub identity: Identity,
}

/// Which revision a work tree starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision<'a> {
    /// The branch that the remote's HEAD names.
    Default,
    Branch(&'a str),
    /// A branch that is made, empty, when the remote does not have it.
    BranchOrNew(&'a str),
    Tag(&'a str),
    Commit(&'a str),
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
            .arg(&repository.origin.url)
            .arg(&repository.folder);
        launcher.run(command).await?.checked()?;
        repository.write_record()?;
        Ok(repository)
    }

    /// The commit that a branch of the remote had when it was cloned or last fetched.
    pub async fn branch(&self, branch: &str) -> Result<Option<String>, Error> {
        self.resolve(&format!("refs/remotes/origin/{branch}")).await
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

    /// Finds what is to be checked out: a local branch, where the revision is one, and the commit.
    async fn find_revision(
        &self,
        revision: Revision<'_>,
    ) -> Result<(Option<String>, String), Error> {
        let branch = match revision {
            Revision::Default => self.default_branch()?,
            Revision::Branch(branch) => branch.to_owned(),
            Revision::BranchOrNew(branch) => {
                refuse_odd_name(branch)?;
                if self.branch(branch).await?.is_none() {
                    self.create_branch(branch).await?;
                }
                branch.to_owned()
            }
            Revision::Tag(tag) => {
                refuse_odd_name(tag)?;
                let commit = self.resolve(&format!("refs/tags/{tag}^{{commit}}")).await?;
                let commit = commit.ok_or_else(|| self.missing(format!("tag {tag:?}")))?;
                return Ok((None, commit));
            }
            Revision::Commit(id) => return Ok((None, self.find_commit(id).await?)),
        };
        let commit = self.local_branch(&branch).await?;
        Ok((Some(branch), commit))
    }

    /// Points the local branch, unless there is one, at what the remote has, so that a work tree can be on it; gives its
    /// commit.
    async fn local_branch(&self, branch: &str) -> Result<String, Error> {
        refuse_odd_name(branch)?;
        let [local, remote] = ["heads", "remotes/origin"].map(|it| format!("refs/{it}/{branch}"));
        let command = self.local_git()?.args([
            "for-each-ref",
            "--format=%(refname) %(objectname)",
            &local,
            &remote,
        ]);
        let found = self.run(command).await?.checked()?.text();
        let commit_of = |name: &str| {
            let mut lines = found.lines().filter_map(|line| line.split_once(' '));
            lines
                .find(|(it, _)| *it == name)
                .map(|(_, it)| it.to_owned())
        };
        let Some(commit) = commit_of(&remote) else {
            return Err(self.missing(format!("branch {branch:?}")));
        };
        if let Some(commit) = commit_of(&local) {
            return Ok(commit);
        }
        self.run(self.local_git()?.args(["update-ref", &local, &commit]))
            .await?
            .checked()?;
        Ok(commit)
    }

    /// Makes a branch of one empty commit on the remote; one that somebody else made meanwhile is taken as it is.
    async fn create_branch(&self, branch: &str) -> Result<(), Error> {
        let tree = self
            .run(self.local_git()?.arg("mktree").input(""))
            .await?
            .checked()?
            .text();
        let command = self
            .local_git()?
            .args(["commit-tree", "-m", "Initial commit"])
            .arg(tree);
        let commit = self
            .run(self.origin.identity.apply(command))
            .await?
            .checked()?
            .text();
        let refspec = format!("{commit}:refs/heads/{branch}");
        let pushed = self
            .run(
                self.remote_git()?
                    .args(["push", "--quiet", "origin"])
                    .arg(refspec),
            )
            .await?;
        if self.fetch_branch(branch).await?.is_none() {
            pushed.checked()?;
        }
        Ok(())
    }

    /// Finds a commit by its id, asking the remote for one that no branch or tag leads to.
    async fn find_commit(&self, id: &str) -> Result<String, Error> {
        refuse_odd_name(id)?;
        let name = format!("{id}^{{commit}}");
        if let Some(commit) = self.resolve(&name).await? {
            return Ok(commit);
        }
        // A host that does not give single commits away says so by failing: then the commit is missing.
        self.run(
            self.remote_git()?
                .args(["fetch", "--quiet", "origin"])
                .arg(id),
        )
        .await?;
        self.resolve(&name)
            .await?
            .ok_or_else(|| self.missing(format!("commit {id:?}")))
    }

    /// Fetches one branch; none when the remote does not have it.
    pub async fn fetch_branch(&self, branch: &str) -> Result<Option<String>, Error> {
        let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
        let fetched = self
            .run(
                self.remote_git()?
                    .args(["fetch", "--quiet", "--no-tags", "origin"])
                    .arg(refspec),
            )
            .await?;
        if !fetched.succeeded() && fetched.stderr.contains("couldn't find remote ref") {
            return Ok(None);
        }
        fetched.checked()?;
        self.branch(branch).await
    }

    fn default_branch(&self) -> Result<String, Error> {
        let head = self.folder.join("HEAD");
        let text =
            fs::read_to_string(&head).map_err(|source| Error::Record { path: head, source })?;
        let branch = text.trim().strip_prefix("ref: refs/heads/");
        branch
            .map(str::to_owned)
            .ok_or_else(|| self.missing("default branch".to_owned()))
    }

    async fn resolve(&self, name: &str) -> Result<Option<String>, Error> {
        let command =
            self.local_git()?
                .args(["rev-parse", "--quiet", "--verify", "--end-of-options", name]);
        let output = self.run(command).await?;
        Ok(output.succeeded().then(|| output.text()))
    }

    fn missing(&self, what: String) -> Error {
        Error::NoRevision {
            url: child::shown(&self.origin.url),
            what,
        }
    }

    fn access(&self) -> GitAccess {
        GitAccess {
            url: self.origin.url.clone(),
            login: self.login.clone(),
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
        command
            .env("GIT_COMMITTER_NAME", &self.name)
            .env("GIT_COMMITTER_EMAIL", &self.email)
            .env("GIT_AUTHOR_NAME", &self.name)
            .env("GIT_AUTHOR_EMAIL", &self.email)
    }

    /// Options for git itself that make it sign commits.
    fn signing_options(&self) -> Vec<String> {
        self.signing
            .as_ref()
            .map(Signing::options)
            .unwrap_or_default()
    }
}

/// Refuses a name that git could take for an option, a range or a path.
fn refuse_odd_name(name: &str) -> Result<(), Error> {
    let odd = name.is_empty()
        || name.starts_with(['-', '/'])
        || name.ends_with(['/', '.'])
        || name.contains("..")
        || name.contains("@{")
        || name.contains("//")
        || name.contains(|it: char| it.is_control() || " ~^:?*[\\".contains(it));
    if odd {
        Err(Error::OddName {
            name: name.to_owned(),
        })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
