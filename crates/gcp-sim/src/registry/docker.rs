//! The Docker API of Artifact Registry: `/v2/`, `/v2/token` and the addresses that blobs go to and come from.
//!
//! Sources: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>,
//! <https://cloud.google.com/artifact-registry/docs/docker/support-docker-api>

mod access;
mod blobs;
mod listing;
mod lists;
mod manifests;
mod refused;
mod route;
mod token;
mod uploads;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;

use super::address::{Host, ImageName};
use super::blobs::LARGEST;
use super::{REGISTRY, Registry};
use crate::faults::{Effect, Occasion};
use crate::refusal::Refusal;
use crate::wire;
use refused::{Action, Refused};
use route::Route;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

type Answer = Result<Response, Refused>;

/// One request to the Docker API.
#[derive(Debug)]
struct Visit<'a> {
    registry: &'a Registry,
    host: Host,
    method: Method,
    path: &'a str,
    query: &'a str,
    headers: HeaderMap,
}

impl Registry {
    /// Answers a request to a registry host.
    pub(super) async fn answer_docker(&self, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let header = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let visit = Visit {
            registry: self,
            host: Host::of(header.or_else(|| parts.uri.host()).unwrap_or_default()),
            method: parts.method,
            path: parts.uri.path(),
            query: parts.uri.query().unwrap_or_default(),
            headers: parts.headers,
        };
        let principal = visit.principal();
        let occasion = visit.occasion(principal.as_deref());
        self.google.note(&occasion, visit.holder().as_ref());
        let answer = async {
            let found = visit.answer(body).await;
            found.unwrap_or_else(IntoResponse::into_response)
        };
        let answer = async {
            match visit.strike(&occasion) {
                Some(refused) => refused.into_response(),
                None => wire::answer(&self.google, &occasion, answer).await,
            }
        };
        let mut response = self.google.answering(&occasion, answer).await;
        response
            .headers_mut()
            .insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
        if visit.method == Method::HEAD {
            without_body(response)
        } else {
            response
        }
    }
}

impl Visit<'_> {
    async fn answer(&self, body: Body) -> Answer {
        let route = Route::parse(self.path).ok_or_else(|| Refused::nothing_there(self.path))?;
        match route {
            Route::Base => self.base(),
            Route::Token => self.token(),
            Route::Catalog => self.catalog().await,
            Route::Manifest { path, reference } => {
                self.manifest(&self.image(path)?, reference, body).await
            }
            Route::Blob { path, digest } => self.blob(&self.image(path)?, digest).await,
            Route::Uploads { path } => self.begin_upload(&self.image(path)?, body).await,
            Route::Upload { upload, .. } | Route::UploadByName { upload } => {
                self.go_on(upload, body).await
            }
            Route::Tags { path } => self.tags(&self.image(path)?).await,
            Route::Referrers { path, digest } => self.referrers(&self.image(path)?, digest),
            Route::Download { ticket } => self.download(ticket),
        }
    }

    /// What faults may ask about the request.
    fn occasion<'a>(&'a self, principal: Option<&'a str>) -> Occasion<'a> {
        Occasion {
            service: REGISTRY,
            method: self.method.as_str(),
            principal,
            path: self.path,
            about: &[],
        }
    }

    /// Lets those faults hit that the registry words itself.
    fn strike(&self, occasion: &Occasion<'_>) -> Option<Refused> {
        let google = &self.registry.google;
        let is_ours = |effect: &Effect| {
            matches!(
                effect,
                Effect::TooManyRequests { .. }
                    | Effect::Unavailable
                    | Effect::Internal
                    | Effect::DeadlineExceeded
                    | Effect::ConsumerRefused { .. }
                    | Effect::Vpcsc { .. }
            )
        };
        let number = || google.consumer_of(occasion);
        let refusal = match google.fault(occasion, is_ours)? {
            Effect::TooManyRequests { retry_after } => {
                return Some(Refused::too_many(number(), retry_after));
            }
            Effect::Internal => Refusal::internal(),
            Effect::DeadlineExceeded => Refusal::deadline_exceeded(),
            Effect::ConsumerRefused { reason } => {
                Refusal::consumer_refused(reason, &number().to_string(), REGISTRY)
            }
            Effect::Vpcsc { uid } => Refusal::security_policy_violated(REGISTRY, &uid),
            _ => return Some(Refused::unavailable()),
        };
        Some(Refused::reworded(&refusal))
    }

    fn image(&self, path: &str) -> Result<ImageName, Refused> {
        let find = |project: &str, repository: &str| self.registry.location_of(project, repository);
        self.host
            .image(path, find)
            .map_err(|short| Refused::too_few_components(short.0))
    }

    /// What this method does with a repository.
    fn action(&self) -> Action {
        match self.method {
            Method::GET | Method::HEAD => Action::Pull,
            Method::DELETE => Action::Delete,
            _ => Action::Push,
        }
    }

    /// Refuses every method but those that read.
    fn must_read(&self) -> Result<(), Refused> {
        match self.method {
            Method::GET | Method::HEAD => Ok(()),
            _ => Err(Refused::method_not_allowed()),
        }
    }

    /// Reads the query. What cannot be read counts as left out.
    fn query<T: DeserializeOwned + Default>(&self) -> T {
        let url = format!("http://query/?{}", self.query);
        url.parse()
            .ok()
            .and_then(|uri| axum::extract::Query::try_from_uri(&uri).ok())
            .map_or_else(T::default, |axum::extract::Query(query)| query)
    }
}

/// Reads all of a body.
async fn read_body(body: Body) -> Result<Bytes, Refused> {
    let read = axum::body::to_bytes(body, LARGEST).await;
    read.map_err(|error| Refused::bad_upload(format!("failed to read the request: {error}")))
}

/// What a `HEAD` gets: the headers of the answer, its length among them.
fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts
            .headers
            .entry(CONTENT_LENGTH)
            .or_insert(HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::empty())
}
