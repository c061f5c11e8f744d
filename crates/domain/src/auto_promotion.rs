//! Whether a Stage takes new Freight by itself, and what holds it back.
//!
//! The policies of a `ProjectConfig` say whether; the first that matches wins, also when it says no. A person who
//! promotes something else than the newest Freight holds back auto-promotion of that origin until the newest is promoted
//! by hand again. A hold becomes durable when the Promotion that carries it ends; while it runs it is only effective.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;
use resources::{
    AutoPromotionHold, FreightOrigin, NameAndLabelSelector, ProjectConfig, Promotion,
    PromotionPhase, PromotionPolicy, Stage, names::annotation,
};

use crate::name_pattern::NamePattern;

/// Holds by origin (`Warehouse/<name>`), as a Stage's status has them.
pub type Holds = BTreeMap<String, AutoPromotionHold>;

/// Says whether auto-promotion is on for `stage`.
pub fn enabled(config: Option<&ProjectConfig>, stage: &Stage) -> bool {
    let Some(config) = config else { return false };
    let matching = config
        .spec
        .promotion_policies
        .iter()
        .find(|it| applies(it, stage));
    matching.is_some_and(|it| it.auto_promotion_enabled)
}

/// Says whether a policy is about `stage`.
pub fn applies(policy: &PromotionPolicy, stage: &Stage) -> bool {
    match &policy.stage_selector {
        Some(selector) => selects(selector, stage),
        None => policy.stage == stage.name(),
    }
}

fn selects(selector: &NameAndLabelSelector, stage: &Stage) -> bool {
    // Admission refuses malformed patterns; one that got past it selects nothing.
    let name_matches = selector.name.is_empty()
        || NamePattern::parse(&selector.name).is_ok_and(|it| it.matches(stage.name()));
    let labels = stage.metadata.labels.clone().unwrap_or_default();
    let exact = selector
        .labels
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    name_matches
        && exact
        && selector
            .labels
            .match_expressions
            .iter()
            .flatten()
            .all(|it| satisfies(it, &labels))
}

fn satisfies(requirement: &LabelSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&requirement.key);
    let listed = value.is_some_and(|it| {
        requirement
            .values
            .iter()
            .flatten()
            .any(|listed| listed == it)
    });
    match requirement.operator.as_str() {
        "In" => listed,
        "NotIn" => !listed,
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

/// What a Promotion says about auto-promotion of its Freight's origin.
enum Wish {
    Hold(String),
    Resume(String),
}

fn wish(promotion: &Promotion) -> Option<Wish> {
    let annotation = |key| {
        promotion
            .annotation(key)
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
    };
    annotation(annotation::AUTO_PROMOTION_HOLD)
        .map(Wish::Hold)
        .or_else(|| annotation(annotation::AUTO_PROMOTION_RESUME).map(Wish::Resume))
}

/// Drops holds that make no sense any more: all without auto-promotion, else those of origins that nobody requests.
pub fn prune(holds: &mut Holds, enabled: bool, stage: &Stage) {
    holds.retain(|origin, _| enabled && requests(stage, origin));
}

/// Makes the wish of a Promotion that ended durable; one that was aborted has none.
pub fn settle(holds: &mut Holds, stage: &Stage, promotion: &Promotion) {
    if promotion.phase() != Some(&PromotionPhase::Aborted) {
        follow(holds, stage, promotion);
    }
}

/// Lays the wishes of Promotions that have not been settled over the durable holds; the newest per origin counts.
///
/// `unsettled` comes in the order of names, oldest first.
pub fn effective<'a>(
    durable: &Holds,
    stage: &Stage,
    unsettled: impl IntoIterator<Item = &'a Promotion>,
) -> Holds {
    let mut holds = durable.clone();
    for promotion in unsettled {
        settle(&mut holds, stage, promotion);
    }
    holds
}

fn follow(holds: &mut Holds, stage: &Stage, promotion: &Promotion) {
    match wish(promotion) {
        Some(Wish::Hold(origin)) if requests(stage, &origin) => {
            let hold = AutoPromotionHold {
                freight_name: promotion.spec.freight.clone(),
                origin: FreightOrigin::from_key(&origin).unwrap_or_default(),
                promotion_name: promotion.name().to_owned(),
                actor: promotion.create_actor().unwrap_or_default().to_owned(),
                created_at: promotion.metadata.creation_timestamp.clone(),
            };
            holds.insert(origin, hold);
        }
        Some(Wish::Resume(origin)) => {
            holds.remove(&origin);
        }
        Some(Wish::Hold(_)) | None => {}
    }
}

fn requests(stage: &Stage, origin: &str) -> bool {
    stage
        .spec
        .requested_freight
        .iter()
        .any(|it| it.origin.key() == origin)
}

#[cfg(test)]
mod tests;
