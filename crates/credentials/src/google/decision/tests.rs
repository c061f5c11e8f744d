//! The table of all combinations: what the service account came to, what the Kubernetes account came to, the policy.

use std::time::Duration;

use gcp::{Absence, Problem, TokenError};

use super::*;

/// What asking for a token can come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Token,
    NotFound,
    NameTooLong,
    Forbidden,
    Open(usize),
}

/// Who acts in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Acts {
    ServiceAccount,
    KubernetesAccount,
    Controller,
    Nobody,
    /// It is not known yet; nobody acts meanwhile.
    Open,
}

/// Every failure that leaves it open whether the account may be acted as.
fn open_failures() -> Vec<TokenError> {
    let host = || "iamcredentials.googleapis.com".to_owned();
    let (reason, message) = (|| "SOMETHING_NEW".to_owned(), || "no".to_owned());
    vec![
        TokenError::Unconfirmed {
            again_in: Duration::from_secs(30),
            source: Box::new(forbidden()),
        },
        TokenError::ApiDisabled {
            service: host(),
            project: "p".to_owned(),
        },
        TokenError::RateLimited {
            host: host(),
            retry_after: None,
        },
        TokenError::Silent { host: host() },
        TokenError::Unavailable {
            host: host(),
            status: 503,
        },
        TokenError::NotReady { host: host() },
        TokenError::Malformed {
            host: host(),
            problem: Problem::WebPage,
        },
        TokenError::Unexpected {
            host: host(),
            status: 404,
        },
        TokenError::Unauthenticated {
            host: host(),
            reason: reason(),
        },
        TokenError::ScopeInsufficient { host: host() },
        TokenError::PolicyViolated {
            host: host(),
            reason: reason(),
            uid: None,
        },
        TokenError::ConsumerRefused {
            host: host(),
            consumer: "projects/1".to_owned(),
            reason: reason(),
        },
        TokenError::Lifetime { message: message() },
        TokenError::Refused {
            host: host(),
            status: 403,
            reason: reason(),
            message: message(),
        },
        TokenError::Rejected {
            host: host(),
            error: "invalid_grant".to_owned(),
            description: message(),
        },
        TokenError::Annotated {
            status: 403,
            message: message(),
        },
        TokenError::Simulated { host: host() },
        TokenError::NoProject,
        TokenError::Abandoned,
    ]
}

fn forbidden() -> TokenError {
    TokenError::Forbidden {
        account: "kargo-project-acme@p.iam.gserviceaccount.com".to_owned(),
        permission: "iam.serviceAccounts.getAccessToken".to_owned(),
        caller: "principal://x".to_owned(),
    }
}

fn absent(why: Absence) -> TokenError {
    TokenError::Absent {
        account: "kargo-project-acme@p.iam.gserviceaccount.com".to_owned(),
        why,
    }
}

fn answer(came: Came) -> Result<(), TokenError> {
    match came {
        Came::Token => Ok(()),
        Came::NotFound => Err(absent(Absence::NotFound)),
        Came::NameTooLong => Err(absent(Absence::Name)),
        Came::Forbidden => Err(forbidden()),
        Came::Open(number) => Err(open_failures().swap_remove(number)),
    }
}

fn acts(own: Came, kubernetes: Option<Came>, fallback: Fallback) -> Acts {
    match after_own(answer(own)) {
        AfterOwn::Act(()) => Acts::ServiceAccount,
        AfterOwn::Unavailable(_) => Acts::Open,
        AfterOwn::AskKubernetes(lack) => {
            match after_kubernetes(&lack, kubernetes.map(answer), fallback) {
                AfterKubernetes::Act(()) => Acts::KubernetesAccount,
                AfterKubernetes::AskController => Acts::Controller,
                AfterKubernetes::Refused => Acts::Nobody,
                AfterKubernetes::Unavailable(_) => Acts::Open,
            }
        }
    }
}

/// What the design says, written down a second time as rules.
fn expected(own: Came, kubernetes: Option<Came>, fallback: Fallback) -> Acts {
    match own {
        Came::Token => Acts::ServiceAccount,
        Came::Open(_) => Acts::Open,
        Came::NotFound | Came::NameTooLong | Came::Forbidden => match kubernetes {
            Some(Came::Token) => Acts::KubernetesAccount,
            Some(_) => Acts::Open,
            None => match (fallback, own) {
                (Fallback::Allow, _) | (Fallback::IfAbsent, Came::NotFound | Came::NameTooLong) => {
                    Acts::Controller
                }
                _ => Acts::Nobody,
            },
        },
    }
}

#[test]
fn the_table_of_all_combinations_holds() {
    let count = open_failures().len();
    let definite = [
        Came::Token,
        Came::NotFound,
        Came::NameTooLong,
        Came::Forbidden,
    ];
    let all: Vec<Came> = definite
        .into_iter()
        .chain((0..count).map(Came::Open))
        .collect();
    let accounts: Vec<Option<Came>> = std::iter::once(None)
        .chain(all.iter().copied().map(Some))
        .collect();
    let mut combinations = 0;
    for own in &all {
        for kubernetes in &accounts {
            for fallback in [Fallback::Allow, Fallback::IfAbsent, Fallback::Deny] {
                let case = format!("{own:?} {kubernetes:?} {fallback}");
                let (found, wanted) = (
                    acts(*own, *kubernetes, fallback),
                    expected(*own, *kubernetes, fallback),
                );
                assert_eq!(found, wanted, "{case}");
                combinations += 1;
            }
        }
    }
    assert_eq!(combinations, 23 * 24 * 3);
}

#[test]
fn a_controller_acts_only_after_a_definite_answer_and_where_policy_lets_it() {
    for number in 0..open_failures().len() {
        assert_eq!(acts(Came::Open(number), None, Fallback::Allow), Acts::Open);
    }
    assert_eq!(
        acts(Came::Forbidden, None, Fallback::Allow),
        Acts::Controller
    );
    assert_eq!(
        acts(Came::Forbidden, None, Fallback::IfAbsent),
        Acts::Nobody
    );
    assert_eq!(
        acts(Came::NameTooLong, None, Fallback::IfAbsent),
        Acts::Controller
    );
    assert_eq!(acts(Came::NotFound, None, Fallback::Deny), Acts::Nobody);
}
