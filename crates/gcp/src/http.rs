//! Requests to Google: bounded in time and size, repeated while that may help, told to whoever counts them.

mod answer;
mod connect;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use crate::TokenError;
use crate::endpoints::host_of;

pub(crate) use answer::Answer;

/// One request that was answered, or was not.
#[derive(Debug)]
pub struct Call<'a> {
    /// What was asked: `metadata`, `sts`, `iam-credentials` or `oauth`.
    pub service: &'static str,
    /// `ok`, or what [`TokenError::label`] says.
    pub outcome: &'static str,
    pub error: Option<&'a TokenError>,
    pub took: Duration,
}

/// Is told of every request, for metrics.
pub type Observer = Arc<dyn Fn(&Call<'_>) + Send + Sync>;

/// How long requests may take and how often they are repeated.
#[derive(Debug, Clone)]
pub(crate) struct Pace {
    pub(crate) connect: Duration,
    pub(crate) request: Duration,
    /// For all tries together.
    pub(crate) budget: Duration,
    pub(crate) tries: u32,
    pub(crate) first_pause: Duration,
    pub(crate) longest_pause: Duration,
}

impl Pace {
    /// For the metadata server, which is near, and late when a node or a Pod has just started.
    pub(crate) const METADATA: Self = Self {
        connect: Duration::from_secs(1),
        request: Duration::from_secs(5),
        budget: Duration::from_secs(30),
        tries: u32::MAX,
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_secs(2),
    };

    /// For everything else.
    pub(crate) const GOOGLE: Self = Self {
        connect: Duration::from_secs(5),
        request: Duration::from_secs(10),
        tries: 3,
        ..Self::METADATA
    };

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.budget
    }

    /// Repeats what may pass, until `deadline` or the last try, and gives the last error.
    pub(crate) async fn repeat<T, F>(
        &self,
        url: &Url,
        deadline: Instant,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, TokenError>
    where
        F: Future<Output = Result<T, TokenError>>,
    {
        let mut last = TokenError::Silent { host: host_of(url) };
        for pauses in 0..self.tries {
            match timeout_at(deadline, attempt()).await {
                Ok(Err(error)) if error.is_passing() => last = error,
                Ok(ended) => return ended,
                Err(_) => return Err(last),
            }
            let pause = self.pause(pauses, &last);
            if pauses + 1 == self.tries || Instant::now() + pause >= deadline {
                break;
            }
            sleep(pause).await;
        }
        Err(last)
    }

    /// Says how long to wait before the next try: twice as long each time, and between half and all of that.
    pub(crate) fn pause(&self, pauses: u32, error: &TokenError) -> Duration {
        let doubled = self.first_pause * 2_u32.saturating_pow(pauses.min(16));
        let jittered = doubled
            .min(self.longest_pause)
            .mul_f64(rand::random_range(0.5..=1.0));
        match error {
            TokenError::RateLimited {
                retry_after: Some(asked),
                ..
            } => jittered.max(*asked),
            _ => jittered,
        }
    }
}

/// Sends requests of one pace.
#[derive(Clone)]
pub(crate) struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    pace: Pace,
    /// Plain http needs no certificates, so it works on a system that has none.
    plain: OnceLock<reqwest::Client>,
    verifying: OnceLock<reqwest::Client>,
    observer: Observer,
}

impl Http {
    pub(crate) fn new(pace: Pace, observer: Observer) -> Self {
        Self {
            inner: Arc::new(Inner {
                pace,
                plain: OnceLock::new(),
                verifying: OnceLock::new(),
                observer,
            }),
        }
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.inner.pace
    }

    /// Sends one request and tells the observer what `read` made of the answer.
    pub(crate) async fn send<T>(
        &self,
        service: &'static str,
        url: &Url,
        build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
        read: impl FnOnce(&Answer) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let started = Instant::now();
        let result = match self.fetch(url, build).await {
            Ok(answer) => read(&answer),
            Err(error) => Err(error),
        };
        let error = result.as_ref().err();
        (self.inner.observer)(&Call {
            service,
            outcome: error.map_or("ok", TokenError::label),
            error,
            took: started.elapsed(),
        });
        result
    }

    async fn fetch(
        &self,
        url: &Url,
        build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Answer, TokenError> {
        let host = host_of(url);
        let client = self.client(url)?;
        let response = build(client).send().await;
        let response = response.map_err(|error| connect::fault(&host, error))?;
        Answer::read(host, response).await
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client, TokenError> {
        let (kept, verifies) = match url.scheme() {
            "http" => (&self.inner.plain, false),
            _ => (&self.inner.verifying, true),
        };
        if let Some(client) = kept.get() {
            return Ok(client);
        }
        let tls = connect::tls(verifies).map_err(TokenError::Roots)?;
        let client = connect::client(&self.inner.pace, tls)
            .map_err(|error| connect::fault(&host_of(url), error))?;
        Ok(kept.get_or_init(|| client))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pace = &self.inner.pace;
        out.debug_struct("Http")
            .field("pace", pace)
            .finish_non_exhaustive()
    }
}
