//! Members that were meant to be somebody and are nobody, or somebody else.

use super::{Member, PoolMember, PoolSubject};
use crate::principal::Principal;

/// What is wrong with a member that almost names a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NearMiss {
    /// The project id stands where the number belongs.
    IdForNumber {
        found: String,
    },
    /// The number of another project stands before the pool.
    OtherNumber {
        found: String,
    },
    /// The number stands within the pool's name, where the id belongs.
    NumberInPool {
        found: String,
    },
    OtherNamespace {
        found: String,
    },
    OtherAccount {
        found: String,
    },
    /// The pool itself, without the account in brackets.
    PoolAsAccount,
    /// The subject as self-made pools map it, which the pool of GKE never has.
    MappedSubject {
        found: String,
    },
}

impl NearMiss {
    /// Says what is wrong, as the end of a sentence about the member.
    pub fn says(&self) -> String {
        match self {
            Self::IdForNumber { found } => {
                format!("has the project id {found} where the project number belongs")
            }
            Self::OtherNumber { found } => format!("has the number {found} of another project"),
            Self::NumberInPool { found } => {
                format!("has the pool {found}, which needs the project id and not the number")
            }
            Self::OtherNamespace { found } => format!("names namespace {found}"),
            Self::OtherAccount { found } => format!("names the Kubernetes account {found}"),
            Self::PoolAsAccount => "names the pool without a Kubernetes account".to_owned(),
            Self::MappedSubject { found } => {
                format!("has {found}, the form of a pool you made, not of GKE's")
            }
        }
    }

    /// Says whether the member names nobody at all, rather than somebody else.
    pub fn reaches_nobody(&self) -> bool {
        match self {
            Self::OtherNamespace { .. } | Self::OtherAccount { .. } => false,
            Self::IdForNumber { .. }
            | Self::OtherNumber { .. }
            | Self::NumberInPool { .. }
            | Self::PoolAsAccount
            | Self::MappedSubject { .. } => true,
        }
    }
}

/// Finds out whether a member was meant to be the principal, and what is wrong with it.
///
/// `None` for the principal itself, for sets that cover it, and for what has too little in common with it.
pub fn near_miss(member: &Member, wanted: &Principal) -> Option<NearMiss> {
    if member.covers(wanted) {
        return None;
    }
    match member {
        Member::Pool(found) => in_pool(found, wanted),
        Member::LegacyKubernetesAccount { pool, account } => {
            if pool != wanted.pool.as_str() {
                let same = account == &wanted.account && *pool == by_number(wanted);
                return same.then(|| NearMiss::NumberInPool {
                    found: pool.clone(),
                });
            }
            in_account(&account.namespace, &account.name, wanted)
        }
        Member::ServiceAccount(text) if text == wanted.pool.as_str() => {
            Some(NearMiss::PoolAsAccount)
        }
        _ => None,
    }
}

fn in_pool(found: &PoolMember, wanted: &Principal) -> Option<NearMiss> {
    let PoolSubject::Account(account) = &found.subject else {
        return mapped_subject(found, wanted);
    };
    let same_account = account == &wanted.account;
    let same_pool = found.pool == wanted.pool.as_str();
    if same_account && found.pool == by_number(wanted) {
        return Some(NearMiss::NumberInPool {
            found: found.pool.clone(),
        });
    }
    if !same_pool {
        return None;
    }
    let number = wanted.number.to_string();
    if same_account && found.project != number {
        let found = found.project.clone();
        let is_number = found.bytes().all(|it| it.is_ascii_digit());
        return Some(if is_number {
            NearMiss::OtherNumber { found }
        } else {
            NearMiss::IdForNumber { found }
        });
    }
    in_account(&account.namespace, &account.name, wanted)
}

fn mapped_subject(found: &PoolMember, wanted: &Principal) -> Option<NearMiss> {
    let PoolSubject::Other(subject) = &found.subject else {
        return None;
    };
    let mapped = format!(
        "subject/system:serviceaccount:{}:{}",
        wanted.account.namespace, wanted.account.name
    );
    (*subject == mapped && found.pool == wanted.pool.as_str()).then(|| NearMiss::MappedSubject {
        found: subject.clone(),
    })
}

/// Takes a member for a slip only if namespace or name is right: other accounts of the pool may be meant as they are.
fn in_account(namespace: &str, name: &str, wanted: &Principal) -> Option<NearMiss> {
    match (
        namespace == wanted.account.namespace,
        name == wanted.account.name,
    ) {
        (false, true) => Some(NearMiss::OtherNamespace {
            found: namespace.to_owned(),
        }),
        (true, false) => Some(NearMiss::OtherAccount {
            found: name.to_owned(),
        }),
        (true, true) | (false, false) => None,
    }
}

fn by_number(wanted: &Principal) -> String {
    format!("{}.svc.id.goog", wanted.number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::{KubernetesAccount, ProjectId, ProjectNumber, WorkloadPool};

    fn controller() -> Principal {
        Principal {
            number: ProjectNumber(4711),
            pool: WorkloadPool::of(&ProjectId::parse("acme-gke").expect("an id")),
            account: KubernetesAccount::new("argosy", "controller"),
        }
    }

    fn found(text: &str) -> Option<NearMiss> {
        near_miss(&Member::parse(text), &controller())
    }

    #[test]
    fn the_principal_is_no_near_miss_of_itself_in_either_spelling() {
        assert_eq!(found(&controller().to_string()), None);
        assert_eq!(found(&controller().legacy_member()), None);
    }

    #[test]
    fn each_slip_is_named() {
        let right = controller().to_string();
        let owned = str::to_owned;
        for (text, slip) in [
            (
                right.replace("4711", "acme-gke"),
                NearMiss::IdForNumber {
                    found: owned("acme-gke"),
                },
            ),
            (
                right.replace("4711", "4712"),
                NearMiss::OtherNumber {
                    found: owned("4712"),
                },
            ),
            (
                right.replace("acme-gke.svc", "4711.svc"),
                NearMiss::NumberInPool {
                    found: owned("4711.svc.id.goog"),
                },
            ),
            (
                right.replace("ns/argosy", "ns/kargo"),
                NearMiss::OtherNamespace {
                    found: owned("kargo"),
                },
            ),
            (
                right.replace("sa/controller", "sa/default"),
                NearMiss::OtherAccount {
                    found: owned("default"),
                },
            ),
            (
                right.replace(
                    "ns/argosy/sa/controller",
                    "system:serviceaccount:argosy:controller",
                ),
                NearMiss::MappedSubject {
                    found: owned("subject/system:serviceaccount:argosy:controller"),
                },
            ),
        ] {
            assert_eq!(found(&text), Some(slip), "{text}");
        }
    }

    #[test]
    fn slips_in_the_older_spelling_are_named_too() {
        assert_eq!(
            found("serviceAccount:acme-gke.svc.id.goog[kargo/controller]"),
            Some(NearMiss::OtherNamespace {
                found: "kargo".to_owned()
            })
        );
        assert_eq!(
            found("serviceAccount:4711.svc.id.goog[argosy/controller]"),
            Some(NearMiss::NumberInPool {
                found: "4711.svc.id.goog".to_owned()
            })
        );
        assert_eq!(
            found("serviceAccount:acme-gke.svc.id.goog"),
            Some(NearMiss::PoolAsAccount)
        );
    }

    #[test]
    fn others_of_the_pool_are_left_alone() {
        assert_eq!(found("serviceAccount:acme-gke.svc.id.goog[web/app]"), None);
        assert_eq!(
            found("serviceAccount:web@acme-gke.iam.gserviceaccount.com"),
            None
        );
        assert_eq!(found("user:ann@example.com"), None);
    }
}
