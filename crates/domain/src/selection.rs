//! Which discovered artifacts a subscription takes.
//!
//! Listing a repository can take a million tags, and looking at every image of it a request or three for each, so the
//! rules steer both: [`ImageSelection::next_step`] is asked again and again what it takes to go on, and keeps of what it is
//! told only what could still be taken. Same input, same answer.
//!
//! ```text
//! ImageSubscription → ImageRules ─ start() → ImageSelection ─ next() → List       → offer() tags, page_ended(), ask again
//!                                                                    → Fetch(tags) → look, saw(), ask again
//!                                                                    → Selected { taken, ruled_out, remarks }
//! ```
//!
//! For the commits of a branch, [`CommitRules`] says which count; for the tags of a Git repository, [`GitTagSelection::next`]
//! is asked as for images; for the versions of a chart, [`ChartRules`] decide, one
//! by one as well ([`ChartSelection`]).

mod charts;
mod commits;
mod filter;
mod git_tags;
mod image;
mod paths;
mod platform;
mod ruled_out;
mod tags;

use resources::subscription::MAX_DISCOVERY_LIMIT;

use crate::version::{Constraint, ConstraintError, Version};

pub use charts::{ChartRules, ChartSelection, ChartSource, SelectedVersions};
pub use commits::{Commit, CommitRules};
pub use git_tags::{
    GitTagNames, GitTagRules, GitTagSelection, NextTags, READS_BOUND, SeenTags, SelectedTags,
    TagLook, TaggedCommit,
};
pub use image::{
    Image, ImageRules, ImageSelection, LOOKS_BOUND, Listed, Look, NewestBuildBy,
    NewestBuildByError, Next, PlatformImage, Remark, Rest, Selected, Taken, Wanted,
};
pub use paths::PathRules;
pub use platform::{Platform, PlatformError};
pub use ruled_out::{RuledOut, Tally};
pub use tags::TagRules;

/// Why a subscription cannot be followed: a person has to change it.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("failed to read {field}")]
    Constraint {
        field: &'static str,
        source: ConstraintError,
    },
    #[error("{field} has an unusable pattern {pattern:?}: {why}")]
    Pattern {
        field: &'static str,
        pattern: String,
        why: String,
    },
    #[error("{field} cannot be evaluated: {why}")]
    Expression { field: &'static str, why: String },
    #[error("failed to read {field}")]
    Time {
        field: &'static str,
        source: jiff::Error,
    },
    #[error("failed to read platform")]
    Platform { source: PlatformError },
    #[error("name {why}")]
    Name { why: &'static str },
    #[error("constraint must name the tag to follow when imageSelectionStrategy is Digest")]
    NoTag,
    #[error("{field} is no longer supported: use {instead}")]
    Removed {
        field: &'static str,
        instead: &'static str,
    },
}

/// Names the rule that leaves a tag, a commit or a version out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rule {
    #[error("ignoreTagsRegexes has {0:?}")]
    Ignored(String),
    #[error("allowTagsRegexes has nothing for it")]
    NotAllowed,
    #[error("it is no semantic version")]
    NoVersion,
    #[error("it is no strict semantic version")]
    NotStrict,
    #[error("it is no strict semantic version, which a chart in a registry needs")]
    NotStrictInRegistry,
    /// By the name of the field.
    #[error("{0} does not allow it")]
    Constraint(&'static str),
    #[error("higher versions fill discoveryLimit")]
    Limit,
    #[error("it has no image for the platform")]
    Platform,
    #[error("it is older than since")]
    Since,
    #[error("expressionFilter is not true for it")]
    Expression,
    #[error("it changes no file that includePaths and excludePaths ask for")]
    Paths,
    #[error("it has gone since it was listed")]
    Gone,
    #[error("{0}")]
    Unusable(String),
}

fn limit(discovery_limit: i64) -> usize {
    usize::try_from(discovery_limit.clamp(1, MAX_DISCOVERY_LIMIT))
        .expect("the limit is between 1 and 100")
}

/// Refuses the fields that later ones replaced: to pass them by would let tags through that nobody wants.
fn refuse_removed(allow_tags: &str, ignore_tags: &[String]) -> Result<(), RulesError> {
    if !allow_tags.is_empty() {
        return Err(RulesError::Removed {
            field: "allowTags",
            instead: "allowTagsRegexes",
        });
    }
    if !ignore_tags.is_empty() {
        return Err(RulesError::Removed {
            field: "ignoreTags",
            instead: "ignoreTagsRegexes",
        });
    }
    Ok(())
}

/// Reads the version that a tag is, if it is one that is asked for in `field`.
fn version(
    tag: &str,
    strict: bool,
    (field, constraint): (&'static str, Option<&Constraint>),
) -> Result<Version, Rule> {
    let version = Version::parse(tag).map_err(|_| Rule::NoVersion)?;
    if strict && Version::parse_strict(tag.strip_prefix('v').unwrap_or(tag)).is_err() {
        return Err(Rule::NotStrict);
    }
    if constraint.is_some_and(|constraint| !constraint.allows(&version)) {
        return Err(Rule::Constraint(field));
    }
    Ok(version)
}
