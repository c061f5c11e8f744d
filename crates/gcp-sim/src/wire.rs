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
            let number = google.consumer_of(occasion);
            Refusal::quota_exceeded(occasion.service, number, retry_after).into_response()
        }
        Effect::Unavailable => Refusal::unavailable().into_response(),
        Effect::Internal => Refusal::internal().into_response(),
        Effect::DeadlineExceeded => Refusal::deadline_exceeded().into_response(),
        Effect::ConsumerRefused { reason } => {
            let number = google.consumer_of(occasion).to_string();
            Refusal::consumer_refused(reason, &number, occasion.service).into_response()
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::time::Instant;

    use super::*;
    use crate::clock::Clock;
    use crate::world::World;

    const WORLD: &str = "
projects:
- {id: first, number: 1}
- {id: acme, number: 7}
- {id: shop, number: 8}
";

    fn google() -> Google {
        let world = World::from_yaml("world.yaml", WORLD).unwrap();
        Google::new(world, Clock::of_the_machine(), 1)
    }

    fn hello() -> impl Future<Output = Response> {
        std::future::ready("hello".into_response())
    }

    #[tokio::test(start_paused = true)]
    async fn one_answer_in_a_hundred_is_later_than_the_others() {
        let google = google();
        let late = Effect::Latency {
            milliseconds: 10,
            p99_milliseconds: Some(900),
        };
        google.inject(late.everywhere());
        let mut found = BTreeMap::new();
        for _ in 0..1_000 {
            let start = Instant::now();
            answer(&google, &Occasion::default(), hello()).await;
            *found.entry(start.elapsed().as_millis()).or_insert(0) += 1;
        }
        let times: Vec<u128> = found.keys().copied().collect();
        assert_eq!(times, [10, 900], "{found:?}");
        assert!((1..=30).contains(&found[&900]), "{found:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_begins_at_once() {
        let google = google();
        google.inject(Effect::SlowBody { milliseconds: 500 }.everywhere());
        let start = Instant::now();
        let response = answer(&google, &Occasion::default(), hello()).await;
        let mut body = response.into_body().into_data_stream();
        let early = body.next().await.unwrap().unwrap();
        assert_eq!((&early[..], start.elapsed().as_millis()), (&b"he"[..], 0));
        let late = body.next().await.unwrap().unwrap();
        assert_eq!((&late[..], start.elapsed().as_millis()), (&b"llo"[..], 500));
    }

    #[tokio::test]
    async fn whoever_pays_is_told_so() {
        let (asset, credentials) = ("cloudasset.googleapis.com", "iamcredentials.googleapis.com");
        let minting = "/v1/projects/-/serviceAccounts/web@acme.iam.gserviceaccount.com:signBlob";
        let account = "serviceAccount:web@shop.iam.gserviceaccount.com";
        let workload = "principal://iam.googleapis.com/projects/8/locations/global/x";
        for (service, principal, path, number) in [
            (asset, None, "/v1/projects/shop:searchAllResources", 8),
            (asset, None, "/v1/projects/7:searchAllResources", 7),
            (
                asset,
                Some(account),
                "/v1/organizations/1:searchAllResources",
                8,
            ),
            (asset, None, "/v1/organizations/1:searchAllResources", 1),
            (credentials, None, minting, 7),
            (credentials, Some(workload), minting, 8),
        ] {
            let google = google();
            let burst = Effect::TooManyRequests { retry_after: None };
            google.inject(burst.everywhere());
            let occasion = Occasion {
                service,
                principal,
                path,
                ..Occasion::default()
            };
            let response = answer(&google, &occasion, hello()).await;
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
            let text = String::from_utf8(body.unwrap().to_vec()).unwrap();
            let consumer = format!("consumer 'project_number:{number}'");
            assert!(text.contains(&consumer), "{path}: {text}");
        }
    }
}
