//! What is said in Kubernetes Events, and the annotations that let programs read them.
//!
//! One Event per occurrence; reasons and annotation keys are Kargo's, so what reads Kargo's Events reads these.

use std::collections::BTreeMap;

use resources::{
    Freight, Promotion, PromotionPhase, Stage, VerificationPhase, VerificationRecord, Warehouse,
    names::annotation::{EVENT_PREFIX, ROLLBACK},
};
use serde::Serialize;

/// Whether an occurrence is worth a second look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Normal,
    Warning,
}

/// One occurrence that people and programs are told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub tone: Tone,
    pub reason: &'static str,
    pub message: String,
    /// Kind and name of what it happened to; the namespace is the project.
    pub kind: &'static str,
    pub name: String,
    pub project: String,
    pub annotations: BTreeMap<String, String>,
}

/// Tells that a Promotion was created without anybody asking.
pub fn promotion_created(
    promotion: &Promotion,
    freight: Option<&Freight>,
    stage: &str,
    actor: &str,
) -> Event {
    let message = format!("Automatically promoted Freight for Stage {stage:?}");
    about_promotion("PromotionCreated", message, promotion, freight, actor)
}

/// Tells how a Promotion ended; nothing where it has not.
pub fn promotion_ended(
    promotion: &Promotion,
    freight: Option<&Freight>,
    stage: Option<&Stage>,
    actor: &str,
) -> Option<Event> {
    let status = promotion.status.as_ref()?;
    let (reason, message) = match status.phase.as_ref()? {
        PromotionPhase::Succeeded => ("PromotionSucceeded", "Promotion succeeded".to_owned()),
        PromotionPhase::Failed => ("PromotionFailed", "Promotion failed".to_owned()),
        PromotionPhase::Errored => ("PromotionErrored", "Promotion errored".to_owned()),
        PromotionPhase::Aborted => ("PromotionAborted", "Promotion aborted".to_owned()),
        PromotionPhase::Pending | PromotionPhase::Running | PromotionPhase::Other(_) => {
            return None;
        }
    };
    let message = if status.message.is_empty() {
        message
    } else {
        format!("{message}: {}", status.message)
    };
    let mut event = about_promotion(reason, message, promotion, freight, actor);
    if status.phase == Some(PromotionPhase::Succeeded) {
        let pending = stage.is_some_and(|it| it.spec.verification.is_some());
        event.annotate("verification-pending", pending.to_string());
    }
    Some(event)
}

/// Tells that a Warehouse made Freight.
pub fn freight_created(freight: &Freight, actor: &str) -> Event {
    let mut event = Event {
        tone: Tone::Normal,
        reason: "FreightCreated",
        message: format!("Freight created from Warehouse {:?}", freight.origin.name),
        kind: "Freight",
        name: freight.name().to_owned(),
        project: freight.namespace().to_owned(),
        annotations: BTreeMap::new(),
    };
    event.annotate("project", freight.namespace());
    event.annotate("actor", actor);
    event.annotate_freight(freight);
    event
}

impl Event {
    /// Tells who acts at a cloud's registries for a Warehouse, or that nobody may.
    pub(crate) fn about_identity(
        warehouse: &Warehouse,
        tone: Tone,
        message: &str,
        actor: &str,
    ) -> Self {
        let mut event = Self {
            tone,
            reason: "RegistryIdentityChanged",
            message: message.to_owned(),
            kind: "Warehouse",
            name: warehouse.name().to_owned(),
            project: warehouse.namespace().to_owned(),
            annotations: BTreeMap::new(),
        };
        event.annotate("project", warehouse.namespace());
        event.annotate("actor", actor);
        event
    }
}

/// Tells that a person approved Freight for a Stage.
pub fn freight_approved(freight: &Freight, stage: &str, actor: &str) -> Event {
    let mut event = Event {
        tone: Tone::Normal,
        reason: "FreightApproved",
        message: format!("Freight approved for Stage {stage:?} by {actor:?}"),
        kind: "Freight",
        name: freight.name().to_owned(),
        project: freight.namespace().to_owned(),
        annotations: BTreeMap::new(),
    };
    event.annotate("project", freight.namespace());
    event.annotate("actor", actor);
    event.annotate("stage-name", stage);
    event.annotate_freight(freight);
    event
}

/// Tells how a verification of Freight in a Stage ended.
pub fn freight_verified(
    freight: &Freight,
    stage: &str,
    record: &VerificationRecord,
    actor: &str,
) -> Event {
    let (reason, outcome) = match &record.phase {
        Some(VerificationPhase::Successful) => ("FreightVerificationSucceeded", "succeeded"),
        Some(VerificationPhase::Failed) => ("FreightVerificationFailed", "failed"),
        Some(VerificationPhase::Error) => ("FreightVerificationErrored", "errored"),
        Some(VerificationPhase::Aborted) => ("FreightVerificationAborted", "was aborted"),
        Some(VerificationPhase::Inconclusive) => {
            ("FreightVerificationInconclusive", "was inconclusive")
        }
        Some(
            VerificationPhase::Pending | VerificationPhase::Running | VerificationPhase::Other(_),
        )
        | None => ("FreightVerificationUnknown", "ended in an unknown way"),
    };
    let message = if record.message.is_empty() {
        format!("Freight verification {outcome}")
    } else {
        format!("Freight verification {outcome}: {}", record.message)
    };
    let mut event = Event {
        tone: Tone::Normal,
        reason,
        message,
        kind: "Freight",
        name: freight.name().to_owned(),
        project: freight.namespace().to_owned(),
        annotations: BTreeMap::new(),
    };
    event.annotate("project", freight.namespace());
    event.annotate(
        "actor",
        if record.actor.is_empty() {
            actor
        } else {
            &record.actor
        },
    );
    event.annotate("stage-name", stage);
    event.annotate_freight(freight);
    for (key, time) in [
        ("verification-start-time", &record.start_time),
        ("verification-finish-time", &record.finish_time),
    ] {
        if let Some(time) = time {
            event.annotate(key, time.0.to_string());
        }
    }
    if let Some(run) = &record.analysis_run {
        event.annotate("analysis-run-name", run.name.as_str());
    }
    event
}

fn about_promotion(
    reason: &'static str,
    message: String,
    promotion: &Promotion,
    freight: Option<&Freight>,
    actor: &str,
) -> Event {
    let mut event = Event {
        tone: Tone::Normal,
        reason,
        message,
        kind: "Promotion",
        name: promotion.name().to_owned(),
        project: promotion.namespace().to_owned(),
        annotations: BTreeMap::new(),
    };
    event.annotate("project", promotion.namespace());
    event.annotate("actor", promotion.create_actor().unwrap_or(actor));
    event.annotate("promotion-name", promotion.name());
    event.annotate("stage-name", promotion.spec.stage.as_str());
    event.annotate("freight-name", promotion.spec.freight.as_str());
    if let Some(created) = &promotion.metadata.creation_timestamp {
        event.annotate("promotion-create-time", created.0.to_string());
    }
    if let Some(rollback) = promotion.annotation(ROLLBACK) {
        event.annotate("rollback", rollback);
    }
    if let Some(freight) = freight {
        event.annotate_freight(freight);
    }
    event
}

impl Event {
    fn annotate(&mut self, key: &str, value: impl Into<String>) {
        self.annotations
            .insert(format!("{EVENT_PREFIX}{key}"), value.into());
    }

    fn annotate_freight(&mut self, freight: &Freight) {
        self.annotate("freight-name", freight.name());
        self.annotate("freight-alias", freight.alias.as_str());
        self.annotate("freight-warehouse-name", freight.origin.name.as_str());
        if let Some(discovered) = freight.effective_discovered_at() {
            self.annotate("freight-create-time", discovered.0.to_string());
        }
        self.annotate_list("freight-commits", &freight.commits);
        self.annotate_list("freight-images", &freight.images);
        self.annotate_list("freight-charts", &freight.charts);
        self.annotate_list("freight-artifacts", &freight.artifacts);
    }

    fn annotate_list<T: Serialize>(&mut self, key: &str, list: &[T]) {
        if !list.is_empty() {
            self.annotate(
                key,
                serde_json::to_string(list).expect("artifacts have text keys only"),
            );
        }
    }
}

#[cfg(test)]
mod tests;
