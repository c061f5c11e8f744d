//! The table of all kinds of steps, and what a step is.
//!
//! A kind is one file here: a struct that is its configuration, and what it does. Its schema is
//! `schemas/steps/<kind>.json`, its page `docs/steps/<kind>.md`, its cases `tests/steps/<kind>/`.

mod commit_url;
mod compose_output;
mod copy;
mod delete;
mod fail;
mod git_clear;
mod git_clone;
mod git_commit;
mod git_push;
mod kustomize_build;
mod kustomize_set_image;
mod manifests;
mod set_metadata;
mod yaml_update;

use std::{error::Error, fmt, time::Duration};

use artifacts::{child, egress::ResolveError, work_tree};
use domain::message::{in_one_line, with_next};
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{context::StepContext, work_dir::PathError};

/// Every kind of step, sorted by name.
pub const STEPS: &[Entry] = &[
    Entry {
        propagates: true,
        ..entry::<compose_output::ComposeOutput>(include_str!(
            "../../../schemas/steps/compose-output.json"
        ))
    },
    entry::<copy::Copy>(include_str!("../../../schemas/steps/copy.json")),
    entry::<delete::Delete>(include_str!("../../../schemas/steps/delete.json")),
    entry::<fail::Fail>(include_str!("../../../schemas/steps/fail.json")),
    entry::<git_clear::GitClear>(include_str!("../../../schemas/steps/git-clear.json")),
    entry::<git_clone::GitClone>(include_str!("../../../schemas/steps/git-clone.json")),
    entry::<git_commit::GitCommit>(include_str!("../../../schemas/steps/git-commit.json")),
    entry::<git_push::GitPush>(include_str!("../../../schemas/steps/git-push.json")),
    entry::<kustomize_build::KustomizeBuild>(include_str!(
        "../../../schemas/steps/kustomize-build.json"
    )),
    entry::<kustomize_set_image::KustomizeSetImage>(include_str!(
        "../../../schemas/steps/kustomize-set-image.json"
    )),
    entry::<set_metadata::SetMetadata>(include_str!("../../../schemas/steps/set-metadata.json")),
    entry::<yaml_update::YamlUpdate>(include_str!("../../../schemas/steps/yaml-update.json")),
];

/// A kind of step: the struct is its configuration.
pub trait Step: DeserializeOwned + Send + 'static {
    /// What manifests write after `uses:`.
    const KIND: &'static str;

    /// Does what the step is for. Called again after a crash or an error, with the files as they were left.
    fn run(self, cx: &StepContext<'_>) -> impl Future<Output = Result<Outcome, StepError>> + Send;
}

/// How a step ended, or that it has not.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It did what it is for.
    Done(Map<String, Value>),
    /// There was nothing to do.
    Skipped {
        output: Map<String, Value>,
        message: String,
    },
    /// It waits for something outside; none means until somebody says that it happened.
    Waiting {
        output: Map<String, Value>,
        message: String,
        after: Option<Duration>,
    },
}

/// Why a step did not do what it is for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepError {
    /// Running it again cannot help.
    #[error("{0}")]
    Failed(String),
    /// Running it again may help.
    #[error("{0}")]
    Errored(String),
}

/// A row of [`STEPS`].
#[derive(Clone, Copy)]
pub struct Entry {
    pub kind: &'static str,
    /// JSON schema of the configuration.
    pub schema: &'static str,
    /// How many errors in a row end the step, unless the step says otherwise.
    pub error_threshold: i32,
    /// How long the step may take, unless it says otherwise; none means for ever.
    pub time_out: Option<Duration>,
    /// Whether outputs are also outputs of the task that the step is in.
    pub propagates: bool,
    /// Runs the step with an evaluated configuration that passed the schema.
    pub run: RunStep,
}

/// Code that runs a step.
type RunStep = for<'a> fn(Value, &'a StepContext<'a>) -> BoxFuture<'a, Result<Outcome, StepError>>;

const fn entry<S: Step>(schema: &'static str) -> Entry {
    Entry {
        kind: S::KIND,
        schema,
        error_threshold: 1,
        time_out: None,
        propagates: false,
        run: |config, cx| {
            Box::pin(async move {
                let step: S = serde_json::from_value(config).map_err(|error| {
                    StepError::Failed(format!("invalid {} config: {error}", S::KIND))
                })?;
                step.run(cx).await
            })
        },
    }
}

/// Finds a kind of step by name.
pub fn find(kind: &str) -> Option<&'static Entry> {
    STEPS
        .binary_search_by_key(&kind, |entry| entry.kind)
        .ok()
        .map(|index| &STEPS[index])
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Entry")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl StepError {
    /// An error with all its causes in one line.
    pub(crate) fn errored(what: &str, error: &dyn Error) -> Self {
        Self::Errored(format!("{what}: {}", in_one_line(error)))
    }

    /// Says first what it is about.
    pub(crate) fn about(self, what: &str) -> Self {
        match self {
            Self::Failed(message) => Self::Failed(format!("{what}: {message}")),
            Self::Errored(message) => Self::Errored(format!("{what}: {message}")),
        }
    }

    /// Adds the next thing to do.
    pub(crate) fn with_next(self, next: impl fmt::Display) -> Self {
        match self {
            Self::Failed(message) => Self::Failed(with_next(message, next)),
            Self::Errored(message) => Self::Errored(with_next(message, next)),
        }
    }
}

impl From<PathError> for StepError {
    fn from(error: PathError) -> Self {
        let message = in_one_line(&error);
        let failed = match error {
            PathError::Leaves { .. } | PathError::Git { .. } | PathError::Odd { .. } => {
                Self::Failed(message)
            }
            PathError::Look { .. } | PathError::Read { .. } | PathError::Write { .. } => {
                Self::Errored(message)
            }
        };
        failed.with_next(error.hint())
    }
}

impl From<child::Error> for StepError {
    fn from(error: child::Error) -> Self {
        let message = in_one_line(&error);
        let failed = match error {
            child::Error::Url { .. } | child::Error::LinkLeaves { .. } => Self::Failed(message),
            child::Error::Home { .. }
            | child::Error::Start { .. }
            | child::Error::Read { .. }
            | child::Error::TimedOut { .. }
            | child::Error::TooMuchOutput { .. }
            | child::Error::Failed { .. }
            | child::Error::Remote { .. }
            | child::Error::Links { .. } => Self::Errored(message),
        };
        failed.with_next(error.hint())
    }
}

impl From<work_tree::Error> for StepError {
    fn from(error: work_tree::Error) -> Self {
        let message = in_one_line(&error);
        let hint = error.hint();
        let failed = match error {
            work_tree::Error::Child(error) => return error.into(),
            work_tree::Error::Redirect {
                source: ResolveError::Refused(_),
                ..
            }
            | work_tree::Error::Conflict { .. }
            | work_tree::Error::UnsafeRebase { .. }
            | work_tree::Error::OddName { .. }
            | work_tree::Error::NotAWorkTree { .. }
            | work_tree::Error::NoPlace { .. }
            | work_tree::Error::SubmoduleUrl { .. }
            | work_tree::Error::OddSubmodules { .. }
            | work_tree::Error::SigningKey { .. } => Self::Failed(message),
            work_tree::Error::NoRevision { .. }
            | work_tree::Error::Redirect { .. }
            | work_tree::Error::Record { .. }
            | work_tree::Error::Refused { .. } => Self::Errored(message),
        };
        failed.with_next(hint)
    }
}
