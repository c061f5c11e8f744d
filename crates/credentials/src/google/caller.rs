//! Who the controller is at Google, as its operator says. The controller and the commands that look at what it sees share
//! these settings, so that they cannot differ.
#![allow(
    rustdoc::bare_urls,
    clippy::doc_markdown,
    reason = "doc comments here are help texts, read in a terminal"
)]

use std::path::PathBuf;
use std::{fs, io};

use clap::{Args, ValueEnum};
use gcp::principal::ProjectId;
use gcp::{Base, ExternalAccount, FileError, Scope, ServiceAccountKey};

/// Where Kubernetes puts the token of a Pod's account.
///
/// Source: <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/>
pub const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Who the controller is at Google.
#[derive(Debug, Clone, Args)]
pub struct Caller {
    /// Google Cloud project of the accounts kargo-project-NAME [default: the metadata server's]
    #[arg(long, env = "ARGOSY_GCP_PROJECT", value_name = "ID", value_parser = project)]
    pub gcp_project: Option<ProjectId>,
    /// What tokens may be used for at most, whatever IAM grants
    #[arg(long, env = "ARGOSY_GCP_TOKEN_SCOPE", value_enum, default_value_t = TokenScope::ReadOnly)]
    pub gcp_token_scope: TokenScope,
    /// Credential file of the controller, for clusters outside Google: of type external_account, or a service account's key
    #[arg(long, env = "ARGOSY_GCP_CREDENTIALS", value_name = "FILE")]
    pub gcp_credentials: Option<PathBuf>,
}

/// What tokens may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TokenScope {
    /// Listing and pulling
    ReadOnly,
    /// Everything that IAM grants
    CloudPlatform,
}

/// Why a credential file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    #[error("failed to read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("--gcp-credentials {}: {why}", path.display())]
    Unusable {
        path: PathBuf,
        why: String,
        hint: &'static str,
    },
}

impl CallerError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name another: --gcp-credentials FILE",
            Self::Unusable { hint, .. } => hint,
        }
    }
}

impl Caller {
    /// Reads where the controller's own token comes from.
    ///
    /// # Errors
    /// [`CallerError`] if the credential file is not to be read, or is of no kind that is taken.
    pub fn base(&self) -> Result<Base, CallerError> {
        let Some(path) = &self.gcp_credentials else {
            return Ok(Base::Metadata);
        };
        let json = fs::read(path).map_err(|source| CallerError::Read {
            path: path.clone(),
            source,
        })?;
        let unusable = |why: String, hint| CallerError::Unusable {
            path: path.clone(),
            why,
            hint,
        };
        match ExternalAccount::parse(&json) {
            Ok(account) => Ok(Base::ExternalAccount(Box::new(account))),
            Err(FileError::Kind { kind }) if kind == "service_account" => {
                let key = ServiceAccountKey::parse(&json);
                let key = key.map_err(|it| unusable(it.to_string(), it.hint()))?;
                Ok(Base::Key(Box::new(key)))
            }
            Err(error) => Err(unusable(error.to_string(), error.hint())),
        }
    }

    pub fn scope(&self) -> Scope {
        match self.gcp_token_scope {
            TokenScope::ReadOnly => Scope::ReadOnly,
            TokenScope::CloudPlatform => Scope::CloudPlatform,
        }
    }
}

fn project(text: &str) -> Result<ProjectId, String> {
    ProjectId::parse(text).map_err(|error| format!("{error}; {}", error.hint()))
}
