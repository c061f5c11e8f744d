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

/// The domain of the APIs of those who are in no other universe.
const GOOGLES_UNIVERSE: &str = "googleapis.com";

/// Everything that Google knows. [`World::read`] checks a file; tests may build one from YAML text too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct World {
    /// The domain that metadata servers name in place of `googleapis.com`: clients then ask `sts.DOMAIN` and so on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub universe_domain: String,
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

impl World {
    /// The domain that Google's hosts lie in.
    pub(crate) fn universe(&self) -> &str {
        match self.universe_domain.as_str() {
            "" => GOOGLES_UNIVERSE,
            own => own,
        }
    }
}

impl Project {
    /// The pool that Google keeps for the project's clusters.
    ///
    /// Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity>
    pub fn cluster_pool(&self) -> String {
        format!("{}.svc.id.goog", self.turned_id())
    }

    /// The email that an account of this project gets.
    ///
    /// Source: <https://cloud.google.com/iam/docs/service-accounts-create>
    pub fn email_of(&self, account: &str) -> String {
        format!("{account}@{}.iam.gserviceaccount.com", self.turned_id())
    }

    /// The id as it stands in names of hosts: behind it its domain, or the prefix of a sovereign universe.
    fn turned_id(&self) -> String {
        match self.id.split_once(':') {
            Some((scope, project)) => format!("{project}.{scope}"),
            None => self.id.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_before_an_id_stands_behind_it_in_pools_and_emails() {
        for (id, turned) in [
            ("acme", "acme"),
            ("example.com:acme", "acme.example.com"),
            ("eu0:acme", "acme.eu0"),
        ] {
            let project = Project {
                id: id.to_owned(),
                ..Project::default()
            };
            assert_eq!(project.cluster_pool(), format!("{turned}.svc.id.goog"));
            let email = format!("kargo-project-web@{turned}.iam.gserviceaccount.com");
            assert_eq!(project.email_of("kargo-project-web"), email);
        }
    }
}
