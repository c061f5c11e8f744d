//! Which identity acts at a registry, in words for people, events and metrics; never a token.

use std::error::Error as StdError;

use gcp::TokenError;

/// Who acts at a registry, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryIdentity {
    pub outcome: Outcome,
    /// As the member of a policy: `serviceAccount:…`, `principal://…`; none where nobody acts.
    pub identity: Option<String>,
    pub why: String,
    /// The next command, where something is to be done.
    pub next: Option<String>,
    /// Why the Project does not act as its service account, where that is known.
    pub lack: Option<Lacking>,
    /// Why the token at hand could not be renewed, where it could not.
    pub doubt: Option<Doubt>,
    /// What failed, without what Google says differently each time: the numbers of requests, and times.
    pub cause: Option<String>,
}

/// What the service account of a Project lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lacking {
    /// It does not exist.
    Existence,
    /// It exists, and whoever asks may not act as it.
    Permission,
}

/// Why a token that serves is not a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub why: String,
    /// The next command.
    pub next: String,
    cause: String,
}

impl Doubt {
    pub(crate) fn of(error: &TokenError) -> Self {
        Self {
            why: with_causes(error),
            next: error.hint(),
            cause: cause_of(error),
        }
    }
}

impl RegistryIdentity {
    /// Nobody acts, for this reason.
    pub(crate) fn nobody(outcome: Outcome, why: String, next: String) -> Self {
        Self {
            outcome,
            identity: None,
            why,
            next: Some(next),
            lack: None,
            doubt: None,
            cause: None,
        }
    }

    /// Says whether somebody has to look: nobody acts, the controller acts for an account that it may not act as, or a
    /// token could not be renewed.
    pub fn is_troubled(&self) -> bool {
        let is_shut_out =
            self.outcome == Outcome::Controller && self.lack == Some(Lacking::Permission);
        !self.outcome.acts() || is_shut_out || self.doubt.is_some()
    }

    /// Gives the labels of metrics: who acts, and how that came about.
    pub fn labels(&self) -> (&'static str, &'static str) {
        match (self.outcome, self.lack) {
            (Outcome::OwnServiceAccount, _) => ("service-account", "own"),
            (Outcome::OwnKubernetesAccount, _) => ("kubernetes-account", "own"),
            (Outcome::Controller, Some(Lacking::Permission)) => {
                ("controller", "fallback-forbidden")
            }
            (Outcome::Controller, Some(Lacking::Existence) | None) => {
                ("controller", "fallback-absent")
            }
            (Outcome::ServiceAccountKey, _) => ("service-account", "key"),
            (Outcome::UnusableKey, _) => ("none", "unusable-key"),
            (Outcome::Refused, _) => ("none", "refused"),
            (Outcome::Unavailable, _) => ("none", "unavailable"),
        }
    }

    /// Gives what stays the same for as long as the same is to be said: texts of Google's that hold the number of a request
    /// or a time are left out.
    pub fn gist(&self) -> String {
        let doubt = self.doubt.as_ref().map(|it| it.cause.as_str());
        let parts = [Some(self.why.as_str()), self.cause.as_deref(), doubt];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// What asking for an identity came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The Project's Google service account acts.
    OwnServiceAccount,
    /// The Project's Kubernetes account acts.
    OwnKubernetesAccount,
    /// The controller acts, as the policy lets it.
    Controller,
    /// The account acts whose key a Secret holds.
    ServiceAccountKey,
    /// A Secret holds a key that cannot be used, so nobody acts.
    UnusableKey,
    /// Nobody may act.
    Refused,
    /// It is not known who may act; it is asked again.
    Unavailable,
}

impl Outcome {
    /// Gives the reason of a condition.
    pub fn reason(self) -> &'static str {
        match self {
            Self::OwnServiceAccount => "OwnServiceAccount",
            Self::OwnKubernetesAccount => "OwnKubernetesAccount",
            Self::Controller => "ControllerIdentity",
            Self::ServiceAccountKey => "ServiceAccountKey",
            Self::UnusableKey => "UnusableServiceAccountKey",
            Self::Refused => "IdentityRefused",
            Self::Unavailable => "IdentityUnavailable",
        }
    }

    /// Says whether somebody acts.
    pub fn acts(self) -> bool {
        match self {
            Self::OwnServiceAccount
            | Self::OwnKubernetesAccount
            | Self::Controller
            | Self::ServiceAccountKey => true,
            Self::UnusableKey | Self::Refused | Self::Unavailable => false,
        }
    }
}

/// Names an error by what it has in common with the next one of its kind.
pub(crate) fn cause_of(error: &TokenError) -> String {
    let label = error.label();
    match error {
        TokenError::Unconfirmed { source, .. } => format!("{label}: {}", cause_of(source)),
        TokenError::Rejected { host, error, .. } => format!("{label} by {host}: {error}"),
        TokenError::Refused {
            host,
            status,
            reason,
            message: _,
        } => format!("{label} by {host}: {status} {reason}"),
        TokenError::Unauthenticated { host, .. } | TokenError::Malformed { host, .. } => {
            format!("{label} by {host}")
        }
        TokenError::Lifetime { .. } => label.to_owned(),
        TokenError::Annotated { status, .. } => format!("{label}: {status}"),
        TokenError::Absent { .. }
        | TokenError::Forbidden { .. }
        | TokenError::ApiDisabled { .. }
        | TokenError::RateLimited { .. }
        | TokenError::Unreachable { .. }
        | TokenError::Silent { .. }
        | TokenError::Unavailable { .. }
        | TokenError::NotReady { .. }
        | TokenError::Unexpected { .. }
        | TokenError::OfNode { .. }
        | TokenError::ScopeInsufficient { .. }
        | TokenError::PolicyViolated { .. }
        | TokenError::ConsumerRefused { .. }
        | TokenError::KubernetesToken { .. }
        | TokenError::File(_)
        | TokenError::Key(_)
        | TokenError::Roots(_)
        | TokenError::Simulated { .. }
        | TokenError::NoProject
        | TokenError::Abandoned => error.to_string(),
    }
}

/// Writes an error and its causes, each after a colon.
pub(crate) fn with_causes(error: &dyn StdError) -> String {
    let text = error.to_string();
    match error.source() {
        Some(cause) => format!("{text}: {}", with_causes(cause)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubted(error: &TokenError) -> RegistryIdentity {
        RegistryIdentity {
            identity: Some("serviceAccount:a".to_owned()),
            next: None,
            doubt: Some(Doubt::of(error)),
            ..RegistryIdentity::nobody(
                Outcome::OwnServiceAccount,
                "it is the Project's own".to_owned(),
                String::new(),
            )
        }
    }

    #[test]
    fn what_google_says_differently_each_time_is_not_in_the_gist() {
        let perimeter = |uid: &str| TokenError::PolicyViolated {
            host: "h".to_owned(),
            reason: "VPC Service Controls".to_owned(),
            uid: Some(uid.to_owned()),
        };
        let stale = |time: u32| TokenError::Rejected {
            host: "sts.googleapis.com".to_owned(),
            error: "invalid_grant".to_owned(),
            description: format!("ID Token issued at {time} is stale"),
        };
        let refused = |reason: &str, number: u32| TokenError::Refused {
            host: "h".to_owned(),
            status: 403,
            reason: reason.to_owned(),
            message: format!("request {number}"),
        };
        for (one, other, is_same) in [
            (perimeter("x1"), perimeter("x2"), true),
            (stale(1), stale(2), true),
            (refused("A", 1), refused("A", 2), true),
            (refused("A", 1), refused("B", 1), false),
            (perimeter("x1"), stale(1), false),
        ] {
            let (one, other) = (doubted(&one), doubted(&other));
            assert_eq!(one.gist() == other.gist(), is_same, "{one:?} {other:?}");
            assert_ne!(one, other);
        }
    }

    #[test]
    fn an_account_that_may_not_be_acted_as_is_trouble_and_one_that_is_not_there_is_none() {
        let controller = |lack| RegistryIdentity {
            identity: Some("principal://x".to_owned()),
            lack: Some(lack),
            ..RegistryIdentity::nobody(Outcome::Controller, String::new(), String::new())
        };
        for (lack, is_troubled, outcome) in [
            (Lacking::Existence, false, "fallback-absent"),
            (Lacking::Permission, true, "fallback-forbidden"),
        ] {
            let identity = controller(lack);
            assert_eq!(identity.is_troubled(), is_troubled, "{outcome}");
            assert_eq!(identity.labels(), ("controller", outcome));
        }
    }
}
