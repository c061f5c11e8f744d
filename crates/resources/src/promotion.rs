//! Promotion: one move of one Freight into one Stage, step by step.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ulid::{ULID_LEN, Ulid};

use crate::collection::{FreightCollection, FreightReference};
use crate::freight::FreightOrigin;
use crate::kind::object;
use crate::names::{NAME_MAX, annotation, label};
use crate::request::AbortRequest;
use crate::step::{PromotionStep, Variable};
use crate::wire::{is_empty, word, words};

/// One move of one Freight into one Stage, step by step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Promotion {
    pub metadata: ObjectMeta,
    pub spec: PromotionSpec,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<PromotionStatus>,
}

object!(Promotion, "promotions", NamespaceResourceScope);

/// What is moved where; nothing of it changes once stored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionSpec {
    pub stage: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub freight: String,
    /// Asks admission to choose the Freight; never stored.
    #[serde(skip_serializing_if = "is_empty")]
    pub origin: Option<FreightOrigin>,
    #[serde(skip_serializing_if = "is_empty")]
    pub target: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub vars: Vec<Variable>,
    pub steps: Vec<PromotionStep>,
}

/// How far a Promotion is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionStatus {
    #[serde(skip_serializing_if = "is_empty")]
    pub last_handled_refresh: String,
    #[serde(deserialize_with = "word", skip_serializing_if = "is_empty")]
    pub phase: Option<PromotionPhase>,
    #[serde(skip_serializing_if = "is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub freight: Option<FreightReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub freight_collection: Option<FreightCollection>,
    #[serde(skip_serializing_if = "is_empty")]
    pub health_checks: Vec<HealthCheck>,
    #[serde(skip_serializing_if = "is_empty")]
    pub started_at: Option<Time>,
    #[serde(skip_serializing_if = "is_empty")]
    pub finished_at: Option<Time>,
    /// Index of the step that runs or runs next.
    #[serde(skip_serializing_if = "is_empty")]
    pub current_step: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub step_execution_metadata: Vec<StepExecution>,
    /// Outputs of steps by alias.
    #[serde(skip_serializing_if = "is_empty")]
    pub state: Option<Value>,
}

/// A check that goes on after the promotion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    pub uses: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub config: Option<Value>,
}

/// What became of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepExecution {
    #[serde(skip_serializing_if = "is_empty")]
    pub alias: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub started_at: Option<Time>,
    #[serde(skip_serializing_if = "is_empty")]
    pub finished_at: Option<Time>,
    #[serde(skip_serializing_if = "is_empty")]
    pub error_count: i32,
    #[serde(deserialize_with = "word", skip_serializing_if = "is_empty")]
    pub status: Option<StepStatus>,
    #[serde(skip_serializing_if = "is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub continue_on_error: bool,
}

words! {
    /// How far a Promotion is; absent before anybody looked at it.
    PromotionPhase { Pending, Running, Succeeded, Failed, Errored, Aborted }
}

words! {
    /// How far a step is; absent before it started.
    StepStatus { Running, Succeeded, Failed, Errored, Aborted, Skipped }
}

/// The longest part of a name before the ULID, so that the whole fits in an object's name.
const PREFIX_MAX: usize = NAME_MAX - 1 - ULID_LEN - 1 - SHORT_HASH_LEN;
const SHORT_HASH_LEN: usize = 7;

/// Names a Promotion: `<stage>.<ulid>.<first seven of the Freight's name>`, in lower case.
///
/// Sorted by name, the Promotions of a Stage are in the order they were created in, as far as the ULIDs are. Empty where
/// either name is.
pub fn name(stage: &str, ulid: Ulid, freight: &str) -> String {
    if stage.is_empty() || freight.is_empty() {
        return String::new();
    }
    let prefix = if stage.len() > PREFIX_MAX {
        cut(stage, PREFIX_MAX).trim_end_matches(['.', '-'])
    } else {
        stage
    };
    format!("{prefix}.{ulid}.{}", cut(freight, SHORT_HASH_LEN)).to_lowercase()
}

/// Names the Promotion of one Target of a Stage: `<stage>.<target>.<ulid>.<first seven of the Freight's name>`.
pub fn target_name(stage: &str, target: &str, ulid: Ulid, freight: &str) -> String {
    if stage.is_empty() || target.is_empty() {
        return String::new();
    }
    name(&format!("{stage}.{target}"), ulid, freight)
}

fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

impl PromotionPhase {
    /// Says whether nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Errored | Self::Aborted => true,
            Self::Pending | Self::Running | Self::Other(_) => false,
        }
    }
}

impl StepStatus {
    /// Orders results from best to worst; the worst one is the result of the Promotion.
    pub fn severity(&self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Skipped => 1,
            Self::Running | Self::Other(_) => 2,
            Self::Aborted => 3,
            Self::Failed => 4,
            Self::Errored => 5,
        }
    }
}

impl Promotion {
    /// How far the Promotion is.
    pub fn phase(&self) -> Option<&PromotionPhase> {
        self.status.as_ref()?.phase.as_ref()
    }

    /// Says whether nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        self.phase().is_some_and(PromotionPhase::is_terminal)
    }

    /// Says whether steps are being run.
    pub fn is_running(&self) -> bool {
        self.phase() == Some(&PromotionPhase::Running)
    }

    /// Who created the Promotion, as admission wrote it.
    pub fn create_actor(&self) -> Option<&str> {
        self.annotation(annotation::CREATE_ACTOR)
    }

    /// The shard that looks after the Promotion.
    pub fn shard(&self) -> Option<&str> {
        self.label(label::SHARD).filter(|it| !it.is_empty())
    }

    /// What somebody asked for with the abort annotation.
    pub fn abort_request(&self) -> Option<AbortRequest> {
        self.annotation(annotation::ABORT)
            .and_then(AbortRequest::parse)
    }
}
