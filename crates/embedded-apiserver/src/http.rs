//! The server as a tower service: a request comes in, a response goes out, whatever carries them.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::{Value, json};
use tower::{BoxError, Service};

use crate::api::Api;
use crate::body;
use crate::discovery;
use crate::failure::Failure;
use crate::kinds::KindTable;
use crate::negotiate::{Form, ListHead};
use crate::query::Query;
use crate::reviews::Review;
use crate::routes::{Route, Target};
use crate::verbs::{Answer, Call};

/// The server for one user.
#[derive(Debug, Clone)]
pub struct ApiService {
    api: Arc<Api>,
    user: UserInfo,
}

impl ApiService {
    pub(crate) fn new(api: Arc<Api>, user: UserInfo) -> Self {
        Self { api, user }
    }
}

impl<B> Service<Request<B>> for ApiService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let user = parts
            .extensions
            .get::<UserInfo>()
            .unwrap_or(&self.user)
            .clone();
        let api = Arc::clone(&self.api);
        Box::pin(async move {
            let response = api.respond(user, parts, Body::new(body)).await;
            Ok(response.unwrap_or_else(Failure::into_response))
        })
    }
}

impl Api {
    async fn respond(
        self: Arc<Self>,
        user: UserInfo,
        parts: Parts,
        body: Body,
    ) -> Result<Response<Body>, Failure> {
        match Route::parse(parts.uri.path())? {
            Route::Objects(target) => self.respond_objects(user, target, parts, body).await,
            _ if parts.method != Method::GET => Err(Failure::method_not_allowed()),
            Route::Health => Ok(self.health(parts.uri.path())),
            Route::Version => Ok(json(StatusCode::OK, &version())),
            Route::TokenIssuer => {
                let document = self.tokens.issuer.configuration();
                Ok(for_everybody("application/json", &document))
            }
            Route::TokenKeys => {
                let keys = self.tokens.public_keys().await?;
                Ok(for_everybody("application/jwk-set+json", &keys))
            }
            route => {
                let kinds = Arc::clone(&self.kinds.read());
                describe(&route, &kinds, &accepted(&parts)).ok_or_else(Failure::no_such_resource)
            }
        }
    }

    /// Lives as long as it can store; is ready unless somebody holds it.
    fn health(&self, path: &str) -> Response<Body> {
        let unready = self.unready.read().clone();
        let why = match unready {
            _ if self.store.memory().has_failed() => "the store has failed".to_owned(),
            Some(why) if path.starts_with("/readyz") => why,
            Some(_) | None => return text("ok"),
        };
        let mut response = text(format!("not ok: {why}"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    }

    async fn respond_objects(
        self: Arc<Self>,
        user: UserInfo,
        target: Target,
        parts: Parts,
        body: Body,
    ) -> Result<Response<Body>, Failure> {
        if let Some(review) = Review::find(&target) {
            let media_type = body::media_type(&parts.headers);
            let bytes = body::read(body).await?;
            let answer = review.answer(&self, &parts.method, &user, &media_type, &bytes)?;
            return Ok(json(StatusCode::CREATED, &answer));
        }
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let manager = manager(&query, &parts);
        let media_type = body::media_type(&parts.headers);
        let mut call = self.call(user, target, query, manager, media_type)?;
        call.form = Form::read(&parts.headers)?;
        if let Some(text) = &call.kind.deprecation {
            call.warn(text.as_str());
        }
        if parts.method == Method::GET && call.query.watch && call.subresource().is_none() {
            return self.watch(call);
        }
        let bytes = body::read(body).await?;
        let answer = self.act(&parts.method, &call, &bytes).await;
        let mut response = match answer {
            Ok(answer) => render(&call, answer),
            Err(failure) => failure.into_response(),
        };
        add_warnings(&call, &mut response);
        Ok(response)
    }
}

/// What the caller accepts.
fn accepted(parts: &Parts) -> String {
    let headers = parts.headers.get_all(header::ACCEPT).iter();
    headers
        .filter_map(|it| it.to_str().ok())
        .collect::<Vec<_>>()
        .join(",")
}

/// Says which kinds there are and what they look like.
fn describe(route: &Route, kinds: &KindTable, accept: &str) -> Option<Response<Body>> {
    let core = *route == Route::CoreVersions;
    let found = match route {
        Route::CoreVersions | Route::Groups => {
            if let Some(version) = discovery::aggregated_version(accept) {
                let value = discovery::aggregated(kinds, core, version);
                let mut response = json(StatusCode::OK, &value);
                let media_type = HeaderValue::from_static(discovery::media_type(version));
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, media_type);
                return Some(response);
            }
            if core {
                discovery::core_versions()
            } else {
                discovery::groups(kinds)
            }
        }
        Route::Group(group) => discovery::group(kinds, group)?,
        Route::GroupVersion { group, version } => discovery::resources(kinds, group, version)?,
        Route::OpenApiV2 => return Some(openapi_v2(kinds, accept)),
        Route::OpenApiV3(None) => {
            return Some(json_bytes(StatusCode::OK, kinds.documents().index()));
        }
        Route::OpenApiV3(Some(path)) => {
            let document = kinds.documents().find(path)?;
            let mut response = json_bytes(StatusCode::OK, document.body.clone());
            if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", document.hash)) {
                response.headers_mut().insert(header::ETAG, tag);
            }
            return Some(response);
        }
        Route::Health
        | Route::Version
        | Route::TokenIssuer
        | Route::TokenKeys
        | Route::Objects(_) => return None,
    };
    Some(json(StatusCode::OK, &found))
}

/// The older document, which is there as JSON only.
fn openapi_v2(kinds: &KindTable, accept: &str) -> Response<Body> {
    if accept.is_empty() || accept.contains("application/json") || accept.contains("*/*") {
        json_bytes(StatusCode::OK, kinds.documents().everything())
    } else {
        Failure::not_acceptable("application/json").into_response()
    }
}

/// Who fields are attributed to: as the caller says, or what it calls itself.
fn manager(query: &Query, parts: &Parts) -> String {
    let agent = parts
        .headers
        .get(header::USER_AGENT)
        .and_then(|it| it.to_str().ok())
        .unwrap_or_default();
    let agent = agent
        .split('/')
        .next()
        .filter(|it| !it.is_empty())
        .unwrap_or("unknown");
    query
        .field_manager
        .clone()
        .unwrap_or_else(|| agent.to_owned())
}

fn render(call: &Call, answer: Answer) -> Response<Body> {
    match answer {
        Answer::Object { code, object } => json_bytes(code, call.encode(&object)),
        Answer::Value { code, value } => json_bytes(code, call.encode_value(&value)),
        Answer::List {
            page,
            continue_token,
            remaining,
        } => {
            let head = ListHead {
                revision: page.revision,
                continue_token,
                remaining,
            };
            json_bytes(StatusCode::OK, call.encode_list(&page, &head))
        }
    }
}

fn add_warnings(call: &Call, response: &mut Response<Body>) {
    for text in call.warnings.lock().drain(..) {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let clean: String = quoted
            .chars()
            .map(|it| if it.is_control() { ' ' } else { it })
            .collect();
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{clean}\"")) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "33", "gitVersion": "v1.33.0+embedded", "gitCommit": "", "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "rustc", "platform": "linux/amd64",
    })
}

pub(crate) fn json(code: StatusCode, value: &Value) -> Response<Body> {
    json_bytes(code, value.to_string().into())
}

pub(crate) fn json_bytes(code: StatusCode, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = code;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

/// What relying parties fetch, and may keep for an hour as from any cluster.
fn for_everybody(media_type: &'static str, value: &Value) -> Response<Body> {
    let mut response = json(StatusCode::OK, value);
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

fn text(text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
