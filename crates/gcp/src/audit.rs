//! Compares what is granted with what is needed, and says where it is more.
//!
//! [`RULES`] is the catalogue. A rule looks at facts only; where they could not be read it says so, and that never counts
//! as good.

pub mod sarif;

mod accounts;
mod catalogue;
mod controller;
mod minters;
mod places;
mod repositories;
mod roles;
mod surroundings;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

pub(crate) use accounts::{UNUSED_AFTER, orphaned, other_clusters};
pub use catalogue::RULES;
pub(crate) use controller::{ANNOTATION, remove_annotation};
pub(crate) use surroundings::LOGGED;
pub(crate) use surroundings::node_account;

use crate::facts::{Facts, Gap, Source};
use crate::policy::Member;
use crate::setup::Fix;

/// One thing that must not be granted, or must be in place.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    pub id: &'static str,
    /// The most it can amount to; a finding may be milder.
    pub severity: Severity,
    /// What is wrong where it finds something.
    pub title: &'static str,
    pub find: fn(&Facts, &mut Found),
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// What a rule found on one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub rule: &'static str,
    pub severity: Severity,
    pub resource: String,
    pub says: String,
    /// The argument that says it is meant to be so; then it is no more than a piece of information.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Source>,
    pub fix: Fix,
}

/// What a rule could not look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    pub rule: &'static str,
    pub resource: String,
    pub why: String,
    pub evidence: Source,
}

/// What all rules found, the worst first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    pub findings: Vec<Finding>,
    pub unread: Vec<Unread>,
}

/// What one rule has found so far.
#[derive(Debug, Clone)]
pub struct Found {
    rule: &'static str,
    findings: Vec<Finding>,
    unread: Vec<Unread>,
}

/// Applies every rule.
pub fn audit(facts: &Facts) -> AuditReport {
    let mut report = AuditReport::default();
    for rule in RULES {
        let found = rule.apply(facts);
        report.findings.extend(found.findings);
        report.unread.extend(found.unread);
    }
    report.findings.sort_by_key(|it| Reverse(it.severity));
    report
}

impl Rule {
    /// Finds a rule by its id.
    pub fn named(id: &str) -> Option<&'static Self> {
        RULES.iter().find(|it| it.id == id)
    }

    pub(crate) fn apply(&self, facts: &Facts) -> Found {
        let mut found = Found {
            rule: self.id,
            findings: Vec::new(),
            unread: Vec::new(),
        };
        (self.find)(facts, &mut found);
        found
    }
}

impl AuditReport {
    /// Says how a program should end: 1 with findings that bad, 2 if something could not be read, else 0.
    pub fn exit_code(&self, fail_on: Severity) -> u8 {
        match () {
            () if self.findings.iter().any(|it| it.severity >= fail_on) => 1,
            () if !self.unread.is_empty() => 2,
            () => 0,
        }
    }
}

impl Finding {
    /// Makes it a piece of information if the member is one that is meant to be there.
    fn unless_expected(&mut self, facts: &Facts, member: &Member) {
        let mut expected = facts.intent.expected.iter();
        if let Some(text) = expected.find(|it| Member::parse(it) == *member) {
            self.is_as_meant(format!("--expected {text}"));
        }
    }

    /// Makes it a piece of information, by an argument of whoever asked.
    fn is_as_meant(&mut self, argument: String) {
        self.severity = Severity::Info;
        self.says = format!("{}; that is meant to be, by {argument}", self.says);
        self.expected = Some(argument);
    }
}

impl Found {
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    pub(crate) fn unread(&self) -> &[Unread] {
        &self.unread
    }

    fn add(
        &mut self,
        severity: Severity,
        resource: impl fmt::Display,
        says: String,
        seen_at: &Source,
        fix: Fix,
    ) -> &mut Finding {
        self.findings.push(Finding {
            rule: self.rule,
            severity,
            resource: resource.to_string(),
            says,
            expected: None,
            evidence: vec![seen_at.clone()],
            fix,
        });
        self.findings.last_mut().expect("one was added")
    }

    /// Notes that what a role carries is not known.
    fn unread_role(&mut self, resource: impl fmt::Display, seen_at: &Source, role: &str) {
        let gap = Gap {
            source: seen_at.clone(),
            why: format!("what {role} carries was not read"),
            skipped: false,
        };
        self.gap(resource, gap);
    }

    /// Notes what could not be read; what nobody looked at is a gap too.
    fn gap(&mut self, resource: impl fmt::Display, gap: Gap) {
        self.unread.push(Unread {
            rule: self.rule,
            resource: resource.to_string(),
            why: gap.why,
            evidence: gap.source,
        });
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// A word that is no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not one of info, low, medium, high, critical")]
pub struct NoSeverity(String);

impl FromStr for Severity {
    type Err = NoSeverity;

    fn from_str(text: &str) -> Result<Self, NoSeverity> {
        let all = [
            Self::Info,
            Self::Low,
            Self::Medium,
            Self::High,
            Self::Critical,
        ];
        let found = all.into_iter().find(|it| it.to_string() == text);
        found.ok_or_else(|| NoSeverity(text.to_owned()))
    }
}
