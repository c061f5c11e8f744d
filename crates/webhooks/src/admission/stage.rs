//! Stages: the shard as a label, and who asked for a verification.

use domain::validation;
use kube::core::admission::Operation;
use resources::Stage;
use resources::names::{annotation, label};
use resources::request::VerificationRequest;
use serde_json::Value;

use super::refusal::Refusal;
use super::{Call, Warnings, edit, steps};

const STEPS: &str = "spec.promotionTemplate.spec.steps";

pub(super) fn default(call: &Call<'_>, object: &mut Value) -> Result<(), Refusal> {
    let stage: Stage = super::parse(object)?;
    let shard = stage.spec.shard.as_str();
    edit::label(
        object,
        label::SHARD,
        Some(shard).filter(|it| !it.is_empty()),
    );
    let old: Option<Stage> = match call.operation() {
        Operation::Update => Some(call.old_object()?),
        Operation::Create | Operation::Delete | Operation::Connect => None,
    };
    for key in [annotation::REVERIFY, annotation::ABORT] {
        let request = |stage: &Stage| stage.annotation(key).and_then(VerificationRequest::parse);
        let Some(request_now) = request(&stage) else {
            continue;
        };
        if old.as_ref().and_then(request).as_ref() == Some(&request_now) {
            continue;
        }
        let by = VerificationRequest {
            control_plane: call.requester.is_control_plane(),
            actor: if call.requester.is_control_plane() {
                request_now.actor
            } else {
                call.requester.actor()
            },
            id: request_now.id,
        };
        edit::annotation(object, key, Some(&by.to_string()));
    }
    Ok(())
}

pub(super) async fn validate(call: &Call<'_>) -> Result<Warnings, Refusal> {
    if *call.operation() == Operation::Delete {
        return Ok(Warnings::new());
    }
    let stage: Stage = call.object()?;
    let mut causes = validation::stage(&stage);
    if call.is_create() {
        causes.extend(call.reader().project(call.namespace).await?);
    }
    Refusal::unless_empty(causes)?;
    Ok(steps::warnings(STEPS, stage.steps()))
}
