//! Freight: artifacts that move as one; its name is their hash.

mod name;

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::collection::FreightReference;
use crate::duration::Duration;
use crate::kind::object;
use crate::wire::is_empty;

/// Artifacts that move as one; the name is their hash. There is no `spec`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Freight {
    pub metadata: ObjectMeta,
    /// A name people can say, unique in the project; mirrored by a label.
    #[serde(skip_serializing_if = "is_empty")]
    pub alias: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub discovered_at: Option<Time>,
    pub origin: FreightOrigin,
    #[serde(skip_serializing_if = "is_empty")]
    pub commits: Vec<GitCommit>,
    #[serde(skip_serializing_if = "is_empty")]
    pub images: Vec<Image>,
    #[serde(skip_serializing_if = "is_empty")]
    pub charts: Vec<Chart>,
    #[serde(skip_serializing_if = "is_empty")]
    pub artifacts: Vec<ArtifactReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<FreightStatus>,
}

object!(Freight, "freights", NamespaceResourceScope);

/// Where Freight comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FreightOrigin {
    pub kind: OriginKind,
    pub name: String,
}

/// What can be an origin.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum OriginKind {
    #[default]
    Warehouse,
}

/// One commit of a Git repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitCommit {
    #[serde(rename = "repoURL", skip_serializing_if = "is_empty")]
    pub repo_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub id: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub branch: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub tag: String,
    /// The first line of the message.
    #[serde(skip_serializing_if = "is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub author: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub committer: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub subscription_name: String,
}

/// One image of a container registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    #[serde(rename = "repoURL", skip_serializing_if = "is_empty")]
    pub repo_url: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub tag: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub digest: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub subscription_name: String,
}

/// One version of a Helm chart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Chart {
    #[serde(rename = "repoURL", skip_serializing_if = "is_empty")]
    pub repo_url: String,
    /// Empty for a chart in an OCI registry, where the URL names it.
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub version: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub subscription_name: String,
}

/// One version of any other kind of artifact.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtifactReference {
    #[serde(skip_serializing_if = "is_empty")]
    pub artifact_type: String,
    pub subscription_name: String,
    pub version: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub metadata: Option<Value>,
}

/// Where Freight is, has been verified and has been approved for. The keys are names of Stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FreightStatus {
    #[serde(skip_serializing_if = "is_empty")]
    pub currently_in: BTreeMap<String, CurrentStage>,
    #[serde(skip_serializing_if = "is_empty")]
    pub verified_in: BTreeMap<String, VerifiedStage>,
    #[serde(skip_serializing_if = "is_empty")]
    pub approved_for: BTreeMap<String, ApprovedStage>,
    #[serde(skip_serializing_if = "is_empty")]
    pub metadata: BTreeMap<String, Value>,
}

/// Since when Freight is in a Stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CurrentStage {
    #[serde(skip_serializing_if = "is_empty")]
    pub since: Option<Time>,
}

/// When Freight was verified in a Stage, and the longest it stayed there once verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VerifiedStage {
    #[serde(skip_serializing_if = "is_empty")]
    pub verified_at: Option<Time>,
    #[serde(rename = "longestSoak", skip_serializing_if = "is_empty")]
    pub longest_completed_soak: Option<Duration>,
}

/// When somebody approved Freight for a Stage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApprovedStage {
    #[serde(skip_serializing_if = "is_empty")]
    pub approved_at: Option<Time>,
}

impl Freight {
    /// When the artifacts were found: by age of this Freight is ordered.
    pub fn effective_discovered_at(&self) -> Option<&Time> {
        self.discovered_at
            .as_ref()
            .or(self.metadata.creation_timestamp.as_ref())
    }

    /// Says whether the Freight is in a Stage now.
    pub fn is_currently_in(&self, stage: &str) -> bool {
        self.status
            .as_ref()
            .is_some_and(|it| it.currently_in.contains_key(stage))
    }

    /// Says whether the Freight was verified in a Stage.
    pub fn is_verified_in(&self, stage: &str) -> bool {
        self.status
            .as_ref()
            .is_some_and(|it| it.verified_in.contains_key(stage))
    }

    /// Says whether the Freight was approved for a Stage.
    pub fn is_approved_for(&self, stage: &str) -> bool {
        self.status
            .as_ref()
            .is_some_and(|it| it.approved_for.contains_key(stage))
    }

    /// Says whether the Freight holds nothing.
    pub fn has_no_artifacts(&self) -> bool {
        self.commits.is_empty()
            && self.images.is_empty()
            && self.charts.is_empty()
            && self.artifacts.is_empty()
    }

    /// What Stages and Promotions remember of the Freight.
    pub fn reference(&self) -> FreightReference {
        FreightReference {
            name: self.name().to_owned(),
            origin: self.origin.clone(),
            commits: self.commits.clone(),
            images: self.images.clone(),
            charts: self.charts.clone(),
            artifacts: self.artifacts.clone(),
        }
    }
}

impl FreightOrigin {
    /// The Warehouse of a name.
    pub fn warehouse(name: &str) -> Self {
        Self {
            kind: OriginKind::Warehouse,
            name: name.to_owned(),
        }
    }

    /// The key of the origin in maps and annotations: `Warehouse/<name>`.
    pub fn key(&self) -> String {
        self.to_string()
    }

    /// Parses the key of an origin.
    pub fn from_key(key: &str) -> Option<Self> {
        key.strip_prefix("Warehouse/").map(Self::warehouse)
    }
}

impl fmt::Display for FreightOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name } = self;
        write!(f, "{kind}/{name}")
    }
}

impl fmt::Display for OriginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Warehouse => f.write_str("Warehouse"),
        }
    }
}
