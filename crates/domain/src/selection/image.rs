//! Which images of a repository are taken: what there is to know, and the rules of a subscription.

mod candidates;
mod listed;
mod remarks;
mod selection;

use std::collections::BTreeMap;

use jiff::Timestamp;
use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;

use self::candidates::{Candidate, Rank};
use super::{Platform, Rule, RuledOut, RulesError, TagRules, limit, refuse_removed, version};
use crate::version::Constraint;

pub use candidates::LOOKS_BOUND;
pub use listed::{Listed, NewestBuildBy, NewestBuildByError, Rest};
pub use remarks::Remark;
pub use selection::ImageSelection;

/// Media types of what a tag of an image names, in the words of OCI and of Docker.
const IMAGE_TYPES: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// Says what an image subscription takes, read once.
#[derive(Debug)]
pub struct ImageRules {
    strategy: Strategy,
    platform: Option<Platform>,
    limit: usize,
    newest_build_by: NewestBuildBy,
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
    /// Offer the next page of tags, then ask again.
    List,
    /// Look at these, then ask again.
    Fetch(Vec<Wanted>),
    Selected(Selected),
    /// So many tags match that not all can be looked at that would have to be.
    TooMany {
        count: usize,
    },
}

/// Names an image to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub tag: String,
    /// What the list says the tag names; none where it says nothing.
    pub digest: Option<String>,
}

/// Holds the selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Best first, no more than `discoveryLimit`.
    pub taken: Vec<Taken>,
    pub ruled_out: Vec<RuledOut>,
    pub remarks: Vec<Remark>,
}

/// An image that is taken, with the annotations of the platform that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub tag: String,
    pub digest: String,
    pub created_at: Option<Timestamp>,
    /// None where the registry's list does not say.
    pub uploaded_at: Option<Timestamp>,
    pub annotations: BTreeMap<String, String>,
}

impl ImageRules {
    /// Reads the rules of a subscription.
    pub fn parse(subscription: &ImageSubscription) -> Result<Self, RulesError> {
        refuse_removed(&subscription.allow_tags, &subscription.ignore_tags)?;
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
            newest_build_by: NewestBuildBy::default(),
        })
    }

    /// Lets another time than the default decide what is newest.
    #[must_use]
    pub fn with_newest_build_by(self, newest_build_by: NewestBuildBy) -> Self {
        Self {
            newest_build_by,
            ..self
        }
    }

    /// Says whether images are chosen by platform, so that an image's own has to be known.
    pub fn needs_platform(&self) -> bool {
        self.platform.is_some()
    }

    /// Says whether the tags of the repository have to be listed. One strategy looks at a single tag.
    pub fn needs_tags(&self) -> bool {
        !matches!(self.strategy, Strategy::Digest { .. })
    }

    /// Says whether a list with the newest first can be left before its end.
    pub fn takes_newest(&self) -> bool {
        matches!(self.strategy, Strategy::NewestBuild { .. })
    }

    /// Starts to select. Nothing has been listed yet.
    pub fn start(&self) -> ImageSelection<'_> {
        ImageSelection::new(self)
    }

    /// Judges a tag by what a list says of it; one that passes comes with what it is compared by.
    fn judge(&self, listed: Listed) -> Result<Candidate, (String, Rule)> {
        let rank = match &self.strategy {
            Strategy::SemVer {
                tags,
                strict,
                constraint,
            } => tags.judge(&listed.tag).and_then(|()| {
                version(&listed.tag, *strict, ("constraint", constraint.as_ref()))
                    .map(Rank::Version)
            }),
            Strategy::Lexical { tags } => tags.judge(&listed.tag).map(|()| Rank::Name),
            Strategy::NewestBuild { tags } => tags
                .judge(&listed.tag)
                .map(|()| Rank::of(&listed, self.newest_build_by)),
            Strategy::Digest { .. } => Ok(Rank::Name),
        };
        let rank = rank.and_then(|rank| check_media_type(&listed).map(|()| rank));
        match rank {
            Ok(rank) => Ok(Candidate::new(listed, rank)),
            Err(rule) => Err((listed.tag, rule)),
        }
    }

    /// Judges an image by what a look at it found.
    fn judge_look(&self, candidate: &Candidate, look: Look) -> Result<Taken, Rule> {
        let image = match look {
            Look::Found(image) => image,
            Look::Gone => return Err(Rule::Gone),
            Look::Unusable(why) => return Err(Rule::Unusable(why)),
        };
        let mut annotations = image.annotations;
        if let Some(platform) = &self.platform {
            let matching = image
                .platforms
                .into_iter()
                .find(|it| it.platform == *platform)
                .ok_or(Rule::Platform)?;
            annotations.extend(matching.annotations);
        }
        Ok(Taken {
            tag: candidate.tag.clone(),
            digest: image.digest,
            created_at: image.created_at,
            uploaded_at: candidate.uploaded_at,
            annotations,
        })
    }
}

/// Spares a look at what the list itself says is no image.
fn check_media_type(listed: &Listed) -> Result<(), Rule> {
    let said = listed.media_type.as_deref().filter(|it| !it.is_empty());
    match said.filter(|it| !IMAGE_TYPES.contains(it)) {
        None => Ok(()),
        Some(other) => {
            let shown: String = other.chars().take(100).collect();
            let why = format!("media type {shown:?} is not that of an image");
            Err(Rule::Unusable(why))
        }
    }
}

#[cfg(test)]
mod tests;
