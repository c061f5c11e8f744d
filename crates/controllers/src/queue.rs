//! Which object is looked at next.
//!
//! A key is worked on by one worker at a time; asked for while it is being worked on, it comes again afterwards; asked
//! for twice while it waits, it comes once, at the earlier time. An error sends it to the back with a growing, jittered
//! delay that belongs to that object alone.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use futures::StreamExt;
use parking_lot::Mutex;
use rand::Rng;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

/// Names an object of a kind the queue is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Empty for kinds that live outside namespaces.
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    pub(crate) fn of<K: kube::Resource>(object: &K) -> Self {
        let metadata = object.meta();
        Self::new(
            metadata.namespace.as_deref().unwrap_or_default(),
            metadata.name.as_deref().unwrap_or_default(),
        )
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            formatter.write_str(&self.name)
        } else {
            write!(formatter, "{}/{}", self.namespace, self.name)
        }
    }
}

/// Says when an object should be looked at again, although nothing woke it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Only when something changes.
    OnChange,
    /// After this long, or earlier when something changes.
    After(Duration),
    /// When the task that was started ends, which is when it is known whether this was an error.
    OnceDone,
    /// After a delay that grows with every error in a row.
    AfterError,
}

impl From<domain::Again> for Next {
    fn from(again: domain::Again) -> Self {
        match again {
            domain::Again::OnChange => Self::OnChange,
            domain::Again::Now => Self::After(Duration::ZERO),
            domain::Again::After(delay) => Self::After(delay),
            domain::Again::OnceDone => Self::OnceDone,
            domain::Again::AfterError => Self::AfterError,
        }
    }
}

/// How long an object waits after its first error, and at most.
const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_mins(5);

#[derive(Default)]
struct State {
    /// What waits, earliest first; the number tells apart what is due at the same instant.
    due: BTreeMap<(Instant, u64), Key>,
    places: HashMap<Key, Place>,
    failures: HashMap<Key, u32>,
    sequence: u64,
}

enum Place {
    Waiting(Instant, u64),
    Running { again: Option<Instant> },
}

/// Holds the keys of one loop.
#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

impl Queue {
    /// Asks for `key` as soon as a worker is free.
    pub(crate) fn add(&self, key: Key) {
        self.add_after(key, Duration::ZERO);
    }

    /// Asks for `key` in a while; an earlier wish for the same key stands.
    pub(crate) fn add_after(&self, key: Key, delay: Duration) {
        self.state.lock().wish(key, Instant::now() + delay);
        self.changed.notify_one();
    }

    /// Forgets all about an object that is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.state.lock().failures.remove(key);
    }

    async fn take(&self) -> Key {
        loop {
            let changed = self.changed.notified();
            let next_due = match self.state.lock().pop(Instant::now()) {
                Ok(key) => return key,
                Err(next_due) => next_due,
            };
            match next_due {
                Some(due) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(due) => {}
                },
                None => changed.await,
            }
        }
    }

    fn finish(&self, key: &Key, next: Next) {
        let mut state = self.state.lock();
        let now = Instant::now();
        let asked_again = match state.places.remove(key) {
            Some(Place::Running { again }) => again,
            Some(Place::Waiting(..)) | None => None,
        };
        let own_wish = match next {
            Next::OnceDone => None,
            Next::OnChange => {
                state.failures.remove(key);
                None
            }
            Next::After(delay) => {
                state.failures.remove(key);
                Some(now + delay)
            }
            Next::AfterError => {
                let failures = state.failures.entry(key.clone()).or_default();
                *failures = failures.saturating_add(1);
                Some(now + back_off(*failures))
            }
        };
        for due in [asked_again, own_wish].into_iter().flatten() {
            state.wish(key.clone(), due);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Works off the queue with `workers` at a time until `cancel` fires; what is being worked on then is finished.
    pub(crate) async fn work<F>(
        self: &Arc<Self>,
        workers: usize,
        cancel: &CancellationToken,
        look: impl Fn(Key) -> F,
    ) where
        F: Future<Output = Next>,
    {
        let taken = futures::stream::unfold((), |()| async {
            tokio::select! {
                biased;
                () = cancel.cancelled() => None,
                key = self.take() => Some((key, ())),
            }
        });
        taken
            .for_each_concurrent(workers.max(1), |key| {
                let looking = look(key.clone());
                async move {
                    let next = looking.await;
                    self.finish(&key, next);
                }
            })
            .await;
    }
}

impl State {
    fn wish(&mut self, key: Key, due: Instant) {
        match self.places.get_mut(&key) {
            Some(Place::Running { again }) => {
                *again = Some(again.map_or(due, |earlier| earlier.min(due)));
                return;
            }
            Some(Place::Waiting(earlier, sequence)) => {
                if *earlier <= due {
                    return;
                }
                let place = (*earlier, *sequence);
                self.due.remove(&place);
            }
            None => {}
        }
        self.sequence += 1;
        self.due.insert((due, self.sequence), key.clone());
        self.places.insert(key, Place::Waiting(due, self.sequence));
    }

    /// Takes the first key that is due, or says when the first one will be.
    fn pop(&mut self, now: Instant) -> Result<Key, Option<Instant>> {
        let Some(entry) = self.due.first_entry() else {
            return Err(None);
        };
        let due = entry.key().0;
        if due.cmp(&now) == Ordering::Greater {
            return Err(Some(due));
        }
        let key = entry.remove();
        self.places
            .insert(key.clone(), Place::Running { again: None });
        Ok(key)
    }
}

/// Gives the delay after so many errors in a row: doubling, capped, then between half and all of it.
fn back_off(failures: u32) -> Duration {
    let doubled = FIRST_DELAY
        .saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)))
        .min(LONGEST_DELAY);
    doubled.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn key(name: &str) -> Key {
        Key::new("acme", name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_asked_for_twice_comes_once_at_the_earlier_time() {
        let queue = Queue::default();
        queue.add_after(key("a"), Duration::from_mins(1));
        queue.add_after(key("a"), Duration::from_secs(10));
        queue.add_after(key("a"), Duration::from_secs(30));
        let start = Instant::now();
        assert_eq!(queue.take().await, key("a"));
        assert_eq!(start.elapsed().as_secs(), 10);
        assert!(queue.state.lock().due.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_worked_on_by_one_worker_at_a_time_and_comes_again() {
        let queue = Queue::default();
        queue.add(key("a"));
        assert_eq!(queue.take().await, key("a"));
        queue.add(key("a"));
        assert!(
            queue.state.lock().due.is_empty(),
            "it runs, so it must not be handed out"
        );
        queue.finish(&key("a"), Next::OnChange);
        assert_eq!(queue.take().await, key("a"));
    }

    #[test]
    fn errors_in_a_row_wait_longer_and_never_longer_than_the_cap() {
        for failures in [1, 2, 5, 40, u32::MAX] {
            let delay = back_off(failures);
            assert!(
                delay >= FIRST_DELAY / 2 && delay <= LONGEST_DELAY,
                "{failures}: {delay:?}"
            );
        }
        assert!(back_off(10) > back_off(1));
    }

    #[test]
    fn starting_a_task_does_not_forget_the_errors_before_it() {
        let queue = Queue::default();
        for expected in 1..4 {
            queue.finish(&key("a"), Next::OnceDone);
            queue.finish(&key("a"), Next::AfterError);
            assert_eq!(queue.state.lock().failures.get(&key("a")), Some(&expected));
        }
        queue.finish(&key("a"), Next::OnChange);
        assert!(queue.state.lock().failures.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_that_fails_does_not_hold_up_the_others() {
        let queue = Arc::new(Queue::default());
        let seen = AtomicUsize::new(0);
        let cancel = CancellationToken::new();
        queue.add(key("bad"));
        queue.add(key("good"));
        queue
            .work(1, &cancel, |it| {
                let (seen, cancel) = (&seen, &cancel);
                async move {
                    if &*it.name == "bad" {
                        return Next::AfterError;
                    }
                    seen.fetch_add(1, Ordering::SeqCst);
                    cancel.cancel();
                    Next::OnChange
                }
            })
            .await;
        assert_eq!(seen.into_inner(), 1);
        assert_eq!(queue.state.lock().failures.get(&key("bad")), Some(&1));
    }
}
