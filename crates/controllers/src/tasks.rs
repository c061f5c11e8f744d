//! Work that takes minutes: one task per object, cancellable, its result waiting to be fetched.
//!
//! A loop starts a task when its decision says so and goes on; when the task ends, the object is asked for again and the
//! loop finds the result here. There are only so many places; who finds none is woken when one is free.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::queue::{Key, Queue};

/// What became of an object's task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task<T> {
    None,
    Running,
    /// The result is handed over once.
    Ended(T),
}

enum Slot<T> {
    Running(CancellationToken),
    Ended(T),
}

struct State<T> {
    slots: HashMap<Key, Slot<T>>,
    running: usize,
    waiting: VecDeque<Key>,
}

/// The tasks of one loop.
pub(crate) struct Tasks<T> {
    state: Arc<Mutex<State<T>>>,
    queue: Arc<Queue>,
    places: usize,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl<T: Send + 'static> Tasks<T> {
    /// Makes room for `places` tasks at a time; `cancel` ends all of them.
    pub(crate) fn new(places: usize, queue: Arc<Queue>, cancel: CancellationToken) -> Self {
        let state = State {
            slots: HashMap::new(),
            running: 0,
            waiting: VecDeque::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            queue,
            places: places.max(1),
            tracker: TaskTracker::new(),
            cancel,
        }
    }

    /// Fetches what became of the task of `key`; a result is handed out once.
    pub(crate) fn take(&self, key: &Key) -> Task<T> {
        let mut state = self.state.lock();
        match state.slots.remove(key) {
            None => Task::None,
            Some(Slot::Ended(result)) => Task::Ended(result),
            Some(running @ Slot::Running(_)) => {
                state.slots.insert(key.clone(), running);
                Task::Running
            }
        }
    }

    /// Starts `work` for `key` unless it already runs; without a free place the key is asked for again when there is one.
    ///
    /// A task that panics gives `on_panic()` as its result, so that nobody waits for ever.
    pub(crate) fn start<F>(
        &self,
        key: &Key,
        work: impl FnOnce(CancellationToken) -> F,
        on_panic: impl FnOnce() -> T + Send + 'static,
    ) -> bool
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut state = self.state.lock();
        if matches!(state.slots.get(key), Some(Slot::Running(_))) || self.cancel.is_cancelled() {
            return false;
        }
        if state.running >= self.places {
            if !state.waiting.contains(key) {
                state.waiting.push_back(key.clone());
            }
            return false;
        }
        let cancel = self.cancel.child_token();
        state.running += 1;
        state
            .slots
            .insert(key.clone(), Slot::Running(cancel.clone()));
        drop(state);

        let working = tokio::spawn(work(cancel));
        let (state, queue, key) = (
            Arc::clone(&self.state),
            Arc::clone(&self.queue),
            key.clone(),
        );
        self.tracker.spawn(async move {
            let result = working.await.unwrap_or_else(|_| on_panic());
            let mut state = state.lock();
            state.running -= 1;
            state.slots.insert(key.clone(), Slot::Ended(result));
            let waiting = state.waiting.pop_front();
            drop(state);
            queue.add(key);
            if let Some(waiting) = waiting {
                queue.add(waiting);
            }
        });
        true
    }

    /// Asks the task of `key` to stop; its result still comes.
    pub(crate) fn stop(&self, key: &Key) {
        if let Some(Slot::Running(cancel)) = self.state.lock().slots.get(key) {
            cancel.cancel();
        }
    }

    /// Waits until all tasks have ended, at most so long.
    pub(crate) async fn ended(&self, patience: Duration) {
        self.tracker.close();
        if tokio::time::timeout(patience, self.tracker.wait())
            .await
            .is_err()
        {
            tracing::warn!("some tasks did not stop in time; they are left behind");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(places: usize) -> Tasks<u8> {
        Tasks::new(places, Arc::new(Queue::default()), CancellationToken::new())
    }

    #[tokio::test]
    async fn a_result_is_handed_over_once() {
        let (tasks, key) = (tasks(1), Key::new("acme", "web"));
        assert!(tasks.start(&key, |_| async { 7 }, || 0));
        tasks.ended(Duration::from_secs(5)).await;
        assert_eq!(tasks.take(&key), Task::Ended(7));
        assert_eq!(tasks.take(&key), Task::None);
    }

    #[tokio::test]
    async fn a_task_that_panics_still_ends() {
        let (tasks, key) = (tasks(1), Key::new("acme", "web"));
        tasks.start(&key, |_| async { panic!("on purpose") }, || 9);
        tasks.ended(Duration::from_secs(5)).await;
        assert_eq!(tasks.take(&key), Task::Ended(9));
    }

    #[tokio::test]
    async fn places_are_limited_and_one_that_stops_makes_room() {
        let (tasks, first, second) = (tasks(1), Key::new("acme", "a"), Key::new("acme", "b"));
        let wait = |cancel: CancellationToken| async move {
            cancel.cancelled().await;
            1
        };
        assert!(tasks.start(&first, wait, || 0));
        assert!(!tasks.start(&second, wait, || 0));
        assert_eq!(tasks.take(&first), Task::Running);
        tasks.stop(&first);
        tasks.tracker.close();
        tasks.tracker.wait().await;
        assert!(tasks.start(&second, wait, || 0));
        tasks.cancel.cancel();
        tasks.ended(Duration::from_secs(5)).await;
        assert_eq!(tasks.take(&second), Task::Ended(1));
    }
}
