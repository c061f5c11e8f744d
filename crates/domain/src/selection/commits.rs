//! Which commits of a branch a subscription takes.

use std::collections::BTreeMap;

use expr::Value;
use jiff::Timestamp;
use resources::GitSubscription;

use super::filter::{self, Filter};
use super::{PathRules, Rule, RulesError, limit};

/// Says what a Git subscription takes of a branch, read once.
#[derive(Debug)]
pub struct CommitRules {
    filter: Filter,
    paths: PathRules,
    since: Option<Timestamp>,
    limit: usize,
}

/// Holds what the rules need to know of a commit, but for the paths that it changes.
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
}

impl CommitRules {
    /// Reads the rules of a subscription.
    pub fn parse(subscription: &GitSubscription) -> Result<Self, RulesError> {
        let since = Some(subscription.since.trim())
            .filter(|it| !it.is_empty())
            .map(str::parse)
            .transpose();
        Ok(Self {
            filter: Filter::parse(&subscription.expression_filter)?,
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
        self.needs_paths() || !self.filter.is_empty()
    }

    /// Says whether a commit that was judged once is judged so for ever: an expression may ask for the time.
    pub fn are_steady(&self) -> bool {
        self.filter.is_empty()
    }

    /// Judges a commit by its time and the expression, which may ask for `now`.
    pub fn judge(&self, commit: &Commit, now: Timestamp) -> Result<Result<(), Rule>, RulesError> {
        if self.since.is_some_and(|since| commit.date < since) {
            return Ok(Err(Rule::Since));
        }
        let passes = self.filter.passes(|| variables(commit), now)?;
        Ok(passes.then_some(()).ok_or(Rule::Expression))
    }

    /// Judges a commit by the paths that it changes compared with its first parent.
    pub fn judge_paths(&self, changed: &[String]) -> Result<(), Rule> {
        self.paths.judge(changed)
    }
}

fn variables(commit: &Commit) -> BTreeMap<String, Value> {
    let Commit {
        id,
        date,
        author,
        committer,
        subject,
    } = commit;
    BTreeMap::from([
        ("id".to_owned(), Value::from(id.as_str())),
        ("commitDate".to_owned(), filter::time(*date)),
        ("author".to_owned(), Value::from(author.as_str())),
        ("committer".to_owned(), Value::from(committer.as_str())),
        ("subject".to_owned(), Value::from(subject.as_str())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> Commit {
        Commit {
            id: "0123456789012345678901234567890123456789".to_owned(),
            date: "2026-02-03T04:05:06Z".parse().expect("a time"),
            author: "Ann <ann@acme.test>".to_owned(),
            committer: "Bob <bob@acme.test>".to_owned(),
            subject: "Release 1.2".to_owned(),
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut GitSubscription), expected: Result<Result<(), Rule>, &str>) {
        let mut subscription = GitSubscription::default();
        change(&mut subscription);
        let now = "2026-02-04T00:00:00Z".parse().expect("a time");
        let judged =
            CommitRules::parse(&subscription).and_then(|rules| rules.judge(&commit(), now));
        match (judged, expected) {
            (Ok(judged), Ok(expected)) => assert_eq!(judged, expected, "{subscription:?}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (judged, expected) => panic!("{subscription:?}: {judged:?}, not {expected:?}"),
        }
    }

    #[track_caller]
    fn check_filter(filter: &str, expected: Result<bool, &str>) {
        let expected = expected.map(|passes| passes.then_some(()).ok_or(Rule::Expression));
        check(|it| it.expression_filter = filter.to_owned(), expected);
    }

    #[test]
    fn a_commit_counts_by_its_expression() {
        check_filter("", Ok(true));
        check_filter("subject startsWith 'Release'", Ok(true));
        check_filter("!(subject contains 'Release')", Ok(false));
        check_filter(
            "author == 'Ann <ann@acme.test>' && committer contains 'bob'",
            Ok(true),
        );
        check_filter("id matches '^0123'", Ok(true));
        check_filter("commitDate.Year() == 2026", Ok(true));
        check_filter("now() - commitDate < duration('24h')", Ok(true));
        check_filter("'true'", Ok(true));
        check_filter("0", Ok(false));
        check_filter("subject", Err("neither true nor false"));
        check_filter("subject +", Err("expressionFilter"));
    }

    #[test]
    fn a_commit_counts_by_its_time() {
        check(
            |it| it.since = "2026-02-03T04:05:06Z".to_owned(),
            Ok(Ok(())),
        );
        check(
            |it| it.since = "2026-02-03T05:05:07+01:00".to_owned(),
            Ok(Err(Rule::Since)),
        );
        check(|it| it.since = "yesterday".to_owned(), Err("since"));
        assert!(
            CommitRules::parse(&GitSubscription::default())
                .expect("rules")
                .since()
                .is_none()
        );
    }

    #[test]
    fn the_rules_say_what_has_to_be_looked_at() {
        let rules = |change: fn(&mut GitSubscription)| {
            let mut subscription = GitSubscription::default();
            change(&mut subscription);
            let rules = CommitRules::parse(&subscription).expect("rules");
            (rules.needs_paths(), rules.passes_over(), rules.are_steady())
        };
        assert_eq!(rules(|_| {}), (false, false, true));
        assert_eq!(
            rules(|it| it.include_paths = vec!["a".to_owned()]),
            (true, true, true)
        );
        assert_eq!(
            rules(|it| it.exclude_paths = vec!["a".to_owned()]),
            (true, true, true)
        );
        assert_eq!(
            rules(|it| it.expression_filter = "true".to_owned()),
            (false, true, false)
        );
    }
}
