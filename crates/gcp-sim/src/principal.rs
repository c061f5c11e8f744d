//! Who asks, and which members of a policy mean them.
//!
//! Source: <https://cloud.google.com/iam/docs/principal-identifiers>

use std::collections::BTreeMap;
use std::fmt;

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A Google service account, by its email.
    ServiceAccount { email: String },
    /// A person, by their email.
    User { email: String },
    /// A workload of a Kubernetes cluster, through a workload identity pool.
    Federated(Federated),
    /// Nobody: a request without credentials.
    Anonymous,
}

/// A workload as its pool sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federated {
    /// The number of the project that the pool belongs to.
    pub project_number: u64,
    /// `acme-prod.svc.id.goog`, or the id of a pool that somebody made.
    pub pool: String,
    /// `ns/argosy/sa/controller` in Google's own pools; what the provider maps to `google.subject` in others.
    pub subject: String,
    /// What `principalSet://` can select by: `namespace`, `kubernetes.cluster`, `attribute.team`.
    pub attributes: BTreeMap<String, String>,
}

impl Federated {
    /// A service account of Kubernetes, of a GKE cluster.
    pub fn of_cluster(
        project_number: u64,
        pool: &str,
        namespace: &str,
        account: &str,
        attributes: BTreeMap<String, String>,
    ) -> Self {
        let mut attributes = attributes;
        attributes.insert("namespace".to_owned(), namespace.to_owned());
        Self {
            project_number,
            pool: pool.to_owned(),
            subject: format!("ns/{namespace}/sa/{account}"),
            attributes,
        }
    }

    fn pool_path(&self) -> String {
        format!(
            "iam.googleapis.com/projects/{}/locations/global/workloadIdentityPools/{}",
            self.project_number, self.pool
        )
    }

    /// The spelling from before `principal://`: `serviceAccount:acme-prod.svc.id.goog[argosy/controller]`.
    fn legacy_member(&self) -> Option<String> {
        let (namespace, account) = self.subject.strip_prefix("ns/")?.split_once("/sa/")?;
        self.pool
            .ends_with(".svc.id.goog")
            .then(|| format!("serviceAccount:{}[{namespace}/{account}]", self.pool))
    }
}

impl Principal {
    pub fn service_account(email: &str) -> Self {
        Self::ServiceAccount {
            email: email.to_owned(),
        }
    }

    pub fn user(email: &str) -> Self {
        Self::User {
            email: email.to_owned(),
        }
    }

    /// Parses `user:…` or `serviceAccount:…`, the members that one can simply be.
    pub fn parse_member(member: &str) -> Option<Self> {
        if let Some(email) = member.strip_prefix("user:") {
            return Some(Self::user(email));
        }
        let email = member.strip_prefix("serviceAccount:")?;
        (!email.contains('[')).then(|| Self::service_account(email))
    }

    pub fn email(&self) -> Option<&str> {
        match self {
            Self::ServiceAccount { email } | Self::User { email } => Some(email),
            Self::Federated(_) | Self::Anonymous => None,
        }
    }

    /// Says whether a member of a policy means this principal. `groups` maps a group's email to its members.
    ///
    /// `allAuthenticatedUsers` leaves out federated identities; `deleted:` members mean nobody.
    pub fn is_meant_by(&self, member: &str, groups: &BTreeMap<String, Vec<String>>) -> bool {
        if member == "allUsers" {
            return true;
        }
        if let Some(group) = member.strip_prefix("group:") {
            let members = groups.get(group).map_or(&[][..], Vec::as_slice);
            return members
                .iter()
                .any(|inner| !inner.starts_with("group:") && self.is_meant_by(inner, groups));
        }
        match self {
            Self::Anonymous => false,
            Self::User { email } => {
                let domain = email.split_once('@').map_or("", |(_, domain)| domain);
                member == "allAuthenticatedUsers"
                    || member.strip_prefix("user:") == Some(email)
                    || member.strip_prefix("domain:") == Some(domain)
            }
            Self::ServiceAccount { email } => {
                member == "allAuthenticatedUsers"
                    || member.strip_prefix("serviceAccount:") == Some(email)
            }
            Self::Federated(workload) => workload.is_meant_by(member),
        }
    }
}

impl Federated {
    fn is_meant_by(&self, member: &str) -> bool {
        if self.legacy_member().is_some_and(|legacy| legacy == member) {
            return true;
        }
        let pool = self.pool_path();
        if let Some(rest) = strip(member, "principal://", &pool) {
            return rest.strip_prefix("subject/") == Some(&self.subject)
                || rest
                    .strip_prefix("kubernetes.serviceaccount.uid/")
                    .is_some_and(|uid| self.has("kubernetes.serviceaccount.uid", uid));
        }
        let Some(rest) = strip(member, "principalSet://", &pool) else {
            return false;
        };
        if rest == "*" {
            return true;
        }
        rest.split_once('/')
            .is_some_and(|(attribute, value)| self.has(attribute, value))
    }

    fn has(&self, attribute: &str, value: &str) -> bool {
        self.attributes
            .get(attribute)
            .is_some_and(|own| own == value)
    }
}

fn strip<'a>(member: &'a str, scheme: &str, pool: &str) -> Option<&'a str> {
    member
        .strip_prefix(scheme)?
        .strip_prefix(pool)?
        .strip_prefix('/')
}

/// As a policy would name them.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceAccount { email } => write!(f, "serviceAccount:{email}"),
            Self::User { email } => write!(f, "user:{email}"),
            Self::Federated(workload) => {
                write!(
                    f,
                    "principal://{}/subject/{}",
                    workload.pool_path(),
                    workload.subject
                )
            }
            Self::Anonymous => write!(f, "anonymous"),
        }
    }
}

#[cfg(test)]
mod tests;
