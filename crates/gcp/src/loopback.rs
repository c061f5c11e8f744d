//! A server for tests that says what it is told to, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};
use url::Url;

use crate::http::{Http, Pace};
use crate::{Clock, Endpoints, Identities, Observer, Settings};

/// When tests begin.
pub(crate) fn start() -> Timestamp {
    "2026-11-29T10:00:00Z".parse().expect("a time")
}

/// As in earnest, with shorter pauses.
pub(crate) const QUICK: Pace = Pace {
    first_pause: Duration::from_millis(2),
    longest_pause: Duration::from_millis(20),
    ..Pace::METADATA
};

/// A clock that moves when it is told to.
#[derive(Clone)]
pub(crate) struct Hands(Arc<Mutex<Timestamp>>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(start())))
    }

    pub(crate) fn clock(&self) -> Clock {
        let hands = Arc::clone(&self.0);
        Arc::new(move || *hands.lock())
    }

    pub(crate) fn advance(&self, seconds: i64) {
        *self.0.lock() += SignedDuration::from_secs(seconds);
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    pause: Duration,
}

impl Reply {
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
            pause: Duration::ZERO,
        }
    }

    /// What the metadata server answers.
    pub(crate) fn metadata(body: &str) -> Self {
        Self::new(200, body).header("metadata-flavor", "Google")
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn after(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }
}

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A server on loopback, as long as its runtime lives.
#[derive(Clone)]
pub(crate) struct Loopback {
    pub(crate) url: Url,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// By a part of the path; the last answer is given again and again.
    replies: Mutex<Vec<(String, VecDeque<Reply>)>>,
    seen: Mutex<Vec<Seen>>,
}

impl Loopback {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::on(listener)
    }

    fn on(listener: TcpListener) -> Self {
        let url = url_of(&listener);
        let shared = Arc::<Shared>::default();
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// Answers paths that contain `part` with these, one after the other.
    pub(crate) fn answer(&self, part: &str, replies: impl Into<VecDeque<Reply>>) -> &Self {
        let mut all = self.shared.replies.lock();
        all.retain(|(other, _)| other != part);
        all.push((part.to_owned(), replies.into()));
        self
    }

    /// Plays a metadata server of GKE that has a token for an hour.
    pub(crate) fn answer_as_gke(&self) -> &Self {
        self.answer("project/project-id", [Reply::metadata("acme-gke")])
            .answer("numeric-project-id", [Reply::metadata("4711")])
            .answer("cluster-name", [Reply::metadata("one")])
            .answer("cluster-location", [Reply::metadata("europe-west1")])
            .answer("default/email", [Reply::metadata("acme-gke.svc.id.goog")])
            .answer("default/token", [Reply::metadata(&granted("base", 3_600))])
    }

    pub(crate) fn seen(&self, part: &str) -> Vec<Seen> {
        let seen = self.shared.seen.lock();
        let asked = seen.iter().filter(|it| it.uri.path().contains(part));
        asked.cloned().collect()
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints {
            metadata: self.url.clone(),
            sts: self.url.clone(),
            iam_credentials: self.url.clone(),
            oauth: self.url.clone(),
            iam: self.url.clone(),
            ..Endpoints::default()
        }
    }
}

/// As in earnest, with shorter pauses.
pub(crate) fn identities(settings: Settings, hands: &Hands) -> Identities {
    let google = Pace { tries: 3, ..QUICK };
    Identities::paced(settings, &hands.clock(), quick(QUICK), quick(google))
}

pub(crate) fn quick(pace: Pace) -> Http {
    Http::new(pace, nobody())
}

pub(crate) fn nobody() -> Observer {
    Arc::new(|_| {})
}

/// What services answer that count a token's life in seconds.
pub(crate) fn granted(name: &str, life: i64) -> String {
    format!(r#"{{"access_token":"ya29.{name}","expires_in":{life},"token_type":"Bearer"}}"#)
}

/// What IAM Credentials answers for an hour from `now`, by a clock that agrees with the test's.
pub(crate) fn generated(name: &str, now: Timestamp) -> Reply {
    let expires = now + SignedDuration::from_hours(1);
    let body = format!(r#"{{"accessToken":"ya29.{name}","expireTime":"{expires:.0}"}}"#);
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    Reply::new(200, &body).header("date", &date)
}

/// Says these bytes to whoever connects, whatever was asked, and hangs up.
pub(crate) async fn say(bytes: &'static str) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = url_of(&listener);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let asked = stream.read(&mut request).await;
            let said = stream.write_all(bytes.as_bytes()).await;
            drop((asked, said));
        }
    });
    url
}

/// An address that refuses connections until somebody listens there.
pub(crate) struct Closed(TcpSocket);

impl Closed {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let address = "127.0.0.1:0".parse().expect("an address");
        socket.bind(address).expect("a port");
        Self(socket)
    }

    pub(crate) fn url(&self) -> Url {
        let address = self.0.local_addr().expect("an address");
        Url::parse(&format!("http://{address}")).expect("a URL")
    }

    pub(crate) fn open(self) -> Loopback {
        Loopback::on(self.0.listen(64).expect("a listener"))
    }
}

fn url_of(listener: &TcpListener) -> Url {
    let address = listener.local_addr().expect("an address");
    Url::parse(&format!("http://{address}")).expect("a URL")
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    shared.seen.lock().push(Seen {
        uri,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let reply = {
        let mut all = shared.replies.lock();
        let replies = all
            .iter_mut()
            .find(|(part, _)| path.contains(part.as_str()));
        replies.and_then(|(_, replies)| match replies.len() {
            0 | 1 => replies.front().cloned(),
            _ => replies.pop_front(),
        })
    };
    let Some(reply) = reply else {
        return (StatusCode::NOT_FOUND, "<!DOCTYPE html>").into_response();
    };
    // A slow server is what is tested here; no test waits for the time itself.
    tokio::time::sleep(reply.pause).await;
    let status = StatusCode::from_u16(reply.status).expect("a status");
    let mut response = (status, reply.body).into_response();
    for (name, value) in reply.headers {
        let value = value.parse().expect("a header");
        response.headers_mut().insert(name, value);
    }
    response
}
