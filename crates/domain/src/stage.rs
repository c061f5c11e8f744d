//! What a Stage needs next: its history, its queue, its health and verification, and the next Freight.
//!
//! A pass goes through the same questions in the same order, each in its own file:
//!
//! | Question | File |
//! | --- | --- |
//! | Which Promotions have ended, and which one may run? | `stage/queue.rs` |
//! | Is what runs here healthy, and verified? | `stage/assessment.rs` |
//! | Which Freight should be promoted without being asked? | `stage/candidates.rs` |
//! | What do people see? | `stage/summary.rs` |
//!
//! A pass that settled Promotions ends there, since all else is asked about the new history; the next pass follows at once.

mod assessment;
mod candidates;
mod queue;
mod summary;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    Freight, FreightCollection, ProjectConfig, Promotion, Stage, StageStatus, VerificationRecord,
    condition, names::annotation,
};

pub use self::{
    queue::{next, unsettled},
    summary::failed,
};
use crate::{Again, auto_promotion, availability::Choice};

/// How often a Stage is looked at although nothing woke it.
pub const POLL: Duration = Duration::from_mins(5);

/// How soon a Stage is looked at again when there is more to do at once.
pub const SOON: Duration = Duration::from_millis(100);

/// All that a decision about a Stage that promotes rests on.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub now: Timestamp,
    pub stage: &'a Stage,
    pub config: Option<&'a ProjectConfig>,
    /// The Promotions of this Stage, in the order of their names.
    pub promotions: &'a [Arc<Promotion>],
    /// Those of them that [`unsettled`] names, whole.
    pub ended: &'a [Promotion],
    /// Freight of the Promotion that [`next`] names.
    pub next_freight: Option<&'a Freight>,
    /// Freight that says it is in this Stage.
    pub staying: &'a [Arc<Freight>],
    /// Freight of the current collection, as far as it exists.
    pub held: &'a [Arc<Freight>],
    /// What auto-promotion would take, one answer per requested Freight, in the same order.
    pub choices: &'a [Choice<Arc<Freight>>],
    /// An id for a verification that starts now.
    pub fresh_id: &'a str,
}

/// A change of what Freight says about a Stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FreightChange {
    Entered { freight: String, at: Timestamp },
    Left { freight: String, at: Timestamp },
    Verified { freight: String, at: Timestamp },
}

/// Something people are told about.
#[derive(Clone, Debug, PartialEq)]
pub enum Announcement {
    /// A verification of what a Stage holds came to an end.
    Verification {
        freight: String,
        record: VerificationRecord,
    },
}

/// What a decision comes to. It is carried out in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    pub status: StageStatus,
    pub freight: Vec<FreightChange>,
    /// Names of Freight to promote.
    pub promote: Vec<String>,
    pub announce: Vec<Announcement>,
    pub again: Again,
}

/// Decides what a Stage that promotes needs next.
pub fn decide(seen: &Seen<'_>) -> Plan {
    let mut draft = Draft::new(seen);
    if draft.settle() {
        draft.summarise();
        return Plan {
            again: Again::Now,
            ..draft.plan
        };
    }
    draft.acknowledge();
    draft.follow_freight();
    draft.assess_health();
    draft.verify();
    draft.mark_verified();
    draft.lay_holds();
    let soaked_at = draft.auto_promote();
    draft.summarise();
    draft.plan.again = draft.look_again(soaked_at);
    draft.plan
}

/// A plan in the making.
struct Draft<'a> {
    seen: &'a Seen<'a>,
    plan: Plan,
}

impl<'a> Draft<'a> {
    fn new(seen: &'a Seen<'a>) -> Self {
        let mut status = seen.stage.status.clone().unwrap_or_default();
        if let Some(refresh) = seen.stage.annotation(annotation::REFRESH) {
            refresh.clone_into(&mut status.last_handled_refresh);
        }
        status.auto_promotion_enabled = auto_promotion::enabled(seen.config, seen.stage);
        auto_promotion::prune(
            &mut status.auto_promotion_holds,
            status.auto_promotion_enabled,
            seen.stage,
        );
        Self {
            seen,
            plan: Plan {
                status,
                ..Plan::default()
            },
        }
    }

    fn condition(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let generation = self.seen.stage.metadata.generation;
        let condition = condition::new(
            kind,
            status,
            reason,
            message,
            generation,
            Time(self.seen.now),
        );
        condition::set(&mut self.plan.status.conditions, condition);
    }

    fn current(&self) -> Option<&FreightCollection> {
        self.plan.status.freight_history.first()
    }

    /// Tells Freight that it came or went.
    fn follow_freight(&mut self) {
        let (stage, at) = (self.seen.stage.name(), self.seen.now);
        let held: BTreeSet<String> = self
            .current()
            .into_iter()
            .flat_map(|it| it.references().map(|it| it.name.clone()))
            .collect();
        for freight in self
            .seen
            .staying
            .iter()
            .filter(|it| !held.contains(it.name()))
        {
            self.plan.freight.push(FreightChange::Left {
                freight: freight.name().to_owned(),
                at,
            });
        }
        for freight in held {
            let known = self.seen.held.iter().find(|it| it.name() == freight);
            if known.is_some_and(|it| !it.is_currently_in(stage)) {
                self.plan
                    .freight
                    .push(FreightChange::Entered { freight, at });
            }
        }
    }

    /// Tells Freight that it was verified here, once what holds it is healthy.
    fn mark_verified(&mut self) {
        if !condition::is_true(&self.plan.status.conditions, condition::HEALTHY) {
            return;
        }
        let Some(current) = self.current() else {
            return;
        };
        let Some(record) = current
            .current_verification()
            .filter(|it| it.is_successful())
        else {
            return;
        };
        let at = record.finish_time.as_ref().map_or(self.seen.now, |it| it.0);
        let unmarked: Vec<String> = current
            .references()
            .map(|it| it.name.clone())
            .filter(|name| self.lacks_verification(name))
            .collect();
        self.plan.freight.extend(
            unmarked
                .into_iter()
                .map(|freight| FreightChange::Verified { freight, at }),
        );
    }

    fn lacks_verification(&self, freight: &str) -> bool {
        let known = self.seen.held.iter().find(|it| it.name() == freight);
        known.is_some_and(|it| !it.is_verified_in(self.seen.stage.name()))
    }

    fn announce_verification(&mut self, record: &VerificationRecord) {
        let held: Vec<String> = self
            .current()
            .into_iter()
            .flat_map(|it| it.references().map(|it| it.name.clone()))
            .collect();
        let announcements = held.into_iter().map(|freight| Announcement::Verification {
            freight,
            record: record.clone(),
        });
        self.plan.announce.extend(announcements);
    }

    /// Says when to look again: soon if Promotions wait for what this pass brought about, when Freight has soaked, or by
    /// and by.
    fn look_again(&self, soaked_at: Option<Timestamp>) -> Again {
        let waiting = self.seen.promotions.iter().any(|it| !it.is_terminal());
        let verifying = self
            .current()
            .is_some_and(FreightCollection::has_running_verification);
        let changed = self.seen.stage.status.as_ref() != Some(&self.plan.status);
        if waiting && changed && !verifying && self.plan.status.current_promotion.is_none() {
            return Again::After(SOON);
        }
        let until_soaked = soaked_at
            .map(|it| Duration::try_from(it.duration_since(self.seen.now)).unwrap_or_default());
        Again::After(until_soaked.map_or(POLL, |it| it.clamp(SOON, POLL)))
    }
}

#[cfg(test)]
mod tests;
