//! What was seen of an installation: the input of doctor, audit and setup.
//!
//! Who gathers fills in what could be read, from a Pod or from a desk; what was not asked for stays [`Seen::Skipped`].
//! Nothing here holds a token.

mod above;
mod account;
mod cluster;
mod denial;
mod kubernetes_account;
mod organisation;
mod pod;
mod reach;
mod reading;
mod registry;
mod right;
mod services;
mod token_error;
#[cfg(test)]
pub(crate) mod whole;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use account::{
    AccountKey, FoundGrant, Inventory, Mint, PoolGrant, ProjectFacts, ServiceAccount,
};
pub use cluster::{Cluster, ClusterName, NodePool};
pub use denial::{Denial, Reason};
pub use organisation::{DenyRule, OrganisationPolicy, Rule, Values};
pub use pod::{Metadata, Pod, PodFacts};
pub(crate) use reach::Reach;
pub use reading::{Gap, Reading, Seen, Source};
pub use registry::{Repository, RepositoryFacts, UseFacts};
pub(crate) use right::{Right, right};
pub(crate) use services::{ARTIFACT_REGISTRY, IAM, ORG_POLICY, RESOURCE_MANAGER};

use crate::Fallback;
use crate::policy::{CustomRoles, Policy};
use crate::principal::{
    KubernetesAccount, NameError, Principal, ProjectId, ProjectNumber, ServiceAccountEmail,
    WorkloadPool,
};
use crate::repository::{ImageAddress, RepositoryName};

/// All that doctor, audit and setup may look at.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub now: Timestamp,
    pub intent: Intent,
    /// The Google Cloud project of the controller, as the metadata server or Resource Manager tells it.
    pub home: Reading<Home>,
    pub pod: PodFacts,
    pub cluster: Reading<Cluster>,
    /// The number of the project whose pool the cluster is in, asked for where that is not the controller's.
    pub pool_number: Reading<ProjectNumber>,
    /// Every cluster of the controller's Google Cloud project, the controller's own among them.
    pub clusters: Reading<Vec<Cluster>>,
    /// Zones that did not answer when clusters were listed.
    pub missing_zones: Vec<String>,
    /// Whether each service that is needed is on.
    pub services: BTreeMap<ServiceName, Reading<bool>>,
    pub home_policy: Reading<Policy>,
    /// Policies of the folders and of the organisation above, by resource name.
    pub ancestor_policies: BTreeMap<String, Reading<Policy>>,
    /// Policies of what is above projects of repositories and not above the controller's, by resource name.
    pub registry_ancestor_policies: BTreeMap<String, Reading<Policy>>,
    pub custom_roles: CustomRoles,
    /// Every service account of the controller's Google Cloud project.
    pub accounts: Reading<Vec<ServiceAccount>>,
    /// The Kargo Projects that exist in the cluster.
    pub live_projects: Reading<Vec<String>>,
    pub projects: BTreeMap<String, ProjectFacts>,
    /// How far was searched for what the accounts of Projects and the members of the controller's pool hold.
    pub inventory: Reading<Inventory>,
    /// What that search found of the pool; what a policy says that was read itself counts for more.
    pub pool_grants: Reading<Vec<PoolGrant>>,
    /// Secrets with a JSON key, by the namespace whose credentials every Project may use.
    pub shared_key_secrets: BTreeMap<String, Reading<Vec<String>>>,
    pub repositories: BTreeMap<RepositoryName, RepositoryFacts>,
    /// Effective organisation policies of the controller's project, by constraint without `constraints/`.
    pub organisation: BTreeMap<String, Reading<OrganisationPolicy>>,
    /// The constraints for which the controller's project has a policy of its own, without `constraints/`.
    pub own_constraints: Reading<BTreeSet<String>>,
    /// Which services the organisation lets projects of repositories use that are not the controller's.
    pub registry_service_limits: BTreeMap<ProjectId, Reading<OrganisationPolicy>>,
    /// The folders and the organisation above each project where they could be listed.
    pub above: BTreeMap<ProjectId, Vec<String>>,
    /// What is denied on the projects of the controller and of repositories, and on each folder and organisation above
    /// them, by resource name.
    pub deny_rules: BTreeMap<String, Reading<Vec<DenyRule>>>,
}

/// What is meant to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The Kubernetes account that the controller is deployed with.
    pub controller: KubernetesAccount,
    pub asks_by: TokenSource,
    pub fallback: Fallback,
    /// The Projects to look at, each with the addresses of images and charts it subscribes to.
    pub projects: BTreeMap<String, Vec<String>>,
    /// Members of policies that are to be there: whoever helps out in an emergency.
    pub expected: BTreeSet<String>,
    /// Repositories that everybody is to read.
    pub public: BTreeSet<RepositoryName>,
}

impl Default for Intent {
    fn default() -> Self {
        Self {
            controller: KubernetesAccount::new("argosy", "controller"),
            asks_by: TokenSource::MetadataServer,
            fallback: Fallback::default(),
            projects: BTreeMap::new(),
            expected: BTreeSet::new(),
            public: BTreeSet::new(),
        }
    }
}

/// Where the controller's own token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    MetadataServer,
    /// A credential file, as clusters outside Google have; the account is whose it is, where the file says so.
    File {
        account: Option<ServiceAccountEmail>,
    },
}

/// The Google Cloud project of the controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    pub project: ProjectId,
    pub number: ProjectNumber,
}

/// A Google API in a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceName {
    pub project: ProjectId,
    /// For example `iamcredentials.googleapis.com`.
    pub service: String,
}

/// One Project's use of one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub project: String,
    pub address: ImageAddress,
}

impl Facts {
    /// Says which Kubernetes account the controller is in IAM.
    ///
    /// # Errors
    /// [`Gap`] if its Google Cloud project is not known, or the number of the one whose pool it is in, or if it asks by a
    /// credential file and so is somebody else.
    pub fn principal(&self) -> Result<Principal, Gap> {
        self.asks_metadata_server()?;
        let home = self.home.known()?;
        Ok(Principal {
            number: self.number_before_pool(home)?,
            pool: self.pool(home),
            account: self.intent.controller.clone(),
        })
    }

    /// Finds the project whose pool the cluster is in where that is another than the controller's: the host of a fleet.
    pub fn pool_of_another(&self) -> Option<ProjectId> {
        let home = self.home.known().ok()?;
        let owner = self.pool(home).project()?;
        (owner != home.project).then_some(owner)
    }

    /// Tells that the controller asks no metadata server, where it does not.
    pub(crate) fn asks_metadata_server(&self) -> Result<(), Gap> {
        match self.intent.asks_by {
            TokenSource::MetadataServer => Ok(()),
            TokenSource::File { .. } => Err(Gap {
                source: Source::default(),
                why: "the controller asks by a credential file, not by the metadata server"
                    .to_owned(),
                skipped: true,
            }),
        }
    }

    /// Says which account a Project acts as; the inner error is that no account can have its name.
    pub fn account_of(&self, project: &str) -> Result<Result<ServiceAccountEmail, NameError>, Gap> {
        let home = self.home.known()?;
        Ok(ServiceAccountEmail::of_kargo_project(
            project,
            &home.project,
        ))
    }

    /// Lists which Projects use which repositories, as far as addresses can be read.
    pub fn uses(&self) -> impl Iterator<Item = Use> + '_ {
        self.intent
            .projects
            .iter()
            .flat_map(|(project, addresses)| {
                addresses.iter().filter_map(move |address| {
                    Some(Use {
                        project: project.clone(),
                        address: ImageAddress::parse(address).ok()?,
                    })
                })
            })
    }

    /// Finds what was seen of a Project's identity.
    pub fn project(&self, name: &str) -> ProjectFacts {
        self.projects.get(name).cloned().unwrap_or_default()
    }

    /// Finds what whoever acts for a Project may do with an image it uses.
    pub fn of_use(&self, used: &Use) -> UseFacts {
        let uses = self.project(&used.project).uses;
        uses.get(&used.address).cloned().unwrap_or_default()
    }

    /// Finds what was seen of a repository.
    pub fn repository(&self, name: &RepositoryName) -> RepositoryFacts {
        self.repositories.get(name).cloned().unwrap_or_default()
    }

    /// The number in front of a pool is that of the project whose pool it is, which a fleet's host has and home has not.
    fn number_before_pool(&self, home: &Home) -> Result<ProjectNumber, Gap> {
        let Some(owner) = self.pool_of_another() else {
            return Ok(home.number);
        };
        let unread = |gap: Gap| Gap {
            why: format!(
                "the cluster is in the pool of {owner}, whose number was not read: {}",
                gap.why
            ),
            skipped: false,
            ..gap
        };
        self.pool_number.known().copied().map_err(unread)
    }

    /// Takes the pool from the cluster where that is known: a fleet's pool is not named after the cluster's project.
    fn pool(&self, home: &Home) -> WorkloadPool {
        let of_cluster = self.cluster.known().ok().and_then(Cluster::workload_pool);
        of_cluster.unwrap_or_else(|| WorkloadPool::of(&home.project))
    }
}
