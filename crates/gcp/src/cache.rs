//! Tokens that are remembered, by key: one request per key at a time, whoever asks.
//!
//! A request runs as a task of its own, so that it outlives the caller who started it and serves all who wait.

mod slot;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use jiff::Timestamp;
use parking_lot::{Mutex, RwLock};

use crate::token::Token;
use crate::{Clock, TokenError};
use slot::{Look, Slot, Worth};

/// Most keys that are remembered.
const BOUND: usize = 20_000;

type Pending = Shared<BoxFuture<'static, Result<Arc<Token>, TokenError>>>;

pub(crate) struct TokenCache {
    entries: RwLock<HashMap<String, Arc<Entry>>>,
    clock: Clock,
}

#[derive(Default)]
struct Entry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    slot: Slot,
    pending: Option<Pending>,
}

impl TokenCache {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            entries: RwLock::default(),
            clock,
        }
    }

    /// Gives the token of `key`, and calls `fetch` where there is none or it is to be renewed.
    pub(crate) async fn get<F>(
        &self,
        key: &str,
        fetch: impl FnOnce() -> F,
    ) -> Result<Arc<Token>, TokenError>
    where
        F: Future<Output = Result<Token, TokenError>> + Send + 'static,
    {
        let entry = self.entry(key);
        let pending = {
            let mut state = entry.state.lock();
            match state.slot.look((self.clock)()) {
                Look::Serve(token) => return Ok(token),
                Look::Refuse(error) => return Err(error),
                Look::ServeAndRenew(token) => {
                    // The request runs by itself; nobody waits for it.
                    drop(self.pending(&entry, &mut state, fetch));
                    return Ok(token);
                }
                Look::Fetch => self.pending(&entry, &mut state, fetch),
            }
        };
        pending.await
    }

    /// Forgets a token that somebody turned down; says whether it was still the one remembered.
    pub(crate) fn invalidate(&self, token: &Token) -> bool {
        let entries: Vec<Arc<Entry>> = self.entries.read().values().cloned().collect();
        entries
            .iter()
            .any(|entry| entry.state.lock().slot.forget(token))
    }

    /// Lets the next caller of keys that `concerns` names ask anew, where the answer was a refusal.
    pub(crate) fn forget_refusals(&self, concerns: impl Fn(&str) -> bool) {
        for (_, entry) in self.entries.read().iter().filter(|(key, _)| concerns(key)) {
            entry.state.lock().slot.forget_refusal();
        }
    }

    fn entry(&self, key: &str) -> Arc<Entry> {
        if let Some(entry) = self.entries.read().get(key) {
            return Arc::clone(entry);
        }
        let mut entries = self.entries.write();
        if entries.len() >= BOUND {
            make_room(&mut entries, (self.clock)());
        }
        Arc::clone(entries.entry(key.to_owned()).or_default())
    }

    /// Joins the request under way, or starts one.
    fn pending<F>(
        &self,
        entry: &Arc<Entry>,
        state: &mut State,
        fetch: impl FnOnce() -> F,
    ) -> Pending
    where
        F: Future<Output = Result<Token, TokenError>> + Send + 'static,
    {
        if let Some(pending) = state.pending.as_ref().filter(|_| state.is_pending()) {
            return pending.clone();
        }
        let (fetch, clock, settled) = (fetch(), Arc::clone(&self.clock), Arc::clone(entry));
        let task = tokio::spawn(async move {
            let fetched = fetch.await;
            let mut state = settled.state.lock();
            state.pending = None;
            state
                .slot
                .settle(fetched, clock(), rand::random_range(0.8..=1.0))
        });
        let pending = task
            .map(|ended| ended.unwrap_or(Err(TokenError::Abandoned)))
            .boxed()
            .shared();
        state.pending = Some(pending.clone());
        pending
    }
}

/// Forgets what is worth nothing. What makes the next refusal wait for a second one is kept for whoever asked lately: the
/// older half of it goes once it takes more than half of the room.
fn make_room(entries: &mut HashMap<String, Arc<Entry>>, now: Timestamp) {
    let worth = |entry: &Entry| {
        let state = entry.state.lock();
        if state.is_pending() {
            Worth::Answer
        } else {
            state.slot.worth(now)
        }
    };
    entries.retain(|_, entry| worth(entry) > Worth::Nothing);
    let all = entries.values().map(|it| worth(it));
    let mut old: Vec<_> = all.filter(|it| *it < Worth::Answer).collect();
    if old.len() > BOUND / 2 {
        old.sort_unstable();
        let last_to_go = old[old.len() / 2 - 1];
        entries.retain(|_, entry| worth(entry) > last_to_go);
    }
}

impl State {
    /// A request that ended without settling, as its task failed, is none.
    fn is_pending(&self) -> bool {
        let pending = self.pending.as_ref();
        pending.is_some_and(|pending| pending.peek().is_none())
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.entries.read().len();
        out.debug_struct("TokenCache")
            .field("keys", &keys)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
