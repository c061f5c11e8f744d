//! How long a step may take, over all its attempts.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use resources::StepExecution;

use super::Attempt;
use crate::steps::Entry;

impl Attempt<'_> {
    /// How long the step may take in all; none means for ever.
    fn time_out(&self, index: usize, entry: &Entry) -> Option<Duration> {
        let own = self.run.steps[index]
            .retry
            .as_ref()
            .and_then(|retry| retry.timeout.as_ref());
        let limit = match own {
            Some(own) => own.to_std(),
            None => entry.time_out.unwrap_or_default(),
        };
        (!limit.is_zero()).then_some(limit)
    }

    fn started_at(&self, index: usize) -> Option<Timestamp> {
        let progress = self.progress.lock();
        let execution: Option<&StepExecution> = progress.step_execution_metadata.get(index);
        execution
            .and_then(|it| it.started_at.as_ref())
            .map(|time| time.0)
    }

    /// How much of that is left; zero when the time is over.
    pub(super) fn time_left(&self, index: usize, entry: &Entry) -> Option<Duration> {
        let limit = self.time_out(index, entry)?;
        let passed = self
            .cx
            .now()
            .duration_since(self.started_at(index)?)
            .max(SignedDuration::ZERO);
        Some(limit.saturating_sub(passed.unsigned_abs()))
    }

    pub(super) fn is_out_of_time(&self, index: usize, entry: &Entry) -> bool {
        self.time_left(index, entry)
            .is_some_and(|left| left.is_zero())
    }

    pub(super) fn timed_out(&self, index: usize, entry: &Entry) -> String {
        format!(
            "timed out after {:?}",
            self.time_out(index, entry).unwrap_or_default()
        )
    }
}
