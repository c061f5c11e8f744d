//! Security Token Service: a workload's own token becomes one that Google's APIs take.
//!
//! Sources: <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>, <https://www.rfc-editor.org/rfc/rfc8693>

mod audience;
mod exchange;
mod issuer;
mod refusal;
mod subject;

use axum::response::{IntoResponse as _, Response};
use http::{Method, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apis;
use crate::call::Call;
use crate::google::Google;
use crate::keys::jwk_set;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::service::Service;

pub(crate) use issuer::fetch_keys;
pub(crate) use refusal::ExchangeRefusal;

pub(crate) async fn answer(google: &Google, call: &Call) -> Response {
    match (&call.method, call.parts().as_slice()) {
        (&Method::POST, ["v1", "token"]) => {
            let form = TokenForm::of(call).and_then(|form| {
                require_api(google, call, &form)?;
                Ok(form)
            });
            match form {
                Ok(form) => exchange::exchange(google, &form)
                    .await
                    .map_or_else(ExchangeRefusal::into_response, |value| apis::json(&value)),
                Err(refusal) => refusal.into_response(),
            }
        }
        (&Method::POST, ["v1", "introspect"]) => introspect(google, call),
        (
            &Method::GET,
            [
                "v1",
                "projects",
                number,
                "locations",
                "global",
                "workloadIdentityPools",
                pool,
                ".well-known",
                "openid-configuration",
            ],
        ) => apis::json(&discovery(number, pool)),
        (
            &Method::GET,
            [
                "v1",
                "projects",
                _,
                "locations",
                "global",
                "workloadIdentityPools",
                _,
                "openid",
                "jwks",
            ],
        ) => apis::json(&jwk_set(&[google.keys().google().jwk()])),
        _ => Refusal::no_such_route(&call.path).into_response(),
    }
}

/// What is exchanged, for what. Comes as a form with RFC 8693's names, or as JSON in camel case.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenForm {
    #[serde(alias = "grantType")]
    grant_type: String,
    audience: String,
    scope: String,
    #[serde(alias = "requestedTokenType")]
    requested_token_type: String,
    #[serde(alias = "subjectToken")]
    subject_token: String,
    #[serde(alias = "subjectTokenType")]
    subject_token_type: String,
}

impl TokenForm {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let is_json = call
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|it| it.as_bytes().starts_with(b"application/json"));
        if is_json {
            return call.json();
        }
        let pairs: serde_json::Map<String, Value> = url::form_urlencoded::parse(&call.body)
            .map(|(name, value)| (name.into_owned(), json!(value)))
            .collect();
        serde_json::from_value(Value::Object(pairs))
            .map_err(|error| Refusal::invalid_argument(error.to_string()))
    }
}

/// The API must be enabled in the project of the pool. Which project counts is assumed: nobody has asked yet who pays.
fn require_api(google: &Google, call: &Call, form: &TokenForm) -> Result<(), Refusal> {
    let project = google.read(|world| audience::project(world, &form.audience));
    project.map_or(Ok(()), |project| {
        google.require_api(&project, &call.occasion(None))
    })
}

/// Says what a token is worth, to a client that shows credentials of its own.
///
/// Source: <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/introspect>
fn introspect(google: &Google, call: &Call) -> Response {
    if !call.headers.contains_key(header::AUTHORIZATION) {
        let refusal = ExchangeRefusal::new("invalid_client", "The OAuth client was not found.");
        return refusal.into_response();
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&call.body)
        .into_owned()
        .collect();
    let token = form.iter().find(|(name, _)| name == "token");
    let issued = token.and_then(|(_, token)| google.token(token));
    let live = issued.filter(|issued| issued.expires_at > google.now());
    apis::json(&live.map_or_else(
        || json!({ "active": false }),
        |issued| {
            let subject = match &issued.principal {
                Principal::Federated(_) => issued.principal.to_string(),
                other => other.email().unwrap_or_default().to_owned(),
            };
            json!({
                "active": true, "iss": "https://sts.googleapis.com/", "username": subject, "sub": subject,
                "scope": issued.scopes.join(" "), "iat": issued.issued_at.as_second(),
                "exp": issued.expires_at.as_second(),
            })
        },
    ))
}

fn discovery(number: &str, pool: &str) -> Value {
    let pool = format!("projects/{number}/locations/global/workloadIdentityPools/{pool}");
    let host = Service::Sts.host();
    json!({
        "issuer": format!("https://{host}/v1/{pool}"),
        "jwks_uri": format!("https://{host}/v1/{pool}/openid/jwks"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}
