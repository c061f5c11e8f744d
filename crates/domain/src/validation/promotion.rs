//! What is wrong with a Promotion or `PromotionRequest`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use resources::{Freight, Promotion, PromotionRequest, Stage};

use super::Cause;
use crate::availability::{Availability, available};

/// All that decides whether a Promotion may be created.
#[derive(Clone, Debug)]
pub struct PromotionFacts<'a> {
    pub promotion: &'a Promotion,
    pub stage: &'a Stage,
    /// The Freight it names, where that exists.
    pub freight: Option<&'a Freight>,
    pub now: Timestamp,
}

/// Says what is wrong with a new Promotion.
pub fn promotion(facts: &PromotionFacts<'_>) -> Vec<Cause> {
    let PromotionFacts {
        promotion,
        stage,
        freight,
        now,
    } = facts;
    let spec = &promotion.spec;
    let mut causes = Vec::new();
    if spec.freight.is_empty() == spec.origin.is_none() {
        let why = "exactly one of freight and origin must be set";
        causes.push(Cause::invalid("spec", "object", why));
    }
    causes.extend(target(promotion));
    if stage.spec.targets.is_some() && !is_part_of_request(promotion) {
        let why = "the Stage selects Targets; create a PromotionRequest rather than a Promotion";
        causes.push(Cause::invalid("spec.stage", &spec.stage, why));
    }
    if !spec.freight.is_empty() {
        causes.extend(availability(stage, &spec.freight, *freight, *now));
    }
    causes
}

fn availability(
    stage: &Stage,
    name: &str,
    freight: Option<&Freight>,
    now: Timestamp,
) -> Option<Cause> {
    let why = match freight.map(|it| available(stage, it, now)) {
        Some(Availability::Now) => return None,
        None => "there is no such Freight".to_owned(),
        Some(Availability::From(time)) => {
            format!(
                "Freight is not available to this Stage before {time}, when it will have soaked upstream"
            )
        }
        Some(Availability::No) => format!(
            "Freight is not available to this Stage: it must come from an origin that the Stage requests, and be \
             verified upstream or approved; to approve it: kubectl -n {} patch freight {name} --subresource=status \
             --type=merge -p '{{\"status\":{{\"approvedFor\":{{\"{}\":{{}}}}}}}}'",
            stage.namespace(),
            stage.name()
        ),
    };
    Some(Cause::invalid("spec.freight", name, why))
}

/// Says what of a Promotion was changed that never may.
pub fn promotion_change(old: &Promotion, new: &Promotion) -> Vec<Cause> {
    let mut causes = Vec::new();
    if old.spec != new.spec {
        causes.push(Cause::forbidden("spec", "spec is immutable"));
    }
    causes.extend(target(new));
    causes
}

fn target(promotion: &Promotion) -> Option<Cause> {
    let target = &promotion.spec.target;
    let why = "only a PromotionRequest creates Promotions for Targets";
    (!target.is_empty() && !is_part_of_request(promotion))
        .then(|| Cause::invalid("spec.target", target, why))
}

/// Says whether a Promotion belongs to a `PromotionRequest`, which then owns it in place of the Stage.
pub fn is_part_of_request(promotion: &Promotion) -> bool {
    let mut owners = promotion.metadata.owner_references.iter().flatten();
    let api_version = format!("{}/{}", resources::GROUP, resources::VERSION);
    owners.any(|it| {
        it.controller == Some(true)
            && it.api_version == api_version
            && it.kind == "PromotionRequest"
    })
}

/// Says what is wrong with a `PromotionRequest`; `targets` are the names of the Targets of the project.
pub fn promotion_request(
    request: &PromotionRequest,
    stage: Option<&Stage>,
    targets: &BTreeSet<String>,
) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = &request.spec.stage;
    match stage {
        None => causes.push(Cause::invalid(
            "spec.stage",
            name,
            "there is no such Stage; see which there are: kubectl get stages",
        )),
        Some(stage) if stage.spec.targets.is_none() => {
            let why = "the Stage does not select Targets; create a Promotion rather than a PromotionRequest";
            causes.push(Cause::invalid("spec.stage", name, why));
        }
        Some(_) => {}
    }
    let mut seen = BTreeSet::new();
    for (index, target) in request.spec.targets.iter().enumerate() {
        let field = format!("spec.targets[{index}].name");
        if !seen.insert(&target.name) {
            causes.push(Cause::duplicate(field, &target.name));
        } else if !targets.contains(&target.name) {
            causes.push(Cause::invalid(
                field,
                &target.name,
                "there is no such Target",
            ));
        }
    }
    causes
}
