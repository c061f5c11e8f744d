//! Work that takes minutes: one task per object, cancellable, its result waiting to be fetched.
//!
//! A loop starts a task when its decision says so and goes on; when the task ends, the object is asked for again and the
//! loop finds the result here. A task waits for one of the [`Places`], which projects share; what it works on it reads
//! once it has one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::places::{Places, Share};
use crate::queue::{Key, Queue};
use crate::seat::Seat;

/// What became of an object's task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Task<T> {
    None,
    /// It runs, or waits for a place.
    Running,
    /// The result is handed over once.
    Ended(T),
}

enum Slot<T> {
    Running(CancellationToken),
    Ended(T),
}

/// What a task is told when it starts.
pub(crate) struct Start {
    /// Fires when the task is to stop; it may have fired before.
    pub(crate) cancel: CancellationToken,
    /// How long the task waited for its place.
    pub(crate) waited: Duration,
    /// Where it works.
    pub(crate) seat: Arc<Seat>,
}

/// The tasks of one loop.
pub(crate) struct Tasks<T> {
    slots: Arc<Mutex<HashMap<Key, Slot<T>>>>,
    queue: Arc<Queue>,
    places: Places,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

impl<T: Send + 'static> Tasks<T> {
    /// Runs as many tasks at a time as `share` says; `cancel` ends all of them.
    pub(crate) fn new(share: Share, queue: Arc<Queue>, cancel: CancellationToken) -> Self {
        Self {
            slots: Arc::default(),
            queue,
            places: Places::new(share),
            tracker: TaskTracker::new(),
            cancel,
        }
    }

    /// Fetches what became of the task of `key`; a result is handed out once.
    pub(crate) fn take(&self, key: &Key) -> Task<T> {
        let mut slots = self.slots.lock();
        match slots.remove(key) {
            None => Task::None,
            Some(Slot::Ended(result)) => Task::Ended(result),
            Some(running @ Slot::Running(_)) => {
                slots.insert(key.clone(), running);
                Task::Running
            }
        }
    }

    /// Starts `work` for `key` as soon as there is a place, unless it already runs or waits.
    ///
    /// What is stopped before it had a place starts without one, to say what became of it. A task that panics gives
    /// `on_panic()` as its result, so that nobody waits for ever.
    pub(crate) fn start<F>(
        &self,
        key: &Key,
        work: impl FnOnce(Start) -> F + Send + 'static,
        on_panic: impl FnOnce() -> T + Send + 'static,
    ) -> bool
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut slots = self.slots.lock();
        if matches!(slots.get(key), Some(Slot::Running(_))) || self.cancel.is_cancelled() {
            return false;
        }
        let cancel = self.cancel.child_token();
        slots.insert(key.clone(), Slot::Running(cancel.clone()));
        drop(slots);

        let (slots, queue, places) = (
            Arc::clone(&self.slots),
            Arc::clone(&self.queue),
            self.places.clone(),
        );
        let (key, came) = (key.clone(), Instant::now());
        self.tracker.spawn(async move {
            let place = tokio::select! {
                biased;
                () = cancel.cancelled() => None,
                place = places.take(&key.namespace) => Some(place),
            };
            let waited = came.elapsed();
            let seat = Arc::new(Seat::new(places, Arc::clone(&key.namespace), place));
            let start = Start {
                cancel,
                waited,
                seat: Arc::clone(&seat),
            };
            let working = tokio::spawn(async move { work(start).await });
            let result = working.await.unwrap_or_else(|_| on_panic());
            drop(seat);
            slots.lock().insert(key.clone(), Slot::Ended(result));
            queue.add(key);
        });
        true
    }

    /// Asks the task of `key` to stop; its result still comes.
    pub(crate) fn stop(&self, key: &Key) {
        if let Some(Slot::Running(cancel)) = self.slots.lock().get(key) {
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
        let share = Share::undivided(places);
        Tasks::new(share, Arc::new(Queue::default()), CancellationToken::new())
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

    #[tokio::test(start_paused = true)]
    async fn a_task_waits_for_a_place_and_is_told_how_long() {
        let (tasks, first, second) = (tasks(1), Key::new("acme", "a"), Key::new("acme", "b"));
        let work = |start: Start| async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            u8::try_from(start.waited.as_secs()).expect("it is short")
        };
        assert!(tasks.start(&first, work, || 0));
        tokio::task::yield_now().await;
        assert!(tasks.start(&second, work, || 0));
        assert!(!tasks.start(&second, work, || 0), "it waits already");
        assert_eq!(tasks.take(&second), Task::Running);
        tasks.ended(Duration::from_mins(5)).await;
        assert_eq!(tasks.take(&first), Task::Ended(0));
        assert_eq!(tasks.take(&second), Task::Ended(30));
    }

    #[tokio::test]
    async fn what_is_stopped_before_it_had_a_place_says_so() {
        let (tasks, first, second) = (tasks(1), Key::new("acme", "a"), Key::new("acme", "b"));
        let wait = |start: Start| async move {
            start.cancel.cancelled().await;
            1
        };
        assert!(tasks.start(&first, wait, || 0));
        tokio::task::yield_now().await;
        assert!(tasks.start(&second, wait, || 0));
        tasks.stop(&second);
        let ended = async {
            while tasks.take(&second) != Task::Ended(1) {
                tokio::task::yield_now().await;
            }
        };
        ended.await;
        assert_eq!(tasks.take(&first), Task::Running);
        tasks.cancel.cancel();
        tasks.ended(Duration::from_secs(5)).await;
        assert_eq!(tasks.take(&first), Task::Ended(1));
        assert!(!tasks.start(&second, wait, || 0), "everything stops");
    }
}
