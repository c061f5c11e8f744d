//! `fail`: ends the promotion as failed, where a condition says so.

use serde::Deserialize;

use super::{Outcome, Step, StepError};
use crate::context::StepContext;

#[derive(Debug, Deserialize)]
pub(super) struct Fail {
    message: Option<String>,
}

impl Step for Fail {
    const KIND: &'static str = "fail";

    async fn run(self, _cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        Err(StepError::Failed(
            self.message
                .unwrap_or_else(|| "failed on purpose".to_owned()),
        ))
    }
}
