//! What a discovery costs, counted where it is spent.
//!
//! A [`Cost`] goes along with every request as an argument; whoever started the discovery reads what it came to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The server did what was asked, said that nothing changed, or sent us on.
    Answered,
    /// 401 and 403; the first request to a registry mostly ends so, to learn where tokens come from.
    Denied,
    /// There is no such thing.
    Missing,
    /// 429 and 5xx: the server has too much to do.
    Busy,
    /// Any other status.
    Rejected,
    /// There was no answer.
    Failed,
}

impl Outcome {
    /// Gives the word for a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Denied => "denied",
            Self::Missing => "missing",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            200..=399 => Self::Answered,
            401 | 403 => Self::Denied,
            404 | 410 => Self::Missing,
            429 | 500..=599 => Self::Busy,
            _ => Self::Rejected,
        }
    }
}

/// Holds what was spent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spent {
    /// Requests over HTTP, token requests and repetitions included, by host and how they ended.
    pub requests: BTreeMap<(String, Outcome), u64>,
    /// Children that git asked a remote with, by host; each makes a few requests of its own.
    pub git: BTreeMap<String, u64>,
    /// Answers that did not have to be asked for, since they cannot have changed.
    pub remembered: u64,
    /// Time that requests waited for their turn and discoveries for one another, all of it together.
    pub waited: Duration,
    pub looks: Looks,
}

/// Counts looks at images, to say how far a discovery is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looks {
    /// Those that are known to be needed by now: what they find may ask for more.
    pub wanted: u64,
    pub ended: u64,
}

impl Spent {
    /// Counts all requests.
    pub fn total(&self) -> u64 {
        self.requests.values().sum()
    }

    /// Counts the requests to one host.
    pub fn to(&self, host: &str) -> u64 {
        let mine = self.requests.iter().filter(|((it, _), _)| it == host);
        mine.map(|(_, count)| count).sum()
    }
}

/// Counts what one discovery spends. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Cost(Arc<Mutex<Spent>>);

impl Cost {
    /// Reads what was spent so far.
    pub fn spent(&self) -> Spent {
        self.change(|spent| spent.clone())
    }

    /// Counts a request.
    pub(crate) fn request(&self, host: &str, outcome: Outcome) {
        self.change(|spent| {
            *spent
                .requests
                .entry((host.to_owned(), outcome))
                .or_default() += 1;
        });
    }

    /// Counts a child that asks a Git host.
    pub(crate) fn git(&self, host: &str) {
        self.change(|spent| *spent.git.entry(host.to_owned()).or_default() += 1);
    }

    /// Counts an answer that was remembered.
    pub(crate) fn remembered(&self) {
        self.change(|spent| spent.remembered += 1);
    }

    /// Counts time spent waiting for a turn.
    pub(crate) fn waited(&self, time: Duration) {
        self.change(|spent| spent.waited += time);
    }

    /// Counts images that are going to be looked at.
    pub(crate) fn wants_looks(&self, count: usize) {
        self.change(|spent| spent.looks.wanted += count as u64);
    }

    /// Counts an image that was looked at.
    pub(crate) fn looked(&self) {
        self.change(|spent| spent.looks.ended += 1);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Spent) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_and_hosts_apart() {
        let cost = Cost::default();
        cost.request("a.example", Outcome::Answered);
        cost.clone().request("a.example", Outcome::Denied);
        cost.request("b.example", Outcome::Failed);
        let spent = cost.spent();
        assert_eq!(
            (spent.total(), spent.to("a.example"), spent.to("b.example")),
            (3, 2, 1)
        );
    }

    #[test]
    fn every_status_has_an_outcome() {
        for (status, expected) in [
            (200, Outcome::Answered),
            (304, Outcome::Answered),
            (307, Outcome::Answered),
            (401, Outcome::Denied),
            (403, Outcome::Denied),
            (404, Outcome::Missing),
            (429, Outcome::Busy),
            (503, Outcome::Busy),
            (418, Outcome::Rejected),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(Outcome::of(status), expected, "{status}");
        }
    }
}
