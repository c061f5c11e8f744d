//! Why there is no token, and what may help.

mod hint;

use std::sync::Arc;
use std::time::Duration;

use crate::external_account::FileError;
use crate::service_account_key::KeyError;

/// Why an access token could not be had.
///
/// Only [`Absent`](Self::Absent) and [`Forbidden`](Self::Forbidden) are Google's definite word that an account is not
/// to be had; every other variant leaves that open. No variant holds a token, and what Google wrote is redacted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    #[error("there is no service account {account:?}")]
    Absent { account: String, why: Absence },
    #[error("not allowed to act as {account:?}: {caller} lacks {permission}")]
    Forbidden {
        account: String,
        permission: String,
        /// Who asked, as the member of a policy.
        caller: String,
    },
    /// Not yet Google's definite word: there was a token before, and this was said once.
    #[error("waiting for a second answer, as there was a token before")]
    Unconfirmed {
        again_in: Duration,
        source: Box<Self>,
    },
    #[error("the API {service} is disabled in project {project}")]
    ApiDisabled { service: String, project: String },
    #[error("{host} limits how often it may be asked")]
    RateLimited {
        host: String,
        retry_after: Option<Duration>,
    },
    #[error("failed to reach {host}")]
    Unreachable {
        host: String,
        source: Arc<reqwest::Error>,
    },
    #[error("{host} did not answer in time")]
    Silent { host: String },
    #[error("{host} is in trouble: HTTP {status}")]
    Unavailable { host: String, status: u16 },
    /// The metadata server runs and does not know our account yet.
    #[error("the metadata server at {host} is not ready")]
    NotReady { host: String },
    #[error("{host} gave an answer that cannot be used: {problem}")]
    Malformed { host: String, problem: Problem },
    /// Not an answer of Google's: a proxy, or the address of something else.
    #[error("{host} answered HTTP {status} in a way Google does not")]
    Unexpected { host: String, status: u16 },
    #[error("{host} does not take the token that was shown: {reason}")]
    Unauthenticated { host: String, reason: String },
    #[error("the scope of the token that was shown to {host} is too narrow")]
    ScopeInsufficient { host: String },
    #[error("a policy of the organization forbids the request to {host}: {reason}")]
    PolicyViolated {
        host: String,
        reason: String,
        /// The number under which a perimeter's audit log has it.
        uid: Option<String>,
    },
    /// Billing, suspension, a wrong quota project.
    #[error("{host} does not serve {consumer}: {reason}")]
    ConsumerRefused {
        host: String,
        consumer: String,
        reason: String,
    },
    #[error("the lifetime asked for is too long: {message}")]
    Lifetime { message: String },
    #[error("{host} refused with HTTP {status}: {message}")]
    Refused {
        host: String,
        status: u16,
        /// The reason Google gives in one word, or empty.
        reason: String,
        message: String,
    },
    /// What was shown in exchange for a token (a Kubernetes token, a signature of a key) was not accepted.
    #[error("{host} does not accept the credential: {error}: {description}")]
    Rejected {
        host: String,
        error: String,
        description: String,
    },
    /// The Pod's Kubernetes account is tied to a service account, and that one cannot be used.
    #[error("the metadata server cannot act as the account its annotation names: {message}")]
    Annotated { status: u16, message: String },
    /// The node of the Pod, whose identity all that runs on it has: never taken for the controller's.
    #[error("the metadata server gives the identity of the node, {account}, not the controller's")]
    OfNode { account: String },
    #[error("failed to get a token of the Kubernetes account {account}")]
    KubernetesToken {
        account: String,
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    #[error("failed to use the credential file")]
    File(#[from] FileError),
    #[error("failed to use the service account key")]
    Key(#[from] KeyError),
    #[error("failed to read the certificates this system trusts")]
    Roots(#[source] rustls::Error),
    #[error("a token of the simulator was to be shown to {host}, which is not on this machine")]
    Simulated { host: String },
    #[error("the project of the controller is not known")]
    NoProject,
    #[error("the request was given up before it ended")]
    Abandoned,
}

/// How it is known that a service account does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Google said so.
    NotFound,
    /// No account can have such a name; Google was not asked.
    Name,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("not JSON, at line {line}, column {column}")]
    Json { line: usize, column: usize },
    #[error("JSON of another shape, at line {line}, column {column}")]
    Shape { line: usize, column: usize },
    #[error("JSON null")]
    Null,
    #[error("a web page")]
    WebPage,
    #[error("the token is empty")]
    Empty,
    #[error("the token has expired")]
    Expired,
    #[error("{text:?} is not {expected}")]
    Value {
        text: String,
        expected: &'static str,
    },
    #[error("more than {bound} bytes")]
    TooLarge { bound: usize },
    #[error("the header Metadata-Flavor: Google is missing")]
    Flavor,
}

impl TokenError {
    /// Says in one word what happened, for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "absent",
            Self::Forbidden { .. } => "forbidden",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::ApiDisabled { .. } => "api-disabled",
            Self::RateLimited { .. } => "rate-limited",
            Self::Unreachable { .. } | Self::Silent { .. } => "unreachable",
            Self::Unavailable { .. } | Self::NotReady { .. } => "unavailable",
            Self::Malformed { .. } => "malformed",
            Self::Unexpected { .. } => "unexpected",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::ScopeInsufficient { .. } => "scope",
            Self::PolicyViolated { .. } => "policy",
            Self::ConsumerRefused { .. } => "consumer",
            Self::Lifetime { .. } => "lifetime",
            Self::Refused { .. } => "refused",
            Self::Rejected { .. } => "rejected",
            Self::Annotated { .. } => "annotated",
            Self::OfNode { .. } => "of-node",
            Self::KubernetesToken { .. } => "kubernetes-token",
            Self::File(_)
            | Self::Key(_)
            | Self::Roots(_)
            | Self::Simulated { .. }
            | Self::NoProject => "configuration",
            Self::Abandoned => "abandoned",
        }
    }

    /// Says whether Google, or the rule for names, has definitely said that the account is not to be had.
    pub fn is_definite(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::Forbidden { .. })
    }

    /// Says whether the same request may be answered a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::Unreachable { .. }
                | Self::Silent { .. }
                | Self::Unavailable { .. }
                | Self::NotReady { .. }
                | Self::Malformed { .. }
                | Self::KubernetesToken { .. }
                | Self::Abandoned
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_definite_words_of_google_are_definite() {
        let account = "kargo-project-web@acme.eu0.iam.gserviceaccount.com".to_owned();
        let absent = TokenError::Absent {
            account: account.clone(),
            why: Absence::NotFound,
        };
        let forbidden = TokenError::Forbidden {
            account,
            permission: "p".to_owned(),
            caller: "principal://x".to_owned(),
        };
        let unconfirmed = TokenError::Unconfirmed {
            again_in: Duration::from_secs(9),
            source: Box::new(absent.clone()),
        };
        assert!(absent.is_definite() && forbidden.is_definite());
        assert!(!unconfirmed.is_definite());
        assert_eq!(
            absent.hint(),
            "gcloud iam service-accounts create kargo-project-web --project=eu0:acme"
        );
        assert!(forbidden.hint().contains("--member='principal://x'"));
    }

    #[test]
    fn a_command_names_the_account_it_is_about_and_who_was_refused() {
        let refused = |said: &str| {
            let error = TokenError::KubernetesToken {
                account: "web/argosy-gcp".to_owned(),
                source: Arc::new(std::io::Error::other(said.to_owned())),
            };
            error.hint()
        };
        let asked = "let the controller create tokens of web/argosy-gcp: kubectl auth can-i create \
             serviceaccounts/argosy-gcp --subresource=token --namespace web --as ";
        assert_eq!(
            refused(
                "serviceaccounts \"argosy-gcp\" is forbidden: User \"system:serviceaccount:argosy:kargo-controller\" \
                 cannot create resource \"serviceaccounts/token\""
            ),
            format!("{asked}system:serviceaccount:argosy:kargo-controller")
        );
        let unknown = format!("{asked}system:serviceaccount:NAMESPACE:CONTROLLER");
        assert_eq!(refused("timed out"), unknown);
        let long = TokenError::Absent {
            account: "kargo-project-a-name-that-is-too-long".to_owned(),
            why: Absence::Name,
        };
        let command =
            "kubectl create serviceaccount argosy-gcp --namespace a-name-that-is-too-long";
        assert!(long.hint().ends_with(command), "{}", long.hint());
        let annotated = TokenError::Annotated {
            status: 403,
            message: String::new(),
        };
        assert!(annotated.hint().contains(" --namespace NAMESPACE "));
        let narrow = TokenError::ScopeInsufficient {
            host: "iamcredentials.googleapis.com".to_owned(),
        };
        assert!(!narrow.hint().contains("--gcp-token-scope"));
        assert!(narrow.hint().contains("argosy gcp doctor"));
    }

    #[test]
    fn nobody_is_told_to_let_all_of_a_pool_or_of_a_node_act() {
        let hint = |caller: &str| {
            let forbidden = TokenError::Forbidden {
                account: "a".to_owned(),
                permission: "p".to_owned(),
                caller: caller.to_owned(),
            };
            forbidden.hint()
        };
        for everybody in [
            "acme-gke.svc.id.goog",
            "principalSet://iam.googleapis.com/x/*",
            "serviceAccount:4711-compute@developer.gserviceaccount.com",
        ] {
            assert_eq!(hint(everybody), "argosy gcp doctor");
        }
        let own = hint("serviceAccount:argosy@acme-gke.iam.gserviceaccount.com");
        assert!(own.starts_with("gcloud "), "{own}");
    }
}
