//! What may be created or changed: every cause at once, each with the field it is about.
//!
//! These are the rules that the schemas cannot state. Reading what they need is the caller's business.

mod config;
mod freight;
mod promotion;
mod warehouse;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Display;

use resources::{FreightRequest, PromotionStep, SelectionPolicy, Stage, TaskSpec};

pub use config::{cluster_config, project_config};
pub use freight::{freight_change, freight_contents};
pub use promotion::{
    PromotionFacts, is_part_of_request, promotion, promotion_change, promotion_request,
};
pub use warehouse::warehouse;

/// One reason why an object is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Path of the field, such as `spec.steps[2].as`.
    pub field: String,
    pub kind: CauseKind,
    /// Says what is wrong, without the field.
    pub message: String,
}

/// What kind of wrong a field is, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseKind {
    Invalid,
    Required,
    Duplicate,
    Forbidden,
}

impl Cause {
    /// The value is not one the field takes.
    pub fn invalid(field: impl Into<String>, value: impl Display, why: impl Display) -> Self {
        Self {
            field: field.into(),
            kind: CauseKind::Invalid,
            message: format!("Invalid value: \"{value}\": {why}"),
        }
    }

    /// The field must be given.
    pub fn required(field: impl Into<String>, why: impl Display) -> Self {
        Self {
            field: field.into(),
            kind: CauseKind::Required,
            message: format!("Required value: {why}"),
        }
    }

    /// The value stands elsewhere already.
    pub fn duplicate(field: impl Into<String>, value: impl Display) -> Self {
        Self {
            field: field.into(),
            kind: CauseKind::Duplicate,
            message: format!("Duplicate value: \"{value}\""),
        }
    }

    /// The field may not be given, or not be changed.
    pub fn forbidden(field: impl Into<String>, why: impl Display) -> Self {
        Self {
            field: field.into(),
            kind: CauseKind::Forbidden,
            message: format!("Forbidden: {why}"),
        }
    }
}

impl CauseKind {
    /// The reason of a cause in a `Status`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Invalid => "FieldValueInvalid",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Forbidden => "FieldValueForbidden",
        }
    }
}

/// Says what is wrong with a Stage.
///
/// Warehouses, upstream Stages and templates need not exist yet: manifests are applied in any order.
pub fn stage(stage: &Stage) -> Vec<Cause> {
    let mut causes = requested_freight(&stage.spec.requested_freight);
    let path = "spec.promotionTemplate.spec.steps";
    causes.extend(steps(path, stage.steps()));
    for (index, step) in stage
        .steps()
        .iter()
        .enumerate()
        .filter(|(_, it)| it.task.is_some())
    {
        if !step.condition.is_empty() {
            let why =
                "a step that uses a task cannot have a condition; put it on the steps of the task";
            causes.push(Cause::forbidden(format!("{path}[{index}].if"), why));
        }
        if step.config.is_some() {
            let why = "a step that uses a task cannot have a configuration; give it vars";
            causes.push(Cause::forbidden(format!("{path}[{index}].config"), why));
        }
    }
    causes
}

/// Says what is wrong with a `PromotionTask` or `ClusterPromotionTask`.
pub fn task(task: &TaskSpec) -> Vec<Cause> {
    steps("spec.steps", &task.steps)
}

/// Lists the kinds of steps that do not exist here, with their fields; a pipeline may carry them as long as they never run.
pub fn unknown_steps<'a>(
    path: &str,
    steps: &'a [PromotionStep],
    exists: impl Fn(&str) -> bool,
) -> Vec<(String, &'a str)> {
    let named = steps
        .iter()
        .enumerate()
        .filter(|(_, it)| !it.uses.is_empty());
    named
        .filter(|(_, it)| !exists(&it.uses))
        .map(|(index, it)| (format!("{path}[{index}].uses"), it.uses.as_str()))
        .collect()
}

fn requested_freight(requests: &[FreightRequest]) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut first = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        let path = format!("spec.requestedFreight[{index}]");
        let earlier = *first.entry(&request.origin).or_insert(index);
        if earlier != index {
            let why = format!(
                "Freight of this origin is already requested at spec.requestedFreight[{earlier}]"
            );
            causes.push(Cause::invalid(
                format!("{path}.origin"),
                &request.origin,
                why,
            ));
        }
        let sources = &request.sources;
        if sources.selection_policy() == SelectionPolicy::MatchUpstream {
            let field = format!("{path}.sources.autoPromotionOptions.selectionPolicy");
            if sources.direct {
                let why =
                    "Freight that comes straight from its origin has no upstream Stage to match";
                causes.push(Cause::invalid(field.clone(), "MatchUpstream", why));
            }
            if sources.stages.len() != 1 {
                let why = "exactly one upstream Stage must be given to be matched";
                causes.push(Cause::invalid(field, "MatchUpstream", why));
            }
        }
    }
    causes
}

/// Says which names of steps are taken twice or kept for steps without a name.
fn steps(path: &str, steps: &[PromotionStep]) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut first = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        let alias = step.alias.trim();
        if alias.is_empty() {
            continue;
        }
        let field = format!("{path}[{index}].as");
        let earlier = *first.entry(alias).or_insert(index);
        if earlier != index {
            let why = format!("step alias duplicates that of {path}[{earlier}]");
            causes.push(Cause::invalid(field.clone(), alias, why));
        }
        if is_reserved(alias) {
            let why = "step alias is reserved for steps that have none";
            causes.push(Cause::invalid(field, alias, why));
        }
    }
    causes
}

/// Says whether a name is `step-<n>` or `task-<n>`.
fn is_reserved(alias: &str) -> bool {
    let number = alias
        .strip_prefix("step-")
        .or_else(|| alias.strip_prefix("task-"));
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|digit| digit.is_ascii_digit()))
}
