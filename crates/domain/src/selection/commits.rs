//! Which commits of a branch a subscription takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use expr::{Budget, CallError, Environment, Evaluation, Program, Value};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use resources::GitSubscription;

use super::{PathRules, RulesError, limit};

/// Says what a Git subscription takes of a branch, read once.
#[derive(Debug)]
pub struct CommitRules {
    filter: Option<Program>,
    paths: PathRules,
    since: Option<Timestamp>,
    limit: usize,
}

/// Holds what the rules need to know of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub id: String,
    /// When it was committed.
    pub date: Timestamp,
    /// `Name <email>`.
    pub author: String,
    /// `Name <email>`.
    pub committer: String,
    pub subject: String,
    /// The paths that it changes compared with its first parent; empty where [`CommitRules::needs_paths`] says no.
    pub changed: Vec<String>,
}

impl CommitRules {
    /// Reads the rules of a subscription.
    pub fn parse(subscription: &GitSubscription) -> Result<Self, RulesError> {
        let text = |text: &str| {
            Some(text.trim())
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
        };
        let filter = text(&subscription.expression_filter)
            .map(|it| Program::parse(&it))
            .transpose();
        let since = text(&subscription.since).map(|it| it.parse()).transpose();
        Ok(Self {
            filter: filter.map_err(|source| RulesError::Expression {
                field: "expressionFilter",
                why: source.to_string(),
            })?,
            paths: PathRules::parse(&subscription.include_paths, &subscription.exclude_paths)?,
            since: since.map_err(|source| RulesError::Time {
                field: "since",
                source,
            })?,
            limit: limit(subscription.discovery_limit),
        })
    }

    /// Says how many commits are taken.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Says from when on commits count.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }

    /// Says whether the changed paths have to be known.
    pub fn needs_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Says whether commits may be passed over, so that more than [`CommitRules::limit`] have to be looked at.
    pub fn passes_over(&self) -> bool {
        self.needs_paths() || self.filter.is_some()
    }

    /// Says whether a commit counts: by its time and its expression first, then by its paths. Expressions may ask for `now`.
    pub fn take(&self, commit: &Commit, now: Timestamp) -> Result<bool, RulesError> {
        if self.since.is_some_and(|since| commit.date < since) {
            return Ok(false);
        }
        if let Some(filter) = &self.filter
            && !passes(filter, commit, now)?
        {
            return Ok(false);
        }
        Ok(!self.needs_paths() || self.paths.cover(commit.changed.iter().map(String::as_str)))
    }
}

/// What an expression sees of a commit.
struct Variables(BTreeMap<String, Value>, Timestamp);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn call(&self, _name: &str, _arguments: &[Value]) -> Option<Result<Value, CallError>> {
        None
    }

    fn variables(&self) -> Value {
        Value::from(self.0.clone())
    }

    fn now(&self) -> Option<Zoned> {
        Some(self.1.to_zoned(TimeZone::UTC))
    }
}

fn passes(filter: &Program, commit: &Commit, now: Timestamp) -> Result<bool, RulesError> {
    let error = |why: String| RulesError::Expression {
        field: "expressionFilter",
        why,
    };
    let text = |text: &str| Value::from(text);
    let variables = Variables(
        BTreeMap::from([
            ("id".to_owned(), text(&commit.id)),
            (
                "commitDate".to_owned(),
                Value::Time(Arc::new(commit.date.to_zoned(TimeZone::UTC))),
            ),
            ("author".to_owned(), text(&commit.author)),
            ("committer".to_owned(), text(&commit.committer)),
            ("subject".to_owned(), text(&commit.subject)),
        ]),
        now,
    );
    let value = match filter.evaluate(&variables, &mut Budget::default()) {
        Ok(Evaluation::Done(value)) => value,
        Ok(Evaluation::Pending(_)) => {
            return Err(error(
                "it calls a function that commits do not have".to_owned(),
            ));
        }
        Err(source) => return Err(error(source.to_string())),
    };
    // What is no truth value counts by how it is written, as in Go.
    let word = match &value {
        Value::Bool(truth) => return Ok(*truth),
        Value::String(word) => word.to_string(),
        Value::Int(number) => number.to_string(),
        _ => String::new(),
    };
    match word.as_str() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(error(format!(
            "its result is neither true nor false but {}",
            value.type_name()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(filter: &str, include: &[&str], expected: Result<bool, &str>) {
        let subscription = GitSubscription {
            expression_filter: filter.to_owned(),
            include_paths: include.iter().map(|it| (*it).to_owned()).collect(),
            ..GitSubscription::default()
        };
        let commit = Commit {
            id: "0123456789012345678901234567890123456789".to_owned(),
            date: "2026-02-03T04:05:06Z".parse().expect("a time"),
            author: "Ann <ann@acme.test>".to_owned(),
            committer: "Bob <bob@acme.test>".to_owned(),
            subject: "Release 1.2".to_owned(),
            changed: vec!["apps/web/x.yaml".to_owned()],
        };
        let now = "2026-02-04T00:00:00Z".parse().expect("a time");
        let found = CommitRules::parse(&subscription).and_then(|rules| rules.take(&commit, now));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{filter} {include:?}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{filter}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_commit_counts_by_expression_and_paths() {
        check("", &[], Ok(true));
        check("", &["apps"], Ok(true));
        check("", &["docs"], Ok(false));
        check("subject startsWith 'Release'", &["apps"], Ok(true));
        check("!(subject contains 'Release')", &["apps"], Ok(false));
        check(
            "author == 'Ann <ann@acme.test>' && committer contains 'bob'",
            &[],
            Ok(true),
        );
        check("id matches '^0123'", &[], Ok(true));
        check("commitDate.Year() == 2026", &[], Ok(true));
        check("now() - commitDate < duration('24h')", &[], Ok(true));
        check("'true'", &[], Ok(true));
        check("0", &[], Ok(false));
        check("subject", &[], Err("neither true nor false"));
        check("subject +", &[], Err("expressionFilter"));
    }

    #[test]
    fn the_time_is_read_strictly() {
        let rules = |since: &str| {
            CommitRules::parse(&GitSubscription {
                since: since.to_owned(),
                ..GitSubscription::default()
            })
        };
        assert_eq!(
            rules("2026-01-01T00:00:00Z")
                .expect("a time")
                .since()
                .map(|it| it.to_string())
                .as_deref(),
            Some("2026-01-01T00:00:00Z")
        );
        assert!(rules("").expect("no time").since().is_none());
        assert!(
            rules("yesterday")
                .expect_err("no time")
                .to_string()
                .contains("since")
        );
    }
}
