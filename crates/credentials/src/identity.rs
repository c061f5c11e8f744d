//! Which identity acts at a registry, in words for people, events and metrics; never a token.

/// Who acts at a registry, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryIdentity {
    pub outcome: Outcome,
    /// As the member of a policy: `serviceAccount:…`, `principal://…`; none where nobody acts.
    pub identity: Option<String>,
    pub why: String,
    /// The next command, where something is to be done.
    pub next: Option<String>,
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
            Self::Refused => "IdentityRefused",
            Self::Unavailable => "IdentityUnavailable",
        }
    }

    /// Gives the labels of metrics: who acts, and how that came about.
    pub fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::OwnServiceAccount => ("service-account", "own"),
            Self::OwnKubernetesAccount => ("kubernetes-account", "own"),
            Self::Controller => ("controller", "fallback"),
            Self::ServiceAccountKey => ("service-account", "key"),
            Self::Refused => ("none", "refused"),
            Self::Unavailable => ("none", "unavailable"),
        }
    }

    /// Says whether somebody acts.
    pub fn acts(self) -> bool {
        match self {
            Self::OwnServiceAccount
            | Self::OwnKubernetesAccount
            | Self::Controller
            | Self::ServiceAccountKey => true,
            Self::Refused | Self::Unavailable => false,
        }
    }
}
