//! What the metadata server says once and for all: asked for by one at a time, and remembered.

use std::future::Future;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use parking_lot::Mutex;

use crate::TokenError;

type Pending<T> = Shared<BoxFuture<'static, Result<T, TokenError>>>;

/// A value that is remembered; all who wait for it share one request, and its failure, which is not remembered.
pub(super) struct Kept<T> {
    state: Arc<Mutex<State<T>>>,
}

struct State<T> {
    value: Option<T>,
    pending: Option<Pending<T>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        let state = State {
            value: None,
            pending: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }
}

impl<T: Clone + Send + Sync + 'static> Kept<T> {
    /// Gives the value, and calls `fetch` where there is none and nobody is asking for it.
    pub(super) async fn get<F>(&self, fetch: impl FnOnce() -> F) -> Result<T, TokenError>
    where
        F: Future<Output = Result<T, TokenError>> + Send + 'static,
    {
        let pending = {
            let mut state = self.state.lock();
            if let Some(value) = &state.value {
                return Ok(value.clone());
            }
            // A request that ended without settling, as its task failed, is none.
            match &state.pending {
                Some(pending) if pending.peek().is_none() => pending.clone(),
                _ => self.start(&mut state, fetch()),
            }
        };
        pending.await
    }

    /// Asks in a task of its own, so that whoever began it may go.
    fn start<F>(&self, state: &mut State<T>, fetch: F) -> Pending<T>
    where
        F: Future<Output = Result<T, TokenError>> + Send + 'static,
    {
        let settled = Arc::clone(&self.state);
        let task = tokio::spawn(async move {
            let fetched = fetch.await;
            let mut state = settled.lock();
            state.pending = None;
            state.value = fetched.as_ref().ok().cloned();
            fetched
        });
        let pending = task
            .map(|ended| ended.unwrap_or(Err(TokenError::Abandoned)))
            .boxed()
            .shared();
        state.pending = Some(pending.clone());
        pending
    }
}
