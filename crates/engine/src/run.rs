//! The loop over a promotion's steps: skip, start, retry, give up; it resumes where it stopped.

mod time;
mod verdict;

use std::{panic::AssertUnwindSafe, time::Duration};

use artifacts::child::kill_strays;
use domain::message::with_next;
use futures::FutureExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use parking_lot::Mutex;
use resources::{
    FreightCollection, FreightReference, FreightRequest, PromotionPhase, PromotionStep, StepStatus,
    Variable,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    context::{Context, StepContext},
    environment::Evaluation,
    progress::{Progress, RecordError, Recorder, is_finished},
    schema,
    steps::{self, Entry},
    work_dir::{Found, SEE_THE_DISK, WorkDir},
};

use self::verdict::Verdict;

/// All that a promotion says, and how far it came.
#[derive(Debug, Clone, Default)]
pub struct Run {
    pub project: String,
    pub stage: String,
    /// Name of the Promotion.
    pub promotion: String,
    pub promotion_uid: String,
    /// Who created the Promotion, as the annotation has it: `admin:…`, `oidc:…`, `email:…`.
    pub actor: Option<String>,
    /// Whether the Promotion goes back to older Freight.
    pub rollback: bool,
    /// The Freight that is promoted.
    pub freight: FreightReference,
    /// The human name of that Freight.
    pub freight_alias: String,
    /// What the Stage has when the promotion is through: that Freight, and Freight of other origins.
    pub freight_collection: FreightCollection,
    pub requested_freight: Vec<FreightRequest>,
    pub vars: Vec<Variable>,
    /// Steps without tasks, each with a name; see [`crate::task::inflate`].
    pub steps: Vec<PromotionStep>,
    pub progress: Progress,
}

/// How a call of [`run()`] ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Every step has its verdict: the phase is terminal.
    Finished(Progress),
    /// A step waits for something outside: call again after this long, or when something is known to have happened.
    Waiting {
        progress: Progress,
        after: Option<Duration>,
    },
    /// Something failed that may work later: call again, more patiently each time.
    Retry { progress: Progress, message: String },
    /// It was cancelled. The progress is as good to go on from as after a crash.
    Interrupted(Progress),
}

/// Runs the steps of a promotion from where it stopped, until all are through or one has to wait.
///
/// Before a step starts, all that happened so far is given to `recorder`. Cancelling stops the step in the middle and
/// kills its children; it is never taken for an error.
pub async fn run(
    run: Run,
    cx: &Context,
    recorder: &dyn Recorder,
    cancel: CancellationToken,
) -> Outcome {
    let mut progress = run.progress.clone();
    let (work_dir, found) = match WorkDir::open(&cx.work_root, &run.promotion_uid) {
        Ok(opened) => opened,
        Err(error) => {
            let message = format!(
                "failed to open the work directory in {}: {error}",
                cx.work_root.display()
            );
            let message = with_next(message, SEE_THE_DISK);
            return Outcome::Retry { progress, message };
        }
    };
    match found {
        Found::Fresh => progress.start_over(),
        Found::Present => match kill_strays(work_dir.root()).await {
            Ok(0) => {}
            Ok(count) => {
                let promotion = &run.promotion;
                tracing::warn!(%promotion, count, "ended children that an earlier attempt left running");
            }
            Err(error) => {
                let message =
                    format!("failed to end what an earlier attempt left running: {error}");
                let message = with_next(message, "see what it is: ps -ef, and end it");
                return Outcome::Retry { progress, message };
            }
        },
    }
    progress.phase = PromotionPhase::Running;
    let first = progress.current_step.min(run.steps.len());
    let attempt = Attempt {
        run: &run,
        cx,
        recorder,
        cancel,
        work_dir,
        progress: Mutex::new(progress),
        index: first,
    };
    attempt.run_to_end().await
}

/// One call of [`run()`].
struct Attempt<'a> {
    run: &'a Run,
    cx: &'a Context,
    recorder: &'a dyn Recorder,
    cancel: CancellationToken,
    work_dir: WorkDir,
    progress: Mutex<Progress>,
    /// Index of the first step.
    index: usize,
}

/// What follows from a step.
enum Next {
    Step,
    Stop(Stop),
}

/// Why the loop stops before the last step is through.
enum Stop {
    Wait(Option<Duration>),
    Retry(String),
    Interrupt,
    GiveUp(String),
}

impl Attempt<'_> {
    async fn run_to_end(self) -> Outcome {
        for index in self.index..self.run.steps.len() {
            match self.advance(index).await {
                Next::Step => {}
                Next::Stop(stop) => {
                    let mut progress = self.progress.into_inner();
                    return match stop {
                        Stop::Wait(after) => Outcome::Waiting { progress, after },
                        Stop::Retry(message) => Outcome::Retry { progress, message },
                        Stop::Interrupt => Outcome::Interrupted(progress),
                        Stop::GiveUp(message) => {
                            progress.phase = PromotionPhase::Errored;
                            progress.message = message;
                            Outcome::Finished(progress)
                        }
                    };
                }
            }
        }
        let mut progress = self.progress.into_inner();
        progress.conclude();
        Outcome::Finished(progress)
    }

    /// Brings one step as far as it goes now.
    async fn advance(&self, index: usize) -> Next {
        let step = &self.run.steps[index];
        let execution = {
            let mut progress = self.progress.lock();
            progress.current_step = index;
            progress.execution(index, step).clone()
        };
        if is_finished(&execution) {
            return Next::Step;
        }
        if self.cancel.is_cancelled() {
            return Next::Stop(Stop::Interrupt);
        }
        let evaluation = Evaluation::new(self.run, index, &self.progress.lock(), self.cx);
        if execution.started_at.is_none() {
            match self.until_cancelled(evaluation.condition()).await {
                None => return Next::Stop(Stop::Interrupt),
                Some(Ok(true)) => {}
                Some(Ok(false)) => {
                    return self.finish(index, StepStatus::Skipped, String::new(), None);
                }
                Some(Err(error)) => return self.cannot_evaluate(index, "condition", error),
            }
        }
        let Some(entry) = steps::find(&step.uses) else {
            let known: Vec<&str> = steps::STEPS.iter().map(|entry| entry.kind).collect();
            let message = format!(
                "no step is called {:?}; this version has {}",
                step.uses,
                known.join(", ")
            );
            return self.finish(index, StepStatus::Errored, message, None);
        };
        if execution.started_at.is_none()
            && let Some(stop) = self.start(index).await
        {
            return Next::Stop(stop);
        }
        self.cx.reached(&format!("{}: started", step.alias));
        let config = match self.until_cancelled(evaluation.config()).await {
            None => return Next::Stop(Stop::Interrupt),
            Some(Ok(config)) => config,
            Some(Err(error)) => return self.cannot_evaluate(index, "configuration", error),
        };
        if let Err(message) = schema::check(entry, &config) {
            return self.finish(index, StepStatus::Failed, message, None);
        }
        let verdict = self
            .until_cancelled(self.attempt(index, entry, config))
            .await;
        self.cx.reached(&format!("{}: ended", step.alias));
        match verdict {
            None => Next::Stop(Stop::Interrupt),
            Some(verdict) => self.judge(index, entry, verdict),
        }
    }

    /// Marks a step as started and stores that, with the results of all steps before it.
    async fn start(&self, index: usize) -> Option<Stop> {
        let recorded = self.recorder;
        let (before, progress) = {
            let mut progress = self.progress.lock();
            let before = progress.clone();
            let execution = progress.execution(index, &self.run.steps[index]);
            execution.started_at = Some(Time(self.cx.now()));
            execution.status = Some(StepStatus::Running);
            (before, progress.clone())
        };
        let error = recorded.record(&progress).await.err()?;
        let message = error.told();
        *self.progress.lock() = before;
        Some(match error {
            RecordError::Gone => Stop::Interrupt,
            RecordError::Unavailable(_) => Stop::Retry(message),
            RecordError::Rejected(_) => {
                // Outputs are what grows: without the last one the refusal itself can be stored.
                if let Some(last) = index.checked_sub(1).map(|last| &self.run.steps[last].alias) {
                    self.progress.lock().state.remove(last);
                }
                Stop::GiveUp(message)
            }
        })
    }

    /// Lets the code of the step's kind work, no longer than the step may take in all.
    async fn attempt(&self, index: usize, entry: &Entry, config: Value) -> Verdict {
        let step_context = StepContext {
            run: self.run,
            index,
            alias: &self.run.steps[index].alias,
            work_dir: &self.work_dir,
            cx: self.cx,
            recorder: self.recorder,
            progress: &self.progress,
        };
        let work = AssertUnwindSafe((entry.run)(config, &step_context)).catch_unwind();
        let left = self.time_left(index, entry).filter(|left| !left.is_zero());
        let ended = match left {
            None => work.await,
            Some(left) => match tokio::time::timeout(left, work).await {
                Ok(ended) => ended,
                Err(_elapsed) => return Verdict::TimedOut,
            },
        };
        match ended {
            Ok(Ok(outcome)) => Verdict::Ok(outcome),
            Ok(Err(error)) => Verdict::Err(error),
            Err(panic) => Verdict::Panicked(panic_message(&*panic)),
        }
    }

    /// Waits for `future`, but no longer than until the promotion is cancelled; dropping it kills its children.
    async fn until_cancelled<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            value = future => Some(value),
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "it panicked".to_owned())
}
