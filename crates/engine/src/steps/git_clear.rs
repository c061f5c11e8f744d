//! `git-clear`: deletes all that Git tracks in a work tree, so that what is written next is all there is.

use serde::Deserialize;
use serde_json::Map;

use super::{Outcome, Step, StepError};
use crate::context::StepContext;

#[derive(Debug, Deserialize)]
pub(super) struct GitClear {
    path: String,
}

impl Step for GitClear {
    const KIND: &'static str = "git-clear";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        cx.work_tree(&self.path).await?.clear().await?;
        Ok(Outcome::Done(Map::new()))
    }
}
