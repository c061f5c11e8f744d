//! What expressions in a promotion see, and how conditions and configurations are evaluated.

use parking_lot::MutexGuard;
use serde_json::{Map, Value};

use crate::{
    context::Context,
    progress::{Progress, is_failing},
    run::Run,
};

/// Why an expression has no value.
#[derive(Debug)]
pub(crate) enum EvaluationError {
    /// Asking again cannot help.
    Wrong(String),
    /// What it asks for cannot be read now.
    Unavailable(String),
}

/// One evaluation of a step's expressions, over one look at everything.
pub(crate) struct Evaluation<'a> {
    run: &'a Run,
    index: usize,
    failing: bool,
    _cx: &'a Context,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(
        run: &'a Run,
        index: usize,
        progress: &MutexGuard<'_, Progress>,
        cx: &'a Context,
    ) -> Self {
        let earlier = progress.step_execution_metadata.iter().take(index);
        let failing = earlier.filter(|it| !it.continue_on_error).any(is_failing);
        Self {
            run,
            index,
            failing,
            _cx: cx,
        }
    }

    /// Says whether the step is to run; without a condition it runs unless an earlier one went wrong.
    pub(crate) async fn condition(&self) -> Result<bool, EvaluationError> {
        let condition = &self.run.steps[self.index].condition;
        if condition.is_empty() {
            return Ok(!self.failing);
        }
        Err(EvaluationError::Wrong(
            "expressions are not understood yet".to_owned(),
        ))
    }

    /// The configuration of the step with its expressions evaluated.
    pub(crate) async fn config(&self) -> Result<Value, EvaluationError> {
        let config = self.run.steps[self.index]
            .config
            .clone()
            .unwrap_or_else(|| Value::Object(Map::new()));
        if config.to_string().contains("${") {
            return Err(EvaluationError::Unavailable(
                "expressions are not understood yet".to_owned(),
            ));
        }
        Ok(config)
    }
}
