//! A checked-out revision: what can be done with its files and commits, and how it is found again by its path.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use credentials::Login;

use super::{Error, Identity, Origin, RECORD, REPOSITORIES, Repository, Signing, take_signing_key};
use crate::child::{Command, Launcher, Output};

/// A repository that a work tree was checked out from, or that was found by the work tree's path.
#[derive(Debug)]
pub(super) enum Held<'a> {
    Borrowed(&'a Repository),
    Owned(Box<Repository>),
}

/// One revision of a repository, checked out.
#[derive(Debug)]
pub struct WorkTree<'a> {
    pub(super) repository: Held<'a>,
    pub(super) git_dir: PathBuf,
    pub(super) path: PathBuf,
}

impl WorkTree<'static> {
    /// Reads which remote the work tree at `path` came from, so that a login for it can be looked up.
    ///
    /// # Errors
    /// [`Error::NotAWorkTree`] unless it was checked out by [`Repository::check_out`] in this work directory.
    pub fn origin(work_dir: &Path, path: &Path) -> Result<Origin, Error> {
        let (folder, _) = folders_of(work_dir, path)?;
        let record = folder.join(RECORD);
        let text = fs::read(&record).map_err(|source| Error::Record {
            path: record.clone(),
            source,
        })?;
        serde_json::from_slice(&text).map_err(|error| Error::Record {
            path: record,
            source: error.into(),
        })
    }

    /// Opens the work tree at `path`, freeing it from locks of an attempt that was killed.
    pub fn open(
        launcher: &Launcher,
        work_dir: &Path,
        path: &Path,
        login: Option<Login>,
    ) -> Result<Self, Error> {
        let origin = Self::origin(work_dir, path)?;
        let (folder, git_dir) = folders_of(work_dir, path)?;
        remove_locks(&folder).map_err(|source| Error::Record {
            path: folder.clone(),
            source,
        })?;
        let repository = Repository {
            launcher: launcher.clone(),
            work_dir: work_dir.to_owned(),
            folder,
            origin,
            login,
        };
        Ok(Self {
            repository: Held::Owned(Box::new(repository)),
            git_dir,
            path: path.to_owned(),
        })
    }
}

/// Everything in a work tree, staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The id of the commit that is checked out.
    pub head: String,
    /// Whether what is staged differs from it.
    pub differs: bool,
}

impl WorkTree<'_> {
    /// The URL of the remote, as the user wrote it.
    pub fn url(&self) -> &str {
        &self.repository().origin.url
    }

    /// Takes the text of a private key that is to sign commits; see [`take_signing_key`].
    pub async fn take_signing_key(&self, key: Option<&str>) -> Result<Option<Signing>, Error> {
        let repository = self.repository();
        take_signing_key(&repository.launcher, &repository.work_dir, key).await
    }

    /// The id of the commit that is checked out.
    pub async fn head(&self) -> Result<String, Error> {
        let output = self
            .run(self.local_git()?.args(["rev-parse", "--verify", "HEAD"]))
            .await?;
        Ok(output.checked()?.text())
    }

    /// The ids of the parents of the commit that is checked out.
    pub async fn parents(&self) -> Result<Vec<String>, Error> {
        let output = self
            .run(self.local_git()?.args(["rev-parse", "HEAD^@"]))
            .await?
            .checked()?;
        Ok(output.text().lines().map(str::to_owned).collect())
    }

    /// The branch that is checked out; none when it is a tag or a bare commit.
    pub async fn current_branch(&self) -> Result<Option<String>, Error> {
        let output = self
            .run(
                self.local_git()?
                    .args(["symbolic-ref", "--quiet", "--short", "HEAD"]),
            )
            .await?;
        Ok(output.succeeded().then(|| output.text()))
    }

    /// The id of the commit that a tag names here.
    ///
    /// # Errors
    /// [`Error::NoRevision`] when there is no such tag.
    pub async fn tagged(&self, tag: &str) -> Result<String, Error> {
        self.repository().find_tag(tag).await
    }

    /// Deletes every tracked or new file; ignored ones stay.
    pub async fn clear(&self) -> Result<(), Error> {
        self.run(self.local_git()?.args(["add", "--all"]))
            .await?
            .checked()?;
        let command = self.local_git()?.args([
            "rm",
            "-r",
            "--force",
            "--quiet",
            "--ignore-unmatch",
            "--",
            ".",
        ]);
        self.run(command).await?.checked()?;
        Ok(())
    }

    /// Stages everything, and says what it was staged on.
    pub async fn stage_all(&self) -> Result<Staged, Error> {
        self.run(self.local_git()?.args(["add", "--all"]))
            .await?
            .checked()?;
        let command = self.local_git()?.args([
            "status",
            "--porcelain=v2",
            "--branch",
            "--untracked-files=no",
            "--no-renames",
            "--ignore-submodules=dirty",
        ]);
        let status = self.run(command).await?.checked()?.text();
        let head = status
            .lines()
            .find_map(|line| line.strip_prefix("# branch.oid "))
            .unwrap_or_default();
        Ok(Staged {
            head: head.to_owned(),
            differs: status.lines().any(|line| !line.starts_with('#')),
        })
    }

    /// Commits what is staged and gives the commit's id; `author` is the committer where there is none.
    pub async fn commit(&self, message: &str, author: Option<&Identity>) -> Result<String, Error> {
        let identity = &self.repository().origin.identity;
        let signer = author.filter(|it| it.signing.is_some()).unwrap_or(identity);
        let mut command = signer
            .with_keys(identity.apply(self.local_git()?))
            .args(signer.signing_options())
            .args(["commit", "--quiet", "--no-verify", "--file=-"])
            .input(message);
        if let Some(author) = author {
            command = command
                .env("GIT_AUTHOR_NAME", &author.name)
                .env("GIT_AUTHOR_EMAIL", &author.email);
        }
        self.run(command).await?.checked()?;
        self.head().await
    }

    /// Says whether `commit` is the commit that is checked out, or one before it.
    pub async fn has_ancestor(&self, commit: &str) -> Result<bool, Error> {
        self.is_ancestor(commit, "HEAD").await
    }

    pub(super) async fn is_ancestor(&self, commit: &str, of: &str) -> Result<bool, Error> {
        let command = self.local_git()?.args([
            "merge-base",
            "--is-ancestor",
            "--end-of-options",
            commit,
            of,
        ]);
        // 1 means no; 128 that the commit is unknown here, after everything was fetched.
        Ok(self.run(command).await?.succeeded())
    }

    pub(super) fn repository(&self) -> &Repository {
        match &self.repository {
            Held::Borrowed(repository) => repository,
            Held::Owned(repository) => repository,
        }
    }

    pub(super) fn local_git(&self) -> Result<Command, Error> {
        let repository = self.repository();
        Ok(self.git(repository.launcher.local_git(&repository.work_dir)?))
    }

    pub(super) fn remote_git(&self) -> Result<Command, Error> {
        let repository = self.repository();
        Ok(self.git(
            repository
                .launcher
                .remote_git(&repository.work_dir, &repository.access())?,
        ))
    }

    /// Names the repository outright, so that nothing in the tree can point git elsewhere.
    pub(super) fn git(&self, command: Command) -> Command {
        command
            .env("GIT_DIR", &self.git_dir)
            .env("GIT_WORK_TREE", &self.path)
            .directory(&self.path)
    }

    pub(super) async fn run(&self, command: Command) -> Result<Output, Error> {
        self.repository().run(command).await
    }
}

/// Deletes what an attempt that was killed left of a work tree at `path`, so that it can be checked out again.
///
/// Anything else that is there is left alone.
pub fn remove_unfinished(work_dir: &Path, name: &str, path: &Path) -> io::Result<()> {
    let ours = work_dir.join(REPOSITORIES).join(name).join("worktrees");
    match fs::read_to_string(path.join(".git")) {
        Ok(text)
            if text
                .trim()
                .strip_prefix("gitdir: ")
                .is_some_and(|to| Path::new(to).starts_with(&ours)) =>
        {
            fs::remove_dir_all(path)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The folder of the bare clone and the git directory of the work tree at `path`.
fn folders_of(work_dir: &Path, path: &Path) -> Result<(PathBuf, PathBuf), Error> {
    let git_dir = git_dir_of(path)?;
    let not_ours = || Error::NotAWorkTree {
        path: path.to_owned(),
    };
    let repositories = work_dir.join(REPOSITORIES);
    let within = git_dir
        .strip_prefix(&repositories)
        .map_err(|_elsewhere| not_ours())?;
    let parts: Vec<_> = within
        .components()
        .map(std::path::Component::as_os_str)
        .collect();
    match parts[..] {
        [name, worktrees, _tree]
            if worktrees == "worktrees" && !parts.iter().any(|it| *it == "..") =>
        {
            Ok((repositories.join(name), git_dir))
        }
        _ => Err(not_ours()),
    }
}

/// Reads the git directory that a work tree's `.git` names; it must be a plain file.
pub(super) fn git_dir_of(path: &Path) -> Result<PathBuf, Error> {
    let not_ours = || Error::NotAWorkTree {
        path: path.to_owned(),
    };
    let file = path.join(".git");
    if !fs::symlink_metadata(&file)
        .is_ok_and(|metadata| metadata.is_file() && metadata.len() < 4096)
    {
        return Err(not_ours());
    }
    let text = fs::read_to_string(&file).map_err(|source| Error::Record { path: file, source })?;
    Ok(PathBuf::from(
        text.trim().strip_prefix("gitdir: ").ok_or_else(not_ours)?,
    ))
}

/// Removes lock files: nobody else works in this repository, so whoever held them was killed.
fn remove_locks(folder: &Path) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                if entry.file_name() != "objects" {
                    folders.push(entry.path());
                }
            } else if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "lock")
            {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}
