//! `PromotionTask`s and `ClusterPromotionTask`s.

use domain::validation;
use kube::core::admission::Operation;
use resources::{ClusterPromotionTask, PromotionTask};

use super::refusal::Refusal;
use super::{Call, Warnings, steps};

const STEPS: &str = "spec.steps";

pub(super) async fn validate(call: &Call<'_>) -> Result<Warnings, Refusal> {
    if *call.operation() == Operation::Delete {
        return Ok(Warnings::new());
    }
    let task: PromotionTask = call.object()?;
    let mut causes = validation::task(&task.spec);
    if call.is_create() {
        causes.extend(call.reader().project(call.namespace).await?);
    }
    Refusal::unless_empty(causes)?;
    Ok(steps::warnings(STEPS, &task.spec.steps))
}

pub(super) fn validate_cluster(call: &Call<'_>) -> Result<Warnings, Refusal> {
    if *call.operation() == Operation::Delete {
        return Ok(Warnings::new());
    }
    let task: ClusterPromotionTask = call.object()?;
    Refusal::unless_empty(validation::task(&task.spec))?;
    Ok(steps::warnings(STEPS, &task.spec.steps))
}
