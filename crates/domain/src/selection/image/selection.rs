//! Selects among the images of one repository, step by step.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::candidates::{Candidate, Candidates, LOOKS_BOUND, Rank};
use super::remarks::remarks;
use super::{ImageRules, Listed, Look, Next, Rest, Selected, Strategy, Taken, Wanted};
use crate::selection::Tally;

/// Holds of all tags that were listed those that could still be taken, and of those looked at the best.
#[derive(Debug)]
pub struct ImageSelection<'a> {
    rules: &'a ImageRules,
    rest: Rest,
    candidates: Candidates,
    /// How many candidates came whose time no list tells: all of them have to be looked at.
    unknown: usize,
    /// Those that are being looked at, by tag.
    asked: HashMap<String, Candidate>,
    /// Every tag that was ever asked for: pages may overlap.
    known: HashSet<String>,
    taken: Vec<Match>,
    /// How many fit of those whose place in the order was known before: they count towards the limit.
    in_order: usize,
    ruled_out: Tally,
}

/// A candidate that fits.
#[derive(Debug)]
pub(super) struct Match {
    pub(super) candidate: Candidate,
    pub(super) taken: Taken,
    /// When it counts as built.
    pub(super) time: Option<Timestamp>,
}

impl<'a> ImageSelection<'a> {
    pub(super) fn new(rules: &'a ImageRules) -> Self {
        let mut selection = Self {
            rules,
            rest: Rest::Anything,
            candidates: Candidates::default(),
            unknown: 0,
            asked: HashMap::new(),
            known: HashSet::new(),
            taken: Vec::new(),
            in_order: 0,
            ruled_out: Tally::default(),
        };
        if let Strategy::Digest { tag } = &rules.strategy {
            selection.offer(Listed {
                tag: tag.clone(),
                ..Listed::default()
            });
            selection.page_ended(Rest::Nothing);
        }
        selection
    }

    /// Takes a tag of a page.
    pub fn offer(&mut self, listed: Listed) {
        match self.rules.judge(listed) {
            Ok(candidate) => {
                self.unknown += usize::from(candidate.rank == Rank::Unknown);
                self.candidates.add(candidate);
            }
            Err((tag, rule)) => self.ruled_out.add(tag, rule),
        }
    }

    /// Takes note that a page has ended.
    pub fn page_ended(&mut self, rest: Rest) {
        self.rest = rest;
    }

    /// Takes what a look at a tag found that was asked for.
    pub fn saw(&mut self, tag: &str, look: Look) {
        let Some(candidate) = self.asked.remove(tag) else {
            return;
        };
        match self.rules.judge_look(&candidate, look) {
            Ok(taken) => {
                self.in_order += usize::from(candidate.rank != Rank::Unknown);
                let by = self.rules.newest_build_by;
                let time = by.time(taken.created_at, taken.uploaded_at);
                self.taken.push(Match {
                    candidate,
                    taken,
                    time,
                });
                if self.taken.len() >= 4 * self.rules.limit {
                    self.keep_best();
                }
            }
            Err(rule) => self.ruled_out.add(tag.to_owned(), rule),
        }
    }

    /// Says what to do next, or what is selected.
    pub fn next(&mut self) -> Next {
        if self.rest == Rest::Anything {
            return Next::List;
        }
        if self.unknown > LOOKS_BOUND {
            let count = self.unknown;
            return Next::TooMany { count };
        }
        let mut open = self.rules.limit.saturating_sub(self.in_order);
        open = open.saturating_sub(self.in_order_asked());
        while let Some(candidate) = self.next_candidate(open) {
            if self.known.insert(candidate.tag.clone()) {
                open -= usize::from(candidate.rank != Rank::Unknown);
                self.asked.insert(candidate.tag.clone(), candidate);
            }
        }
        let can_go_on = self.rest != Rest::Nothing;
        if open > 0 && can_go_on {
            return Next::List;
        }
        if !self.asked.is_empty() {
            return Next::Fetch(self.wanted());
        }
        // What was dropped for want of room would come next.
        if open > 0 && self.candidates.count() > 0 {
            let count = self.known.len() + self.candidates.count();
            return Next::TooMany { count };
        }
        Next::Selected(self.selected())
    }

    /// Takes out the next candidate that has to be looked at, where `open` places are left.
    fn next_candidate(&mut self, open: usize) -> Option<Candidate> {
        if self.known.len() >= LOOKS_BOUND {
            return None;
        }
        let rest = self.rest;
        self.candidates.pop_if(|best| match (&best.rank, rest) {
            (Rank::Unknown, _) => true,
            (_, Rest::Nothing) => open > 0,
            // Nothing that comes can go before it.
            (Rank::At { time, .. }, Rest::UploadedUntil(latest)) => open > 0 && *time > latest,
            (Rank::Name | Rank::Version(_), Rest::UploadedUntil(_)) | (_, Rest::Anything) => false,
        })
    }

    fn in_order_asked(&self) -> usize {
        let asked = self.asked.values();
        asked.filter(|it| it.rank != Rank::Unknown).count()
    }

    /// Lists what is asked for, best first.
    fn wanted(&self) -> Vec<Wanted> {
        let mut asked: Vec<&Candidate> = self.asked.values().collect();
        asked.sort_by(|one, other| (&other.rank, &other.tag).cmp(&(&one.rank, &one.tag)));
        let wanted = asked.into_iter().map(|it| Wanted {
            tag: it.tag.clone(),
            digest: it.digest.clone(),
        });
        wanted.collect()
    }

    fn selected(&mut self) -> Selected {
        self.keep_best();
        let remarks = if self.rules.takes_newest() {
            let unseen = self.candidates.best();
            remarks(&self.taken, unseen, self.rules.newest_build_by)
        } else {
            Vec::new()
        };
        Selected {
            taken: self.taken.iter().map(|it| it.taken.clone()).collect(),
            ruled_out: self.ruled_out.told(),
            remarks,
        }
    }

    /// Puts what fits in order and keeps no more than is taken.
    fn keep_best(&mut self) {
        let is_by_time = self.rules.takes_newest();
        self.taken.sort_by(|one, other| {
            let order = if is_by_time {
                let key = |it: &Match| (it.time, it.taken.uploaded_at);
                key(other).cmp(&key(one))
            } else {
                other.candidate.rank.cmp(&one.candidate.rank)
            };
            order.then_with(|| other.candidate.tag.cmp(&one.candidate.tag))
        });
        self.taken.truncate(self.rules.limit);
    }
}
