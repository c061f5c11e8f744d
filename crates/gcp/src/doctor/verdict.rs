//! What a check concludes.

use std::fmt;

use serde::Serialize;

use crate::facts::{Reading, Source};
use crate::setup::Fix;

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Pass,
    Warn,
    Fail,
    /// It could not be read; that is never taken for good.
    Unknown,
    /// It does not apply, was not looked at from here, or depends on a link that is broken.
    Skip,
}

/// A status with its reason, where it was seen, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub status: Status,
    pub says: String,
    pub evidence: Vec<Source>,
    pub fix: Option<Fix>,
}

impl Verdict {
    pub fn pass(says: &str) -> Self {
        Self::new(Status::Pass, says)
    }

    pub fn warn(says: &str) -> Self {
        Self::new(Status::Warn, says)
    }

    pub fn fail(says: &str) -> Self {
        Self::new(Status::Fail, says)
    }

    pub fn unknown(says: &str) -> Self {
        Self::new(Status::Unknown, says)
    }

    pub fn skip(says: &str) -> Self {
        Self::new(Status::Skip, says)
    }

    fn new(status: Status, says: &str) -> Self {
        Self {
            status,
            says: says.to_owned(),
            evidence: Vec::new(),
            fix: None,
        }
    }

    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Says which reading it rests on.
    #[must_use]
    pub fn seen<T>(mut self, reading: &Reading<T>) -> Self {
        self.evidence.push(reading.source.clone());
        self
    }

    #[must_use]
    pub(super) fn evidence(mut self, sources: Vec<Source>) -> Self {
        self.evidence.extend(sources);
        self
    }
}

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
            Self::Skip => "skip",
        })
    }
}
