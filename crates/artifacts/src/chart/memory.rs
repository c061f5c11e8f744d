//! What repositories of charts listed when they were last asked.
//!
//! Many Warehouses follow charts of one repository, each for itself. The first to ask reads the index for all of them:
//! others wait for it, and ask the server no more than whether that index is still the current one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};
use moka::future::Cache;
use tokio::time::Instant;

use super::index::{Index, Scope as Charts};

/// Most bytes that are remembered in all, each for no longer than a day without use.
const MEMORY_BOUND: u64 = 16 << 20;
const IDLE: Duration = Duration::from_hours(24);
/// What an index costs beside what it lists.
const INDEX_COST: usize = 512;

/// Tells apart who asks for which index: nothing is shared across projects or logins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) project: String,
    pub(super) index: String,
    pub(super) login: Option<String>,
    pub(super) insecure: bool,
}

/// An index as it was last seen.
#[derive(Debug, Clone)]
pub(super) struct Remembered {
    pub(super) index: Arc<Index>,
    pub(super) stamp: Stamp,
    /// When the server was asked, for what came of it to be the answer to earlier questions too.
    pub(super) asked_at: Instant,
}

/// What the server tells versions of an index apart by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stamp {
    tag: Option<HeaderValue>,
    time: Option<HeaderValue>,
}

impl Stamp {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            tag: headers.get(ETAG).cloned(),
            time: headers.get(LAST_MODIFIED).cloned(),
        }
    }

    /// Gives the headers of a request for any other version.
    pub(super) fn conditions(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let tag = self.tag.clone().map(|it| (IF_NONE_MATCH, it));
        let time = self.time.clone().map(|it| (IF_MODIFIED_SINCE, it));
        headers.extend(tag.into_iter().chain(time));
        headers
    }
}

/// Remembers indexes within bounds.
#[derive(Debug)]
pub(super) struct Memory {
    /// By the one chart that an index knows of, where it does not know all.
    known: Cache<(Scope, Option<String>), Remembered>,
    turns: Mutex<HashMap<Scope, Weak<tokio::sync::Mutex<()>>>>,
}

impl Default for Memory {
    fn default() -> Self {
        let weight = |(scope, chart): &(Scope, Option<String>), it: &Remembered| {
            let key = scope.index.len() + chart.as_ref().map_or(0, String::len);
            u32::try_from(INDEX_COST + key + it.index.bytes()).unwrap_or(u32::MAX)
        };
        Self {
            known: Cache::builder()
                .max_capacity(MEMORY_BOUND)
                .weigher(weight)
                .time_to_idle(IDLE)
                .build(),
            turns: Mutex::default(),
        }
    }
}

impl Memory {
    /// Gives what lets one task at a time ask for an index.
    pub(super) fn turn(&self, scope: &Scope) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(scope).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(scope.clone(), Arc::downgrade(&turn));
        turn
    }

    /// Finds an index that knows whether there is such a chart.
    pub(super) async fn find(&self, scope: &Scope, chart: &str) -> Option<Remembered> {
        if let Some(all) = self.known.get(&(scope.clone(), None)).await {
            return Some(all);
        }
        let one = Some(chart.to_owned());
        self.known.get(&(scope.clone(), one)).await
    }

    pub(super) async fn insert(&self, scope: Scope, chart: &str, remembered: Remembered) {
        let all = (scope.clone(), None);
        match remembered.index.scope() {
            Charts::All => self.known.insert(all, remembered).await,
            Charts::One => {
                self.known.invalidate(&all).await;
                let one = Some(chart.to_owned());
                self.known.insert((scope, one), remembered).await;
            }
        }
    }
}
