//! Is what runs in a Stage healthy, and is it verified?
//!
//! Without `spec.verification` what is healthy counts as verified. Argo Rollouts is not wired up yet, so a Stage that asks
//! for it is told so as an upstream controller without the integration would tell it (decision 0090).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    Health, HealthState, PromotionPhase, VerificationPhase, VerificationRecord,
    condition::{FALSE, HEALTHY, TRUE, UNKNOWN, VERIFIED},
};

use super::Draft;
use crate::message::with_next;

impl Draft<'_> {
    pub(super) fn assess_health(&mut self) {
        if self.plan.status.current_promotion.is_some() {
            self.plan.status.health = Some(unknown("health is not checked during a promotion"));
            self.condition(
                HEALTHY,
                UNKNOWN,
                "ActivePromotion",
                "health is not checked during a promotion",
            );
            return;
        }
        let Some(phase) = self.last_phase().cloned() else {
            self.plan.status.health = None;
            self.condition(
                HEALTHY,
                UNKNOWN,
                "NoFreight",
                "nothing has been promoted here yet",
            );
            return;
        };
        if phase != PromotionPhase::Succeeded {
            let issue = format!("the last promotion ended as {phase}, so health is not known");
            self.condition(HEALTHY, UNKNOWN, &format!("LastPromotion{phase}"), &issue);
            self.plan.status.health = Some(unknown(&issue));
            return;
        }
        let health = self.checked_health();
        let state = health.status.clone().unwrap_or(HealthState::Unknown);
        let status = match state {
            HealthState::Healthy => TRUE,
            HealthState::Unhealthy => FALSE,
            HealthState::NotApplicable
            | HealthState::Progressing
            | HealthState::Unknown
            | HealthState::Other(_) => UNKNOWN,
        };
        let message = if health.issues.is_empty() {
            format!("what is here is {state}")
        } else {
            health.issues.join("; ")
        };
        self.condition(HEALTHY, status, state.as_str(), &message);
        self.plan.status.health = Some(health);
    }

    /// Merges the checks that the last promotion left; none of them can be made here yet.
    fn checked_health(&self) -> Health {
        let last = self
            .plan
            .status
            .last_promotion
            .as_ref()
            .and_then(|it| it.status.as_ref());
        let issues: Vec<String> = last
            .into_iter()
            .flat_map(|it| &it.health_checks)
            .map(|check| {
                let message = format!(
                    "no health check of kind {:?} is available in this controller",
                    check.uses
                );
                with_next(
                    message,
                    "take the step that leaves it out of the Stage's promotionTemplate: kubectl edit stage",
                )
            })
            .collect();
        let state = if issues.is_empty() {
            HealthState::Healthy
        } else {
            HealthState::Unknown
        };
        Health {
            status: Some(state),
            issues,
            ..Health::default()
        }
    }

    pub(super) fn last_phase(&self) -> Option<&PromotionPhase> {
        self.plan
            .status
            .last_promotion
            .as_ref()?
            .status
            .as_ref()?
            .phase
            .as_ref()
    }

    pub(super) fn last_promotion_succeeded(&self) -> bool {
        self.last_phase() == Some(&PromotionPhase::Succeeded)
    }

    pub(super) fn verify(&mut self) {
        if self.plan.status.current_promotion.is_none() {
            self.advance_verification();
        }
        self.report_verification();
    }

    fn advance_verification(&mut self) {
        let Some(current) = self.current() else {
            return;
        };
        let asked = self.seen.stage.reverify_request();
        let actor = match current.current_verification() {
            Some(record) if !record.is_terminal() => {
                let left_behind = VerificationRecord {
                    phase: Some(VerificationPhase::Error),
                    message:
                        "this controller does not follow AnalysisRuns; ask for a new verification"
                            .to_owned(),
                    finish_time: Some(Time(self.seen.now)),
                    ..record.clone()
                };
                return self.record(left_behind);
            }
            Some(record) => match asked.filter(|it| it.is_for(&record.id)) {
                Some(request) => request.actor,
                None => return,
            },
            None => String::new(),
        };
        let healthy = self
            .plan
            .status
            .health
            .as_ref()
            .and_then(|it| it.status.as_ref())
            == Some(&HealthState::Healthy);
        if healthy {
            self.begin_verification(actor);
        }
    }

    fn begin_verification(&mut self, actor: String) {
        let now = Some(Time(self.seen.now));
        let (phase, message) = match self.seen.stage.spec.verification {
            None => (VerificationPhase::Successful, String::new()),
            Some(_) => (
                VerificationPhase::Error,
                "the integration with Argo Rollouts is disabled in this controller".to_owned(),
            ),
        };
        self.record(VerificationRecord {
            id: self.seen.fresh_id.to_owned(),
            actor,
            start_time: now.clone(),
            finish_time: now,
            phase: Some(phase),
            message,
            analysis_run: None,
        });
    }

    fn record(&mut self, record: VerificationRecord) {
        if record.is_terminal() {
            self.announce_verification(&record);
        }
        if let Some(current) = self.plan.status.freight_history.first_mut() {
            current.record_verification(record);
        }
    }

    fn report_verification(&mut self) {
        let Some(current) = self.current() else {
            return self.condition(
                VERIFIED,
                UNKNOWN,
                "NoFreight",
                "nothing has been promoted here yet",
            );
        };
        if current
            .verification_history
            .iter()
            .any(VerificationRecord::is_successful)
        {
            return self.condition(VERIFIED, TRUE, "Verified", "the Freight here is verified");
        }
        let Some(newest) = current.current_verification().cloned() else {
            return;
        };
        let Some(phase) = newest.phase else { return };
        let (status, reason) = match &phase {
            VerificationPhase::Pending => (UNKNOWN, "VerificationPending"),
            VerificationPhase::Running => (UNKNOWN, "VerificationRunning"),
            VerificationPhase::Failed => (FALSE, "VerificationFailed"),
            VerificationPhase::Error => (FALSE, "VerificationError"),
            VerificationPhase::Aborted => (FALSE, "VerificationAborted"),
            VerificationPhase::Inconclusive => (UNKNOWN, "VerificationInconclusive"),
            VerificationPhase::Successful | VerificationPhase::Other(_) => {
                (UNKNOWN, "UnknownVerificationPhase")
            }
        };
        let message = if newest.message.is_empty() {
            format!("the verification is {phase}")
        } else {
            newest.message
        };
        self.condition(VERIFIED, status, reason, &message);
    }
}

fn unknown(issue: &str) -> Health {
    Health {
        status: Some(HealthState::Unknown),
        issues: vec![issue.to_owned()],
        ..Health::default()
    }
}
