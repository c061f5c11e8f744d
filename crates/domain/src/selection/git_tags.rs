//! Which tags of a Git repository a subscription takes.
//!
//! The names come first and cost nothing. What is behind a tag has to be fetched, and what its commit changes has to be
//! compared, so [`GitTagSelection::next`] asks for as few of either as it can: by name in the order of the strategy; only
//! the newest tag is known when all matching ones were read. Of any number of names no more are held than could be read.

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

/// Most tags that are read for one subscription: the rest is a mistake or an attack.
pub const READS_BOUND: usize = 50_000;
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

    /// Starts to select. No tag has been listed yet.
    pub fn start(&self) -> GitTagNames<'_> {
        GitTagNames {
            rules: self,
            best: Vec::new(),
            ruled_out: Tally::default(),
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

/// Judges the tags of one repository by their names while they are listed.
#[derive(Debug)]
pub struct GitTagNames<'a> {
    rules: &'a GitTagRules,
    /// Of those that pass the best, in no order until they are many.
    best: Vec<(Option<Version>, &'a str)>,
    ruled_out: Tally,
}

impl<'a> GitTagNames<'a> {
    /// Takes a tag; says whether it passes by its name.
    pub fn offer(&mut self, tag: &'a str) -> bool {
        match self.rules.judge_name(tag) {
            Ok(version) => self.best.push((version, tag)),
            Err(rule) => {
                self.ruled_out.add(tag.to_owned(), rule);
                return false;
            }
        }
        // Some slack, so that not every tag costs a look at all that are held.
        if self.best.len() >= 2 * READS_BOUND {
            self.keep_best();
        }
        true
    }

    /// Goes on with those that pass.
    pub fn selection(mut self) -> GitTagSelection<'a> {
        self.keep_best();
        let candidates = self.best.into_iter().map(|(_, tag)| tag);
        GitTagSelection {
            rules: self.rules,
            candidates: candidates.collect(),
            ruled_out: self.ruled_out,
        }
    }

    /// Keeps one more than can be read: whoever is asked for it knows that there are too many.
    fn keep_best(&mut self) {
        self.best.sort_unstable_by(|one, other| other.cmp(one));
        self.best.dedup_by(|one, other| one.1 == other.1);
        self.best.truncate(READS_BOUND + 1);
    }
}

/// Selects among the tags of one repository.
#[derive(Debug)]
pub struct GitTagSelection<'a> {
    rules: &'a GitTagRules,
    /// Best first; for the newest tag in no order that matters.
    candidates: Vec<&'a str>,
    ruled_out: Tally,
}

impl GitTagSelection<'_> {
    /// Says that no tag passes by its name.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// Says what to look at next, or what is selected. Expressions may ask for `now`.
    pub fn next(&self, seen: &SeenTags, now: Timestamp) -> Result<NextTags, RulesError> {
        let in_order = match self.rules.order {
            Order::SemVer { .. } | Order::Lexical => self.candidates.clone(),
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
                unread.push(tag.to_owned());
                continue;
            };
            match self.judge(tag, look, seen, now)? {
                Judged::Uncompared(id) => {
                    uncompared.push(id);
                    continue;
                }
                Judged::Taken(commit) => taken.push((tag.to_owned(), commit)),
                Judged::Out(rule) => ruled_out.add(tag.to_owned(), rule),
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
    fn by_date(&self, seen: &SeenTags) -> Result<Vec<&str>, Vec<String>> {
        let candidates = self.candidates.iter().copied();
        let unread = candidates.filter(|tag| !seen.tags.contains_key(*tag));
        let unread: Vec<String> = unread.map(str::to_owned).collect();
        if !unread.is_empty() {
            return Err(unread);
        }
        let date = |tag: &str| match seen.tags.get(tag) {
            Some(TagLook::Found(tagged)) => Some(tagged.date),
            Some(TagLook::Unusable(_)) | None => None,
        };
        let mut in_order = self.candidates.clone();
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
