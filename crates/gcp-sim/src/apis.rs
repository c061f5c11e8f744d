//! The listener of Google's APIs: finds out which API a request is for and lets that answer.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::call::Call;
use crate::faults::Occasion;
use crate::google::Google;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::service::Service;
use crate::{
    cloud_asset, container, iam, iam_credentials, oauth, org_policy, policy_analyzer, pubsub,
    recommender, resource_manager, service_usage, sts, wire,
};

/// What an API answers: JSON, or a refusal.
pub(crate) type Answer = Result<Value, Refusal>;

/// A request to an API is never longer.
const LONGEST: usize = 4 << 20;

pub(crate) fn router(google: Google, registry: Registry) -> Router {
    let apis = Apis { google, registry };
    Router::new().fallback(answer).with_state(apis)
}

#[derive(Debug, Clone)]
struct Apis {
    google: Google,
    registry: Registry,
}

async fn answer(State(apis): State<Apis>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let content_type = head.headers.get(header::CONTENT_TYPE);
    if content_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc")) {
        tracing::warn!("a client speaks gRPC, which the simulator does not: let it use REST");
        return (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "gcp-sim speaks REST only\n",
        )
            .into_response();
    }
    let host = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| head.uri.host())
        .unwrap_or_default();
    let host = apis.google.read(|world| googles(host, world.universe()));
    let Some((service, path)) = Service::of(&host, head.uri.path()) else {
        return apis.answer_nobody(&head).await;
    };
    let Ok(body) = axum::body::to_bytes(body, LONGEST).await else {
        return Refusal::invalid_argument("Request payload size exceeds the limit.")
            .into_response();
    };
    let query = head.uri.query();
    let call = Call::new(
        service,
        head.method.clone(),
        path,
        query,
        head.headers.clone(),
        body,
    );
    apis.answer(&call).await
}

/// A host as it is called in Google's own universe.
fn googles(host: &str, universe: &str) -> String {
    let name = host.split(':').next().unwrap_or_default();
    let label = name
        .strip_suffix(universe)
        .and_then(|it| it.strip_suffix('.'));
    label.map_or_else(
        || host.to_owned(),
        |label| format!("{label}.googleapis.com"),
    )
}

impl Apis {
    /// Answers what is for none of the APIs.
    async fn answer_nobody(&self, head: &Parts) -> Response {
        let path = head.uri.path();
        let occasion = Occasion {
            method: head.method.as_str(),
            path,
            ..Occasion::default()
        };
        let answer = async { Refusal::no_such_route(path).into_response() };
        self.google.answering(&occasion, answer).await
    }

    async fn answer(&self, call: &Call) -> Response {
        let principal = self
            .google
            .caller(&call.headers)
            .map(|caller| caller.principal().to_string())
            .ok();
        let occasion = call.occasion(principal.as_deref());
        let holder = self.google.holder(&call.headers);
        self.google.note(&occasion, holder.as_ref());
        let answer = wire::answer(&self.google, &occasion, self.dispatch(call));
        let response = self.google.answering(&occasion, answer).await;
        tracing::debug!(
            service = occasion.service,
            method = occasion.method,
            path = occasion.path,
            status = response.status().as_u16(),
            "answered"
        );
        response
    }

    async fn dispatch(&self, call: &Call) -> Response {
        let google = &self.google;
        let answer = match call.service {
            Service::ArtifactRegistry => return self.registry.rest(call).await,
            Service::Sts => return sts::answer(google, call).await,
            Service::OAuth => return oauth::answer(google, call),
            Service::CloudAsset => cloud_asset::answer(google, call),
            Service::Container => container::answer(google, call).await,
            Service::Iam => iam::answer(google, call),
            Service::IamCredentials => iam_credentials::answer(google, call),
            Service::OrgPolicy => org_policy::answer(google, call),
            Service::PolicyAnalyzer => policy_analyzer::answer(google, call),
            Service::PubSub => pubsub::answer(google, call).await,
            Service::Recommender => recommender::answer(google, call),
            Service::ResourceManager => resource_manager::answer(google, call),
            Service::Usage => service_usage::answer(google, call),
        };
        answer.map_or_else(Refusal::into_response, |value| json(&value))
    }
}

/// An answer as Google's front end sends it.
pub(crate) fn json(value: &Value) -> Response {
    let text = serde_json::to_string_pretty(value).expect("JSON has only string keys");
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static("application/json; charset=UTF-8");
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::SERVER, HeaderValue::from_static("ESF"));
    response
}
