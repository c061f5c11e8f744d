//! What follows from what a step said: the next step, another attempt, or the end.

use domain::message::with_next;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::StepStatus;
use serde_json::{Map, Value};

use super::{Attempt, Next, Stop};
use crate::environment::EvaluationError;
use crate::steps::{self, Entry, StepError};

/// What to do about a step whose time is over.
const LONGER: &str = "see what takes so long, or raise the step's retry.timeout";

/// What became of one attempt at a step.
pub(super) enum Verdict {
    Ok(steps::Outcome),
    Err(StepError),
    Panicked(String),
    TimedOut,
}

impl Attempt<'_> {
    /// Turns what a step said into what follows.
    pub(super) fn judge(&self, index: usize, entry: &Entry, verdict: Verdict) -> Next {
        match verdict {
            Verdict::Ok(steps::Outcome::Done(output)) => {
                self.finish(index, StepStatus::Succeeded, String::new(), Some(output))
            }
            Verdict::Ok(steps::Outcome::Skipped { output, message }) => {
                self.finish(index, StepStatus::Skipped, message, Some(output))
            }
            Verdict::Ok(steps::Outcome::Waiting {
                output,
                message,
                after,
            }) => {
                self.keep_output(index, entry, Some(output));
                if self.is_out_of_time(index, entry) {
                    return self.finish(
                        index,
                        StepStatus::Errored,
                        with_next(self.timed_out(index, entry), LONGER),
                        None,
                    );
                }
                self.progress
                    .lock()
                    .execution(index, &self.run.steps[index])
                    .message = message;
                Next::Stop(Stop::Wait(after))
            }
            Verdict::Err(StepError::Failed(message)) => {
                self.finish(index, StepStatus::Failed, message, None)
            }
            Verdict::Err(StepError::Errored(message)) => self.count_error(index, entry, message),
            Verdict::Panicked(message) => {
                let message = with_next(
                    format!("an unrecoverable error occurred: {message}"),
                    "report it as a bug, with the log of argosy",
                );
                self.finish(index, StepStatus::Errored, message, None)
            }
            Verdict::TimedOut => self.finish(
                index,
                StepStatus::Errored,
                with_next(self.timed_out(index, entry), LONGER),
                None,
            ),
        }
    }

    /// Counts an error that may not happen again, and says whether it was one too many.
    fn count_error(&self, index: usize, entry: &Entry, message: String) -> Next {
        let step = &self.run.steps[index];
        let threshold = step.retry.as_ref().map_or(0, |retry| retry.error_threshold);
        let threshold = if threshold > 0 {
            threshold
        } else {
            entry.error_threshold
        };
        let count = {
            let mut progress = self.progress.lock();
            let execution = progress.execution(index, step);
            execution.error_count = execution.error_count.saturating_add(1);
            execution.error_count
        };
        if count >= threshold {
            let message = if threshold > 1 {
                format!("met error threshold of {threshold}: {message}")
            } else {
                message
            };
            return self.finish(index, StepStatus::Errored, message, None);
        }
        if self.is_out_of_time(index, entry) {
            let message = format!("{}: {message}", self.timed_out(index, entry));
            return self.finish(index, StepStatus::Errored, message, None);
        }
        self.progress.lock().execution(index, step).message =
            format!("{message}; step will be retried");
        Next::Stop(Stop::Retry(format!("step {:?}: {message}", step.alias)))
    }

    /// An expression that is wrong ends its step; one that could not be answered is asked again later.
    pub(super) fn cannot_evaluate(&self, index: usize, what: &str, error: EvaluationError) -> Next {
        match error {
            EvaluationError::Wrong(message) => {
                let message = with_next(
                    format!("failed to evaluate the {what}: {message}"),
                    "correct it in the Stage's promotionTemplate, then promote again",
                );
                self.finish(index, StepStatus::Errored, message, None)
            }
            EvaluationError::Unavailable(message) => Next::Stop(Stop::Retry(with_next(
                message,
                "see whether the API answers: kubectl get --raw /readyz",
            ))),
        }
    }

    pub(super) fn finish(
        &self,
        index: usize,
        status: StepStatus,
        message: String,
        output: Option<Map<String, Value>>,
    ) -> Next {
        let step = &self.run.steps[index];
        if let Some(entry) = steps::find(&step.uses) {
            self.keep_output(index, entry, output);
        }
        let now = self.cx.now();
        let mut progress = self.progress.lock();
        let (project, promotion) = (&self.run.project, &self.run.promotion);
        tracing::info!(%project, %promotion, step = step.alias, uses = step.uses, ?status, why = message, "step ended");
        let execution = progress.execution(index, step);
        execution.status = Some(status);
        execution.message = message;
        if execution.started_at.is_some() {
            execution.finished_at = Some(Time(now));
        }
        Next::Step
    }

    /// Keeps an output under the step's name, and for `compose-output` under the task's name too.
    fn keep_output(&self, index: usize, entry: &Entry, output: Option<Map<String, Value>>) {
        let Some(output) = output.filter(|output| !output.is_empty()) else {
            return;
        };
        let alias = &self.run.steps[index].alias;
        let mut progress = self.progress.lock();
        if entry.propagates
            && let Some((task, _)) = alias.split_once("::")
        {
            let of_task = progress
                .state
                .entry(task)
                .or_insert_with(|| Value::Object(Map::new()));
            match of_task {
                Value::Object(of_task) => of_task.extend(output.clone()),
                other => *other = Value::Object(output.clone()),
            }
        }
        progress.state.insert(alias.clone(), Value::Object(output));
    }
}
