//! What a control-flow Stage needs next: it has no steps, and everything it may take is verified in it at once.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    Freight, Stage, StageStatus,
    condition::{self, READY, RECONCILING, TRUE},
    names::annotation,
};

use crate::{
    Again,
    availability::{self, Availability},
    stage::{FreightChange, POLL, SOON},
};

/// All that a decision about a control-flow Stage rests on.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub now: Timestamp,
    pub stage: &'a Stage,
    /// Freight that may concern this Stage: from its Warehouses, verified upstream, or approved.
    pub freight: &'a [Arc<Freight>],
    /// Freight that says it is in this Stage, from the time when it had steps.
    pub staying: &'a [Arc<Freight>],
}

/// What a decision comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub status: StageStatus,
    pub freight: Vec<FreightChange>,
    /// It carries an annotation that only makes sense for a Stage that promotes.
    pub drop_argocd_context: bool,
    pub again: Again,
}

/// Decides what a control-flow Stage needs next.
///
/// It is looked at again when the next Freight has soaked, which nothing else would tell it (decision 0085).
pub fn decide(seen: &Seen<'_>) -> Plan {
    let (stage, now) = (seen.stage, seen.now);
    let mut changes: Vec<_> = seen
        .staying
        .iter()
        .map(|it| FreightChange::Left {
            freight: it.name().to_owned(),
            at: now,
        })
        .collect();
    let mut soaked_at: Option<Timestamp> = None;
    for freight in seen
        .freight
        .iter()
        .filter(|it| !it.is_verified_in(stage.name()))
    {
        match availability::available(stage, freight, now) {
            Availability::Now => changes.push(FreightChange::Verified {
                freight: freight.name().to_owned(),
                at: now,
            }),
            Availability::From(at) => {
                soaked_at = Some(soaked_at.map_or(at, |earlier| earlier.min(at)));
            }
            Availability::No => {}
        }
    }
    let again = match soaked_at
        .map(|it| std::time::Duration::try_from(it.duration_since(now)).unwrap_or_default())
    {
        Some(delay) => Again::After(delay.clamp(SOON, POLL)),
        None => Again::OnChange,
    };
    let drop_argocd_context = stage.annotation(annotation::ARGOCD_CONTEXT).is_some();
    Plan {
        status: status(seen),
        freight: changes,
        drop_argocd_context,
        again,
    }
}

/// Builds the status anew: of what a Stage that promotes remembers, nothing is true here.
fn status(seen: &Seen<'_>) -> StageStatus {
    let before = seen.stage.status.clone().unwrap_or_default();
    let generation = seen.stage.metadata.generation;
    let mut status = StageStatus {
        conditions: before
            .conditions
            .into_iter()
            .filter(|it| it.type_ == READY)
            .collect(),
        last_handled_refresh: seen
            .stage
            .annotation(annotation::REFRESH)
            .map_or(before.last_handled_refresh, str::to_owned),
        observed_generation: generation.unwrap_or_default(),
        freight_summary: "N/A".to_owned(),
        metadata: before.metadata,
        ..StageStatus::default()
    };
    let message = "everything this Stage may take is passed on";
    condition::set(
        &mut status.conditions,
        condition::new(READY, TRUE, "Ready", message, generation, Time(seen.now)),
    );
    condition::remove(&mut status.conditions, RECONCILING);
    status
}

#[cfg(test)]
mod tests;
