//! How hard hosts may be asked.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Says how hard a host may be asked. Clones share what is [under way](InFlight).
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most requests a second to one host with one credential: the pace begins at a quarter of it.
    pub rate: NonZeroU32,
    /// The same for hosts that are known to allow more, by their names or the ends of them.
    pub host_rates: Vec<(String, NonZeroU32)>,
    /// Requests at the same time to one host with one credential.
    pub concurrency: usize,
    /// Requests at the same time to all hosts.
    pub in_flight: InFlight,
    /// Longest wait for one answer, its body included.
    pub timeout: Duration,
    /// Longest time one request may take with all its repetitions and pauses.
    pub patience: Duration,
    /// Shortest and longest pause before asking again; Retry-After may lengthen it.
    pub pauses: (Duration, Duration),
}

/// Google allows 60,000 requests a minute in a project and region: half of that is left to others.
const GOOGLE: u32 = 500;

impl Default for Limits {
    fn default() -> Self {
        let rate = |rate| NonZeroU32::new(rate).expect("it is not zero");
        Self {
            rate: rate(200),
            host_rates: ["pkg.dev", "gcr.io"]
                .map(|host| (host.to_owned(), rate(GOOGLE)))
                .into(),
            concurrency: 16,
            in_flight: InFlight::new(256, 64),
            timeout: Duration::from_mins(1),
            patience: Duration::from_mins(2),
            pauses: (Duration::from_millis(250), Duration::from_secs(10)),
        }
    }
}

impl Limits {
    /// Gives the limits for one host: the most particular rate is the one.
    pub(crate) fn of_host(&self, host: &str) -> Self {
        let fits = |end: &str| {
            host.strip_suffix(end)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let rates = self.host_rates.iter().filter(|(end, _)| fits(end));
        let rate = rates.max_by_key(|(end, _)| end.len()).map(|it| it.1);
        Self {
            rate: rate.unwrap_or(self.rate),
            ..self.clone()
        }
    }
}

/// Bounds the requests under way, of the process and of each project, whichever hosts they go to.
#[derive(Debug, Clone)]
pub struct InFlight {
    all: Arc<Semaphore>,
    of_project: usize,
    projects: Arc<Mutex<HashMap<String, Weak<Semaphore>>>>,
}

impl InFlight {
    /// Lets `all` requests be under way, of which no project has more than `of_project`.
    pub fn new(all: usize, of_project: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(all.max(1))),
            of_project: of_project.max(1),
            projects: Arc::default(),
        }
    }

    /// Gives what a project's requests share.
    pub(crate) fn of_project(&self, project: &str) -> Arc<Semaphore> {
        let mut projects = self.projects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = projects.get(project).and_then(Weak::upgrade) {
            return known;
        }
        projects.retain(|_, it| it.strong_count() > 0);
        let new = Arc::new(Semaphore::new(self.of_project));
        projects.insert(project.to_owned(), Arc::downgrade(&new));
        new
    }

    pub(super) async fn enter(&self) -> SemaphorePermit<'_> {
        enter(&self.all).await
    }
}

/// Waits for one of so many places.
pub(super) async fn enter(places: &Semaphore) -> SemaphorePermit<'_> {
    let permit = places.acquire().await;
    permit.expect("the semaphore is never closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_particular_rate_of_a_host_counts() {
        let mut limits = Limits::default();
        let rate = |limits: &Limits, host: &str| limits.of_host(host).rate.get();
        assert_eq!(rate(&limits, "europe-docker.pkg.dev"), GOOGLE);
        assert_eq!(rate(&limits, "eu.gcr.io"), GOOGLE);
        assert_eq!(rate(&limits, "gcr.io"), GOOGLE);
        assert_eq!(rate(&limits, "notgcr.io"), 200);
        assert_eq!(rate(&limits, "gcr.io.example"), 200);
        let slow = NonZeroU32::MIN;
        limits.host_rates.push(("eu.gcr.io".to_owned(), slow));
        assert_eq!(rate(&limits, "eu.gcr.io"), 1);
        assert_eq!(rate(&limits, "us.gcr.io"), GOOGLE);
    }

    #[tokio::test]
    async fn one_project_leaves_places_to_others() {
        let in_flight = InFlight::new(3, 2);
        let (first, again) = (in_flight.of_project("a"), in_flight.of_project("a"));
        assert!(Arc::ptr_eq(&first, &again));
        let _places = (enter(&first).await, enter(&again).await);
        assert!(first.try_acquire().is_err());
        assert!(in_flight.of_project("b").try_acquire().is_ok());
        assert_eq!(in_flight.clone().all.available_permits(), 3);
    }
}
