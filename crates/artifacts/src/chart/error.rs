//! Why no versions of a chart were discovered.

use domain::selection::RulesError;
use http::StatusCode;

use super::index::IndexError;
use crate::registry::{self, Asker, RepositoryError};
use crate::sender::Fault;
use crate::shell::{quote, skopeo_list_tags};

/// Says why nothing was discovered. `repo_url` never holds a login or a query.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("chart subscription {repo_url:?} cannot be followed")]
    Rules {
        repo_url: String,
        source: RulesError,
    },
    #[error("chart subscription {repo_url:?} cannot be followed: {why}")]
    Url { repo_url: String, why: &'static str },
    #[error("chart subscription cannot be followed")]
    Repository(#[from] RepositoryError),
    #[error("failed to list the versions of chart {repo_url:?}")]
    Registry {
        repo_url: String,
        source: registry::Error,
    },
    #[error("{request} for chart repository {repo_url} failed")]
    Index {
        repo_url: String,
        /// The method, host and path: `GET charts.example.com/stable/index.yaml`. Queries are left out, they can hold secrets.
        request: String,
        #[source]
        problem: Problem,
    },
}

/// Says what is wrong with an index.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Http(#[from] Fault),
    #[error("the server answered {status}")]
    Denied {
        status: StatusCode,
        with_login: bool,
    },
    #[error("the server answered {status}: there is no index.yaml")]
    NotFound { status: StatusCode },
    #[error("the server answered {status}")]
    Status { status: StatusCode },
    #[error(transparent)]
    Unreadable(#[from] IndexError),
}

impl Error {
    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        match self {
            Self::Rules { .. } | Self::Url { .. } | Self::Repository(_) => {
                "correct the Warehouse's chart subscription: kubectl explain warehouse.spec"
                    .to_owned()
            }
            Self::Registry { repo_url, source } => registry_hint(repo_url, source),
            Self::Index {
                repo_url, problem, ..
            } => problem.hint(repo_url),
        }
    }
}

impl Problem {
    fn hint(&self, repo_url: &str) -> String {
        let look = || {
            format!(
                "see what is there: curl -sSL {}",
                quote(&format!("{repo_url}/index.yaml"))
            )
        };
        match self {
            Self::Http(Fault::TooLarge { .. }) => format!(
                "split the repository, or keep the chart in a registry (oci://): nothing larger than this is read from {repo_url}"
            ),
            Self::Http(fault) => fault.hint(),
            Self::Denied {
                with_login: false, ..
            } => secret_to_create(repo_url),
            Self::Denied { .. } => {
                format!("see whether the Secret for {repo_url} is current and may read")
            }
            Self::NotFound { .. } => format!(
                "correct repoURL: it is what helm repo add takes, and a chart in a registry is written oci://HOST/PATH/NAME; {}",
                look()
            ),
            Self::Unreadable(IndexError::Alias { .. }) => {
                "write the index without aliases: helm repo index .".to_owned()
            }
            Self::Unreadable(IndexError::ManyVersions { .. }) => {
                "take old versions out of the index: helm repo index .".to_owned()
            }
            Self::Status { .. } | Self::Unreadable(_) => look(),
        }
    }
}

/// What helps with charts in a registry, where it is not what helps with images.
fn registry_hint(repo_url: &str, error: &registry::Error) -> String {
    let name = &error.repository;
    match &*error.problem {
        registry::Problem::Token { status, .. } if !registry::is_refusal(*status) => error.hint(),
        registry::Problem::Denied {
            asker: Asker::Nobody,
            ..
        }
        | registry::Problem::Token {
            asker: Asker::Nobody,
            ..
        } => secret_to_create(repo_url),
        registry::Problem::Denied {
            asker: Asker::Secret,
            ..
        }
        | registry::Problem::Token {
            asker: Asker::Secret,
            ..
        } => format!(
            "see whether the Secret for {repo_url} is current and may pull: {}",
            skopeo_list_tags(name)
        ),
        registry::Problem::NotFound { .. } => format!(
            "correct repoURL, which ends with the chart's name: {}",
            skopeo_list_tags(name)
        ),
        _ => error.hint(),
    }
}

fn secret_to_create(repo_url: &str) -> String {
    format!(
        "create a Secret with label kargo.akuity.io/cred-type=helm in the project's namespace, holding username, password and repoURL {repo_url}"
    )
}
