//! What is missing for Projects to read their repositories as themselves, and how to add it.
//!
//! [`plan`] compares facts with what is needed; its result is written as gcloud commands, Terraform or Config Connector,
//! or applied through the API by whoever holds the credentials.

pub mod config_connector;
pub mod gcloud;
pub mod shell;
pub mod terraform;

mod baseline;
mod fix;
mod logs;
mod missing;
mod options;
pub(crate) mod repair;
#[cfg(test)]
mod tests;
mod way_out;

use std::fmt;

use serde::{Serialize, Serializer};

pub use baseline::{BASELINE, Baseline, HARDENING, Wish};
pub use fix::{Commands, Fix, Terraform};
pub use missing::plan;
pub use options::{MINTER_ROLE, MINTER_TITLE, Minter, Options, Policies, Readers, minter_role};
pub use repair::members::let_in;
pub(crate) use way_out::WayOut;

use crate::facts::{ClusterName, Facts, Gap};
use crate::policy::{AuditLog, Change, Member, Policy};
use crate::principal::{Principal, ProjectId, ServiceAccountEmail, WorkloadPool};
use crate::repository::RepositoryName;

/// What has to be done, in this order; nothing if nothing is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub actions: Vec<Action>,
    /// What could not be read and is planned as if it were missing.
    pub assumed: Vec<String>,
    /// Of which Projects it is not known who acts, so that nothing is planned for them, and how to find out.
    pub unknown: Vec<String>,
    /// What no action can bring about, and why.
    pub impossible: Vec<String>,
}

/// One change. Each may be done twice: the second time changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    EnableServices {
        project: ProjectId,
        services: Vec<String>,
    },
    /// Switches Workload Identity Federation on for a cluster that is there; its nodes stay as they are.
    SetWorkloadPool {
        #[serde(serialize_with = "as_text")]
        cluster: ClusterName,
        pool: WorkloadPool,
    },
    /// Runs the metadata server of GKE on a node pool; its nodes are made anew.
    SetNodePoolMetadata {
        #[serde(serialize_with = "as_text")]
        cluster: ClusterName,
        node_pool: String,
    },
    CreateServiceAccount {
        email: ServiceAccountEmail,
        project: ProjectId,
        kargo_project: String,
    },
    EnableServiceAccount {
        email: ServiceAccountEmail,
    },
    /// Makes the role that lets somebody act as an account and nothing else: [`MINTER_ROLE`].
    CreateRole {
        project: ProjectId,
    },
    Grant(RoleGrant),
    Revoke(RoleGrant),
    SetConstraint {
        project: ProjectId,
        constraint: String,
        wish: Wish,
        /// Whether the project has a policy for it, which says something else; none where that was not read.
        #[serde(skip_serializing_if = "Option::is_none")]
        is_set: Option<bool>,
    },
    /// Has reads of a service leave a line in the audit log of a project.
    LogReads {
        project: ProjectId,
        service: String,
        /// What else the project says about the service; none where that was not read.
        #[serde(skip_serializing_if = "Option::is_none")]
        logged: Option<Vec<AuditLog>>,
    },
    DisableKey {
        email: ServiceAccountEmail,
        key: String,
    },
    DisableServiceAccount {
        email: ServiceAccountEmail,
    },
    MakeTagsImmutable {
        #[serde(serialize_with = "as_text")]
        repository: RepositoryName,
    },
    /// Makes the topic on which Artifact Registry announces pushes.
    CreateTopic {
        project: ProjectId,
    },
}

impl Plan {
    /// Lists what is done by people alone, since nodes are made anew for it.
    pub fn left_to_people(&self) -> impl Iterator<Item = &Action> {
        self.actions.iter().filter(|it| it.makes_nodes_anew())
    }
}

impl Action {
    fn makes_nodes_anew(&self) -> bool {
        matches!(self, Self::SetNodePoolMetadata { .. })
    }
}

/// A role for a member on a resource, without a condition.
///
/// Applied by read-modify-write: read the policy at version 3, [`RoleGrant::add_to`] or [`RoleGrant::remove_from`] it,
/// write it back with the etag that was read, and begin anew on a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleGrant {
    #[serde(serialize_with = "as_text")]
    pub resource: Resource,
    pub role: String,
    #[serde(serialize_with = "as_text")]
    pub member: Grantee,
}

/// What a role is granted on; prints as its resource name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    Project(ProjectId),
    ServiceAccount(ServiceAccountEmail),
    Repository(RepositoryName),
    /// Something whose policy is changed elsewhere, by its name: a folder or an organisation.
    Other(String),
}

/// Whom a role is granted to; prints as the member of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grantee {
    Kubernetes(Principal),
    ServiceAccount(ServiceAccountEmail),
    /// A member as it stands in a policy.
    Member(String),
}

impl RoleGrant {
    pub fn new(resource: Resource, role: &str, member: Grantee) -> Self {
        Self {
            resource,
            role: role.to_owned(),
            member,
        }
    }

    pub fn add_to(&self, policy: &mut Policy) -> Change {
        policy.add(&self.role, &self.member.to_string())
    }

    pub fn remove_from(&self, policy: &mut Policy) -> Change {
        policy.remove(&self.role, &self.member.to_string())
    }
}

impl Grantee {
    /// Says whether a member of a policy is or includes it; public ones include all that they can.
    pub(crate) fn is_covered_by(&self, facts: &Facts, member: &Member) -> bool {
        match self {
            Self::Kubernetes(principal) => facts.covers(member, principal),
            Self::ServiceAccount(email) => {
                *member == Member::ServiceAccount(email.as_str().to_owned()) || member.is_public()
            }
            Self::Member(text) => *member == Member::parse(text),
        }
    }

    /// Names it in a sentence.
    pub(crate) fn whom(&self) -> String {
        match self {
            Self::Kubernetes(principal) => format!("the Kubernetes account {}", principal.account),
            Self::ServiceAccount(email) => email.to_string(),
            Self::Member(text) => text.clone(),
        }
    }

    /// Names it as a part of the name of something else.
    fn short_name(&self) -> String {
        match self {
            Self::Kubernetes(it) => format!("{}-{}", it.account.namespace, it.account.name),
            Self::ServiceAccount(email) => email.account_id().to_owned(),
            Self::Member(text) => text.clone(),
        }
    }
}

impl Facts {
    /// Says who reads images for a Project: its service account, or the Kubernetes account that acts in place of it;
    /// none where it can have neither.
    pub(crate) fn reader_of(&self, project: &str) -> Result<Option<Grantee>, Gap> {
        match self.acting_as(project) {
            Ok(Some(principal)) => return Ok(Some(Grantee::Kubernetes(principal))),
            Ok(None) => {}
            // Nobody looked for one.
            Err(gap) if gap.skipped => {}
            Err(gap) => return Err(gap),
        }
        let account = self.account_of(project)?.ok();
        Ok(account.map(Grantee::ServiceAccount))
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(project) => write!(out, "projects/{project}"),
            Self::ServiceAccount(email) => out.write_str(&account_name(email)),
            Self::Repository(repository) => write!(out, "{repository}"),
            Self::Other(name) => out.write_str(name),
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubernetes(principal) => write!(out, "{principal}"),
            Self::ServiceAccount(email) => out.write_str(&email.member()),
            Self::Member(text) => out.write_str(text),
        }
    }
}

/// Spells the resource name of an account; `-` stands for the project of one that Google made.
fn account_name(email: &ServiceAccountEmail) -> String {
    let project = email.project();
    let project = project.as_ref().map_or("-", ProjectId::as_str);
    format!("projects/{project}/serviceAccounts/{email}")
}

fn as_text<T: fmt::Display, S: Serializer>(it: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(it)
}
