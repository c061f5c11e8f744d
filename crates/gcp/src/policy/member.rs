//! Reads the members of a policy, in each of their spellings.

use std::fmt;

use crate::principal::{KubernetesAccount, Principal, ServiceAccountEmail};

/// Whom a binding names.
///
/// Compared as parsed, since IAM rewrites some spellings when a policy is stored.
///
/// Source: <https://cloud.google.com/iam/docs/principal-identifiers>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// Federated identities of a workload identity pool.
    Pool(PoolMember),
    /// The older spelling of one Kubernetes account: `serviceAccount:POOL[NAMESPACE/NAME]`.
    LegacyKubernetesAccount {
        pool: String,
        account: KubernetesAccount,
    },
    ServiceAccount(String),
    User(String),
    Group(String),
    Domain(String),
    /// Any account of Google; no federated identity is one.
    AllAuthenticatedUsers,
    AllUsers,
    /// What is left of somebody who was deleted.
    Deleted(String),
    Other(String),
}

/// Who in a workload identity pool is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolMember {
    /// Should be a number; an id is accepted by IAM and matches nobody.
    pub project: String,
    pub pool: String,
    pub subject: PoolSubject,
}

/// How many of a pool's identities a member covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolSubject {
    /// One name, in every cluster of the pool.
    Account(KubernetesAccount),
    /// One object in one cluster, until it is made anew.
    AccountUid(String),
    Namespace(String),
    Cluster(String),
    Everyone,
    /// A subject or a set by attributes that GKE does not make.
    Other(String),
}

impl Member {
    /// Reads a member; what is not understood becomes [`Member::Other`].
    pub fn parse(text: &str) -> Self {
        if let Some(rest) = text
            .strip_prefix("principal://")
            .or(text.strip_prefix("principalSet://"))
        {
            return pool_member(rest).map_or_else(|| Self::Other(text.to_owned()), Self::Pool);
        }
        match text.split_once(':') {
            Some(("serviceAccount", rest)) => legacy_account(rest)
                .unwrap_or_else(|| Self::ServiceAccount(rest.to_ascii_lowercase())),
            Some(("user", rest)) => Self::User(rest.to_ascii_lowercase()),
            Some(("group", rest)) => Self::Group(rest.to_ascii_lowercase()),
            Some(("domain", rest)) => Self::Domain(rest.to_ascii_lowercase()),
            Some(("deleted", rest)) => Self::Deleted(rest.to_owned()),
            None if text == "allUsers" => Self::AllUsers,
            None if text == "allAuthenticatedUsers" => Self::AllAuthenticatedUsers,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// Says whether this is the given principal, in either spelling.
    pub fn is(&self, principal: &Principal) -> bool {
        match self {
            Self::Pool(member) => {
                member.is_of(principal)
                    && member.subject == PoolSubject::Account(principal.account.clone())
            }
            Self::LegacyKubernetesAccount { pool, account } => {
                pool == principal.pool.as_str() && account == &principal.account
            }
            _ => false,
        }
    }

    /// Says whether the principal is covered by this member, by name or with others.
    ///
    /// Which cluster it is in and which uid it has a principal does not tell; whoever has facts knows more.
    pub fn covers(&self, principal: &Principal) -> bool {
        let Self::Pool(member) = self else {
            return self.is(principal) || matches!(self, Self::AllUsers);
        };
        let within = match &member.subject {
            PoolSubject::Account(account) => account == &principal.account,
            PoolSubject::Namespace(namespace) => namespace == &principal.account.namespace,
            PoolSubject::Everyone => true,
            PoolSubject::AccountUid(_) | PoolSubject::Cluster(_) | PoolSubject::Other(_) => false,
        };
        member.is_of(principal) && within
    }

    /// Says whether the member is Pods: federated identities of a workload identity pool, in either spelling.
    pub fn is_pod(&self) -> bool {
        matches!(self, Self::Pool(_) | Self::LegacyKubernetesAccount { .. })
    }

    /// Says whether the member is an account that Google made for one of its own services.
    pub fn is_agent(&self) -> bool {
        let Self::ServiceAccount(email) = self else {
            return false;
        };
        ServiceAccountEmail::parse(email).is_ok_and(|it| it.is_service_agent())
    }

    /// Says whether the member is public: people nobody of the organisation has chosen.
    pub fn is_public(&self) -> bool {
        matches!(self, Self::AllUsers | Self::AllAuthenticatedUsers)
    }
}

impl PoolMember {
    /// Says whether it is of the pool that a principal is in.
    pub fn is_of(&self, principal: &Principal) -> bool {
        self.project == principal.number.to_string() && self.pool == principal.pool.as_str()
    }
}

/// Reads what follows `principal://` or `principalSet://`.
fn pool_member(rest: &str) -> Option<PoolMember> {
    let rest = rest.strip_prefix("iam.googleapis.com/projects/")?;
    let (project, rest) = rest.split_once('/')?;
    let rest = rest.strip_prefix("locations/global/workloadIdentityPools/")?;
    let (pool, subject) = rest.split_once('/')?;
    Some(PoolMember {
        project: project.to_owned(),
        pool: pool.to_owned(),
        subject: PoolSubject::parse(subject),
    })
}

fn legacy_account(rest: &str) -> Option<Member> {
    let (pool, account) = rest.strip_suffix(']')?.split_once('[')?;
    let (namespace, name) = account.split_once('/')?;
    Some(Member::LegacyKubernetesAccount {
        pool: pool.to_owned(),
        account: KubernetesAccount::new(namespace, name),
    })
}

impl PoolSubject {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Everyone;
        }
        let account = text
            .strip_prefix("subject/ns/")
            .and_then(|it| it.split_once("/sa/"));
        if let Some((namespace, name)) = account {
            return Self::Account(KubernetesAccount::new(namespace, name));
        }
        match text.split_once('/') {
            Some(("kubernetes.serviceaccount.uid", uid)) => Self::AccountUid(uid.to_owned()),
            Some(("namespace", namespace)) => Self::Namespace(namespace.to_owned()),
            Some(("kubernetes.cluster", cluster)) => Self::Cluster(cluster.to_owned()),
            _ => Self::Other(text.to_owned()),
        }
    }
}

impl fmt::Display for PoolSubject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(out, "the Kubernetes account {account}"),
            Self::AccountUid(uid) => write!(out, "the Kubernetes account with uid {uid}"),
            Self::Namespace(namespace) => write!(out, "every account of namespace {namespace}"),
            Self::Cluster(cluster) => write!(out, "every Pod of {cluster}"),
            Self::Everyone => write!(out, "every Pod of every cluster of the project"),
            Self::Other(subject) => write!(out, "{subject}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::{ProjectId, ProjectNumber, WorkloadPool};

    const POOL: &str = "iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog";

    fn controller() -> Principal {
        Principal {
            number: ProjectNumber(4711),
            pool: WorkloadPool::of(&ProjectId::parse("acme-gke").expect("an id")),
            account: KubernetesAccount::new("argosy", "controller"),
        }
    }

    #[track_caller]
    fn subject_of(text: &str) -> PoolSubject {
        match Member::parse(text) {
            Member::Pool(member) => member.subject,
            other => panic!("{text} was read as {other:?}"),
        }
    }

    #[test]
    fn the_principal_and_its_older_spelling_are_the_same_account() {
        let principal = controller();
        assert!(Member::parse(&principal.to_string()).is(&principal));
        assert!(Member::parse(&principal.legacy_member()).is(&principal));
    }

    #[test]
    fn sets_of_a_pool_say_how_many_they_cover() {
        for (text, subject) in [
            (format!("principalSet://{POOL}/*"), PoolSubject::Everyone),
            (
                format!("principalSet://{POOL}/namespace/argosy"),
                PoolSubject::Namespace("argosy".to_owned()),
            ),
            (
                format!("principal://{POOL}/kubernetes.serviceaccount.uid/u-1"),
                PoolSubject::AccountUid("u-1".to_owned()),
            ),
            (
                format!("principal://{POOL}/subject/other"),
                PoolSubject::Other("subject/other".to_owned()),
            ),
        ] {
            assert_eq!(subject_of(&text), subject, "{text}");
        }
        let cluster = "https://container.googleapis.com/v1/projects/acme-gke/locations/europe-west1/clusters/one";
        let text = format!("principalSet://{POOL}/kubernetes.cluster/{cluster}");
        assert_eq!(subject_of(&text), PoolSubject::Cluster(cluster.to_owned()));
    }

    #[test]
    fn a_set_covers_its_members_and_google_accounts_are_not_federated() {
        let principal = controller();
        assert!(Member::parse(&format!("principalSet://{POOL}/*")).covers(&principal));
        assert!(
            Member::parse(&format!("principalSet://{POOL}/namespace/argosy")).covers(&principal)
        );
        assert!(!Member::parse(&format!("principalSet://{POOL}/namespace/web")).covers(&principal));
        assert!(Member::parse("allUsers").covers(&principal));
        assert!(!Member::parse("allAuthenticatedUsers").covers(&principal));
    }

    #[test]
    fn the_project_id_in_place_of_the_number_names_nobody() {
        let text = controller().to_string().replace("4711", "acme-gke");
        assert!(!Member::parse(&text).is(&controller()));
        assert!(!Member::parse(&text).covers(&controller()));
    }

    #[test]
    fn people_accounts_and_residue_are_told_apart() {
        assert_eq!(
            Member::parse("user:Ann@example.com"),
            Member::User("ann@example.com".to_owned())
        );
        assert_eq!(
            Member::parse("group:sre@example.com"),
            Member::Group("sre@example.com".to_owned())
        );
        assert_eq!(
            Member::parse("domain:example.com"),
            Member::Domain("example.com".to_owned())
        );
        assert!(matches!(
            Member::parse("deleted:serviceAccount:a@b?uid=1"),
            Member::Deleted(_)
        ));
        assert!(matches!(
            Member::parse("projectOwner:acme"),
            Member::Other(_)
        ));
        assert!(matches!(
            Member::parse("principal://goog/subject/x"),
            Member::Other(_)
        ));
    }
}
