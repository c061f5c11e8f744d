//! Why no commits were discovered.

use domain::selection::RulesError;
use http::StatusCode;

use crate::child;
use crate::egress::ResolveError;
use crate::sender::Fault;
use crate::shell::git_ls_remote;

/// Says why nothing was discovered. `repo_url` never holds a login.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("git subscription {repo_url:?} cannot be followed: {why}")]
    Url { repo_url: String, why: &'static str },
    #[error("git subscription {repo_url:?} cannot be followed: {branch:?} cannot be a branch")]
    BranchName { repo_url: String, branch: String },
    #[error("git subscription {repo_url:?} cannot be followed")]
    Rules {
        repo_url: String,
        source: RulesError,
    },
    #[error("repository {repo_url:?} cannot be asked for its branches and tags")]
    Egress {
        repo_url: String,
        source: ResolveError,
    },
    #[error("failed to ask repository {repo_url:?} for its branches and tags")]
    Http { repo_url: String, source: Fault },
    #[error("repository {repo_url:?} answered {status} to the question for its branches and tags")]
    Denied {
        repo_url: String,
        status: StatusCode,
        with_login: bool,
    },
    #[error("failed to ask repository {repo_url:?} for its branches and tags: {why}")]
    NotGit { repo_url: String, why: &'static str },
    #[error("repository {repo_url:?} has more than {bound} branches and tags")]
    TooManyRefs { repo_url: String, bound: usize },
    #[error("repository {repo_url:?} has no branch {branch:?}")]
    NoBranch { repo_url: String, branch: String },
    #[error("repository {repo_url:?} has no commits on its default branch")]
    NoDefaultBranch { repo_url: String },
    #[error("more than {bound} tags of repository {repo_url:?} would have to be read")]
    TooManyTags { repo_url: String, bound: usize },
    #[error("none of the matching tags of repository {repo_url:?} names a commit: {tag:?}: {why}")]
    NoCommit {
        repo_url: String,
        tag: String,
        why: String,
    },
    #[error("failed to ask repository {repo_url:?} for its branches and tags")]
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
    /// Says whether a damaged mirror could be why, so that one made anew could help.
    pub(super) fn may_be_of_mirror(&self) -> bool {
        match self {
            Self::Malformed { .. } => true,
            Self::Fetch { source, .. } | Self::Log { source, .. } => {
                matches!(source, child::Error::Failed { .. })
            }
            Self::Url { .. }
            | Self::BranchName { .. }
            | Self::Rules { .. }
            | Self::Egress { .. }
            | Self::Http { .. }
            | Self::Denied { .. }
            | Self::NotGit { .. }
            | Self::TooManyRefs { .. }
            | Self::NoBranch { .. }
            | Self::NoDefaultBranch { .. }
            | Self::TooManyTags { .. }
            | Self::NoCommit { .. }
            | Self::Remote { .. }
            | Self::Mirror { .. } => false,
        }
    }

    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::Url { .. } | Self::BranchName { .. } | Self::Rules { .. } => {
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
            Self::NotGit { repo_url, .. } => {
                format!(
                    "see what is there: {} from where argosy runs",
                    git_ls_remote(&[], repo_url)
                )
            }
            Self::TooManyRefs { repo_url, .. } => {
                format!(
                    "remove old ones: {} | wc -l",
                    git_ls_remote(&[], repo_url)
                )
            }
            Self::NoBranch { repo_url, .. } | Self::NoDefaultBranch { repo_url } => {
                git_ls_remote(&["--heads"], repo_url)
            }
            Self::TooManyTags { .. } => {
                "narrow allowTagsRegexes, or let SemVer or Lexical choose: they read only as many as they take"
                    .to_owned()
            }
            Self::NoCommit { repo_url, .. } => format!(
                "correct the tag or allowTagsRegexes: {}",
                git_ls_remote(&["--tags"], repo_url)
            ),
            Self::Remote { source, .. } | Self::Fetch { source, .. } => source.hint(),
            Self::Mirror { source, .. } if source.kind() == std::io::ErrorKind::TimedOut => {
                "let one process at a time use the data folder: --data-dir FOLDER".to_owned()
            }
            Self::Log { .. } | Self::Malformed { .. } | Self::Mirror { .. } => {
                "see whether the disk is full; the mirror is made anew when it is deleted"
                    .to_owned()
            }
        }
    }
}
