//! IAM Credentials as a metadata server asks it for an annotated pod: with the workload's own token, like anybody else.

use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::SignedDuration;
use serde_json::Value;

use crate::apis;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::listeners::DropConnection;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::wire;

/// What the metadata server hears instead of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unanswered {
    Refused {
        status: StatusCode,
        message: String,
    },
    /// The connection ended, or what came is no answer at all.
    Garbled,
}

/// The metadata server waits no longer than that for its own token to be used.
const BRIEFLY: SignedDuration = SignedDuration::from_mins(5);

/// Longer than any answer.
const LONGEST: usize = 1 << 20;

/// Calls `generateAccessToken` or `generateIdToken` of an account in the name of a workload.
pub(crate) async fn ask(
    google: &Google,
    workload: &Principal,
    account: &str,
    verb: &str,
    body: &Value,
) -> Result<Value, Unanswered> {
    let scopes = vec![CLOUD_PLATFORM.to_owned()];
    let token = google.issue(workload.clone(), scopes, BRIEFLY, Vec::new());
    let call = Call::new(
        Service::IamCredentials,
        Method::POST,
        &format!("/v1/projects/-/serviceAccounts/{account}:{verb}"),
        None,
        authorized(&token),
        Bytes::from(body.to_string()),
    );
    let principal = workload.to_string();
    let occasion = call.occasion(Some(&principal));
    let answer = async {
        let answer = super::answer(google, &call);
        answer.map_or_else(Refusal::into_response, |value| apis::json(&value))
    };
    let answer = wire::answer(google, &occasion, answer);
    hear(google.answering(&occasion, answer).await).await
}

fn authorized(token: &str) -> HeaderMap {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let value = value.expect("tokens are visible ASCII");
    HeaderMap::from_iter([(header::AUTHORIZATION, value)])
}

async fn hear(response: Response) -> Result<Value, Unanswered> {
    if response.extensions().get::<DropConnection>().is_some() {
        return Err(Unanswered::Garbled);
    }
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), LONGEST).await;
    let body = body.map_err(|_| Unanswered::Garbled)?;
    let json: Option<Value> = serde_json::from_slice(&body).ok();
    if status.is_success() {
        return json.filter(Value::is_object).ok_or(Unanswered::Garbled);
    }
    let message = json.and_then(|it| it["error"]["message"].as_str().map(str::to_owned));
    let message = message.unwrap_or_else(|| String::from_utf8_lossy(&body).trim().to_owned());
    Err(Unanswered::Refused { status, message })
}
