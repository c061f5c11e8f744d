//! Walks the chain from a Pod to a repository link by link, and says which link is broken and how to mend it.
//!
//! [`CHECKS`] is the catalogue, in the order of the chain. A check looks at facts only. Where a link above it is broken it
//! does not guess: it is skipped and says on what it depends. What could not be read is unknown, never good.

mod accounts;
mod catalogue;
mod cluster;
mod denials;
mod egress;
mod environment;
mod evidence;
mod fallback;
mod grants;
mod key_limits;
mod kubernetes;
mod kubernetes_token;
mod lists;
mod metadata;
mod near_misses;
mod network;
mod organisation;
mod own_identity;
mod reading;
mod registry;
mod report;
mod services;
mod symptoms;
#[cfg(test)]
mod tests;
mod verdict;

use std::fmt;

use crate::audit::{Found, Rule, Severity};
use crate::facts::{Facts, Gap, Use};
use crate::repository::RepositoryName;

pub use catalogue::CHECKS;
pub use organisation::{USABLE_SERVICES, constraints};
pub use reading::BEYOND_READING;
pub use report::{CheckResult, DoctorReport, Subject};
pub use symptoms::{SYMPTOMS, Symptom, explain};
pub use verdict::{Status, Verdict};

/// One link of the chain.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    pub id: &'static str,
    pub vantage: Vantage,
    /// Checks without which this one would only guess.
    pub depends_on: &'static [&'static str],
    /// What is well where it passes.
    pub title: &'static str,
    pub run: Run,
}

/// From where a check can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Vantage {
    /// In the controller's Pod, with its own identity and no rights beyond it.
    Pod,
    /// At a desk, with the rights to read policies.
    Operator,
    /// Wherever it is asked.
    Anywhere,
}

/// What a check is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Run {
    Once(fn(&Facts) -> Answer),
    /// Once, where nothing has to be read that could be missing.
    Surely(fn(&Facts) -> Verdict),
    EachProject(fn(&Facts, &str) -> Answer),
    EachRepository(fn(&Facts, &RepositoryName) -> Answer),
    EachUse(fn(&Facts, &Use) -> Answer),
    /// About things that the check itself lists.
    Each(fn(&Facts) -> Vec<(String, Answer)>),
    /// Whatever these rules of the audit find.
    Rules(&'static [&'static str]),
}

/// A verdict, or why there is none.
pub type Answer = Result<Verdict, Gap>;

/// Runs every check that can be run.
pub fn diagnose(facts: &Facts) -> DoctorReport {
    let mut report = DoctorReport::default();
    for check in CHECKS {
        for subject in check.subjects(facts) {
            let result = if let Some(link) = report.broken_link(check, &subject) {
                CheckResult::skipped(check, subject, link)
            } else {
                let answer = check.answer(facts, &subject);
                CheckResult::new(check, subject, answer)
            };
            report.results.push(result);
        }
    }
    report
}

impl Check {
    fn subjects(&self, facts: &Facts) -> Vec<Subject> {
        match self.run {
            Run::Once(_) | Run::Surely(_) | Run::Rules(_) => vec![Subject::default()],
            Run::EachProject(_) => facts
                .intent
                .projects
                .keys()
                .map(|it| Subject::project(it))
                .collect(),
            Run::EachRepository(_) => {
                let mut names: Vec<_> = facts.uses().map(|it| it.address.repository).collect();
                names.sort();
                names.dedup();
                names.into_iter().map(Subject::repository).collect()
            }
            Run::EachUse(_) => facts.uses().map(|it| Subject::used(&it)).collect(),
            Run::Each(list) => list(facts)
                .into_iter()
                .map(|(it, _)| Subject::other(it))
                .collect(),
        }
    }

    fn answer(&self, facts: &Facts, subject: &Subject) -> Answer {
        let nobody = || Ok(Verdict::skip("there is nothing to look at"));
        match self.run {
            Run::Once(run) => run(facts),
            Run::Surely(run) => Ok(run(facts)),
            Run::Rules(ids) => by_rules(facts, ids),
            Run::EachProject(run) => subject
                .project
                .as_deref()
                .map_or_else(nobody, |it| run(facts, it)),
            Run::EachRepository(run) => subject
                .repository
                .as_ref()
                .map_or_else(nobody, |it| run(facts, it)),
            Run::EachUse(run) => {
                let used = facts.uses().find(|it| Subject::used(it) == *subject);
                used.map_or_else(nobody, |it| run(facts, &it))
            }
            Run::Each(list) => {
                let mut answers = list(facts).into_iter();
                let found = answers.find(|(it, _)| subject.other.as_ref() == Some(it));
                found.map_or_else(nobody, |(_, answer)| answer)
            }
        }
    }
}

/// Takes over what the audit finds: bad findings fail, others warn, and what was not read leaves it unknown.
fn by_rules(facts: &Facts, ids: &[&str]) -> Answer {
    let found: Vec<_> = ids
        .iter()
        .filter_map(|it| Rule::named(it))
        .map(|it| it.apply(facts))
        .collect();
    let worst = found
        .iter()
        .flat_map(Found::findings)
        .max_by_key(|it| it.severity);
    let Some(worst) = worst else {
        // What was asked and refused counts for more than what nobody asked.
        let unread = found.iter().flat_map(Found::unread);
        return match unread.min_by_key(|it| it.evidence.request.is_empty()) {
            Some(unread) => Err(Gap {
                source: unread.evidence.clone(),
                why: format!("{}: {}", unread.resource, unread.why),
                skipped: unread.evidence.request.is_empty(),
            }),
            None => Ok(Verdict::pass("nothing was found").evidence(evidence::of_rules(facts, ids))),
        };
    };
    let more = found.iter().map(|it| it.findings().len()).sum::<usize>() - 1;
    let says = match more {
        0 => worst.says.clone(),
        more => format!("{} (and {more} more: argosy gcp audit)", worst.says),
    };
    let fix = worst.fix.clone();
    let verdict = match worst.severity {
        Severity::Critical | Severity::High => Verdict::fail(&says, fix),
        Severity::Medium | Severity::Low => Verdict::warn(&says, fix),
        Severity::Info => Verdict::pass(&says).with(fix),
    };
    Ok(verdict.evidence(worst.evidence.clone()))
}

impl fmt::Display for Vantage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Pod => "pod",
            Self::Operator => "operator",
            Self::Anywhere => "anywhere",
        })
    }
}
