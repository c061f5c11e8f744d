//! Sends requests to hosts that tenants name: one connection pool per credential, every wait and every body bounded.
//!
//! [`Sender::send_paced`] keeps to a [`pace`], follows redirects itself, under the egress policy, and leaves the login behind
//! when the origin changes. [`Sender::send_patiently`] also asks again after 429, 5xx and broken connections, with
//! growing pauses, within a budget of time; a name that is not found is looked up once more, and a certificate that
//! does not do is not looked at again. While a server wants to be left alone (Retry-After) nothing is sent.

mod call;
mod detour;
mod fault;
mod limits;
mod pace;
mod pieces;
mod tls;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use http::header::{DATE, HOST, LOCATION, RETRY_AFTER};
use http::{Method, StatusCode};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use crate::cost::Outcome;
use crate::egress::{self, Policy, Resolver};
pub(crate) use call::{Answer, Call};
use call::{Counting, read_bounded, redirected};
pub(crate) use detour::Detour;
use fault::Chance;
pub use fault::Fault;
use limits::enter;
pub use limits::{InFlight, Limits};
use pace::{Pace, Sign};
pub(crate) use pieces::BodyReader;
pub(crate) use tls::Tls;

/// Most redirects of one request.
const HOPS_BOUND: usize = 5;
/// Most origins one credential keeps connections to.
const ORIGINS_BOUND: usize = 16;
/// Longest silence while a body arrives.
const SILENCE: Duration = Duration::from_secs(30);

/// Sends requests on behalf of one credential, or of none.
pub(crate) struct Sender {
    policy: Arc<Policy>,
    tls: Arc<Tls>,
    insecure: bool,
    limits: Limits,
    pace: Pace,
    slots: Semaphore,
    /// What all requests of the project share, whichever host they go to.
    project: Option<Arc<Semaphore>>,
    /// Where connections for one host go.
    detour: Option<Detour>,
    clients: Mutex<HashMap<String, reqwest::Client>>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sender")
            .field("insecure", &self.insecure)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Sender {
    /// Sends under `policy`; `insecure` accepts any certificate.
    pub(crate) fn new(policy: Arc<Policy>, tls: Arc<Tls>, insecure: bool, limits: Limits) -> Self {
        Self {
            policy,
            tls,
            insecure,
            pace: Pace::new(limits.rate),
            slots: Semaphore::new(limits.concurrency.max(1)),
            project: None,
            limits,
            detour: None,
            clients: Mutex::new(HashMap::new()),
        }
    }

    /// Takes a detour to a host: redirects to it are led there too. The first request goes where its URL says.
    #[must_use]
    pub(crate) fn taking(self, detour: Option<Detour>) -> Self {
        Self { detour, ..self }
    }

    pub(crate) fn detour(&self) -> Option<&Detour> {
        self.detour.as_ref()
    }

    /// Counts the requests among those of a project, of which only so many may be under way.
    #[must_use]
    pub(crate) fn of_project(self, project: &str) -> Self {
        Self {
            project: Some(self.limits.in_flight.of_project(project)),
            ..self
        }
    }

    /// Sends a request until it is answered by something else than 429 and 5xx, or patience ends.
    pub(crate) async fn send_patiently(&self, call: &Call) -> Result<Answer, Fault> {
        let end = Instant::now() + self.limits.patience;
        let (shortest, longest) = self.limits.pauses;
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(shortest)
            .with_max_delay(longest)
            .with_max_times(6)
            .with_jitter()
            .build();
        let mut had_chance = false;
        loop {
            let fault = match self.send_before(end, call).await {
                Ok(answer) if is_busy(answer.status) => busy(&answer),
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            match fault.chance() {
                Chance::None => return Err(fault),
                Chance::Once if had_chance => return Err(fault),
                Chance::Once => had_chance = true,
                Chance::Often => {}
            }
            let asked = if let Fault::Busy { retry_after, .. } = &fault {
                *retry_after
            } else {
                None
            };
            let Some(pause) = pauses
                .next()
                .map(|pause| pause.max(asked.unwrap_or_default()))
            else {
                return Err(fault);
            };
            if Instant::now() + pause >= end {
                return Err(fault);
            }
            tracing::debug!(host = call.url.host_str(), ?pause, error = %fault, "asking again after a pause");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a request once, at the pace of the client and within the time of one answer.
    pub(crate) async fn send_paced(&self, call: &Call) -> Result<Answer, Fault> {
        let end = Instant::now() + self.limits.patience;
        self.send_before(end, call).await
    }

    /// Sends a request once, unless its turn comes only after `end`.
    async fn send_before(&self, end: Instant, call: &Call) -> Result<Answer, Fault> {
        let came = Instant::now();
        let _slot = enter(&self.slots).await;
        let turn = self.pace.turn(end).await;
        // Last, so that nobody who waits for a pace keeps others from theirs.
        let _of_project = match &self.project {
            Some(project) => Some(enter(project).await),
            None => None,
        };
        let _of_all = self.limits.in_flight.enter().await;
        call.cost.waited(came.elapsed());
        turn.map_err(|pause| Fault::Busy {
            host: host_of(&call.url),
            status: pause.status,
            retry_after: Some(pause.until.saturating_duration_since(Instant::now())),
        })?;
        let (sent, host) = (Instant::now(), host_of(&call.url));
        let own = call.reader.as_ref().map(|it| it.timeout);
        let timeout = own.unwrap_or(self.limits.timeout);
        let answer = tokio::time::timeout(timeout, self.send(call))
            .await
            .unwrap_or(Err(Fault::Silence { host }))?;
        self.pace.learn(sent, sign(&answer));
        Ok(answer)
    }

    /// Sends a request once, following redirects of GET and HEAD.
    async fn send(&self, call: &Call) -> Result<Answer, Fault> {
        let mut call = call.clone();
        for _ in 0..=HOPS_BOUND {
            let counting = Counting::start(&call);
            let answer = self.send_one(&call).await?;
            counting.end(Outcome::of(answer.status));
            let follow = answer.status.is_redirection()
                && (call.method == Method::GET || call.method == Method::HEAD);
            match answer.header(LOCATION).filter(|_| follow) {
                None => return Ok(answer),
                Some(location) => call = redirected(call, location, self.detour())?,
            }
        }
        Err(Fault::Redirect {
            host: host_of(&call.url),
            why: "too many times",
        })
    }

    async fn send_one(&self, call: &Call) -> Result<Answer, Fault> {
        check_scheme(&call.url)?;
        self.policy.check_url(&call.url)?;
        let host = host_of(&call.url);
        let mut request = self
            .client(&call.url)?
            .request(call.method.clone(), call.url.clone())
            .headers(call.headers.clone());
        if let Some(name) = self.detour().and_then(|it| it.name_at(&call.url)) {
            request = request.header(HOST, name);
        }
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let response = request
            .send()
            .await
            .map_err(|error| Fault::connecting(&host, error))?;
        let (status, headers, url) = (
            response.status(),
            response.headers().clone(),
            response.url().clone(),
        );
        let body = match &call.reader {
            None => read_bounded(response, &host, call.bound).await?,
            Some(reader) if status.is_success() => {
                reader.pass(response, &host, call.bound).await?;
                Bytes::new()
            }
            Some(_) => Bytes::new(),
        };
        Ok(Answer {
            status,
            headers,
            body,
            url,
        })
    }

    /// Gives the client that connects to the URL's host and port only: the egress policy is about both.
    fn client(&self, url: &Url) -> Result<reqwest::Client, Fault> {
        let port = url.port_or_known_default().unwrap_or_default();
        let origin = format!(
            "{}://{}:{port}",
            url.scheme(),
            url.host_str().unwrap_or_default()
        );
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&origin) {
            return Ok(client.clone());
        }
        // Over plain http no certificate is looked at, and a machine without roots may still use its own servers.
        let tls = if self.insecure || url.scheme() == "http" {
            self.tls.insecure()
        } else {
            self.tls.verifying().map_err(Fault::Roots)?
        };
        let client = reqwest::Client::builder()
            .user_agent(concat!("argosy/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls)
            .dns_resolver(Resolver::new(Arc::clone(&self.policy), port))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(SILENCE)
            .pool_idle_timeout(Duration::from_mins(1))
            .build()
            .map_err(Fault::Client)?;
        if clients.len() >= ORIGINS_BOUND {
            clients.clear();
        }
        clients.insert(origin, client.clone());
        Ok(client)
    }
}

fn is_busy(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

fn busy(answer: &Answer) -> Fault {
    Fault::Busy {
        host: host_of(&answer.url),
        status: answer.status,
        retry_after: retry_after(answer),
    }
}

/// Reads off an answer whether the host can be asked faster, or is asked too fast.
fn sign(answer: &Answer) -> Sign {
    let (status, wait) = (answer.status, retry_after(answer));
    match status {
        StatusCode::TOO_MANY_REQUESTS => Sign::TooMuch { status, wait },
        StatusCode::SERVICE_UNAVAILABLE if wait.is_some() => Sign::TooMuch { status, wait },
        _ if is_busy(status) => Sign::None,
        _ => Sign::Good,
    }
}

/// Reads how long a server wants to be left alone: seconds, or a time by its own clock.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.header(RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = |text: &str| -> Option<Timestamp> {
        let read = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text);
        read.ok()
    };
    let (then, now) = (time(text)?, time(answer.header(DATE)?)?);
    Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

/// Lets plain http through to this machine only.
fn check_scheme(url: &Url) -> Result<(), Fault> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if url.host_str().is_some_and(egress::is_loopback_name) => Ok(()),
        "http" => Err(Fault::PlainHttp { host: host_of(url) }),
        scheme => Err(Fault::Scheme {
            scheme: scheme.to_owned(),
        }),
    }
}

/// Gives the host and port of a URL, for messages: a path or a query may hold a secret.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
