//! Faults on the wire: what happens to an answer whatever it says.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::{HeaderValue, StatusCode, header};

use crate::faults::{Effect, Occasion};
use crate::google::Google;
use crate::listeners::DropConnection;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::sts::ExchangeRefusal;

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
        Effect::Latency {
            milliseconds,
            p99_milliseconds,
        } => {
            let late = google.throw(100) == 1;
            let milliseconds = p99_milliseconds.filter(|_| late).unwrap_or(milliseconds);
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            answer.await
        }
        Effect::SlowBody { milliseconds } => slow_body(answer.await, milliseconds).await,
        Effect::Hang => std::future::pending().await,
        Effect::TooManyRequests { .. } if occasion.service == Service::Sts.host() => {
            ExchangeRefusal::throttled().into_response()
        }
        Effect::TooManyRequests { retry_after } => {
            let number = google.read(|world| world.projects.first().map_or(0, |it| it.number));
            Refusal::quota_exceeded(occasion.service, number, retry_after).into_response()
        }
        Effect::Unavailable => Refusal::unavailable().into_response(),
        Effect::Internal => Refusal::internal().into_response(),
        Effect::DeadlineExceeded => Refusal::deadline_exceeded().into_response(),
        Effect::ConsumerRefused { reason } => {
            let number = google.read(|world| world.projects.first().map_or(0, |it| it.number));
            Refusal::consumer_refused(reason, &number.to_string(), occasion.service).into_response()
        }
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
            | Effect::SlowBody { .. }
            | Effect::Hang
            | Effect::TooManyRequests { .. }
            | Effect::Unavailable
            | Effect::Internal
            | Effect::DeadlineExceeded
            | Effect::ConsumerRefused { .. }
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

/// Sends half of a body at once and the rest later.
async fn slow_body(response: Response, milliseconds: u64) -> Response {
    let (head, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default();
    let (early, late) = (
        bytes.slice(..bytes.len() / 2),
        bytes.slice(bytes.len() / 2..),
    );
    let parts = futures::stream::iter([(0, early), (milliseconds, late)]);
    let parts = parts.then(|(wait, part)| async move {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        Ok::<_, std::convert::Infallible>(part)
    });
    Response::from_parts(head, Body::from_stream(parts))
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
