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
///
/// What fails or warns always says how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub(super) status: Status,
    pub(super) says: String,
    pub(super) evidence: Vec<Source>,
    pub(super) fix: Option<Fix>,
}

impl Verdict {
    pub fn pass(says: &str) -> Self {
        Self::new(Status::Pass, says, None)
    }

    pub fn warn(says: &str, fix: Fix) -> Self {
        Self::new(Status::Warn, says, Some(fix))
    }

    pub fn fail(says: &str, fix: Fix) -> Self {
        Self::new(Status::Fail, says, Some(fix))
    }

    pub fn unknown(says: &str) -> Self {
        Self::new(Status::Unknown, says, None)
    }

    pub fn skip(says: &str) -> Self {
        Self::new(Status::Skip, says, None)
    }

    fn new(status: Status, says: &str, fix: Option<Fix>) -> Self {
        Self {
            status,
            says: says.to_owned(),
            evidence: Vec::new(),
            fix,
        }
    }

    /// Says what could be done where nothing has to be, or what mends it if it is broken.
    #[must_use]
    pub fn with(mut self, fix: Fix) -> Self {
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
