//! Which Promotions have ended since the last pass, and which one may run.

use std::sync::Arc;

use resources::{
    Freight, FreightCollection, HealthState, Promotion, PromotionPhase, PromotionReference, Stage,
    collection::record_freight,
    condition::{self, HEALTHY, PROMOTING, TRUE, UNKNOWN, VERIFIED},
};

use super::Draft;
use crate::{auto_promotion, promotion};

/// Names the Promotions that ended and are not in the Stage's history yet, oldest first.
///
/// One that ended before an older one did has to wait for it: history is in the order of creation, and what is older than
/// the last entry would never be looked at again (decision 0086).
pub fn unsettled<'a>(stage: &Stage, promotions: &'a [Arc<Promotion>]) -> Vec<&'a Arc<Promotion>> {
    let status = stage.status.as_ref();
    let last = status
        .and_then(|it| it.last_promotion.as_ref())
        .map_or("", |it| it.name.as_str());
    let current = status
        .and_then(|it| it.current_promotion.as_ref())
        .map(|it| it.name.as_str());
    let oldest_open = promotions
        .iter()
        .filter(|it| !it.is_terminal() && it.name() > last)
        .map(|it| it.name())
        .min();
    let mut ended: Vec<_> = promotions
        .iter()
        .filter(|it| it.is_terminal())
        .filter(|it| it.name() > last || current == Some(it.name()))
        .filter(|it| oldest_open.is_none_or(|open| it.name() < open))
        .collect();
    ended.sort_by(|one, another| one.name().cmp(another.name()));
    ended
}

/// Gives the Promotion that should run now: the one that runs, else the oldest that waits.
pub fn next(promotions: &[Arc<Promotion>]) -> Option<&Arc<Promotion>> {
    promotions
        .iter()
        .min_by(|one, another| promotion::by_urgency(one, another))
        .filter(|it| !it.is_terminal())
}

impl Draft<'_> {
    /// Enters the Promotions that ended into the history; says whether there were any.
    pub(super) fn settle(&mut self) -> bool {
        let current_is_gone = self
            .plan
            .status
            .current_promotion
            .as_ref()
            .is_some_and(|current| {
                self.seen
                    .promotions
                    .iter()
                    .all(|it| it.name() != current.name)
            });
        if self.seen.ended.is_empty() && !current_is_gone {
            return false;
        }
        self.plan.status.current_promotion = None;
        condition::remove(&mut self.plan.status.conditions, PROMOTING);
        for ended in self.seen.ended {
            self.settle_one(ended);
        }
        true
    }

    fn settle_one(&mut self, ended: &Promotion) {
        let mut result = ended.status.clone().unwrap_or_default();
        if result.freight_collection.is_none() {
            result.freight_collection = self.collection_before();
        }
        let collection = result.freight_collection.clone();
        let status = &mut self.plan.status;
        if status.auto_promotion_enabled {
            auto_promotion::settle(&mut status.auto_promotion_holds, self.seen.stage, ended);
        }
        let succeeded = ended.phase() == Some(&PromotionPhase::Succeeded);
        status.last_promotion = Some(PromotionReference {
            name: ended.name().to_owned(),
            freight: result.freight.clone(),
            finished_at: result.finished_at.clone(),
            status: Some(result),
        });
        if let Some(mut collection) = collection.filter(|_| succeeded) {
            // What was verified here before keeps its verifications; a new one has to be asked for.
            if let Some(known) = status
                .freight_history
                .iter()
                .find(|it| it.id == collection.id)
            {
                collection
                    .verification_history
                    .clone_from(&known.verification_history);
            }
            enter(&mut status.freight_history, collection);
            status.health = None;
            self.condition(
                HEALTHY,
                UNKNOWN,
                "WaitingForHealthCheck",
                "health is checked next",
            );
            self.condition(
                VERIFIED,
                UNKNOWN,
                "WaitingForVerification",
                "verification comes after the health check",
            );
        }
    }

    fn collection_before(&self) -> Option<FreightCollection> {
        self.plan
            .status
            .last_promotion
            .as_ref()?
            .status
            .as_ref()?
            .freight_collection
            .clone()
    }

    /// Names the Promotion that may run, unless what is here has to be verified first.
    pub(super) fn acknowledge(&mut self) {
        let Some(urgent) = next(self.seen.promotions) else {
            condition::remove(&mut self.plan.status.conditions, PROMOTING);
            self.plan.status.current_promotion = None;
            return;
        };
        let known = self
            .plan
            .status
            .current_promotion
            .as_ref()
            .is_some_and(|it| it.name == urgent.name());
        if !known && self.verification_comes_first() {
            return;
        }
        if !known {
            self.plan.status.current_promotion = Some(PromotionReference {
                name: urgent.name().to_owned(),
                freight: self
                    .seen
                    .next_freight
                    .filter(|it| it.name() == urgent.spec.freight)
                    .map(Freight::reference),
                ..PromotionReference::default()
            });
        }
        self.condition(
            PROMOTING,
            TRUE,
            "ActivePromotion",
            &format!("Promotion {:?} is under way", urgent.name()),
        );
    }

    /// Says whether what is here has a verification going on, or is healthy enough to get one.
    fn verification_comes_first(&self) -> bool {
        let Some(current) = self.current() else {
            return false;
        };
        if current.has_running_verification() {
            return true;
        }
        let health = self
            .plan
            .status
            .health
            .as_ref()
            .and_then(|it| it.status.as_ref());
        let healthy_or_not_seen_yet = health.is_none_or(|it| *it == HealthState::Healthy);
        healthy_or_not_seen_yet
            && current.current_verification().is_none()
            && self.last_promotion_succeeded()
    }
}

/// Puts the collection in front: what was promoted last is what is here, also if it was here before.
fn enter(history: &mut Vec<FreightCollection>, collection: FreightCollection) {
    history.retain(|it| it.id != collection.id);
    record_freight(history, collection);
}
