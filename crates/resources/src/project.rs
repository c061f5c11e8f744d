//! Project: a namespace with a pipeline in it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::kind::object;
use crate::names::annotation;
use crate::wire::is_empty;

/// A namespace with a pipeline in it; both have the same name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Project {
    pub metadata: ObjectMeta,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<ProjectStatus>,
}

object!(Project, "projects", ClusterResourceScope);

/// What was seen of a Project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectStatus {
    #[serde(skip_serializing_if = "is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "is_empty")]
    pub stats: Option<ProjectStats>,
}

/// Numbers for an overview.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectStats {
    #[serde(skip_serializing_if = "is_empty")]
    pub warehouses: Count,
    /// Stages that promote; control-flow Stages do not count.
    #[serde(skip_serializing_if = "is_empty")]
    pub stages: Count,
}

/// How many there are, and how many of them are healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Count {
    #[serde(skip_serializing_if = "is_empty")]
    pub count: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub health: HealthyCount,
}

/// How many are healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthyCount {
    #[serde(skip_serializing_if = "is_empty")]
    pub healthy: i64,
}

impl Project {
    /// Says whether the Namespace outlives the Project.
    pub fn keeps_namespace(&self) -> bool {
        self.annotation(annotation::KEEP_NAMESPACE) == Some("true")
    }
}
