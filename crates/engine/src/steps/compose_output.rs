//! `compose-output`: gives its configuration as output, which inside a task is the task's output too.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Outcome, Step, StepError};
use crate::context::StepContext;

#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct ComposeOutput(Map<String, Value>);

impl Step for ComposeOutput {
    const KIND: &'static str = "compose-output";

    async fn run(self, _cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        Ok(Outcome::Done(self.0))
    }
}
