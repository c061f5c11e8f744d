//! The admin listener: the world, faults, tokens for people, and what about Google is only assumed.

mod assumptions;

#[cfg(test)]
pub(crate) use assumptions::is_assumed;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::faults::Fault;
use crate::google::{CLOUD_PLATFORM, Google, NotInWorld};
use crate::principal::Principal;
use crate::resource::ResourceName;

pub(crate) fn router(google: Google) -> Router {
    Router::new()
        .route("/world", get(world))
        .route("/faults", get(list_faults).post(add_fault).delete(mend_all))
        .route("/faults/{number}", delete(mend))
        .route("/assumptions", get(assumptions))
        .route("/admin/assumptions", get(assumptions))
        .route("/bindings", axum::routing::post(grant).delete(revoke))
        .route("/tokens", axum::routing::post(token))
        .route("/clock", axum::routing::post(advance))
        .with_state(google)
}

async fn world(State(google): State<Google>) -> Response {
    let world = google.read(|world| json!(world));
    Json(world).into_response()
}

async fn list_faults(State(google): State<Google>) -> Json<Value> {
    let faults: Vec<Value> = google
        .faults()
        .into_iter()
        .map(|(number, fault)| json!({ "number": number, "fault": fault }))
        .collect();
    Json(json!(faults))
}

async fn add_fault(State(google): State<Google>, Json(fault): Json<Fault>) -> Response {
    let number = google.inject(fault);
    (StatusCode::CREATED, Json(json!({ "number": number }))).into_response()
}

async fn mend(State(google): State<Google>, Path(number): Path<u64>) -> StatusCode {
    if google.mend(number) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn mend_all(State(google): State<Google>) -> StatusCode {
    for (number, _) in google.faults() {
        google.mend(number);
    }
    StatusCode::NO_CONTENT
}

async fn assumptions() -> Json<Value> {
    Json(assumptions::list())
}

/// A role on a resource, spelled as in policies: `projects/acme/serviceAccounts/EMAIL`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleBinding {
    resource: String,
    role: String,
    member: String,
}

async fn grant(State(google): State<Google>, Json(binding): Json<RoleBinding>) -> Response {
    let RoleBinding {
        resource,
        role,
        member,
    } = binding;
    changed(&resource, |resource| google.grant(&role, &member, resource))
}

async fn revoke(State(google): State<Google>, Json(binding): Json<RoleBinding>) -> Response {
    let RoleBinding {
        resource,
        role,
        member,
    } = binding;
    changed(&resource, |resource| {
        google.revoke(&role, &member, resource)
    })
}

fn changed(name: &str, change: impl FnOnce(&ResourceName) -> Result<(), NotInWorld>) -> Response {
    let Some(resource) = ResourceName::parse(name) else {
        return (
            StatusCode::BAD_REQUEST,
            format!("{name:?} names no resource\n"),
        )
            .into_response();
    };
    match change(&resource) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(missing) => (StatusCode::NOT_FOUND, format!("{missing}\n")).into_response(),
    }
}

/// Whose token is wanted: `user:ann@acme.example` or `serviceAccount:…`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenOrder {
    member: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    lifetime_seconds: Option<u32>,
}

async fn token(State(google): State<Google>, Json(order): Json<TokenOrder>) -> Response {
    let TokenOrder {
        member,
        mut scopes,
        lifetime_seconds,
    } = order;
    let Some(principal) = Principal::parse_member(&member) else {
        let text = format!("{member:?} is neither user:EMAIL nor serviceAccount:EMAIL\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    if scopes.is_empty() {
        scopes.push(CLOUD_PLATFORM.to_owned());
    }
    let lifetime = SignedDuration::from_secs(lifetime_seconds.unwrap_or(3600).into());
    let token = google.issue(principal, scopes, lifetime, Vec::new());
    Json(json!({ "accessToken": token })).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    advance_seconds: u32,
}

async fn advance(State(google): State<Google>, Json(advance): Json<Advance>) -> Json<Value> {
    google
        .clock()
        .advance(SignedDuration::from_secs(advance.advance_seconds.into()));
    Json(json!({ "now": google.now() }))
}
