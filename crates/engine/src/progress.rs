//! How far a promotion came: what is written to its status between steps.

use domain::message;
use resources::{
    HealthCheck, PromotionPhase, PromotionStatus, PromotionStep, StepExecution, StepStatus,
};
use serde_json::{Map, Value};

/// The key of `status.state` where steps keep what they need after a crash; expressions do not see it.
pub const CHECKPOINTS: &str = "argosy.dev/checkpoint";

/// How far a promotion came.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub phase: PromotionPhase,
    pub message: String,
    /// Index of the step that runs or runs next.
    pub current_step: usize,
    /// One for each step that was looked at, in the order of the steps.
    pub step_execution_metadata: Vec<StepExecution>,
    /// Outputs of steps by alias, and the checkpoints.
    pub state: Map<String, Value>,
    pub health_checks: Vec<HealthCheck>,
}

impl Default for Progress {
    fn default() -> Self {
        Self::of(&PromotionStatus::default())
    }
}

impl Progress {
    /// Reads how far a promotion came from its status.
    pub fn of(status: &PromotionStatus) -> Self {
        let state = match &status.state {
            Some(Value::Object(state)) => state.clone(),
            Some(_) | None => Map::new(),
        };
        Self {
            phase: status.phase.clone().unwrap_or(PromotionPhase::Pending),
            message: status.message.clone(),
            current_step: usize::try_from(status.current_step).unwrap_or_default(),
            step_execution_metadata: status.step_execution_metadata.clone(),
            state,
            health_checks: status.health_checks.clone(),
        }
    }

    /// Writes it into a status, leaving fields that are not the engine's alone.
    pub fn write_to(&self, status: &mut PromotionStatus) {
        let Self {
            phase,
            message,
            current_step,
            step_execution_metadata,
            state,
            health_checks,
        } = self;
        status.phase = Some(phase.clone());
        status.message.clone_from(message);
        status.current_step = i64::try_from(*current_step).unwrap_or(i64::MAX);
        status
            .step_execution_metadata
            .clone_from(step_execution_metadata);
        status.state = (!state.is_empty()).then(|| Value::Object(state.clone()));
        status.health_checks.clone_from(health_checks);
    }

    /// Goes back to the first step, because the files are gone; outputs and checkpoints stay.
    pub(crate) fn start_over(&mut self) {
        self.current_step = 0;
        self.step_execution_metadata.clear();
        self.health_checks.clear();
    }

    /// The record of a step, made where it is missing.
    pub(crate) fn execution(&mut self, index: usize, step: &PromotionStep) -> &mut StepExecution {
        if self.step_execution_metadata.len() <= index {
            self.step_execution_metadata
                .resize_with(index + 1, StepExecution::default);
        }
        let execution = &mut self.step_execution_metadata[index];
        execution.alias.clone_from(&step.alias);
        execution.continue_on_error = step.continue_on_error;
        execution
    }

    /// What a step kept before it was interrupted.
    pub(crate) fn checkpoint(&self, alias: &str) -> Option<&Value> {
        self.state.get(CHECKPOINTS)?.get(alias)
    }

    pub(crate) fn set_checkpoint(&mut self, alias: &str, checkpoint: Value) {
        let all = self
            .state
            .entry(CHECKPOINTS)
            .or_insert_with(|| Value::Object(Map::new()));
        if !all.is_object() {
            *all = Value::Object(Map::new());
        }
        all[alias] = checkpoint;
    }

    /// Outputs as expressions see them.
    pub(crate) fn outputs(&self) -> Map<String, Value> {
        self.state
            .iter()
            .filter(|(key, _)| *key != CHECKPOINTS)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// Sums up when every step has its verdict: the worst one among steps that may not fail decides.
    pub(crate) fn conclude(&mut self) {
        let counts = |it: &&StepExecution| !it.continue_on_error;
        let status = |it: &StepExecution| it.status.clone().unwrap_or(StepStatus::Errored);
        let worst = self
            .step_execution_metadata
            .iter()
            .filter(counts)
            .map(status)
            .max_by_key(StepStatus::severity);
        self.phase = match worst {
            None | Some(StepStatus::Succeeded | StepStatus::Skipped) => PromotionPhase::Succeeded,
            Some(StepStatus::Failed) => PromotionPhase::Failed,
            Some(StepStatus::Aborted) => PromotionPhase::Aborted,
            Some(StepStatus::Errored | StepStatus::Running | StepStatus::Other(_)) => {
                PromotionPhase::Errored
            }
        };
        let failing = self
            .step_execution_metadata
            .iter()
            .filter(counts)
            .filter(|it| is_failing(it));
        let messages: Vec<_> = failing
            .map(|it| format!("step {:?}: {}", it.alias, it.message))
            .collect();
        self.message = messages.join("; ");
        self.current_step = self.step_execution_metadata.len().saturating_sub(1);
    }
}

/// Says whether nothing more happens to a step.
pub(crate) fn is_finished(execution: &StepExecution) -> bool {
    match execution.status {
        None | Some(StepStatus::Running | StepStatus::Other(_)) => false,
        Some(
            StepStatus::Succeeded
            | StepStatus::Failed
            | StepStatus::Errored
            | StepStatus::Aborted
            | StepStatus::Skipped,
        ) => true,
    }
}

/// Says whether a step went wrong.
pub(crate) fn is_failing(execution: &StepExecution) -> bool {
    matches!(
        execution.status,
        Some(StepStatus::Failed | StepStatus::Errored | StepStatus::Aborted)
    )
}

/// Keeps progress where a crash cannot reach it.
#[async_trait::async_trait]
pub trait Recorder: Send + Sync {
    /// Stores `progress`; when this returns, it survives a crash.
    async fn record(&self, progress: &Progress) -> Result<(), RecordError>;
}

/// Why progress was not stored.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Nobody waits for this promotion any more: it was deleted, ended, or is somebody else's.
    #[error("the promotion is no longer ours to run")]
    Gone,
    /// It will never be stored, most likely because it is too large.
    #[error("progress was refused: {0}")]
    Rejected(String),
    /// It may be stored later.
    #[error("progress could not be stored: {0}")]
    Unavailable(String),
}

impl RecordError {
    /// The error, and the next thing to do about it.
    pub(crate) fn told(&self) -> String {
        let next = match self {
            Self::Gone => return self.to_string(),
            Self::Rejected(_) => "let steps give smaller outputs",
            Self::Unavailable(_) => "see whether the API answers: kubectl get --raw /readyz",
        };
        message::with_next(self, next)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(steps: &[(&str, bool)], phase: &PromotionPhase) {
        let mut progress = Progress::default();
        for (status, continue_on_error) in steps {
            progress.step_execution_metadata.push(
                serde_json::from_value(
                    json!({"status": status, "continueOnError": continue_on_error}),
                )
                .unwrap(),
            );
        }
        progress.conclude();
        assert_eq!(&progress.phase, phase, "{steps:?}");
    }

    #[test]
    fn the_worst_step_that_may_not_fail_decides() {
        check(
            &[("Succeeded", false), ("Skipped", false)],
            &PromotionPhase::Succeeded,
        );
        check(&[("Skipped", false)], &PromotionPhase::Succeeded);
        check(
            &[("Failed", true), ("Succeeded", false)],
            &PromotionPhase::Succeeded,
        );
        check(
            &[("Failed", false), ("Succeeded", false)],
            &PromotionPhase::Failed,
        );
        check(
            &[("Failed", false), ("Errored", false)],
            &PromotionPhase::Errored,
        );
        check(
            &[("Failed", false), ("Errored", true)],
            &PromotionPhase::Failed,
        );
    }

    #[test]
    fn checkpoints_are_kept_but_not_shown_to_expressions() {
        let mut progress = Progress::default();
        progress
            .state
            .insert("push".to_owned(), json!({"commit": "1"}));
        progress.set_checkpoint("push", json!({"commits": ["1"]}));
        assert_eq!(
            Value::Object(progress.outputs()),
            json!({"push": {"commit": "1"}})
        );
        let mut status = PromotionStatus::default();
        progress.write_to(&mut status);
        let mut read = Progress::of(&status);
        assert_eq!(read, progress);
        read.start_over();
        assert_eq!(read.checkpoint("push"), Some(&json!({"commits": ["1"]})));
    }
}
