//! Which tags of a Git repository a subscription takes.
//!
//! The names come first and cost nothing. What is behind a tag has to be fetched, and what its commit changes has to be
//! compared, so [`GitTagSelection::next`] asks for as few of either as it can: by name in the order of the strategy; only
//! the newest tag is known when all matching ones were read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use expr::Value;
use jiff::Timestamp;
use resources::GitSubscription;
use resources::subscription::CommitSelectionStrategy;

use super::filter::{self, Filter};
use super::{
    Commit, PathRules, Rule, RuledOut, RulesError, TagRules, Tally, limit, refuse_removed, version,
};
use crate::version::{Constraint, Version};

/// Most tags that are asked for at a time where most may be passed over.
const BATCH: usize = 1_000;

/// Says which tags a Git subscription takes, read once.
#[derive(Debug)]
pub struct GitTagRules {
    order: Order,
    tags: TagRules,
    filter: Filter,
    paths: PathRules,
    limit: usize,
}

/// What comes first.
#[derive(Debug)]
enum Order {
    SemVer {
        strict: bool,
        constraint: Option<Constraint>,
    },
    Lexical,
    NewestTag,
}

/// Holds what was seen of tags and commits so far.
#[derive(Debug, Default)]
pub struct SeenTags {
    /// By the name of the tag.
    pub tags: HashMap<String, TagLook>,
    /// The paths that a commit changes compared with its first parent, by its id.
    pub changed: HashMap<String, Arc<[String]>>,
}

/// Tells what a look at a tag found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagLook {
    Found(TaggedCommit),
    /// The tag names no commit, or nothing that can be read, whoever asks; the text says why.
    Unusable(String),
}

/// A commit with the tag that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedCommit {
    pub commit: Commit,
    /// When the tag was made; for one that is nothing but a name, the date of the commit.
    pub date: Timestamp,
    /// `Name <email>`; empty for a tag that is nothing but a name.
    pub tagger: String,
    /// The first line of the tag's message; empty for a tag that is nothing but a name.
    pub annotation: String,
}

/// Answers what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextTags {
    /// Read these tags, then ask again.
    Read(Vec<String>),
    /// See what the commits with these ids change, then ask again.
    Compare(Vec<String>),
    Selected(SelectedTags),
}

/// Holds the selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelectedTags {
    /// Names and what they name, best first, no more than `discoveryLimit`.
    pub taken: Vec<(String, TaggedCommit)>,
    pub ruled_out: Vec<RuledOut>,
}

impl GitTagRules {
    /// Reads the rules of a subscription whose strategy selects tags; none where it follows a branch.
    pub fn parse(subscription: &GitSubscription) -> Result<Option<Self>, RulesError> {
        let constraint = subscription.semver_constraint.as_str();
        let order = match subscription.commit_selection_strategy {
            CommitSelectionStrategy::NewestFromBranch => return Ok(None),
            CommitSelectionStrategy::SemVer => Order::SemVer {
                strict: subscription.strict_semvers,
                constraint: (!constraint.is_empty())
                    .then(|| Constraint::parse(constraint))
                    .transpose()
                    .map_err(|source| RulesError::Constraint {
                        field: "semverConstraint",
                        source,
                    })?,
            },
            CommitSelectionStrategy::Lexical => Order::Lexical,
            CommitSelectionStrategy::NewestTag => Order::NewestTag,
        };
        refuse_removed(&subscription.allow_tags, &subscription.ignore_tags)?;
        Ok(Some(Self {
            order,
            tags: TagRules::parse(
                &subscription.allow_tags_regexes,
                &subscription.ignore_tags_regexes,
            )?,
            filter: Filter::parse(&subscription.expression_filter)?,
            paths: PathRules::parse(&subscription.include_paths, &subscription.exclude_paths)?,
            limit: limit(subscription.discovery_limit),
        }))
    }

    /// Says whether the changed paths have to be known.
    pub fn needs_paths(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Starts to select among the tags of the repository, putting those that could be taken in order.
    pub fn select(&self, tags: Vec<String>) -> GitTagSelection<'_> {
        let mut ruled_out = Tally::default();
        let mut candidates: Vec<(Option<Version>, String)> = Vec::new();
        for tag in tags {
            match self.judge_name(&tag) {
                Ok(version) => candidates.push((version, tag)),
                Err(rule) => ruled_out.add(tag, rule),
            }
        }
        candidates.sort_by(|one, other| other.cmp(one));
        let candidates = candidates.into_iter().map(|(_, tag)| tag).collect();
        GitTagSelection {
            rules: self,
            candidates,
            ruled_out,
        }
    }

    /// Judges a tag by its name; gives its version where versions are compared.
    fn judge_name(&self, tag: &str) -> Result<Option<Version>, Rule> {
        self.tags.judge(tag)?;
        match &self.order {
            Order::SemVer { strict, constraint } => {
                version(tag, *strict, ("semverConstraint", constraint.as_ref())).map(Some)
            }
            Order::Lexical | Order::NewestTag => Ok(None),
        }
    }

    /// Says whether tags that were read may be passed over.
    fn passes_over(&self) -> bool {
        self.needs_paths() || !self.filter.is_empty()
    }
}

/// Selects among the tags of one repository.
#[derive(Debug)]
pub struct GitTagSelection<'a> {
    rules: &'a GitTagRules,
    /// Best first; for the newest tag in no order that matters.
    candidates: Vec<String>,
    ruled_out: Tally,
}

impl GitTagSelection<'_> {
    /// Gives the tags that pass by their names.
    pub fn candidates(&self) -> &[String] {
        &self.candidates
    }

    /// Says what to look at next, or what is selected. Expressions may ask for `now`.
    pub fn next(&self, seen: &SeenTags, now: Timestamp) -> Result<NextTags, RulesError> {
        let in_order = match self.rules.order {
            Order::SemVer { .. } | Order::Lexical => self.candidates.iter().collect(),
            Order::NewestTag => match self.by_date(seen) {
                Ok(in_order) => in_order,
                Err(unread) => return Ok(NextTags::Read(unread)),
            },
        };
        let (mut unread, mut uncompared) = (Vec::new(), Vec::new());
        let (mut taken, mut ruled_out) = (Vec::new(), self.ruled_out.clone());
        let mut known = 0;
        for tag in in_order {
            let asked = unread.len() + uncompared.len();
            if taken.len() == self.rules.limit || asked >= self.wanted(taken.len(), known) {
                break;
            }
            let Some(look) = seen.tags.get(tag) else {
                unread.push(tag.clone());
                continue;
            };
            match self.judge(tag, look, seen, now)? {
                Judged::Uncompared(id) => {
                    uncompared.push(id);
                    continue;
                }
                Judged::Taken(commit) => taken.push((tag.clone(), commit)),
                Judged::Out(rule) => ruled_out.add(tag.clone(), rule),
            }
            known += 1;
        }
        if !unread.is_empty() {
            return Ok(NextTags::Read(unread));
        }
        if !uncompared.is_empty() {
            uncompared.sort();
            uncompared.dedup();
            return Ok(NextTags::Compare(uncompared));
        }
        Ok(NextTags::Selected(SelectedTags {
            taken,
            ruled_out: ruled_out.told(),
        }))
    }

    /// Says how many to ask for: as many as are missing, and twice as many each time where most are passed over.
    fn wanted(&self, taken: usize, known: usize) -> usize {
        let missing = self.rules.limit - taken;
        if self.rules.passes_over() {
            missing.max(known.min(BATCH))
        } else {
            missing
        }
    }

    /// Puts the tags in order as `git for-each-ref --sort=-creatordate` does: equal dates by name, `a` first.
    fn by_date<'a>(&'a self, seen: &SeenTags) -> Result<Vec<&'a String>, Vec<String>> {
        let unread = self
            .candidates
            .iter()
            .filter(|tag| !seen.tags.contains_key(*tag));
        let unread: Vec<String> = unread.cloned().collect();
        if !unread.is_empty() {
            return Err(unread);
        }
        let date = |tag: &String| match seen.tags.get(tag) {
            Some(TagLook::Found(tagged)) => Some(tagged.date),
            Some(TagLook::Unusable(_)) | None => None,
        };
        let mut in_order: Vec<&String> = self.candidates.iter().collect();
        in_order.sort_by_cached_key(|tag| (Reverse(date(tag)), *tag));
        Ok(in_order)
    }

    fn judge(
        &self,
        tag: &str,
        look: &TagLook,
        seen: &SeenTags,
        now: Timestamp,
    ) -> Result<Judged, RulesError> {
        let tagged = match look {
            TagLook::Found(tagged) => tagged,
            TagLook::Unusable(why) => return Ok(Judged::Out(Rule::Unusable(why.clone()))),
        };
        let GitTagRules { filter, paths, .. } = self.rules;
        if !filter.passes(|| variables(tag, tagged), now)? {
            return Ok(Judged::Out(Rule::Expression));
        }
        if self.rules.needs_paths() {
            let id = &tagged.commit.id;
            match seen.changed.get(id).map(|changed| paths.judge(changed)) {
                None => return Ok(Judged::Uncompared(id.clone())),
                Some(Err(rule)) => return Ok(Judged::Out(rule)),
                Some(Ok(())) => {}
            }
        }
        Ok(Judged::Taken(tagged.clone()))
    }
}

/// What the rules make of a tag that was read.
enum Judged {
    Taken(TaggedCommit),
    Out(Rule),
    /// It depends on what the commit with this id changes.
    Uncompared(String),
}

fn variables(tag: &str, tagged: &TaggedCommit) -> BTreeMap<String, Value> {
    let TaggedCommit {
        commit:
            Commit {
                id,
                date: _,
                author,
                committer,
                subject,
            },
        date,
        tagger,
        annotation,
    } = tagged;
    BTreeMap::from([
        ("tag".to_owned(), Value::from(tag)),
        ("id".to_owned(), Value::from(id.as_str())),
        ("creatorDate".to_owned(), filter::time(*date)),
        ("author".to_owned(), Value::from(author.as_str())),
        ("committer".to_owned(), Value::from(committer.as_str())),
        ("subject".to_owned(), Value::from(subject.as_str())),
        ("tagger".to_owned(), Value::from(tagger.as_str())),
        ("annotation".to_owned(), Value::from(annotation.as_str())),
    ])
}

#[cfg(test)]
mod tests;
