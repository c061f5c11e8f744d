//! The world: projects, clusters, accounts, bindings and repositories, as a file describes them and as calls change them.

mod account;
mod check;
mod cluster;
mod hierarchy;
mod lookup;
mod org_policy;
mod pool;
mod pubsub;
mod read;
mod repository;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::roles::CustomRole;

pub use account::{Key, KeyOrigin, ServiceAccount};
pub(crate) use check::is_member;
pub use cluster::{Cluster, NodePool, Pod};
pub use hierarchy::{DenyRule, Folder, Organization};
pub use org_policy::{CustomConstraint, ListValues, OrgPolicy, OrgPolicyRule};
pub use pool::{PoolProvider, WorkloadPool};
pub use pubsub::{NoWrapper, OidcToken, PushConfig, Subscription, Topic};
pub use read::WorldError;
pub use repository::{Repository, SeedImage};

/// Everything that Google knows. [`World::read`] checks a file; tests may build one from YAML text too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct World {
    pub organizations: Vec<Organization>,
    pub folders: Vec<Folder>,
    pub projects: Vec<Project>,
    /// A group's email and its members, spelled as in policies.
    pub groups: BTreeMap<String, Vec<String>>,
    pub pods: Vec<Pod>,
}

/// A project with all that lies in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Project {
    pub id: String,
    pub number: u64,
    pub display_name: String,
    pub labels: BTreeMap<String, String>,
    /// `folders/100` or `organizations/1`; none for a project that stands alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The enabled APIs, `iam.googleapis.com`.
    pub services: BTreeSet<String>,
    #[serde(rename = "bindings")]
    pub policy: Policy,
    pub deny: Vec<DenyRule>,
    /// By constraint, without `constraints/`.
    pub org_policies: BTreeMap<String, OrgPolicy>,
    pub roles: Vec<CustomRole>,
    pub clusters: Vec<Cluster>,
    pub service_accounts: Vec<ServiceAccount>,
    pub workload_pools: Vec<WorkloadPool>,
    pub repositories: Vec<Repository>,
    pub topics: Vec<Topic>,
    pub subscriptions: Vec<Subscription>,
}

impl Project {
    /// The pool that Google keeps for the project's clusters.
    pub fn cluster_pool(&self) -> String {
        format!("{}.svc.id.goog", self.id)
    }

    /// The email that an account of this project gets. A domain-scoped project turns its id round.
    ///
    /// Source: <https://cloud.google.com/iam/docs/service-accounts-create>
    pub fn email_of(&self, account: &str) -> String {
        match self.id.split_once(':') {
            Some((domain, project)) => {
                format!("{account}@{project}.{domain}.iam.gserviceaccount.com")
            }
            None => format!("{account}@{}.iam.gserviceaccount.com", self.id),
        }
    }
}
