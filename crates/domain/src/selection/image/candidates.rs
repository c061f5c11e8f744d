//! The tags that could still be taken, best last, and no more of them than could be looked at.

use std::cmp::Ordering;

use jiff::Timestamp;

use super::listed::{Listed, NewestBuildBy};
use crate::version::Version;

/// Most tags that are looked at: the rest is a mistake or an attack.
pub const LOOKS_BOUND: usize = 50_000;

/// A tag that its name lets pass.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) tag: String,
    pub(super) digest: Option<String>,
    pub(super) built_at: Option<Timestamp>,
    pub(super) uploaded_at: Option<Timestamp>,
    pub(super) rank: Rank,
}

/// What candidates of one selection are compared by before their names; the greatest is the best.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Nothing but the name.
    Name,
    Version(Version),
    /// Newest by what the list says.
    At {
        time: Timestamp,
        uploaded_at: Option<Timestamp>,
    },
    /// The list says no time: only a look can tell.
    Unknown,
}

impl Rank {
    pub(super) fn of(listed: &Listed, by: NewestBuildBy) -> Self {
        match by.time(listed.built_at, listed.uploaded_at) {
            Some(time) => Self::At {
                time,
                uploaded_at: listed.uploaded_at,
            },
            None => Self::Unknown,
        }
    }
}

impl Candidate {
    pub(super) fn new(listed: Listed, rank: Rank) -> Self {
        let Listed {
            mut tag,
            mut digest,
            built_at,
            uploaded_at,
            media_type: _,
        } = listed;
        // There may be many, and they stay for a while.
        tag.shrink_to_fit();
        if let Some(digest) = &mut digest {
            digest.shrink_to_fit();
        }
        Self {
            tag,
            digest,
            built_at,
            uploaded_at,
            rank,
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        (&self.rank, &self.tag).cmp(&(&other.rank, &other.tag))
    }
}

/// Holds the best candidates, each tag once.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Worst first once it is sorted.
    held: Vec<Candidate>,
    is_sorted: bool,
    /// How many were worse than all that are held.
    dropped: usize,
}

impl Candidates {
    pub(super) fn add(&mut self, candidate: Candidate) {
        self.held.push(candidate);
        self.is_sorted = false;
        // Some slack, so that not every tag of a million costs a look at all that are held.
        if self.held.len() >= LOOKS_BOUND + LOOKS_BOUND / 4 {
            self.sort();
            let surplus = self.held.len().saturating_sub(LOOKS_BOUND);
            self.held.drain(..surplus);
            self.dropped += surplus;
        }
    }

    /// Gives the best that is held.
    pub(super) fn best(&mut self) -> Option<&Candidate> {
        self.sort();
        self.held.last()
    }

    /// Takes out the best if `wanted` says so of it.
    pub(super) fn pop_if(&mut self, wanted: impl FnOnce(&Candidate) -> bool) -> Option<Candidate> {
        self.sort();
        self.held.pop_if(|best| wanted(best))
    }

    /// Counts those that are held or would be, were there room.
    pub(super) fn count(&self) -> usize {
        self.held.len() + self.dropped
    }

    fn sort(&mut self) {
        if !self.is_sorted {
            self.held.sort_unstable_by(Candidate::compare);
            self.held.dedup_by(|one, other| one.tag == other.tag);
            self.is_sorted = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: usize) -> Candidate {
        let listed = Listed {
            tag: format!("{number:07}"),
            ..Listed::default()
        };
        Candidate::new(listed, Rank::Name)
    }

    #[test]
    fn the_best_of_any_number_are_held() {
        let mut candidates = Candidates::default();
        for number in 0..200_000 {
            // Neither the order of names nor its reverse.
            candidates.add(candidate(number * 7 % 200_000));
        }
        assert_eq!(candidates.count(), 200_000);
        assert!(candidates.held.len() < LOOKS_BOUND + LOOKS_BOUND / 4);
        for number in (150_000..200_000).rev() {
            let best = candidates.pop_if(|_| true).expect("one of the best");
            assert_eq!(best.tag, candidate(number).tag);
        }
    }

    #[test]
    fn a_tag_that_is_listed_twice_is_held_once() {
        let mut candidates = Candidates::default();
        for number in [3, 1, 3, 2, 1] {
            candidates.add(candidate(number));
        }
        let mut tags = Vec::new();
        while let Some(best) = candidates.pop_if(|_| true) {
            tags.push(best.tag);
        }
        assert_eq!(tags, ["0000003", "0000002", "0000001"]);
        assert!(candidates.best().is_none());
    }
}
