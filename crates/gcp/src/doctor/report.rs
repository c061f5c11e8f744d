//! All results of a walk, and what they add up to.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Answer, Check, Status, Vantage, Verdict};
use crate::facts::{Source, Use};
use crate::repository::RepositoryName;
use crate::setup::Fix;

/// Every result, in the order of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    pub results: Vec<CheckResult>,
}

/// One check about one subject. Ids and words of statuses do not change between versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckResult {
    pub id: &'static str,
    #[serde(serialize_with = "subject_as_text")]
    pub subject: Subject,
    pub vantage: Vantage,
    pub status: Status,
    pub says: String,
    /// The broken link because of which it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Where the check is explained.
    pub documentation: String,
}

/// What a result is about; nothing set is the installation as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    pub project: Option<String>,
    pub repository: Option<RepositoryName>,
    /// The address of an image as the Project wrote it.
    pub address: Option<String>,
    pub other: Option<String>,
}

impl DoctorReport {
    /// Says how a program should end: 1 if anything fails, 2 if all that is wrong is what could not be read, else 0.
    pub fn exit_code(&self) -> u8 {
        match () {
            () if self.count(Status::Fail) > 0 => 1,
            () if self.count(Status::Unknown) > 0 => 2,
            () => 0,
        }
    }

    pub fn count(&self, status: Status) -> usize {
        self.results.iter().filter(|it| it.status == status).count()
    }

    /// Finds the link that a check about a subject rests on and that is broken.
    pub(super) fn broken_link(&self, check: &Check, subject: &Subject) -> Option<&'static str> {
        let mut above = self.results.iter().filter(|it| {
            check.depends_on.contains(&it.id) && it.subject.includes(subject) && it.is_broken()
        });
        above.next().map(|it| it.depends_on.unwrap_or(it.id))
    }
}

impl CheckResult {
    pub(super) fn new(check: &Check, subject: Subject, answer: Answer) -> Self {
        let verdict = answer.unwrap_or_else(|gap| {
            let verdict = if gap.skipped {
                Verdict::skip(&gap.why)
            } else {
                Verdict::unknown(&gap.why)
            };
            verdict.evidence(vec![gap.source])
        });
        let mut evidence = verdict.evidence;
        evidence.retain(|it| !it.request.is_empty());
        Self {
            id: check.id,
            subject,
            vantage: check.vantage,
            status: verdict.status,
            says: verdict.says,
            depends_on: None,
            evidence,
            fix: verdict.fix,
            documentation: format!("gcp-checks.md#{}", check.id.to_ascii_lowercase()),
        }
    }

    pub(super) fn skipped(check: &Check, subject: Subject, link: &'static str) -> Self {
        let says = format!("depends on {link}");
        let mut result = Self::new(check, subject, Ok(Verdict::skip(&says)));
        result.depends_on = Some(link);
        result
    }

    /// Says whether what rests on it can only guess.
    fn is_broken(&self) -> bool {
        self.status == Status::Fail || self.depends_on.is_some()
    }
}

impl Subject {
    pub(super) fn project(name: &str) -> Self {
        Self {
            project: Some(name.to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn repository(name: RepositoryName) -> Self {
        Self {
            repository: Some(name),
            ..Self::default()
        }
    }

    pub(super) fn used(used: &Use) -> Self {
        Self {
            project: Some(used.project.clone()),
            repository: Some(used.address.repository.clone()),
            address: Some(format!("{}/{}", used.address.host, used.address.path())),
            other: None,
        }
    }

    pub(super) fn other(name: String) -> Self {
        Self {
            other: Some(name),
            ..Self::default()
        }
    }

    /// Says whether what holds for this holds for the narrower one too.
    fn includes(&self, narrower: &Self) -> bool {
        fn fits<T: PartialEq>(wide: Option<&T>, narrow: Option<&T>) -> bool {
            wide.is_none() || wide == narrow
        }
        fits(self.project.as_ref(), narrower.project.as_ref())
            && fits(self.repository.as_ref(), narrower.repository.as_ref())
            && fits(self.address.as_ref(), narrower.address.as_ref())
            && fits(self.other.as_ref(), narrower.other.as_ref())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repository = self.repository.as_ref().map(ToString::to_string);
        let thing = self
            .address
            .clone()
            .or(repository)
            .or_else(|| self.other.clone());
        let parts: Vec<_> = self.project.clone().into_iter().chain(thing).collect();
        out.pad(&parts.join(" "))
    }
}

fn subject_as_text<S: Serializer>(subject: &Subject, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(subject)
}
