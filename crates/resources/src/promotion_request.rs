//! `PromotionRequest`: one move of one Freight to several Targets of a Stage.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::kind::object;
use crate::promotion::PromotionPhase;
use crate::wire::{is_empty, word, words};

/// One move of one Freight to several Targets of a Stage. Only the commercial edition of Kargo acts on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct PromotionRequest {
    pub metadata: ObjectMeta,
    pub spec: PromotionRequestSpec,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<PromotionRequestStatus>,
}

object!(
    PromotionRequest,
    "promotionrequests",
    NamespaceResourceScope
);

/// What is moved where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionRequestSpec {
    pub stage: String,
    pub freight: String,
    pub targets: Vec<TargetReference>,
}

/// Names a Target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetReference {
    pub name: String,
}

/// How far a request is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionRequestStatus {
    #[serde(skip_serializing_if = "is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "is_empty")]
    pub observed_generation: i64,
    #[serde(deserialize_with = "word", skip_serializing_if = "is_empty")]
    pub phase: Option<PromotionRequestPhase>,
    #[serde(skip_serializing_if = "is_empty")]
    pub summary: Option<PromotionCounts>,
    #[serde(skip_serializing_if = "is_empty")]
    pub targets: Vec<TargetProgress>,
    #[serde(skip_serializing_if = "is_empty")]
    pub started_at: Option<Time>,
    #[serde(skip_serializing_if = "is_empty")]
    pub finished_at: Option<Time>,
}

/// How many Promotions are in which phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionCounts {
    #[serde(skip_serializing_if = "is_empty")]
    pub pending: i32,
    #[serde(skip_serializing_if = "is_empty")]
    pub running: i32,
    #[serde(skip_serializing_if = "is_empty")]
    pub succeeded: i32,
    #[serde(skip_serializing_if = "is_empty")]
    pub failed: i32,
    #[serde(skip_serializing_if = "is_empty")]
    pub errored: i32,
    #[serde(skip_serializing_if = "is_empty")]
    pub aborted: i32,
}

/// How far the Promotion of one Target is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetProgress {
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub promotion: String,
    #[serde(deserialize_with = "word", skip_serializing_if = "is_empty")]
    pub phase: Option<PromotionPhase>,
}

words! {
    /// How far a request is; absent before anybody looked at it.
    PromotionRequestPhase { Pending, Running, Succeeded, Failed, Errored }
}

impl PromotionRequestPhase {
    /// Says whether nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Errored => true,
            Self::Pending | Self::Running | Self::Other(_) => false,
        }
    }
}

impl PromotionRequest {
    /// Says whether nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        let phase = self.status.as_ref().and_then(|it| it.phase.as_ref());
        phase.is_some_and(PromotionRequestPhase::is_terminal)
    }
}
