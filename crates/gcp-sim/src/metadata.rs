//! The metadata server of GKE: who a pod is, and tokens for it.
//!
//! Sources: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity>,
//! <https://github.com/matheuscscp/gke-metadata-server>

mod identity;
mod token;
mod tree;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use parking_lot::Mutex;
use serde_json::Value;

use crate::faults::{Effect, NotReady, Occasion};
use crate::google::Google;
use crate::wire;
use crate::world::Pod;

use identity::Identity;
use token::TokenCache;

/// What faults call the metadata server.
pub(crate) const SERVICE: &str = "metadata";

/// The metadata server that one pod reaches; on a listener that several share, the source address tells.
#[derive(Debug, Clone)]
struct Metadata {
    google: Google,
    pod: Option<String>,
    tokens: Arc<Mutex<TokenCache>>,
}

pub(crate) fn router(google: Google, pod: Option<String>) -> Router {
    let metadata = Metadata {
        google,
        pod,
        tokens: Arc::default(),
    };
    Router::new().fallback(answer).with_state(metadata)
}

async fn answer(
    State(metadata): State<Metadata>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (head, _body) = request.into_parts();
    let occasion = Occasion {
        service: SERVICE,
        method: head.method.as_str(),
        principal: None,
        path: head.uri.path(),
    };
    let answer = async {
        if let Some(response) = metadata.disturbance(&occasion).await {
            return response;
        }
        let answer = async { metadata.answer(peer, &head) };
        wire::answer(&metadata.google, &occasion, answer).await
    };
    metadata.google.answering(&occasion, answer).await
}

impl Metadata {
    async fn disturbance(&self, occasion: &Occasion<'_>) -> Option<Response> {
        let wanted = |effect: &Effect| {
            matches!(
                effect,
                Effect::MetadataNotReady { .. } | Effect::MetadataOverload
            )
        };
        let Effect::MetadataNotReady { how } = self.google.fault(occasion, wanted)? else {
            tokio::time::sleep(OVERLOADED).await;
            let closed = StatusCode::from_u16(499).expect("499 is a status");
            return Some(text(closed, ""));
        };
        match how {
            NotReady::Refuse => Some(wire::drop_connection()),
            NotReady::Hold => std::future::pending().await,
            NotReady::NotFound => occasion
                .path
                .contains("/service-accounts/default")
                .then(|| text(StatusCode::NOT_FOUND, "Not Found\n")),
            NotReady::ErrorText => Some(text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "GKE Metadata Server: Internal Server Error\n",
            )),
        }
    }

    fn answer(&self, peer: SocketAddr, head: &Parts) -> Response {
        let path = head.uri.path();
        if matches!(path, "/" | "") {
            return text(StatusCode::OK, "computeMetadata/\n");
        }
        if path == "/computeMetadata" || path == "/computeMetadata/" {
            return text(StatusCode::OK, "v1/\n");
        }
        let Some(below) = path.strip_prefix("/computeMetadata/v1") else {
            return not_found();
        };
        if head.headers.contains_key("x-forwarded-for") {
            return text(StatusCode::FORBIDDEN, "X-Forwarded-For is not allowed\n");
        }
        let flavor = head
            .headers
            .get("metadata-flavor")
            .map(HeaderValue::as_bytes);
        if flavor != Some(b"Google") {
            let missing = "Missing required header \"Metadata-Flavor\": \"Google\"\n";
            return text(StatusCode::FORBIDDEN, missing);
        }
        let Some(pod) = self.pod(peer) else {
            return not_found();
        };
        let occasion = Occasion {
            service: SERVICE,
            path,
            ..Occasion::default()
        };
        let wrong = |effect: &Effect| matches!(effect, Effect::MetadataWrongIdentity);
        let on_node = self.google.fault(&occasion, wrong).is_some();
        let identity = self.google.read(|world| Identity::of(world, &pod, on_node));
        let Some(identity) = identity else {
            return not_found();
        };
        let question = Question::new(below, head.uri.query());
        let mut response = self.look_up(&identity, &question, &head.method);
        let server = HeaderValue::from_static(identity.server());
        response.headers_mut().insert(header::SERVER, server);
        response
    }

    /// Finds the pod that asks: by its address where the world gives it one, else the pod of this listener.
    fn pod(&self, peer: SocketAddr) -> Option<Pod> {
        self.google.read(|world| {
            let by_address = world.pods.iter().find(|pod| pod.ip == Some(peer.ip()));
            let own = || {
                world
                    .pods
                    .iter()
                    .find(|pod| Some(&pod.name) == self.pod.as_ref())
            };
            by_address.or_else(own).cloned()
        })
    }

    fn look_up(&self, identity: &Identity, question: &Question, method: &Method) -> Response {
        let tree = identity.tree();
        let Some(found) = tree::find(&tree, &question.path) else {
            return not_found();
        };
        match question.path.last().map(String::as_str) {
            Some("token") => return self.token(identity, question),
            Some("identity") => return self.identity_token(identity, question),
            _ => {}
        }
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
        }
        if found.is_object() && !question.ends_in_slash {
            return moved(question);
        }
        let recursive = question.has("recursive", "true");
        if recursive || question.has("alt", "json") {
            return json(&tree::to_json(found));
        }
        text(StatusCode::OK, &tree::to_text(found))
    }
}

/// How long an overloaded server keeps a client waiting before it gives up.
const OVERLOADED: Duration = Duration::from_millis(50);

/// What is asked for below `/computeMetadata/v1`.
#[derive(Debug)]
struct Question {
    path: Vec<String>,
    ends_in_slash: bool,
    query: Vec<(String, String)>,
    written: String,
}

impl Question {
    fn new(below: &str, query: Option<&str>) -> Self {
        let decode = |part: &str| {
            percent_encoding::percent_decode_str(part)
                .decode_utf8_lossy()
                .into_owned()
        };
        let written = query.map_or_else(
            || format!("/computeMetadata/v1{below}/"),
            |query| format!("/computeMetadata/v1{below}/?{query}"),
        );
        Self {
            path: below
                .split('/')
                .filter(|part| !part.is_empty())
                .map(decode)
                .collect(),
            ends_in_slash: below.ends_with('/'),
            query: url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            written,
        }
    }

    fn find(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(own, _)| own == name)?;
        Some(value)
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.find(name)
            .is_some_and(|own| own.eq_ignore_ascii_case(value))
    }
}

/// Values are text without a newline at the end; every answer says whose it is.
fn text(status: StatusCode, body: &str) -> Response {
    let mut response = (status, body.to_owned()).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/text"),
    );
    headers.insert("metadata-flavor", HeaderValue::from_static("Google"));
    headers.insert(
        header::SERVER,
        HeaderValue::from_static("GKE Metadata Server"),
    );
    response
}

fn json(value: &Value) -> Response {
    let mut response = text(StatusCode::OK, &value.to_string());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn moved(question: &Question) -> Response {
    let mut response = text(StatusCode::MOVED_PERMANENTLY, "");
    if let Ok(location) = HeaderValue::from_str(&question.written) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn not_found() -> Response {
    text(
        StatusCode::NOT_FOUND,
        "HTTP/404: generic::not_found: no child \"\"\n",
    )
}
