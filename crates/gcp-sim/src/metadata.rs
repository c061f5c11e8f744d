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
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};
use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

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
    let pod = metadata.pod(peer);
    let identity = pod.as_ref().and_then(|pod| metadata.identity(pod, false));
    let principal = identity.as_ref().map(|it| it.principal().to_string());
    let project = identity.as_ref().map(Identity::project);
    let occasion = Occasion {
        service: SERVICE,
        method: head.method.as_str(),
        principal: principal.as_deref(),
        path: head.uri.path(),
        about: &[project.as_deref().unwrap_or_default()],
    };
    let visit = Visit {
        metadata: &metadata,
        head: &head,
        pod: pod.as_ref(),
        identity,
    };
    let answer = async {
        if let Some(response) = metadata.disturbance(&occasion).await {
            return response;
        }
        wire::answer(&metadata.google, &occasion, visit.answer()).await
    };
    metadata.google.answering(&occasion, answer).await
}

/// A request, and the pod that it comes from, as far as the world has one.
#[derive(Debug)]
struct Visit<'a> {
    metadata: &'a Metadata,
    head: &'a Parts,
    pod: Option<&'a Pod>,
    identity: Option<Identity>,
}

impl Visit<'_> {
    /// Answers as the server that the pod reaches does: GKE's, or the node's own.
    async fn answer(&self) -> Response {
        if let Some(response) = self.about_the_server() {
            return signed(response, self.identity.as_ref(), self.head).await;
        }
        let path = self.head.uri.path();
        let below = path.strip_prefix("/computeMetadata/v1").unwrap_or_default();
        let wrong = |effect: &Effect| matches!(effect, Effect::MetadataWrongIdentity);
        let on_node = self.metadata.google.fault_about("", wrong).is_some();
        let identity = self
            .pod
            .and_then(|pod| self.metadata.identity(pod, on_node));
        let response = match &identity {
            Some(identity) => {
                let question = Question::new(below, self.head.uri.query());
                self.metadata
                    .look_up(identity, &question, &self.head.method)
                    .await
            }
            None => not_found(),
        };
        signed(response, identity.as_ref(), self.head).await
    }

    /// Answers what is not about the pod: where values lie, and refusals of whoever does not know how to ask.
    fn about_the_server(&self) -> Option<Response> {
        let path = self.head.uri.path();
        if matches!(path, "/" | "") {
            return Some(text(StatusCode::OK, "computeMetadata/\n"));
        }
        if path == "/computeMetadata" || path == "/computeMetadata/" {
            return Some(text(StatusCode::OK, "v1/\n"));
        }
        if !path.starts_with("/computeMetadata/v1") {
            return Some(not_found());
        }
        let headers = &self.head.headers;
        if headers.contains_key("x-forwarded-for") {
            let refused = "X-Forwarded-For is not allowed\n";
            return Some(text(StatusCode::FORBIDDEN, refused));
        }
        let flavor = headers.get("metadata-flavor").map(HeaderValue::as_bytes);
        if flavor != Some(b"Google") {
            let missing = "Missing required header \"Metadata-Flavor\": \"Google\"\n";
            return Some(text(StatusCode::FORBIDDEN, missing));
        }
        None
    }
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
            NotReady::ErrorText => Some(text(StatusCode::INTERNAL_SERVER_ERROR, BROKEN)),
        }
    }

    fn identity(&self, pod: &Pod, forced_onto_node: bool) -> Option<Identity> {
        self.google
            .read(|world| Identity::of(world, pod, forced_onto_node))
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

    async fn look_up(&self, identity: &Identity, question: &Question, method: &Method) -> Response {
        let tree = identity.tree();
        let Some(found) = tree::find(&tree, &question.path) else {
            return not_found();
        };
        match question.path.last().map(String::as_str) {
            Some("token") => return self.token(identity, question).await,
            Some("identity") => return self.identity_token(identity, question).await,
            _ => {}
        }
        if method != Method::GET && method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
        }
        if found.is_object() && !question.ends_in_slash {
            return moved(question);
        }
        let recursive = question.has("recursive", "true");
        if question.has("alt", "json") || (recursive && !question.has("alt", "text")) {
            return json(&tree::to_json(found));
        }
        if recursive {
            return text(StatusCode::OK, &tree::to_lines(found));
        }
        text(StatusCode::OK, &tree::to_text(found))
    }
}

/// What the server says when something of its own fails.
const BROKEN: &str = "GKE Metadata Server: Internal Server Error\n";

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

/// Says which server answers. The node's own, which is Compute Engine's, has more headers than GKE's.
///
/// Source: <https://github.com/salrashid123/gce_metadata_server>
async fn signed(response: Response, identity: Option<&Identity>, head: &Parts) -> Response {
    if !identity.is_some_and(Identity::is_of_node) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    let mut written = head.uri.path().as_bytes().to_vec();
    written.extend_from_slice(&body);
    let etag = hex::encode(&Sha256::digest(&written)[..8]);
    let headers = &mut parts.headers;
    headers.insert(
        header::SERVER,
        HeaderValue::from_static("Metadata Server for VM"),
    );
    headers.extend(HeaderValue::try_from(etag).map(|etag| (header::ETAG, etag)));
    headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("0"));
    headers.insert(
        header::X_FRAME_OPTIONS,
        HeaderValue::from_static("SAMEORIGIN"),
    );
    Response::from_parts(parts, Body::from(body))
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
