//! Warehouse: what to watch, and what was found.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::freight::ArtifactReference;
use crate::kind::object;
use crate::subscription::RawSubscription;
use crate::wire::is_empty;

/// Repositories to watch; what is found in them together becomes Freight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Warehouse {
    pub metadata: ObjectMeta,
    pub spec: WarehouseSpec,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<WarehouseStatus>,
}

object!(Warehouse, "warehouses", NamespaceResourceScope);

/// What to watch, how often, and when to make Freight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WarehouseSpec {
    #[serde(skip_serializing_if = "is_empty")]
    pub shard: String,
    #[serde(with = "crate::duration::clock")]
    pub interval: Duration,
    pub freight_creation_policy: FreightCreationPolicy,
    #[serde(skip_serializing_if = "is_empty")]
    pub freight_creation_criteria: Option<FreightCreationCriteria>,
    pub subscriptions: Vec<RawSubscription>,
}

impl Default for WarehouseSpec {
    fn default() -> Self {
        Self {
            shard: String::new(),
            interval: Self::DEFAULT_INTERVAL,
            freight_creation_policy: FreightCreationPolicy::default(),
            freight_creation_criteria: None,
            subscriptions: Vec::new(),
        }
    }
}

impl WarehouseSpec {
    /// How often a Warehouse looks when nothing is said.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);
}

/// Who makes Freight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FreightCreationPolicy {
    /// The Warehouse does, whenever it finds something new.
    #[default]
    Automatic,
    /// People do, from what was found.
    Manual,
}

/// A condition on what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FreightCreationCriteria {
    /// An expression without `${{ }}` around it.
    #[serde(skip_serializing_if = "is_empty")]
    pub expression: String,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WarehouseStatus {
    #[serde(skip_serializing_if = "is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "is_empty")]
    pub last_handled_refresh: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub observed_generation: i64,
    /// Name of the Freight made last.
    #[serde(rename = "lastFreightID", skip_serializing_if = "is_empty")]
    pub last_freight_id: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub discovered_artifacts: Option<DiscoveredArtifacts>,
}

/// What was found, by kind of repository, in the order of the subscriptions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredArtifacts {
    #[serde(skip_serializing_if = "is_empty")]
    pub discovered_at: Option<Time>,
    #[serde(skip_serializing_if = "is_empty")]
    pub git: Vec<DiscoveredCommits>,
    #[serde(skip_serializing_if = "is_empty")]
    pub images: Vec<DiscoveredImage>,
    #[serde(skip_serializing_if = "is_empty")]
    pub charts: Vec<DiscoveredChart>,
    #[serde(skip_serializing_if = "is_empty")]
    pub results: Vec<DiscoveredOther>,
}

/// Commits of one Git repository, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredCommits {
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub commits: Vec<DiscoveredCommit>,
    #[serde(skip_serializing_if = "is_empty")]
    pub subscription_name: String,
    /// What the remote said when the commits were found, to see cheaply that nothing changed.
    #[serde(skip_serializing_if = "is_empty")]
    pub observed_refs: Option<ObservedRefs>,
}

/// One commit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredCommit {
    #[serde(skip_serializing_if = "is_empty")]
    pub id: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub branch: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub tag: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub subject: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub author: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub committer: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub creator_date: Option<Time>,
}

/// What a Git remote said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObservedRefs {
    #[serde(skip_serializing_if = "is_empty")]
    pub branch_head: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub tags: Vec<ObservedTag>,
}

/// A tag and what it points to: a commit, or the object that holds its message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObservedTag {
    pub name: String,
    pub id: String,
}

/// References of one image repository, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredImage {
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub platform: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub references: Vec<DiscoveredImageReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub subscription_name: String,
}

/// One image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredImageReference {
    pub tag: String,
    pub digest: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub created_at: Option<Time>,
}

/// Versions of one chart, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredChart {
    #[serde(rename = "repoURL")]
    pub repo_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub semver_constraint: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub versions: Vec<String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub subscription_name: String,
}

/// Artifacts of any other kind, found for the subscription of this name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DiscoveredOther {
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub artifact_references: Vec<ArtifactReference>,
}
