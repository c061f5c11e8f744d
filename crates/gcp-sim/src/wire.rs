//! Faults on the wire: what happens to an answer whatever it says.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};

use crate::faults::{Effect, Occasion};
use crate::google::Google;
use crate::listeners::DropConnection;
use crate::refusal::Refusal;

/// Answers a request, unless a fault does, or does something to the answer.
pub(crate) async fn answer(
    google: &Google,
    occasion: &Occasion<'_>,
    answer: impl Future<Output = Response>,
) -> Response {
    match google.fault(occasion, is_on_the_wire) {
        None => answer.await,
        Some(effect) => disturb(google, occasion, effect, answer).await,
    }
}

async fn disturb(
    google: &Google,
    occasion: &Occasion<'_>,
    effect: Effect,
    answer: impl Future<Output = Response>,
) -> Response {
    match effect {
        Effect::Latency { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            answer.await
        }
        Effect::Hang => std::future::pending().await,
        Effect::TooManyRequests { retry_after } => {
            let number = google.read(|world| world.projects.first().map_or(0, |it| it.number));
            Refusal::quota_exceeded(occasion.service, number, retry_after).into_response()
        }
        Effect::Unavailable => Refusal::unavailable().into_response(),
        Effect::BadGatewayPage => Refusal::bad_gateway_page().into_response(),
        Effect::Vpcsc { uid } => {
            Refusal::security_policy_violated(occasion.service, &uid).into_response()
        }
        Effect::ConnectionReset => drop_connection(),
        Effect::TruncatedJson => truncate(answer.await).await,
        Effect::BadContentType => {
            let mut response = answer.await;
            let plain = HeaderValue::from_static("text/plain; charset=UTF-8");
            response.headers_mut().insert(header::CONTENT_TYPE, plain);
            response
        }
        Effect::NullBody => axum::Json(serde_json::Value::Null).into_response(),
        _ => answer.await,
    }
}

fn is_on_the_wire(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Latency { .. }
            | Effect::Hang
            | Effect::TooManyRequests { .. }
            | Effect::Unavailable
            | Effect::BadGatewayPage
            | Effect::Vpcsc { .. }
            | Effect::ConnectionReset
            | Effect::TruncatedJson
            | Effect::BadContentType
            | Effect::NullBody
    )
}

/// The response that is never sent.
pub(crate) fn drop_connection() -> Response {
    let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
    response.extensions_mut().insert(DropConnection);
    response
}

/// Cuts a body in half; head and length agree with what is left.
async fn truncate(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(bytes.slice(..bytes.len() / 2)))
}
