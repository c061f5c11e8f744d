//! Which discovered artifacts a subscription takes.
//!
//! Looking at every image of a repository would cost a request or three for each, so the rules steer the looking:
//! [`ImageRules::select`] starts from a plain list of tags, and [`ImageSelection::next`] is asked again and again, with
//! all that was seen so far, whether more has to be fetched or the selection is made. Same input, same answer.
//!
//! ```text
//! ImageSubscription → ImageRules ─(tags)→ ImageSelection ─ next(&Seen) → Fetch(tags)  → look, ask again
//!                                                                      → Selected { taken, ruled_out }
//! ```
//!
//! For the commits of a branch, [`CommitRules`] says which count; for the versions of a chart, [`ChartRules`].

mod charts;
mod commits;
mod paths;
mod platform;
mod tags;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use resources::ImageSubscription;
use resources::subscription::{ImageSelectionStrategy, MAX_DISCOVERY_LIMIT};

use crate::version::{Constraint, ConstraintError, Version};

pub use charts::{ChartRule, ChartRules, ChartSource, RuledOutVersion, SelectedVersions};
pub use commits::{Commit, CommitRules};
pub use paths::PathRules;
pub use platform::{Platform, PlatformError};
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

/// Says what an image subscription takes, read once.
#[derive(Debug)]
pub struct ImageRules {
    strategy: Strategy,
    platform: Option<Platform>,
    limit: usize,
}

#[derive(Debug)]
enum Strategy {
    SemVer {
        tags: TagRules,
        strict: bool,
        constraint: Option<Constraint>,
    },
    Digest {
        tag: String,
    },
    Lexical {
        tags: TagRules,
    },
    NewestBuild {
        tags: TagRules,
    },
}

/// Holds what was seen of the images behind tags so far.
pub type Seen = HashMap<String, Look>;

/// Tells what a look at a tag found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Found(Image),
    /// The tag has gone since it was listed.
    Gone,
    /// What the tag names is no image, whoever asks; the text says why.
    Unusable(String),
}

/// Holds what the rules need to know of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Digest of what the tag names, an index included.
    pub digest: String,
    pub created_at: Option<Timestamp>,
    pub annotations: BTreeMap<String, String>,
    pub platforms: Vec<PlatformImage>,
}

/// Holds what an index says of its image for one platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlatformImage {
    pub platform: Platform,
    pub annotations: BTreeMap<String, String>,
}

/// Answers what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Look at these tags, then ask again.
    Fetch(Vec<String>),
    Selected(Selected),
}

/// Holds the selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Best first, no more than `discoveryLimit`.
    pub taken: Vec<Taken>,
    pub ruled_out: Vec<RuledOut>,
}

/// An image that is taken, with the annotations of the platform that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub tag: String,
    pub digest: String,
    pub created_at: Option<Timestamp>,
    pub annotations: BTreeMap<String, String>,
}

/// A tag that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuledOut {
    pub tag: String,
    pub rule: Rule,
}

/// Names the rule that leaves a tag out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    #[error("ignoreTagsRegexes has {0:?}")]
    Ignored(String),
    #[error("allowTagsRegexes has nothing for it")]
    NotAllowed,
    #[error("it is no semantic version")]
    NoVersion,
    #[error("it is no strict semantic version")]
    NotStrict,
    #[error("constraint does not allow it")]
    Constraint,
    #[error("it has no image for the platform")]
    Platform,
    #[error("it has gone since it was listed")]
    Gone,
    #[error("{0}")]
    Unusable(String),
}

impl ImageRules {
    /// Reads the rules of a subscription.
    pub fn parse(subscription: &ImageSubscription) -> Result<Self, RulesError> {
        if !subscription.allow_tags.is_empty() {
            return Err(RulesError::Removed {
                field: "allowTags",
                instead: "allowTagsRegexes",
            });
        }
        if !subscription.ignore_tags.is_empty() {
            return Err(RulesError::Removed {
                field: "ignoreTags",
                instead: "ignoreTagsRegexes",
            });
        }
        let tags = || {
            TagRules::parse(
                &subscription.allow_tags_regexes,
                &subscription.ignore_tags_regexes,
            )
        };
        let constraint = subscription.constraint.as_str();
        let strategy = match subscription.image_selection_strategy {
            ImageSelectionStrategy::SemVer => Strategy::SemVer {
                tags: tags()?,
                strict: subscription.strict_semvers,
                constraint: (!constraint.is_empty())
                    .then(|| Constraint::parse(constraint))
                    .transpose()
                    .map_err(|source| RulesError::Constraint {
                        field: "constraint",
                        source,
                    })?,
            },
            ImageSelectionStrategy::Digest if constraint.is_empty() => {
                return Err(RulesError::NoTag);
            }
            ImageSelectionStrategy::Digest => Strategy::Digest {
                tag: constraint.to_owned(),
            },
            ImageSelectionStrategy::Lexical => Strategy::Lexical { tags: tags()? },
            ImageSelectionStrategy::NewestBuild => Strategy::NewestBuild { tags: tags()? },
        };
        let platform = Some(subscription.platform.as_str())
            .filter(|it| !it.is_empty())
            .map(str::parse)
            .transpose();
        Ok(Self {
            strategy,
            platform: platform.map_err(|source| RulesError::Platform { source })?,
            limit: limit(subscription.discovery_limit),
        })
    }

    /// Says whether the tags of the repository have to be listed. One strategy looks at a single tag.
    pub fn needs_tags(&self) -> bool {
        !matches!(self.strategy, Strategy::Digest { .. })
    }

    /// Says whether images are chosen by platform, so that an image's own has to be known.
    pub fn needs_platform(&self) -> bool {
        self.platform.is_some()
    }

    /// Starts to select among the tags of the repository, putting those that could be taken in order.
    pub fn select(&self, tags: Vec<String>) -> ImageSelection<'_> {
        let mut ruled_out = Vec::new();
        let candidates = match &self.strategy {
            Strategy::Digest { tag } => vec![tag.clone()],
            Strategy::SemVer {
                tags: rules,
                strict,
                constraint,
            } => {
                let judge = |tag: &String| {
                    rules
                        .judge(tag)
                        .and_then(|()| version(tag, *strict, constraint.as_ref()))
                };
                let mut versions = sift(tags, judge, &mut ruled_out);
                versions.sort_by(|(one_tag, one), (other_tag, other)| {
                    other.cmp(one).then_with(|| other_tag.cmp(one_tag))
                });
                versions.into_iter().map(|(tag, _)| tag).collect()
            }
            Strategy::Lexical { tags: rules } | Strategy::NewestBuild { tags: rules } => {
                let mut left = sift(tags, |tag| rules.judge(tag), &mut ruled_out);
                left.sort_by(|(one, ()), (other, ())| other.cmp(one));
                left.into_iter().map(|(tag, ())| tag).collect()
            }
        };
        ImageSelection {
            rules: self,
            candidates,
            ruled_out,
        }
    }
}

fn limit(discovery_limit: i64) -> usize {
    usize::try_from(discovery_limit.clamp(1, MAX_DISCOVERY_LIMIT))
        .expect("the limit is between 1 and 100")
}

fn version(tag: &str, strict: bool, constraint: Option<&Constraint>) -> Result<Version, Rule> {
    let version = Version::parse(tag).map_err(|_| Rule::NoVersion)?;
    if strict && Version::parse_strict(tag.strip_prefix('v').unwrap_or(tag)).is_err() {
        return Err(Rule::NotStrict);
    }
    if constraint.is_some_and(|constraint| !constraint.allows(&version)) {
        return Err(Rule::Constraint);
    }
    Ok(version)
}

/// Keeps the tags that pass with what the judge made of them, and says why the others do not.
fn sift<T>(
    tags: Vec<String>,
    judge: impl Fn(&String) -> Result<T, Rule>,
    ruled_out: &mut Vec<RuledOut>,
) -> Vec<(String, T)> {
    let mut left = Vec::new();
    for tag in tags {
        match judge(&tag) {
            Ok(made) => left.push((tag, made)),
            Err(rule) => ruled_out.push(RuledOut { tag, rule }),
        }
    }
    left
}

/// Selects among the images of one repository.
#[derive(Debug)]
pub struct ImageSelection<'a> {
    rules: &'a ImageRules,
    /// Best first; for the newest build in no order that matters.
    candidates: Vec<String>,
    ruled_out: Vec<RuledOut>,
}

impl ImageSelection<'_> {
    /// Says what to look at next, or what is selected.
    pub fn next(&self, seen: &Seen) -> Next {
        match self.rules.strategy {
            Strategy::NewestBuild { .. } => self.newest(seen),
            Strategy::SemVer { .. } | Strategy::Digest { .. } | Strategy::Lexical { .. } => {
                self.first(seen)
            }
        }
    }

    /// Takes the first that fit: looks only as far down the list as it must.
    fn first(&self, seen: &Seen) -> Next {
        let (mut taken, mut ruled_out, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for tag in &self.candidates {
            if taken.len() + wanted.len() >= self.rules.limit {
                break;
            }
            match seen.get(tag).map(|look| self.judge(tag, look)) {
                None => wanted.push(tag.clone()),
                Some(Ok(image)) => taken.push(image),
                Some(Err(rule)) => ruled_out.push(RuledOut {
                    tag: tag.clone(),
                    rule,
                }),
            }
        }
        if !wanted.is_empty() {
            return Next::Fetch(wanted);
        }
        ruled_out.extend(self.ruled_out.iter().cloned());
        Next::Selected(Selected { taken, ruled_out })
    }

    /// Takes those built last, for which all have to be looked at.
    fn newest(&self, seen: &Seen) -> Next {
        let wanted: Vec<String> = self
            .candidates
            .iter()
            .filter(|tag| !seen.contains_key(*tag))
            .cloned()
            .collect();
        if !wanted.is_empty() {
            return Next::Fetch(wanted);
        }
        let mut selected = Selected {
            taken: Vec::new(),
            ruled_out: self.ruled_out.clone(),
        };
        for (tag, look) in self
            .candidates
            .iter()
            .filter_map(|tag| Some((tag, seen.get(tag)?)))
        {
            match self.judge(tag, look) {
                Ok(taken) => selected.taken.push(taken),
                Err(rule) => selected.ruled_out.push(RuledOut {
                    tag: tag.clone(),
                    rule,
                }),
            }
        }
        selected.taken.sort_by(|one, other| {
            Reverse((one.created_at, &one.tag)).cmp(&Reverse((other.created_at, &other.tag)))
        });
        selected.taken.truncate(self.rules.limit);
        Next::Selected(selected)
    }

    fn judge(&self, tag: &str, look: &Look) -> Result<Taken, Rule> {
        let image = match look {
            Look::Found(image) => image,
            Look::Gone => return Err(Rule::Gone),
            Look::Unusable(why) => return Err(Rule::Unusable(why.clone())),
        };
        let mut annotations = image.annotations.clone();
        if let Some(platform) = &self.rules.platform {
            let matching = image
                .platforms
                .iter()
                .find(|it| it.platform == *platform)
                .ok_or(Rule::Platform)?;
            annotations.extend(matching.annotations.clone());
        }
        Ok(Taken {
            tag: tag.to_owned(),
            digest: image.digest.clone(),
            created_at: image.created_at,
            annotations,
        })
    }
}

#[cfg(test)]
mod tests;
