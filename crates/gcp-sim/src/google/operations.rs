//! Operations that take a while: begun by a call, asked for by name, and at their end either done or failed.
//!
//! Without a fault each is done before anybody hears of it.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::Google;
use crate::faults::Effect;
use crate::world::World;

/// Most operations that are remembered; older ones count as done.
const KEPT: usize = 1_000;

/// The operations that a fault has hit.
#[derive(Debug, Default)]
pub(super) struct Operations {
    kept: Mutex<VecDeque<Operation>>,
}

struct Operation {
    name: String,
    ends_at: Timestamp,
    failure: Option<Failure>,
    /// What it changes at its end, and has not yet.
    change: Option<Change>,
    /// What its service tells of it once it is done.
    told: Value,
}

type Change = Box<dyn FnOnce(&mut World) + Send>;

impl std::fmt::Debug for Operation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, ends_at, .. } = self;
        write!(out, "Operation {{ {name} until {ends_at} }}")
    }
}

/// Why an operation did not do what it was to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// As `google.rpc.Status`.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "code": self.code, "message": self.message })
    }
}

/// How far an operation is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Progress {
    Running,
    /// With what its service tells; nothing is known of one that was done at once.
    Done(Option<Value>),
    Failed(Failure),
}

impl Google {
    /// Begins an operation on `about`, which changes something at its end. That is now, unless a fault says otherwise.
    pub(crate) fn operate(
        &self,
        name: &str,
        about: &str,
        told: Value,
        change: impl FnOnce(&mut World) + Send + 'static,
    ) -> Progress {
        let slow = |effect: &Effect| matches!(effect, Effect::OperationSlow { .. });
        let slow = self.fault_about(about, slow);
        let failed = |effect: &Effect| matches!(effect, Effect::OperationFailed { .. });
        let failure = match self.fault_about(about, failed) {
            Some(Effect::OperationFailed { code, message }) => Some(Failure { code, message }),
            _ => None,
        };
        let lasts = match slow {
            Some(Effect::OperationSlow { seconds }) => SignedDuration::from_secs(seconds.into()),
            _ => SignedDuration::ZERO,
        };
        if lasts.is_zero() && failure.is_none() {
            self.change(change);
            return Progress::Done(Some(told));
        }
        let operation = Operation {
            name: name.to_owned(),
            ends_at: self.now() + lasts,
            change: failure.is_none().then(|| Box::new(change) as Change),
            failure,
            told,
        };
        let progress = operation.at(self.now());
        let mut kept = self.inner.operations.kept.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(operation);
        progress
    }

    /// Says how far an operation is; one that no fault has hit is done.
    pub(crate) fn progress(&self, name: &str) -> Progress {
        let kept = self.inner.operations.kept.lock();
        let found = kept.iter().find(|it| it.name == name);
        found.map_or(Progress::Done(None), |it| it.at(self.now()))
    }

    /// Lets those operations change the world whose end has come.
    pub(super) fn end_operations(&self) {
        let now = self.now();
        let due: Vec<Change> = {
            let mut kept = self.inner.operations.kept.lock();
            let ended = kept.iter_mut().filter(|it| it.ends_at <= now);
            ended.filter_map(|it| it.change.take()).collect()
        };
        if !due.is_empty() {
            self.change(|world| due.into_iter().for_each(|change| change(world)));
        }
    }
}

impl Operation {
    fn at(&self, now: Timestamp) -> Progress {
        match &self.failure {
            _ if now < self.ends_at => Progress::Running,
            Some(failure) => Progress::Failed(failure.clone()),
            None => Progress::Done(Some(self.told.clone())),
        }
    }
}
