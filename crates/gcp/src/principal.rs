//! Who somebody is in IAM: projects, service accounts, workload pools, and the Kubernetes account of a Pod.

mod project;
mod service_account;

use std::fmt;

use serde::Serialize;

pub use project::{ProjectId, ProjectNumber};
pub(crate) use service_account::DEFAULT_COMPUTE;
pub use service_account::{ACCOUNT_PREFIX, MAX_PROJECT_NAME, ServiceAccountEmail};

/// Why a name cannot be what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("{text:?} is not the id of a Google Cloud project")]
    Project { text: String },
    #[error("{text:?} is not the number of a Google Cloud project")]
    Number { text: String },
    #[error("{text:?} is not the email of a Google service account")]
    Email { text: String },
    #[error("{text:?} is not a workload identity pool of a GKE project")]
    Pool { text: String },
    #[error(
        "project {project:?} cannot have a service account: {account:?} is not 6 to 30 of a-z, 0-9 and '-'"
    )]
    AccountId { project: String, account: String },
    #[error("{text:?} is not a namespace and a service account with a slash between")]
    Account { text: String },
}

impl NameError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Project { .. } => "list project ids with `gcloud projects list`",
            Self::Number { .. } => {
                "ask for it: gcloud projects describe PROJECT --format='value(projectNumber)'"
            }
            Self::Email { .. } => "list emails with `gcloud iam service-accounts list`",
            Self::Pool { .. } => "the pool of a GKE project is named PROJECT_ID.svc.id.goog",
            Self::AccountId { .. } => {
                "give the project a name of at most 16 characters, or let it use its Kubernetes account"
            }
            Self::Account { .. } => "write it as NAMESPACE/NAME, for example argosy/controller",
        }
    }
}

/// The pool that holds every Kubernetes account of all GKE clusters of one project.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct WorkloadPool(String);

impl WorkloadPool {
    const ENDING: &str = ".svc.id.goog";

    /// Names the pool of a project: `acme-gke.svc.id.goog`.
    ///
    /// The prefix of a sovereign universe moves behind the name (`eu0:acme` has `acme.eu0.svc.id.goog`), the domain of
    /// a domain-scoped project stays in front of it.
    pub fn of(project: &ProjectId) -> Self {
        let holder = match project.scope() {
            Some(scope) if !scope.contains('.') => format!("{}.{scope}", project.name()),
            _ => project.to_string(),
        };
        Self(format!("{holder}{}", Self::ENDING))
    }

    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refused = || NameError::Pool {
            text: text.to_owned(),
        };
        let pool = Self(text.to_owned());
        pool.project().map(|_| pool).ok_or_else(refused)
    }

    /// Spells a Kubernetes account of the pool as the member of a policy that needs no number of a project.
    pub fn member(&self, account: &KubernetesAccount) -> String {
        format!("serviceAccount:{self}[{account}]")
    }

    /// Finds the project a pool belongs to.
    pub fn project(&self) -> Option<ProjectId> {
        let holder = self.0.strip_suffix(Self::ENDING)?;
        let id = match holder.split_once('.') {
            Some((name, prefix)) if !holder.contains(':') => format!("{prefix}:{name}"),
            _ => holder.to_owned(),
        };
        ProjectId::parse(&id).ok()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkloadPool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What the Kubernetes account is called that may act for a Project, in the Project's namespace.
pub const PROJECT_ACCOUNT: &str = "argosy-gcp";

/// A Kubernetes `ServiceAccount` by its namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KubernetesAccount {
    pub namespace: String,
    pub name: String,
}

impl KubernetesAccount {
    pub fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Reads `argosy/controller`.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            Some((namespace, name)) if is_label(namespace) && is_subdomain(name) => {
                Ok(Self::new(namespace, name))
            }
            _ => Err(NameError::Account {
                text: text.to_owned(),
            }),
        }
    }
}

impl fmt::Display for KubernetesAccount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.namespace, self.name)
    }
}

/// A Kubernetes account as IAM sees it; prints as the member of a policy.
///
/// The project *number* stands before the pool, the project *id* within its name.
///
/// Source: <https://cloud.google.com/iam/docs/principal-identifiers>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal {
    pub number: ProjectNumber,
    pub pool: WorkloadPool,
    pub account: KubernetesAccount,
}

impl Principal {
    /// Spells the same principal as older documentation does: `serviceAccount:POOL[NAMESPACE/NAME]`.
    pub fn legacy_member(&self) -> String {
        format!("serviceAccount:{}[{}]", self.pool, self.account)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "principal://iam.googleapis.com/projects/{}/locations/global/workloadIdentityPools/{}/subject/ns/{}/sa/{}",
            self.number, self.pool, self.account.namespace, self.account.name
        )
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.len() <= 63 && text.bytes().all(is_lower_or_dash)
}

fn is_subdomain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text
            .bytes()
            .all(|byte| is_lower_or_dash(byte) || byte == b'.')
}

fn is_lower_or_dash(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(id: &str) -> ProjectId {
        ProjectId::parse(id).expect("a project id")
    }

    #[test]
    fn a_pool_is_named_after_the_project_id_wherever_its_scope_stands() {
        for (id, pool) in [
            ("acme-gke", "acme-gke.svc.id.goog"),
            ("example.com:acme", "example.com:acme.svc.id.goog"),
            ("eu0:acme", "acme.eu0.svc.id.goog"),
        ] {
            assert_eq!(WorkloadPool::of(&project(id)).as_str(), pool);
            let read = WorkloadPool::parse(pool).expect("a pool");
            assert_eq!(read.project(), Some(project(id)));
        }
    }

    #[test]
    fn what_is_no_pool_is_refused() {
        for text in [
            "",
            "acme-gke",
            "kubernetes-pool",
            ".svc.id.goog",
            "A.svc.id.goog",
        ] {
            assert!(WorkloadPool::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_principal_has_the_number_in_front_and_the_id_in_the_pool() {
        let principal = Principal {
            number: ProjectNumber::parse("4711").expect("a number"),
            pool: WorkloadPool::of(&project("acme-gke")),
            account: KubernetesAccount::new("argosy", "controller"),
        };
        assert_eq!(
            principal.to_string(),
            "principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/\
             acme-gke.svc.id.goog/subject/ns/argosy/sa/controller"
        );
        assert_eq!(
            principal.legacy_member(),
            "serviceAccount:acme-gke.svc.id.goog[argosy/controller]"
        );
    }

    #[test]
    fn an_account_is_a_namespace_and_a_name() {
        let account = KubernetesAccount::parse("argosy/controller").expect("an account");
        assert_eq!(account, KubernetesAccount::new("argosy", "controller"));
        for text in ["controller", "/x", "x/", "a/b/c", "A/b", "a.b/c"] {
            assert!(KubernetesAccount::parse(text).is_err(), "{text}");
        }
    }
}
