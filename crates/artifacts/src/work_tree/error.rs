//! Why work on a repository failed, and what to do about it.

use std::{io, path::PathBuf};

use crate::child::{self, Trouble};
use crate::egress::ResolveError;
use crate::shell::git_ls_remote;

/// Why work on a repository failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Child(#[from] child::Error),
    #[error("{url:?} has no {what}")]
    NoRevision { url: String, what: String },
    #[error("{name:?} is not a name that a branch, tag or commit can have")]
    OddName { name: String },
    #[error("{path:?} was not checked out by git-clone")]
    NotAWorkTree { path: PathBuf },
    #[error("failed to keep what is known of a clone in {path:?}")]
    Record { path: PathBuf, source: io::Error },
    #[error("changes of branch {branch:?} conflict with those of this promotion: {details}")]
    Conflict { branch: String, details: String },
    #[error(
        "commits cannot be replayed on branch {branch:?} without changing who vouches for them"
    )]
    UnsafeRebase { branch: String },
    #[error("the remote refused {reference:?}: {reason}")]
    Refused { reference: String, reason: String },
    #[error("failed to take in the signing key: {reason}")]
    SigningKey { reason: String },
    #[error("repository {url:?} sends git to {to:?}")]
    Redirect {
        url: String,
        to: String,
        source: ResolveError,
    },
    #[error("repository {url:?} sends git elsewhere, {why}")]
    NoPlace { url: String, why: &'static str },
    #[error("submodule {path:?} has URL {url:?}, which git may not be given: {why}")]
    SubmoduleUrl {
        path: String,
        url: String,
        why: &'static str,
    },
    #[error("{file} does not say clearly which submodules there are: {why}")]
    OddSubmodules { file: String, why: &'static str },
}

impl Error {
    /// Says whether git was sent elsewhere and did not go: [`follow`](super::follow) finds where.
    pub fn is_redirect(&self) -> bool {
        matches!(
            self,
            Self::Child(child::Error::Remote {
                trouble: Trouble::Redirected,
                ..
            })
        )
    }

    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::Child(error) => error.hint(),
            Self::NoRevision { url, .. } => {
                format!("see what there is: {}", git_ls_remote(&[], url))
            }
            Self::OddName { .. } => "correct the step's branch, tag or commit".to_owned(),
            Self::NotAWorkTree { .. } => {
                "name a path that a git-clone step before this one checks out".to_owned()
            }
            Self::Record { path, .. } => format!(
                "see whether the disk is full or read-only: df -h {}",
                path.display()
            ),
            Self::Conflict { .. } => {
                "promote again, which starts from what the branch has now".to_owned()
            }
            Self::UnsafeRebase { .. } => {
                "sign in git-clone's author.signingKey, or set --push-integration rebase-or-merge"
                    .to_owned()
            }
            Self::Refused { .. } => {
                "see the host's rules for it, or push elsewhere: generateTargetBranch: true"
                    .to_owned()
            }
            Self::SigningKey { .. } => {
                "put a private key, OpenPGP or OpenSSH, into author.signingKey".to_owned()
            }
            Self::Redirect { source, .. } => source.hint(),
            Self::NoPlace { url, .. } => format!(
                "write the repository's own address: {} from where argosy runs",
                git_ls_remote(&[], url)
            ),
            Self::SubmoduleUrl { .. } => {
                "correct its url in .gitmodules, such as ../LIBRARY.git, or leave recurseSubmodules out"
                    .to_owned()
            }
            Self::OddSubmodules { .. } => {
                "correct .gitmodules, or leave recurseSubmodules out".to_owned()
            }
        }
    }
}
