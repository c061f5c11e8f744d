//! An access token, whose it is, and until when it is good.

use std::fmt;

use jiff::Timestamp;
use secret::Secret;

use crate::TokenError;
use crate::principal::{Principal, ServiceAccountEmail, WorkloadPool};

/// How every token of the simulator begins; Google's never do.
pub const SIMULATED_TOKENS: &str = "ya29.sim-";

/// An access token of Google's; prints without the token.
#[derive(Debug, Clone)]
pub struct Token {
    pub access_token: Secret<String>,
    /// Who acts with it.
    pub identity: Identity,
    /// When it ends, by our own clock.
    pub expires: Timestamp,
    /// Why the last attempt to renew it failed, where it is given out although one did.
    ///
    /// A refusal in here is the first strike: it counts once Google has said the same again.
    pub doubt: Option<TokenError>,
}

impl Token {
    /// Says whether the other is the same, whatever was noted beside it.
    pub fn is(&self, other: &Self) -> bool {
        self.access_token.expose() == other.access_token.expose()
    }
}

/// Who acts with a token; prints as the member of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    ServiceAccount(ServiceAccountEmail),
    /// A Kubernetes account of a GKE cluster.
    Kubernetes(Principal),
    /// A subject of a pool as somebody else spells it: `principal://…`.
    Federated(String),
    /// Some Kubernetes account of this pool: all that the metadata server tells.
    Pool(WorkloadPool),
}

impl Identity {
    /// Reads what the metadata server calls an email: a pool, a service account, or a principal.
    ///
    /// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity>
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(pool) = WorkloadPool::parse(text) {
            return Some(Self::Pool(pool));
        }
        if text.starts_with("principal://iam.googleapis.com/") {
            return Some(Self::Federated(text.to_owned()));
        }
        let email = ServiceAccountEmail::parse(text).ok();
        email.map(Self::ServiceAccount)
    }

    /// Says in one word what kind of identity this is, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ServiceAccount(_) => "service-account",
            Self::Kubernetes(_) => "kubernetes-account",
            Self::Federated(_) => "federated",
            Self::Pool(_) => "pool",
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServiceAccount(email) => out.write_str(&email.member()),
            Self::Kubernetes(principal) => principal.fmt(out),
            Self::Federated(principal) => out.write_str(principal),
            Self::Pool(pool) => pool.fmt(out),
        }
    }
}

/// What a token may be used for at most, whatever IAM grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// For pulling and listing.
    ReadOnly,
    /// For pushing, and for asking for tokens of others.
    CloudPlatform,
}

impl Scope {
    pub fn url(self) -> &'static str {
        match self {
            Self::ReadOnly => "https://www.googleapis.com/auth/cloud-platform.read-only",
            Self::CloudPlatform => "https://www.googleapis.com/auth/cloud-platform",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.url())
    }
}
