//! The table of all combinations: what the service account came to, what the Kubernetes account came to, the policy.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use gcp::{Absence, FileError, KeyError, Problem, TokenError};

use super::*;

mod book;

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

/// Lists one failure of each kind, and does not compile while a kind of the enumeration is missing.
macro_rules! failures {
    ($($kind:pat => $failure:expr,)+) => {
        fn failures() -> Vec<TokenError> {
            let all = vec![$({
                let failure = $failure;
                assert!(matches!(failure, $kind), "{failure:?} stands beside {}", stringify!($kind));
                failure
            }),+];
            all.iter().for_each(is_listed);
            all
        }

        fn is_listed(failure: &TokenError) {
            match failure {
                $($kind)|+ => {}
            }
        }
    };
}

failures! {
    TokenError::Absent { .. } => absent(Absence::NotFound),
    TokenError::Forbidden { .. } => forbidden(),
    TokenError::Unconfirmed { .. } => TokenError::Unconfirmed {
        again_in: Duration::from_secs(30),
        source: Box::new(forbidden()),
    },
    TokenError::ApiDisabled { .. } => TokenError::ApiDisabled {
        service: host(),
        project: "p".to_owned(),
    },
    TokenError::RateLimited { .. } => TokenError::RateLimited {
        host: host(),
        retry_after: None,
    },
    TokenError::Unreachable { .. } => TokenError::Unreachable {
        host: host(),
        source: Arc::new(no_connection()),
    },
    TokenError::Silent { .. } => TokenError::Silent { host: host() },
    TokenError::Unavailable { .. } => TokenError::Unavailable {
        host: host(),
        status: 503,
    },
    TokenError::NotReady { .. } => TokenError::NotReady { host: host() },
    TokenError::Malformed { .. } => TokenError::Malformed {
        host: host(),
        problem: Problem::WebPage,
    },
    TokenError::Unexpected { .. } => TokenError::Unexpected {
        host: host(),
        status: 404,
    },
    TokenError::Unauthenticated { .. } => TokenError::Unauthenticated {
        host: host(),
        reason: reason(),
    },
    TokenError::ScopeInsufficient { .. } => TokenError::ScopeInsufficient { host: host() },
    TokenError::PolicyViolated { .. } => TokenError::PolicyViolated {
        host: host(),
        reason: reason(),
        uid: None,
    },
    TokenError::ConsumerRefused { .. } => TokenError::ConsumerRefused {
        host: host(),
        consumer: "projects/1".to_owned(),
        reason: reason(),
    },
    TokenError::Lifetime { .. } => TokenError::Lifetime { message: message() },
    TokenError::Refused { .. } => TokenError::Refused {
        host: host(),
        status: 403,
        reason: reason(),
        message: message(),
    },
    TokenError::Rejected { .. } => TokenError::Rejected {
        host: host(),
        error: "invalid_grant".to_owned(),
        description: message(),
    },
    TokenError::Annotated { .. } => TokenError::Annotated {
        status: 403,
        message: message(),
    },
    TokenError::OfNode { .. } => TokenError::OfNode {
        account: "serviceAccount:1-compute@developer.gserviceaccount.com".to_owned(),
    },
    TokenError::KubernetesToken { .. } => TokenError::KubernetesToken {
        account: "acme/argosy-gcp".to_owned(),
        source: Arc::new(std::io::Error::other("no API")),
    },
    TokenError::File(_) => TokenError::File(FileError::Executable),
    TokenError::Key(_) => TokenError::Key(KeyError::PrivateKey),
    TokenError::Roots(_) => TokenError::Roots(rustls::Error::General("none".to_owned())),
    TokenError::Simulated { .. } => TokenError::Simulated { host: host() },
    TokenError::NoProject => TokenError::NoProject,
    TokenError::Abandoned => TokenError::Abandoned,
}

/// Every failure that leaves it open whether the account may be acted as: all but Google's two definite words.
static OPEN: LazyLock<Vec<TokenError>> = LazyLock::new(|| {
    let mut all = failures();
    all.retain(|it| !matches!(it, TokenError::Absent { .. } | TokenError::Forbidden { .. }));
    all
});

fn host() -> String {
    "iamcredentials.googleapis.com".to_owned()
}

fn reason() -> String {
    "SOMETHING_NEW".to_owned()
}

fn message() -> String {
    "no".to_owned()
}

/// An error that only a client of HTTP can make.
fn no_connection() -> reqwest::Error {
    let built = reqwest::Client::builder().user_agent("\n").build();
    built.expect_err("that is no header")
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

/// Names what came of it.
fn said(came: Came) -> &'static str {
    answer(came).map_or_else(|error| error.label(), |()| "a token")
}

fn answer(came: Came) -> Result<(), TokenError> {
    match came {
        Came::Token => Ok(()),
        Came::NotFound => Err(absent(Absence::NotFound)),
        Came::NameTooLong => Err(absent(Absence::Name)),
        Came::Forbidden => Err(forbidden()),
        Came::Open(number) => Err(OPEN[number].clone()),
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
    let definite = [
        Came::Token,
        Came::NotFound,
        Came::NameTooLong,
        Came::Forbidden,
    ];
    let all: Vec<Came> = definite
        .into_iter()
        .chain((0..OPEN.len()).map(Came::Open))
        .collect();
    let accounts: Vec<Option<Came>> = std::iter::once(None)
        .chain(all.iter().copied().map(Some))
        .collect();
    let mut combinations = 0;
    for own in &all {
        for kubernetes in &accounts {
            for fallback in [Fallback::Allow, Fallback::IfAbsent, Fallback::Deny] {
                let case = format!(
                    "{} {} {fallback}",
                    said(*own),
                    kubernetes.map_or("none", said)
                );
                let (found, wanted) = (
                    acts(*own, *kubernetes, fallback),
                    expected(*own, *kubernetes, fallback),
                );
                assert_eq!(found, wanted, "{case}");
                combinations += 1;
            }
        }
    }
    assert_eq!(combinations, 29 * 30 * 3);
}

#[test]
fn a_controller_acts_only_after_a_definite_answer_and_where_policy_lets_it() {
    for number in 0..OPEN.len() {
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
