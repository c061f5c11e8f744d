//! What the operator may choose about identities.

use std::time::Duration;

use crate::endpoints::Endpoints;
use crate::external_account::ExternalAccount;
use crate::principal::{KubernetesAccount, ProjectId, ServiceAccountEmail};
use crate::service_account_key::ServiceAccountKey;
use crate::sts::Provider;

/// What the operator may choose.
#[derive(Debug, Clone)]
pub struct Settings {
    pub endpoints: Endpoints,
    pub base: Base,
    /// The project that holds the Projects' accounts; without one, the metadata server's.
    pub project: Option<ProjectId>,
    /// The Kubernetes account we run as, if that is known: names the identity where the metadata server does not, and says
    /// that this is a Pod, in which the account of a node is nobody's choice.
    pub account: Option<KubernetesAccount>,
    /// Who vouches for the cluster's accounts; without one, GKE as the metadata server describes it.
    pub provider: Option<Provider>,
    /// How long a Project's token is to live: 900 to 3600 seconds, or up to 12 hours where a policy allows it.
    pub lifetime: Duration,
}

impl Settings {
    /// Asks `endpoints` as whoever the metadata server says we are, for tokens of an hour.
    pub fn new(endpoints: Endpoints) -> Self {
        Self {
            endpoints,
            base: Base::Metadata,
            project: None,
            account: None,
            provider: None,
            lifetime: Duration::from_hours(1),
        }
    }
}

/// Where the controller's own token comes from.
#[derive(Debug, Clone)]
pub enum Base {
    Metadata,
    /// The operator's file, never a tenant's.
    ExternalAccount(Box<ExternalAccount>),
    Key(Box<ServiceAccountKey>),
}

impl Base {
    /// Finds the service account whose token it comes to, where it says so.
    pub fn account(&self) -> Option<&ServiceAccountEmail> {
        match self {
            Self::Metadata => None,
            Self::ExternalAccount(file) => file.impersonation.as_ref().map(|it| &it.email),
            Self::Key(key) => Some(&key.email),
        }
    }
}
