//! The registry as clients meet it, without a network: requests in, answers out.

mod faults;
mod golden_files;
mod lists;
mod notices;
mod pulls;
mod pushes;
mod refusals;
mod rest;
mod tokens;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::Registry;
use crate::call::Call;
use crate::clock::Clock;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::principal::Principal;
use crate::service::Service;
use crate::world::World;

/// Where the tests' repositories are.
const HOST_NAME: &str = "europe-west1-docker.pkg.dev";

const NOW: Timestamp = Timestamp::constant(1_772_359_200, 0);

const WORLD: &str = r#"
projects:
- id: acme
  number: 123456789012
  services: [artifactregistry.googleapis.com]
  bindings:
  - {role: roles/artifactregistry.admin, members: ["user:admin@acme.example"]}
  repositories:
  - name: apps
    location: europe-west1
    bindings:
    - {role: roles/artifactregistry.reader, members: ["user:reader@acme.example"]}
    - {role: roles/artifactregistry.writer, members: ["user:writer@acme.example"]}
    images:
    - {name: web, tags: [v1, latest], built: 2026-01-01T00:00:00Z, uploaded: 2026-01-01T00:05:00Z}
    - {name: web/front, tags: [v1], platforms: [linux/amd64, linux/arm/v7]}
    - {name: many, generate: {tags: 12000}}
  - name: open
    location: europe-west1
    bindings:
    - {role: roles/artifactregistry.reader, members: [allUsers]}
    images: [{name: web, tags: [v1]}]
  - {name: frozen, location: europe-west1, immutableTags: true, images: [{name: web, tags: [v1]}]}
  - {name: gcr.io, location: us, images: [{name: web, tags: [v1]}]}
- id: closed
  number: 999
  repositories: [{name: apps, location: europe-west1}]
"#;

/// A registry and a clock that stands still.
struct Front {
    google: Google,
    registry: Registry,
}

/// What came back.
#[derive(Debug)]
struct Seen {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Front {
    fn new() -> Self {
        let world = World::from_yaml("world.yaml", WORLD).unwrap();
        let google = Google::new(world, Clock::standing_at(NOW), 1);
        let registry = Registry::new(google.clone());
        Self { google, registry }
    }

    /// An access token of a user, good for an hour.
    fn token_of(&self, name: &str) -> String {
        self.token_with_scope(name, CLOUD_PLATFORM)
    }

    fn token_with_scope(&self, name: &str, scope: &str) -> String {
        let principal = Principal::parse_member(&format!("user:{name}@acme.example")).unwrap();
        self.google.issue(
            principal,
            vec![scope.to_owned()],
            SignedDuration::from_hours(1),
            Vec::new(),
        )
    }

    fn bearer(&self, name: &str) -> String {
        format!("Bearer {}", self.token_of(name))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        authorization: Option<String>,
        body: Bytes,
    ) -> Seen {
        self.send_to(HOST_NAME, method, path, authorization, body)
            .await
    }

    async fn send_to(
        &self,
        host: &str,
        method: Method,
        path: &str,
        authorization: Option<String>,
        body: Bytes,
    ) -> Seen {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Body::from(body)).unwrap();
        let (head, body) = self
            .registry
            .docker()
            .oneshot(request)
            .await
            .unwrap()
            .into_parts();
        Seen {
            status: head.status,
            headers: head.headers,
            body: axum::body::to_bytes(body, usize::MAX).await.unwrap(),
        }
    }

    async fn get(&self, path: &str, name: &str) -> Seen {
        self.send(Method::GET, path, Some(self.bearer(name)), Bytes::new())
            .await
    }

    /// Calls the REST API.
    async fn rest(&self, method: Method, path: &str, name: &str, body: Value) -> Seen {
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.bearer(name).parse().unwrap());
        let body = if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        };
        let call = Call::new(
            Service::ArtifactRegistry,
            method,
            path,
            query,
            headers,
            body,
        );
        let (head, body) = self.registry.rest(&call).await.into_parts();
        Seen {
            status: head.status,
            headers: head.headers,
            body: axum::body::to_bytes(body, usize::MAX).await.unwrap(),
        }
    }
}

impl Seen {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status, code and message of a refusal.
    fn refusal(&self) -> (u16, String, String) {
        let error = &self.json()["errors"][0];
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (self.status.as_u16(), text("code"), text("message"))
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
