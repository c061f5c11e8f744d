//! `PromotionTask` and `ClusterPromotionTask`: steps with variables.

use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::kind::object;
use crate::step::{PromotionStep, Variable};
use crate::wire::is_empty;

/// Steps that the Stages of one project share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct PromotionTask {
    pub metadata: ObjectMeta,
    pub spec: TaskSpec,
}

object!(PromotionTask, "promotiontasks", NamespaceResourceScope);

/// Steps that the Stages of all projects share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct ClusterPromotionTask {
    pub metadata: ObjectMeta,
    pub spec: TaskSpec,
}

object!(
    ClusterPromotionTask,
    "clusterpromotiontasks",
    ClusterResourceScope
);

/// Steps with variables.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskSpec {
    /// What who uses the task may set; one without a value must be set.
    #[serde(skip_serializing_if = "is_empty")]
    pub vars: Vec<Variable>,
    pub steps: Vec<PromotionStep>,
}
