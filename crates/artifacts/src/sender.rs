//! Sends requests to hosts that tenants name: one connection pool per credential, every wait and every body bounded.
//!
//! [`Sender::send_paced`] keeps to a rate, follows redirects itself, under the egress policy, and leaves the login behind
//! when the origin changes. [`Sender::send_patiently`] also asks again after 429, 5xx and broken connections, with
//! growing pauses and the server's own Retry-After, within a budget of time.

mod fault;
mod pieces;
mod tls;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::{Bytes, BytesMut};
use governor::{DefaultDirectRateLimiter, Jitter, Quota, RateLimiter};
use http::header::{AUTHORIZATION, HOST, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use url::Url;

use crate::cost::{Cost, Outcome};
use crate::egress::{self, Policy, Resolver};
pub use fault::Fault;
pub(crate) use pieces::BodyReader;
pub(crate) use tls::Tls;

/// Most redirects of one request.
const HOPS_BOUND: usize = 5;
/// Most origins one credential keeps connections to.
const ORIGINS_BOUND: usize = 16;
/// Longest silence while a body arrives.
const SILENCE: Duration = Duration::from_secs(30);

/// Says how hard a host may be asked.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests a second to one host with one credential.
    pub rate: NonZeroU32,
    /// Requests at the same time to one host with one credential.
    pub concurrency: usize,
    /// Longest wait for one answer, its body included.
    pub timeout: Duration,
    /// Longest time one request may take with all its repetitions and pauses.
    pub patience: Duration,
    /// Shortest and longest pause before asking again; Retry-After may lengthen it.
    pub pauses: (Duration, Duration),
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate: NonZeroU32::new(50).expect("50 is not zero"),
            concurrency: 8,
            timeout: Duration::from_mins(1),
            patience: Duration::from_mins(2),
            pauses: (Duration::from_millis(250), Duration::from_secs(10)),
        }
    }
}

/// Holds one request.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// Most bytes of the answer's body.
    pub(crate) bound: usize,
    /// Who reads the body of a success, if it is not to be held as a whole; then other bodies are left unread.
    pub(crate) reader: Option<BodyReader>,
    /// Where the request is counted.
    pub(crate) cost: Cost,
}

impl Call {
    pub(crate) fn get(url: Url, bound: usize, cost: &Cost) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: None,
            bound,
            reader: None,
            cost: cost.clone(),
        }
    }

    /// Has the body read while it arrives; the answer's own is empty then.
    #[must_use]
    pub(crate) fn read_by(self, reader: BodyReader) -> Self {
        Self {
            reader: Some(reader),
            ..self
        }
    }

    #[must_use]
    pub(crate) fn header(mut self, name: http::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

/// Holds an answer, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Where the answer came from, after redirects.
    pub(crate) url: Url,
}

impl Answer {
    /// Reads a header that is text.
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends requests on behalf of one credential, or of none.
pub(crate) struct Sender {
    policy: Arc<Policy>,
    tls: Arc<Tls>,
    insecure: bool,
    limits: Limits,
    pace: DefaultDirectRateLimiter,
    slots: Semaphore,
    /// What a server on plain http is called, whose address says nothing of it.
    called: Option<(Url, HeaderValue)>,
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
        let quota = Quota::per_second(limits.rate).allow_burst(limits.rate);
        Self {
            policy,
            tls,
            insecure,
            pace: RateLimiter::direct(quota),
            slots: Semaphore::new(limits.concurrency.max(1)),
            limits,
            called: None,
            clients: Mutex::new(HashMap::new()),
        }
    }

    /// Calls the server at `address` by another host's name, where it is asked over plain http; over TLS its certificate
    /// has to say the name of the address.
    #[must_use]
    pub(crate) fn calling(self, address: &Url, host: &str) -> Self {
        let name = HeaderValue::from_str(host).ok();
        let called = name.filter(|_| address.scheme() == "http");
        Self {
            called: called.map(|name| (address.clone(), name)),
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
        loop {
            let fault = match self.send_paced(call).await {
                Ok(answer) if is_busy(answer.status) => busy(&answer),
                Ok(answer) => return Ok(answer),
                Err(fault) if fault.is_passing() => fault,
                Err(fault) => return Err(fault),
            };
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
        let came = Instant::now();
        let _slot = self
            .slots
            .acquire()
            .await
            .expect("the semaphore is never closed");
        self.pace
            .until_ready_with_jitter(Jitter::up_to(Duration::from_millis(5)))
            .await;
        call.cost.waited(came.elapsed());
        let host = call.url.host_str().unwrap_or_default().to_owned();
        let own = call.reader.as_ref().map(|it| it.timeout);
        let timeout = own.unwrap_or(self.limits.timeout);
        tokio::time::timeout(timeout, self.send(call))
            .await
            .unwrap_or(Err(Fault::Silence { host }))
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
                Some(location) => call = redirected(call, location)?,
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
        if let Some((address, name)) = &self.called
            && address.origin() == call.url.origin()
        {
            request = request.header(HOST, name.clone());
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

/// Counts one request, also where nobody waits for its answer any more.
struct Counting<'a> {
    call: &'a Call,
    outcome: Outcome,
}

impl<'a> Counting<'a> {
    fn start(call: &'a Call) -> Self {
        let outcome = Outcome::Failed;
        Self { call, outcome }
    }

    fn end(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Counting<'_> {
    fn drop(&mut self) {
        let host = host_of(&self.call.url);
        self.call.cost.request(&host, self.outcome);
    }
}

fn is_busy(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

fn busy(answer: &Answer) -> Fault {
    // The header may hold a date instead; then our own pauses apply.
    let seconds = answer
        .header(RETRY_AFTER)
        .and_then(|text| text.trim().parse().ok());
    Fault::Busy {
        host: host_of(&answer.url),
        status: answer.status,
        retry_after: seconds.map(Duration::from_secs),
    }
}

/// Builds the request that follows a redirect; the login stays behind when the origin changes.
fn redirected(call: Call, location: &str) -> Result<Call, Fault> {
    let error = |why| Fault::Redirect {
        host: host_of(&call.url),
        why,
    };
    let url = call
        .url
        .join(location)
        .map_err(|_| error("the address cannot be read"))?;
    if call.url.scheme() == "https" && url.scheme() != "https" {
        return Err(error("from https to something weaker"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(error("the address holds a login"));
    }
    let mut headers = call.headers;
    if url.origin() != call.url.origin() {
        headers.remove(AUTHORIZATION);
    }
    Ok(Call {
        url,
        headers,
        ..call
    })
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

async fn read_bounded(
    mut response: reqwest::Response,
    host: &str,
    bound: usize,
) -> Result<Bytes, Fault> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| Fault::reading(host, error))?
    {
        if body.len() + chunk.len() > bound {
            return Err(Fault::TooLarge {
                host: host.to_owned(),
                bound,
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Gives the host and port of a URL, for messages: a path or a query may hold a secret.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
