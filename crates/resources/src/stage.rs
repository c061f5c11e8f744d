//! Stage: what it may take, how it is promoted and verified, what is in it now.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector, Time};
use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::collection::{FreightCollection, FreightReference};
use crate::duration::Duration;
use crate::freight::FreightOrigin;
use crate::health::Health;
use crate::kind::object;
use crate::names::annotation;
use crate::promotion::PromotionStatus;
use crate::promotion_request::PromotionRequestPhase;
use crate::request::VerificationRequest;
use crate::step::{PromotionStep, Variable};
use crate::verification::Verification;
use crate::wire::{is_empty, word};

/// A place Freight is promoted to, and then taken from by the next Stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Stage {
    pub metadata: ObjectMeta,
    pub spec: StageSpec,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<StageStatus>,
}

object!(Stage, "stages", NamespaceResourceScope);

/// What a Stage may take, how it is promoted and verified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StageSpec {
    #[serde(skip_serializing_if = "is_empty")]
    pub shard: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub vars: Vec<Variable>,
    pub requested_freight: Vec<FreightRequest>,
    /// Absent, or without steps, for a control-flow Stage.
    #[serde(skip_serializing_if = "is_empty")]
    pub promotion_template: Option<PromotionTemplate>,
    #[serde(skip_serializing_if = "is_empty")]
    pub verification: Option<Verification>,
    #[serde(skip_serializing_if = "is_empty")]
    pub targets: Option<StageTargets>,
}

/// Freight of one origin, and where it may come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FreightRequest {
    pub origin: FreightOrigin,
    pub sources: FreightSources,
}

/// Where Freight may come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FreightSources {
    /// Straight from the Warehouse.
    #[serde(skip_serializing_if = "is_empty")]
    pub direct: bool,
    /// From these Stages, once verified there.
    #[serde(skip_serializing_if = "is_empty")]
    pub stages: Vec<String>,
    /// How long it must have been in a Stage.
    #[serde(
        with = "crate::duration::clock::option",
        skip_serializing_if = "is_empty"
    )]
    pub required_soak_time: Option<Duration>,
    #[serde(skip_serializing_if = "is_empty")]
    pub availability_strategy: AvailabilityStrategy,
    #[serde(skip_serializing_if = "is_empty")]
    pub auto_promotion_options: Option<AutoPromotionOptions>,
}

/// How many of the Stages must have verified Freight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AvailabilityStrategy {
    /// Nothing was said, which means [`AvailabilityStrategy::OneOf`].
    #[default]
    #[serde(rename = "")]
    Unset,
    All,
    OneOf,
}

/// How auto-promotion chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoPromotionOptions {
    /// Absent means [`SelectionPolicy::NewestFreight`].
    #[serde(skip_serializing_if = "is_empty")]
    pub selection_policy: Option<SelectionPolicy>,
}

/// Which of the available Freight is promoted by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectionPolicy {
    #[default]
    NewestFreight,
    /// What the one upstream Stage holds now, even where that is older.
    MatchUpstream,
}

/// What Promotions into a Stage are made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionTemplate {
    pub spec: PromotionTemplateSpec,
}

/// Variables and steps for a Promotion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionTemplateSpec {
    #[serde(skip_serializing_if = "is_empty")]
    pub vars: Vec<Variable>,
    #[serde(skip_serializing_if = "is_empty")]
    pub steps: Vec<PromotionStep>,
}

/// The Targets of a Stage with many places; only the commercial edition of Kargo acts on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StageTargets {
    pub selectors: Vec<LabelSelector>,
}

/// What is in a Stage now, and what was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StageStatus {
    #[serde(skip_serializing_if = "is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "is_empty")]
    pub last_handled_refresh: String,
    /// Newest first, at most ten: the first one is in the Stage now.
    #[serde(skip_serializing_if = "is_empty")]
    pub freight_history: Vec<FreightCollection>,
    /// What a table shows of the current Freight.
    #[serde(skip_serializing_if = "is_empty")]
    pub freight_summary: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub health: Option<Health>,
    #[serde(skip_serializing_if = "is_empty")]
    pub observed_generation: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub current_promotion: Option<PromotionReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub last_promotion: Option<PromotionReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub current_promotion_request: Option<PromotionRequestReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub last_promotion_request: Option<PromotionRequestReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub auto_promotion_enabled: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub promotion_window_status: Option<PromotionWindowStatus>,
    #[serde(skip_serializing_if = "is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// Origins whose auto-promotion is held, by key of the origin.
    #[serde(skip_serializing_if = "is_empty")]
    pub auto_promotion_holds: BTreeMap<String, AutoPromotionHold>,
    /// The same with what Promotions under way will hold or resume.
    #[serde(skip_serializing_if = "is_empty")]
    pub effective_auto_promotion_holds: BTreeMap<String, AutoPromotionHold>,
}

/// What a Stage remembers of a Promotion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionReference {
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub freight: Option<FreightReference>,
    /// A copy of the whole status.
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<PromotionStatus>,
    #[serde(skip_serializing_if = "is_empty")]
    pub finished_at: Option<Time>,
}

/// What a Stage remembers of a `PromotionRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionRequestReference {
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub freight: Option<FreightName>,
    #[serde(deserialize_with = "word", skip_serializing_if = "is_empty")]
    pub phase: Option<PromotionRequestPhase>,
    #[serde(skip_serializing_if = "is_empty")]
    pub finished_at: Option<Time>,
}

/// Names Freight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FreightName {
    pub name: String,
}

/// Whether Promotions may start now; only the commercial edition of Kargo writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionWindowStatus {
    pub closed: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub reason: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub next_open: Option<Time>,
    #[serde(skip_serializing_if = "is_empty")]
    pub next_close: Option<Time>,
    #[serde(skip_serializing_if = "is_empty")]
    pub next_close_reason: String,
}

/// Why one origin is not promoted by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoPromotionHold {
    pub freight_name: String,
    pub origin: FreightOrigin,
    #[serde(skip_serializing_if = "is_empty")]
    pub promotion_name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub actor: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub created_at: Option<Time>,
}

impl Stage {
    /// Says whether Freight only passes through: there is nothing to run.
    pub fn is_control_flow(&self) -> bool {
        self.steps().is_empty()
    }

    /// The steps of the template.
    pub fn steps(&self) -> &[PromotionStep] {
        match &self.spec.promotion_template {
            Some(template) => &template.spec.steps,
            None => &[],
        }
    }

    /// Finds what the Stage asks of an origin.
    pub fn request_for(&self, origin: &FreightOrigin) -> Option<&FreightRequest> {
        self.spec
            .requested_freight
            .iter()
            .find(|it| it.origin == *origin)
    }

    /// What is in the Stage now.
    pub fn current_freight(&self) -> Option<&FreightCollection> {
        self.status.as_ref()?.freight_history.first()
    }

    /// The Promotion under way.
    pub fn current_promotion(&self) -> Option<&PromotionReference> {
        self.status.as_ref()?.current_promotion.as_ref()
    }

    /// The Promotion that finished last.
    pub fn last_promotion(&self) -> Option<&PromotionReference> {
        self.status.as_ref()?.last_promotion.as_ref()
    }

    /// What somebody asked for with the reverify annotation.
    pub fn reverify_request(&self) -> Option<VerificationRequest> {
        self.annotation(annotation::REVERIFY)
            .and_then(VerificationRequest::parse)
    }

    /// What somebody asked for with the abort annotation.
    pub fn abort_request(&self) -> Option<VerificationRequest> {
        self.annotation(annotation::ABORT)
            .and_then(VerificationRequest::parse)
    }
}

impl FreightSources {
    /// How auto-promotion chooses, told or assumed.
    pub fn selection_policy(&self) -> SelectionPolicy {
        let options = self.auto_promotion_options.as_ref();
        options
            .and_then(|it| it.selection_policy)
            .unwrap_or_default()
    }

    /// Says whether every listed Stage must have verified Freight.
    pub fn wants_all(&self) -> bool {
        match self.availability_strategy {
            AvailabilityStrategy::All => true,
            AvailabilityStrategy::OneOf | AvailabilityStrategy::Unset => false,
        }
    }
}
