//! Who may in: the bearer of a token, and anybody who only asks whether the server lives or by what its tokens are checked.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use tower_http::catch_panic::CatchPanicLayer;

use crate::api::Api;
use crate::failure::Failure;
use crate::http::ApiService;
use crate::tokens;

/// What needs no token: it tells nothing but health and public keys.
const OPEN: [&str; 5] = [
    "/healthz",
    "/livez",
    "/readyz",
    tokens::CONFIGURATION,
    tokens::KEYS,
];

/// The server with its extra routes, behind the tokens that `api` knows.
pub(super) fn protect(routes: Router, service: ApiService, api: Arc<Api>) -> Router {
    routes
        .fallback_service(service)
        .layer(from_fn_with_state(api, check))
        .layer(CatchPanicLayer::custom(
            |_: Box<dyn std::any::Any + Send>| {
                Failure::internal("the request failed").into_response()
            },
        ))
}

async fn check(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let Some(token) = token(request.headers()) else {
        return unauthorized();
    };
    match api.identify(token) {
        Ok(user) => {
            request.extensions_mut().insert(user);
            next.run(request).await
        }
        Err(refusal) => {
            tracing::debug!(%refusal, "a bearer was not let in");
            unauthorized()
        }
    }
}

/// What stands behind `Bearer`.
fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case("Bearer ").then_some(token)
}

fn unauthorized() -> Response {
    let mut response: http::Response<Body> = Failure::unauthorized().into_response();
    let challenge = HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}
