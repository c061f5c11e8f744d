//! What people should know of how the newest builds were told.

use jiff::Timestamp;
use resources::names::annotation::NEWEST_BUILD_BY;

use super::listed::credible;
use super::selection::Match;
use super::{Candidate, NewestBuildBy, Rank};

/// Something that is worth knowing of a choice, and no error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    #[error(
        "{count} of the images taken were built at {time}, as reproducible builds are: the one that was uploaded \
         last counts as the newest"
    )]
    BuildTimesEqual { count: usize, time: Timestamp },
    #[error(
        "of {count} of the {of} images taken the registry lists no build time that can be (none, before 2013, or \
         after the upload): they were picked by the time of upload"
    )]
    UploadTimeUsed { count: usize, of: usize },
    #[error(
        "image {tag:?} says another build time than the registry lists, and {unseen:?}, which was not looked at, is \
         about as new: reading every image could have chosen otherwise"
    )]
    PrecedenceMayDiffer { tag: String, unseen: String },
    #[error(
        "annotation {NEWEST_BUILD_BY} asks for the time of upload, which this registry does not list"
    )]
    UploadTimeUnknown,
}

impl Remark {
    /// Gives the word for a condition's reason.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BuildTimesEqual { .. } => "BuildTimesEqual",
            Self::UploadTimeUsed { .. } => "UploadTimeUsed",
            Self::PrecedenceMayDiffer { .. } => "PrecedenceMayDiffer",
            Self::UploadTimeUnknown => "UploadTimeUnknown",
        }
    }
}

/// Says what is worth saying of `taken`, newest first, where `unseen` is the best that was not looked at.
pub(super) fn remarks(
    taken: &[Match],
    unseen: Option<&Candidate>,
    by: NewestBuildBy,
) -> Vec<Remark> {
    let remarks = match by {
        NewestBuildBy::Uploaded => [upload_time_unknown(taken), None, None],
        NewestBuildBy::Built => [
            build_times_equal(taken),
            upload_time_used(taken),
            unseen.and_then(|unseen| precedence_may_differ(taken, unseen)),
        ],
    };
    remarks.into_iter().flatten().collect()
}

fn upload_time_unknown(taken: &[Match]) -> Option<Remark> {
    let is_unknown = taken.iter().any(|it| it.taken.uploaded_at.is_none());
    is_unknown.then_some(Remark::UploadTimeUnknown)
}

/// Finds the first build time that more than one image has and an upload tells apart.
fn build_times_equal(taken: &[Match]) -> Option<Remark> {
    let same = taken.chunk_by(|one, other| one.time.is_some() && one.time == other.time);
    let mut told_apart = same.filter(|same| {
        same.windows(2)
            .any(|pair| pair[0].taken.uploaded_at != pair[1].taken.uploaded_at)
    });
    let same = told_apart.next()?;
    Some(Remark::BuildTimesEqual {
        count: same.len(),
        time: same[0].time?,
    })
}

fn upload_time_used(taken: &[Match]) -> Option<Remark> {
    let uploaded = taken.iter().filter(|it| {
        let is_listed = matches!(it.candidate.rank, Rank::At { .. });
        is_listed && listed_build(&it.candidate).is_none()
    });
    let (count, of) = (uploaded.count(), taken.len());
    (count > 0).then_some(Remark::UploadTimeUsed { count, of })
}

/// Compares what images say of themselves with what was listed of them: as far off, an unseen one could be newer.
fn precedence_may_differ(taken: &[Match], unseen: &Candidate) -> Option<Remark> {
    let unseen_at = listed_build(unseen)?.as_millisecond();
    let mut farthest: Option<(&Match, i64)> = None;
    let mut oldest = i64::MAX;
    for it in taken {
        let (Some(listed), Some(said)) = (listed_build(&it.candidate), it.time) else {
            continue;
        };
        let said = said.as_millisecond();
        oldest = oldest.min(said);
        let off = said - listed.as_millisecond();
        if off != 0 && farthest.is_none_or(|(_, farthest)| off > farthest) {
            farthest = Some((it, off));
        }
    }
    let (farthest, off) = farthest?;
    (unseen_at + off.max(0) > oldest).then(|| Remark::PrecedenceMayDiffer {
        tag: farthest.candidate.tag.clone(),
        unseen: unseen.tag.clone(),
    })
}

fn listed_build(candidate: &Candidate) -> Option<Timestamp> {
    credible(candidate.built_at, candidate.uploaded_at)
}
