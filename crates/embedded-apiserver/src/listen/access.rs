//! Who may in: the bearer of the token, and anybody who only asks whether the server lives.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};
use k8s_openapi::api::authentication::v1::UserInfo;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tower_http::catch_panic::CatchPanicLayer;

use crate::failure::Failure;
use crate::http::ApiService;

/// What the token must be, and who its bearer is.
#[derive(Clone)]
pub(super) struct Access {
    digest: [u8; 32],
    user: UserInfo,
}

impl Access {
    pub(super) fn new(token: &str, user: UserInfo) -> Self {
        Self {
            digest: Sha256::digest(token.as_bytes()).into(),
            user,
        }
    }

    /// Says whether the request bears the token; how long that takes tells nothing about it.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let value = headers
            .get(header::AUTHORIZATION)
            .map(HeaderValue::as_bytes);
        let Some((scheme, token)) = value.and_then(|it| it.split_at_checked(7)) else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(token).into();
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(digest.ct_eq(&self.digest))
    }
}

/// The server with its extra routes, behind the token.
pub(super) fn protect(routes: Router, service: ApiService, access: Access) -> Router {
    routes
        .fallback_service(service)
        .layer(from_fn_with_state(access, check))
        .layer(CatchPanicLayer::custom(
            |_: Box<dyn std::any::Any + Send>| {
                Failure::internal("the request failed").into_response()
            },
        ))
}

async fn check(State(access): State<Access>, mut request: Request, next: Next) -> Response {
    let open = ["/healthz", "/livez", "/readyz"].contains(&request.uri().path());
    if open {
        return next.run(request).await;
    }
    if !access.admits(request.headers()) {
        let mut response: http::Response<Body> = Failure::unauthorized().into_response();
        let challenge = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, challenge);
        return response;
    }
    request.extensions_mut().insert(access.user);
    next.run(request).await
}
