//! What is wrong with a `ProjectConfig` or `ClusterConfig`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use resources::config::CLUSTER_CONFIG_NAME;
use resources::{ClusterConfig, ProjectConfig, PromotionPolicy, WebhookReceiver};

use super::Cause;
use crate::name_pattern::NamePattern;

/// Says what is wrong with the settings of a project.
pub fn project_config(config: &ProjectConfig) -> Vec<Cause> {
    let mut causes = Vec::new();
    if config.name() != config.namespace() {
        let why = format!("name must be that of the project, {:?}", config.namespace());
        causes.push(Cause::invalid("metadata.name", config.name(), why));
    }
    causes.extend(policies(&config.spec.promotion_policies));
    causes.extend(receivers(&config.spec.webhook_receivers));
    causes
}

/// Says what is wrong with the settings of the installation.
pub fn cluster_config(config: &ClusterConfig) -> Vec<Cause> {
    let mut causes = Vec::new();
    if config.name() != CLUSTER_CONFIG_NAME {
        let why = format!("name must be {CLUSTER_CONFIG_NAME:?}");
        causes.push(Cause::invalid("metadata.name", config.name(), why));
    }
    causes.extend(receivers(&config.spec.webhook_receivers));
    causes
}

fn policies(policies: &[PromotionPolicy]) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut first = BTreeMap::new();
    for (index, policy) in policies.iter().enumerate() {
        let path = format!("spec.promotionPolicies[{index}]");
        let (field, name, is_narrowed) = match &policy.stage_selector {
            Some(selector) => {
                let is_narrowed = selector.labels != LabelSelector::default();
                (
                    format!("{path}.stageSelector.name"),
                    &selector.name,
                    is_narrowed,
                )
            }
            None => (format!("{path}.stage"), &policy.stage, false),
        };
        if name.is_empty() {
            continue;
        }
        match NamePattern::parse(name) {
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|it| format!(": {it}"));
                let why = format!("{error}{}", cause.unwrap_or_default());
                causes.push(Cause::invalid(field, name, why));
            }
            // With labels besides the name, two policies for one name can both make sense.
            Ok(NamePattern::Exact(_)) if !is_narrowed => {
                let earlier = *first.entry(name).or_insert(index);
                if earlier != index {
                    let why = format!(
                        "there is already a policy for this Stage at spec.promotionPolicies[{earlier}]"
                    );
                    causes.push(Cause::invalid(field, name, why));
                }
            }
            Ok(NamePattern::Exact(_) | NamePattern::Expression(_)) => {}
        }
    }
    causes
}

fn receivers(receivers: &[WebhookReceiver]) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut first = BTreeMap::new();
    for (index, receiver) in receivers.iter().enumerate() {
        let path = format!("spec.webhookReceivers[{index}]");
        let earlier = *first.entry(&receiver.name).or_insert(index);
        if earlier != index {
            let why = format!(
                "there is already a receiver of this name at spec.webhookReceivers[{earlier}]"
            );
            causes.push(Cause::invalid(format!("{path}.name"), &receiver.name, why));
        }
        match receiver.kinds()[..] {
            [_] => {}
            [] => causes.push(Cause::required(
                path.clone(),
                "a receiver needs a block that says who calls",
            )),
            ref kinds => {
                let why = format!(
                    "a receiver is of one kind, not of {}: {}",
                    kinds.len(),
                    kinds.join(", ")
                );
                causes.push(Cause::forbidden(path.clone(), why));
            }
        }
        for (at, action) in receiver
            .generic
            .iter()
            .flat_map(|it| it.actions.iter().enumerate())
        {
            for (criterion, target) in action.target_selection_criteria.iter().enumerate() {
                let labels = &target.label_selector;
                let is_empty = target.name.is_empty()
                    && labels.match_labels.iter().all(BTreeMap::is_empty)
                    && labels.match_expressions.iter().all(Vec::is_empty)
                    && target.index_selector.match_indices.is_empty();
                if is_empty {
                    let field = format!(
                        "{path}.generic.actions[{at}].targetSelectionCriteria[{criterion}]"
                    );
                    let why = "must have at least one of name, labelSelector and indexSelector";
                    causes.push(Cause::required(field, why));
                }
            }
        }
    }
    causes
}
