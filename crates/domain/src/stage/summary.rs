//! What people see of a Stage at a glance: its Ready condition and a line about its Freight.

use resources::{
    FreightCollection, PromotionPhase, StageStatus,
    condition::{self, FALSE, HEALTHY, PROMOTING, READY, RECONCILING, TRUE, VERIFIED},
};

use super::Draft;

impl Draft<'_> {
    pub(super) fn summarise(&mut self) {
        self.plan.status.freight_summary = self.freight_summary();
        self.plan.status.observed_generation =
            self.seen.stage.metadata.generation.unwrap_or_default();
        condition::remove(&mut self.plan.status.conditions, RECONCILING);
        let (status, reason, message) = self.readiness();
        self.condition(READY, status, &reason, &message);
    }

    fn readiness(&self) -> (&'static str, String, String) {
        let find = |kind| condition::find(&self.plan.status.conditions, kind);
        if let Some(promoting) = find(PROMOTING) {
            return (FALSE, promoting.reason.clone(), promoting.message.clone());
        }
        if let Some(phase) = self
            .last_phase()
            .filter(|it| it.is_terminal() && **it != PromotionPhase::Succeeded)
        {
            let last = self.plan.status.last_promotion.as_ref();
            let message = last
                .and_then(|it| it.status.as_ref())
                .map(|it| it.message.clone())
                .unwrap_or_default();
            let message = if message.is_empty() {
                format!("the last promotion ended as {phase}")
            } else {
                message
            };
            return (FALSE, format!("LastPromotion{phase}"), message);
        }
        for kind in [HEALTHY, VERIFIED] {
            match find(kind) {
                Some(it) if it.status == TRUE => {}
                Some(it) => return (FALSE, it.reason.clone(), it.message.clone()),
                None => {
                    return (
                        FALSE,
                        format!("{kind}Unknown"),
                        "it has not been looked at yet".to_owned(),
                    );
                }
            }
        }
        find(VERIFIED).map_or_else(
            || (TRUE, "Verified".to_owned(), String::new()),
            |it| (TRUE, it.reason.clone(), it.message.clone()),
        )
    }

    fn freight_summary(&self) -> String {
        let requested = self.seen.stage.spec.requested_freight.len();
        let present = self.current().map_or(0, |current| self.present(current));
        match self.current().and_then(|it| it.references().next()) {
            Some(only) if requested == 1 && present == 1 => only.name.clone(),
            _ => format!("{present}/{requested} Fulfilled"),
        }
    }

    fn present(&self, current: &FreightCollection) -> usize {
        self.seen
            .stage
            .spec
            .requested_freight
            .iter()
            .filter(|it| current.of_origin(&it.origin).is_some())
            .count()
    }
}

/// Says in the status of a Stage that looking at it failed.
pub fn failed(
    mut status: StageStatus,
    error: &str,
    generation: Option<i64>,
    now: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time,
) -> StageStatus {
    let ready = condition::new(
        READY,
        FALSE,
        "ReconcileError",
        error,
        generation,
        now.clone(),
    );
    condition::set(&mut status.conditions, ready);
    let reconciling = condition::new(
        RECONCILING,
        TRUE,
        "RetryAfterError",
        "it is tried again",
        generation,
        now,
    );
    condition::set(&mut status.conditions, reconciling);
    status
}
