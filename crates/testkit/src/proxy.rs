//! A proxy on loopback, in front of a real server, that goes wrong as a script says.
//!
//! It shows what a real server cannot be made to do: pages and pages in circles, `ETag`s, Retry-After, connections that break
//! off, and a way as long as to another continent.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Most bytes of a body that passes through.
const BODY_BOUND: usize = 64 << 20;

/// A request as the script sees it.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    /// The path and the query.
    pub target: String,
    pub headers: HeaderMap,
    /// How many requests with the same method and target came before.
    pub before: usize,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Twist {
    /// The server behind answers.
    Pass,
    /// The proxy answers in its place.
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The server behind answers, with another header.
    Header(&'static str, String),
    /// The server behind answers, without these headers.
    Without(&'static [&'static str]),
    /// The server behind answers once this says so.
    Held(watch::Receiver<bool>),
    /// The server behind lists tags, of which one page is passed on.
    Page(Page),
    /// The answer breaks off after so many bytes.
    Cut(usize),
    /// The connection is closed without an answer.
    Reset,
    /// Another target is asked for in place of this one.
    Target(String),
}

/// Cuts a list of tags into pages, for a registry that gives all there are.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// Tags on a page at most, whatever was asked for.
    pub size: usize,
    /// What the link to the next page begins with, such as the address by which a server behind others knows itself;
    /// none where pages are not linked.
    pub link: Option<&'static str>,
}

type Script = dyn Fn(&Asked) -> Twist + Send + Sync;

/// A proxy that runs until it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    count: AtomicUsize,
    targets: Mutex<Vec<(Method, String)>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Starts a proxy before the server at `behind` (`127.0.0.1:5000`); every request waits `away` before it goes on.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(
        behind: &str,
        away: Duration,
        script: impl Fn(&Asked) -> Twist + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let seen = Arc::<Seen>::default();
        let way = Way {
            behind: behind.to_owned(),
            front: address.to_string(),
            away,
            script: Arc::new(script),
            client: crate::client::build(
                reqwest::Client::builder()
                    .redirect(reqwest::redirect::Policy::none())
                    .no_gzip(),
            )?,
            seen: Arc::clone(&seen),
        };
        let task = tokio::spawn(serve(listener, Arc::new(way)));
        Ok(Self {
            address,
            seen,
            task,
        })
    }

    /// `127.0.0.1:<port>`: how image references begin.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Counts the requests so far.
    pub fn count(&self) -> usize {
        self.seen.count.load(Ordering::Relaxed)
    }

    /// Gives the methods and targets of the requests so far.
    pub fn targets(&self) -> Vec<(Method, String)> {
        let targets = self.seen.targets.lock();
        targets.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Way {
    behind: String,
    front: String,
    away: Duration,
    script: Arc<Script>,
    client: reqwest::Client,
    seen: Arc<Seen>,
}

/// Closes the connection: the server gives up on one whose handler fails.
#[derive(Debug, thiserror::Error)]
#[error("the script closes the connection")]
struct Closed;

async fn serve(listener: TcpListener, way: Arc<Way>) {
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).ok();
        let way = Arc::clone(&way);
        let service = service_fn(move |request| {
            let way = Arc::clone(&way);
            async move { way.pass(request).await }
        });
        tokio::spawn(async move {
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            // A connection that is closed on purpose ends in an error here.
            builder
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}

impl Way {
    async fn pass(&self, request: Request<Incoming>) -> Result<Response<Body>, Closed> {
        let asked = self.asked(&request);
        tokio::time::sleep(self.away).await;
        match (self.script)(&asked) {
            Twist::Pass => self.fetch(request, &asked.target).await,
            Twist::Target(target) => self.fetch(request, &target).await,
            Twist::Reset => Err(Closed),
            Twist::Answer {
                status,
                headers,
                body,
            } => {
                let builder = headers.iter().fold(
                    Response::builder().status(status),
                    |builder, (name, value)| builder.header(*name, value),
                );
                builder.body(Body::from(body)).map_err(|_| Closed)
            }
            Twist::Header(name, value) => {
                let mut answer = self.fetch(request, &asked.target).await?;
                let value = HeaderValue::from_str(&value).map_err(|_| Closed)?;
                answer
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
                Ok(answer)
            }
            Twist::Without(names) => {
                let mut answer = self.fetch(request, &asked.target).await?;
                for name in names {
                    answer.headers_mut().remove(*name);
                }
                Ok(answer)
            }
            Twist::Held(mut until) => {
                until.wait_for(|it| *it).await.map_err(|_| Closed)?;
                self.fetch(request, &asked.target).await
            }
            Twist::Page(page) => {
                let answer = self.fetch(request, &asked.target).await?;
                page.of(answer, &asked.target).await.ok_or(Closed)
            }
            Twist::Cut(after) => Ok(cut(self.fetch(request, &asked.target).await?, after).await),
        }
    }

    fn asked(&self, request: &Request<Incoming>) -> Asked {
        let target = request.uri().path_and_query();
        let target = target.map(ToString::to_string).unwrap_or_default();
        let method = request.method().clone();
        let one = (method.clone(), target.clone());
        self.seen.count.fetch_add(1, Ordering::Relaxed);
        let mut targets = self
            .seen
            .targets
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = targets.iter().filter(|it| **it == one).count();
        targets.push(one);
        Asked {
            method,
            target,
            headers: request.headers().clone(),
            before,
        }
    }

    /// Lets the server behind answer; what it says of its own address is put right.
    async fn fetch(
        &self,
        request: Request<Incoming>,
        target: &str,
    ) -> Result<Response<Body>, Closed> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), BODY_BOUND).await;
        let mut headers = head.headers;
        headers.remove("host");
        let answer = self
            .client
            .request(head.method, format!("http://{}{target}", self.behind))
            .headers(headers)
            .body(body.map_err(|_| Closed)?)
            .send()
            .await
            .map_err(|_| Closed)?;
        let status = answer.status();
        let mut headers = answer.headers().clone();
        for name in ["location", "link", "www-authenticate"] {
            if let Some(text) = headers.get(name).and_then(|it| it.to_str().ok())
                && let Ok(value) = HeaderValue::from_str(&text.replace(&self.behind, &self.front))
            {
                headers.insert(name, value);
            }
        }
        headers.remove("transfer-encoding");
        let body = answer.bytes().await.map_err(|_| Closed)?;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status.as_u16()).map_err(|_| Closed)?;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

impl Page {
    /// Gives the page of a list that a target asks for by `last`.
    async fn of(self, answer: Response<Body>, target: &str) -> Option<Response<Body>> {
        let (mut head, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, BODY_BOUND).await.ok()?;
        let mut list: serde_json::Value = serde_json::from_slice(&body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let after = query.split('&').find_map(|it| it.strip_prefix("last="));
        let after = after.unwrap_or_default().to_owned();
        let tags = list["tags"].as_array_mut()?;
        tags.retain(|it| it.as_str().is_some_and(|tag| tag > after.as_str()));
        tags.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
        let has_more = tags.len() > self.size;
        tags.truncate(self.size);
        let last = tags.last().and_then(|it| it.as_str().map(str::to_owned));
        if let (Some(base), Some(last), true) = (self.link, last, has_more) {
            let link = format!("<{base}{path}?n={}&last={last}>; rel=\"next\"", self.size);
            head.headers
                .insert("link", HeaderValue::from_str(&link).ok()?);
        }
        head.headers.remove("content-length");
        Some(Response::from_parts(head, Body::from(list.to_string())))
    }
}

/// Sends the first bytes of a body and closes the connection.
async fn cut(answer: Response<Body>, after: usize) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, BODY_BOUND)
        .await
        .unwrap_or_default();
    head.headers.remove("content-length");
    let (sender, chunks) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    tokio::spawn(async move {
        // Nobody may be listening any more.
        sender
            .send(Ok(body.slice(..after.min(body.len()))))
            .await
            .ok();
        tokio::time::sleep(Duration::from_millis(50)).await;
        sender.send(Err(std::io::Error::other("cut"))).await.ok();
    });
    Response::from_parts(head, Body::from_stream(Chunks(chunks)))
}

struct Chunks(tokio::sync::mpsc::Receiver<Result<Bytes, std::io::Error>>);

impl futures::Stream for Chunks {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// Passes everything on.
pub fn pass(_: &Asked) -> Twist {
    Twist::Pass
}
