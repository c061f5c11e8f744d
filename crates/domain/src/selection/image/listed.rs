//! What a registry's list says of a tag, and which of the two times it may hold counts.

use std::str::FromStr;

use jiff::Timestamp;
use resources::names::annotation::NEWEST_BUILD_BY;

/// No image is older than this: the first container engine that made any is of March 2013. In seconds.
const FIRST_IMAGES: i64 = 1_356_998_400;

/// A tag as it is listed. Plain registries tell no more than its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    pub tag: String,
    pub digest: Option<String>,
    /// What the image itself says; reproducible builds name any time they like.
    pub built_at: Option<Timestamp>,
    /// When the registry was given the image.
    pub uploaded_at: Option<Timestamp>,
    /// Of what the tag names.
    pub media_type: Option<String>,
}

/// Says what the pages of a list hold that are still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    Nothing,
    Anything,
    /// Nothing that was uploaded later than this, so nothing that was built later either.
    UploadedUntil(Timestamp),
}

/// Which time makes an image the newest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum NewestBuildBy {
    #[default]
    Built,
    Uploaded,
}

/// Says that the annotation of a Warehouse makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("annotation {NEWEST_BUILD_BY} is {text:?}, and has to be built or uploaded")]
pub struct NewestBuildByError {
    text: String,
}

impl NewestBuildByError {
    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        format!(
            "correct it: kubectl annotate warehouse NAME {NEWEST_BUILD_BY}=uploaded --overwrite"
        )
    }
}

impl FromStr for NewestBuildBy {
    type Err = NewestBuildByError;

    fn from_str(text: &str) -> Result<Self, NewestBuildByError> {
        match text {
            "built" => Ok(Self::Built),
            "uploaded" => Ok(Self::Uploaded),
            other => Err(NewestBuildByError {
                text: other.chars().take(100).collect(),
            }),
        }
    }
}

impl NewestBuildBy {
    /// Gives the time that counts; where an image names none that can be, it is the time of upload.
    pub(super) fn time(
        self,
        built_at: Option<Timestamp>,
        uploaded_at: Option<Timestamp>,
    ) -> Option<Timestamp> {
        match self {
            Self::Built => credible(built_at, uploaded_at).or(uploaded_at).or(built_at),
            Self::Uploaded => uploaded_at.or(built_at),
        }
    }
}

/// Passes a build time that can be: of an age with images, and no later than the upload.
pub(super) fn credible(
    built_at: Option<Timestamp>,
    uploaded_at: Option<Timestamp>,
) -> Option<Timestamp> {
    built_at.filter(|built_at| {
        built_at.as_second() >= FIRST_IMAGES
            && uploaded_at.is_none_or(|uploaded_at| *built_at <= uploaded_at)
    })
}
