//! Asking for a token: a `TokenRequest` posted to a service account's `token`.
//!
//! Source: <https://github.com/kubernetes/kubernetes/blob/master/pkg/registry/core/serviceaccount/storage/token.go>

use http::{Method, StatusCode};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::claims::{Claims, Kubernetes, username};
use crate::api::Api;
use crate::body;
use crate::failure::{Failure, FieldCause, Subject};
use crate::verbs::{Answer, Call};

/// How long a token holds if nothing is said.
const DEFAULT_SECONDS: i64 = 60 * 60;
const LEAST_SECONDS: i64 = 10 * 60;
const MOST_SECONDS: i64 = 1 << 32;

/// What the bearer of a token for the server itself should know.
const FULL_RIGHTS: &str = "roles are not evaluated: whoever bears this token may do everything here until it expires; \
     for another system, ask for its audience";

impl Api {
    /// Makes a token for the account in the path; nothing is stored.
    pub(crate) async fn request_token(
        &self,
        method: &Method,
        call: &Call,
        bytes: &[u8],
    ) -> Result<Answer, Failure> {
        if method != Method::POST {
            return Err(Failure::method_not_allowed());
        }
        let mut request = read(call, bytes)?;
        let account = self.store.memory().get(&call.key(call.name()));
        let account = account.ok_or_else(|| Failure::not_found(&call.subject(call.name())))?;
        let own = self.tokens.issuer.url();
        let seconds = complete(call, &mut request, own)?;
        let now = (self.clock)().as_second();
        let claims = Claims {
            aud: request.spec.audiences.clone(),
            exp: now.saturating_add(seconds),
            iat: now,
            iss: own.to_owned(),
            jti: uuid::Uuid::new_v4().to_string(),
            kubernetes: Kubernetes::new(call.namespace(), call.name(), &account.uid),
            nbf: now,
            sub: username(call.namespace(), call.name()),
        };
        if claims.aud.contains(&claims.iss) {
            call.warn(FULL_RIGHTS);
        }
        let signed = self.tokens.key().await?.sign(&claims);
        request.metadata.creation_timestamp = Some(time(claims.iat)?);
        request.status = Some(TokenRequestStatus {
            token: signed.ok_or_else(|| Failure::internal("the token could not be signed"))?,
            expiration_timestamp: time(claims.exp)?,
        });
        tracing::debug!(account = claims.sub, audiences = ?claims.aud, seconds, by = call.user.username, "made a token");
        let value = serde_json::to_value(&request);
        Ok(Answer::Value {
            code: StatusCode::CREATED,
            value: value.map_err(|error| Failure::internal(error.to_string()))?,
        })
    }
}

fn read(call: &Call, bytes: &[u8]) -> Result<TokenRequest, Failure> {
    let asked = body::parse(&call.media_type, bytes)?;
    serde_json::from_value(asked)
        .map_err(|error| Failure::bad_request(format!("the body is not a TokenRequest: {error}")))
}

/// Fills in what the request leaves out, and says for how many seconds the token is to hold.
fn complete(call: &Call, request: &mut TokenRequest, own: &str) -> Result<i64, Failure> {
    let spec = &mut request.spec;
    if spec.audiences.is_empty() {
        spec.audiences.push(own.to_owned());
    }
    let seconds = *spec.expiration_seconds.get_or_insert(DEFAULT_SECONDS);
    let causes = causes(call, request);
    if !causes.is_empty() {
        let subject = Subject {
            group: "authentication.k8s.io",
            resource: "TokenRequest",
            name: request.metadata.name.as_deref().unwrap_or_default(),
        };
        return Err(Failure::invalid(&subject, &causes));
    }
    request.metadata.name = Some(call.name().to_owned());
    request.metadata.namespace = Some(call.namespace().to_owned());
    Ok(seconds)
}

fn causes(call: &Call, request: &TokenRequest) -> Vec<FieldCause> {
    let mut causes = Vec::new();
    for (field, said, meant) in [
        ("metadata.name", &request.metadata.name, call.name()),
        (
            "metadata.namespace",
            &request.metadata.namespace,
            call.namespace(),
        ),
    ] {
        if let Some(said) = said.as_deref().filter(|it| !it.is_empty() && *it != meant) {
            let why = format!("must be that of the service account, {meant:?}, if it is there");
            causes.push(FieldCause::invalid(field, said, &why));
        }
    }
    let seconds = request.spec.expiration_seconds.unwrap_or(DEFAULT_SECONDS);
    let why = match seconds {
        ..LEAST_SECONDS => "may not specify a duration less than 10 minutes",
        LEAST_SECONDS..=MOST_SECONDS => "",
        _ => "may not specify a duration larger than 2^32 seconds",
    };
    if !why.is_empty() {
        let message = format!("Invalid value: {seconds}: {why}");
        let field = "spec.expirationSeconds";
        causes.push(FieldCause::new("FieldValueInvalid", field, message));
    }
    if request.spec.bound_object_ref.is_some() {
        let why = "tokens are not bound to objects here; ask for a short expirationSeconds instead";
        causes.push(FieldCause::forbidden("spec.boundObjectRef", why));
    }
    causes
}

fn time(seconds: i64) -> Result<Time, Failure> {
    let time = Timestamp::from_second(seconds);
    time.map(Time)
        .map_err(|error| Failure::internal(error.to_string()))
}
