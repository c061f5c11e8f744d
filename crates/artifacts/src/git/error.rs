//! Why no commits were discovered.

use domain::selection::RulesError;
use http::StatusCode;

use crate::child;
use crate::egress::ResolveError;
use crate::sender::Fault;

/// Says why nothing was discovered. `repo_url` never holds a login.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("git subscription {repo_url:?} cannot be followed: {why}")]
    Url { repo_url: String, why: &'static str },
    #[error(
        "git subscription {repo_url:?} cannot be followed: commitSelectionStrategy {strategy} is not supported yet"
    )]
    Unsupported {
        repo_url: String,
        strategy: &'static str,
    },
    #[error("git subscription {repo_url:?} cannot be followed: {branch:?} cannot be a branch")]
    BranchName { repo_url: String, branch: String },
    #[error("git subscription {repo_url:?} cannot be followed")]
    Rules {
        repo_url: String,
        source: RulesError,
    },
    #[error("repository {repo_url:?} cannot be reached")]
    Egress {
        repo_url: String,
        source: ResolveError,
    },
    #[error("failed to ask repository {repo_url:?} for its branches")]
    Http { repo_url: String, source: Fault },
    #[error("repository {repo_url:?} answered {status} to the question for its branches")]
    Denied {
        repo_url: String,
        status: StatusCode,
        with_login: bool,
    },
    #[error("repository {repo_url:?} has no branch {branch:?}")]
    NoBranch { repo_url: String, branch: String },
    #[error("repository {repo_url:?} has no commits on its default branch")]
    NoDefaultBranch { repo_url: String },
    #[error("failed to ask repository {repo_url:?} for its branches")]
    Remote {
        repo_url: String,
        source: child::Error,
    },
    #[error("failed to fetch repository {repo_url:?}")]
    Fetch {
        repo_url: String,
        source: child::Error,
    },
    #[error("failed to read the commits of repository {repo_url:?}")]
    Log {
        repo_url: String,
        source: child::Error,
    },
    #[error("failed to read the commits of repository {repo_url:?}: {why}")]
    Malformed { repo_url: String, why: &'static str },
    #[error("failed to keep a mirror of repository {repo_url:?}")]
    Mirror {
        repo_url: String,
        source: std::io::Error,
    },
}

impl Error {
    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::Url { .. }
            | Self::Unsupported { .. }
            | Self::BranchName { .. }
            | Self::Rules { .. } => {
                "correct the Warehouse's git subscription: kubectl explain warehouse.spec"
                    .to_owned()
            }
            Self::Egress { source, .. } => source.hint(),
            Self::Http { source, .. } => source.hint(),
            Self::Denied {
                repo_url,
                with_login: false,
                ..
            } => child::secret_to_create(repo_url),
            Self::Denied { repo_url, .. } => {
                format!("see whether the Secret for {repo_url} is current and may read")
            }
            Self::NoBranch { repo_url, .. } | Self::NoDefaultBranch { repo_url } => {
                format!("git ls-remote --heads {repo_url}")
            }
            Self::Remote { source, .. } | Self::Fetch { source, .. } => source.hint(),
            Self::Log { .. } | Self::Malformed { .. } | Self::Mirror { .. } => {
                "see whether the disk is full; the mirror is made anew when it is deleted"
                    .to_owned()
            }
        }
    }
}
