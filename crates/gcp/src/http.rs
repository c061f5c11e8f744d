//! Requests to Google: bounded in time and size, repeated while that may help, told to whoever counts them.

mod answer;
mod connect;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use crate::TokenError;
use crate::endpoints::{host_of, is_on_this_machine};
use crate::token::SIMULATED_TOKENS;

pub(crate) use answer::{Answer, believed};

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

    /// Lets one more service have a chance where others took nearly all of the time: it is not blamed for what they took.
    pub(crate) fn chance(&self, deadline: Instant) -> Instant {
        deadline.max(Instant::now() + self.budget / 6)
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

/// So much longer than a request goes on it is waited for, so that it says itself why it failed.
const LAST_WORD: Duration = Duration::from_millis(250);

/// Waits for what somebody else may have begun and others wait for too, until `deadline`; whose silence it was then says
/// `host`.
pub(crate) async fn awaited<T>(
    deadline: Instant,
    host: impl FnOnce() -> String,
    shared: impl Future<Output = Result<T, TokenError>>,
) -> Result<T, TokenError> {
    let ended = timeout_at(deadline + LAST_WORD, shared).await;
    ended.unwrap_or_else(|_| Err(TokenError::Silent { host: host() }))
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

    /// Trusts these roots instead of the system's, which may have none.
    #[cfg(test)]
    pub(crate) fn trusting(pace: Pace, observer: Observer, roots: rustls::RootCertStore) -> Self {
        let tls = connect::tls_trusting(roots).expect("the usual versions");
        let client = connect::client(&pace, tls).expect("a client");
        let it = Self::new(pace, observer);
        it.inner.verifying.set(client).expect("a new one");
        it
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

    pub(crate) async fn fetch(
        &self,
        url: &Url,
        build: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Answer, TokenError> {
        let host = host_of(url);
        let client = self.client(url)?;
        let request = build(client).build();
        let request = request.map_err(|error| connect::fault(&host, error))?;
        let shown = request.headers().get(AUTHORIZATION);
        if shown.is_some_and(is_simulated) && !is_on_this_machine(url) {
            return Err(TokenError::Simulated { host });
        }
        let response = client.execute(request).await;
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

/// Says whether a header carries a token of the simulator, which is worth nothing and names what it was made for.
fn is_simulated(header: &HeaderValue) -> bool {
    let prefix = SIMULATED_TOKENS.as_bytes();
    let token = header.as_bytes().strip_prefix(b"Bearer ");
    token.is_some_and(|token| token.starts_with(prefix))
}

impl fmt::Debug for Http {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pace = &self.inner.pace;
        out.debug_struct("Http")
            .field("pace", pace)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::{Closed, Loopback, QUICK, Reply, nobody, quick};

    fn limited(retry_after: Option<Duration>) -> TokenError {
        TokenError::RateLimited {
            host: String::new(),
            retry_after,
        }
    }

    #[test]
    fn pauses_double_from_a_tenth_of_a_second_to_two_with_jitter() {
        for (pauses, longest) in [
            (0, 100),
            (1, 200),
            (4, 1_600),
            (5, 2_000),
            (u32::MAX, 2_000),
        ] {
            let longest = Duration::from_millis(longest);
            for _ in 0..100 {
                let pause = Pace::METADATA.pause(pauses, &limited(None));
                assert!(
                    pause >= longest / 2 && pause <= longest,
                    "{pauses}: {pause:?}"
                );
            }
        }
        let asked = Duration::from_secs(7);
        assert_eq!(Pace::METADATA.pause(0, &limited(Some(asked))), asked);
    }

    #[tokio::test]
    async fn a_wait_as_long_as_time_itself_ends_the_tries_and_nothing_else() {
        let url: Url = "https://sts.googleapis.invalid/".parse().expect("a URL");
        let longest = limited(Some(believed(Duration::MAX)));
        let attempt = || async { Err::<(), _>(longest.clone()) };
        let pace = Pace::GOOGLE;
        let ended = pace.repeat(&url, pace.deadline(), attempt).await;
        assert_eq!(ended.expect_err("a limit").label(), "rate-limited");
    }

    #[tokio::test]
    async fn who_is_asked_last_is_not_blamed_for_what_others_took() {
        let (pace, now) = (Pace::GOOGLE, Instant::now());
        assert!(pace.chance(now) >= now + Duration::from_secs(5));
        let later = now + Duration::from_hours(1);
        assert_eq!(pace.chance(later), later);
        let silent = awaited(
            now,
            || "metadata".to_owned(),
            std::future::pending::<Result<(), _>>(),
        );
        match silent.await {
            Err(TokenError::Silent { host }) => assert_eq!(host, "metadata"),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn every_request_is_told_with_its_outcome() {
        let server = Loopback::start().await;
        server.answer("/", [Reply::new(200, "7"), Reply::new(200, "null")]);
        let told = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let observer: Observer = Arc::new(move |call| {
            assert!(call.took < Duration::from_mins(1));
            heard.lock().push((call.service, call.outcome));
        });
        let http = Http::new(QUICK, observer);
        for _ in 0..2 {
            let build = |client: &reqwest::Client| client.get(server.url.clone());
            let read = |answer: &Answer| answer.json::<u8>();
            drop(http.send("sts", &server.url, build, read).await);
        }
        assert_eq!(*told.lock(), [("sts", "ok"), ("sts", "malformed")]);
    }

    #[tokio::test]
    async fn a_token_of_the_simulator_stays_on_this_machine() {
        let server = Loopback::start().await;
        server.answer("/", [Reply::new(200, "7"), Reply::new(200, "7")]);
        let send = async |url: &Url, token: &str| {
            let build = |client: &reqwest::Client| client.get(url.clone()).bearer_auth(token);
            let read = |answer: &Answer| answer.json::<u8>();
            quick(QUICK).send("iam", url, build, read).await
        };
        assert_eq!(send(&server.url, "ya29.sim-1").await.expect("here"), 7);
        // Nothing listens there, and nothing is sent there.
        let elsewhere: Url = "https://iam.googleapis.invalid/".parse().expect("a URL");
        let error = send(&elsewhere, "ya29.sim-1").await.expect_err("refused");
        assert!(matches!(error, TokenError::Simulated { .. }), "{error:?}");
        let error = send(&elsewhere, "ya29.real").await.expect_err("nobody");
        assert!(matches!(error, TokenError::Unreachable { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (server, other) = (Loopback::start().await, Loopback::start().await);
        let away = Reply::new(307, "").header("location", other.url.as_str());
        server.answer("/", [away]);
        let build = |client: &reqwest::Client| client.get(server.url.clone()).bearer_auth("t");
        let read = |answer: &Answer| Ok(answer.status.as_u16());
        let status = quick(QUICK).send("sts", &server.url, build, read).await;
        assert_eq!(status.expect("an answer"), 307);
        assert!(other.seen("/").is_empty());
    }

    #[tokio::test]
    async fn https_is_spoken_where_the_address_says_so() {
        let server = Loopback::start().await;
        let http = Http::trusting(QUICK, nobody(), rustls::RootCertStore::empty());
        for mut url in [server.url.clone(), Closed::new().url()] {
            url.set_scheme("https").expect("a scheme");
            let build = |client: &reqwest::Client| client.get(url.clone());
            let sent = http.send("sts", &url, build, |_| Ok(())).await;
            let error = sent.expect_err("no TLS there");
            assert!(matches!(error, TokenError::Unreachable { .. }), "{error:?}");
        }
        assert!(server.seen("/").is_empty());
    }
}
