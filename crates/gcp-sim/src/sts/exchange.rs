//! One exchange: the target, the token's signature and claims, and what is given for it.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::audience::Target;
use super::refusal::ExchangeRefusal;
use super::{TokenForm, issuer, subject};
use crate::faults::Effect;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::principal::Principal;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const SUBJECT_TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
];

/// By how much the clocks of issuer and Google may differ.
const TOLERANCE: i64 = 60;

pub(super) async fn exchange(google: &Google, form: &TokenForm) -> Result<Value, ExchangeRefusal> {
    if form.grant_type != EXCHANGE {
        return Err(ExchangeRefusal::grant_type());
    }
    if form.requested_token_type != ACCESS_TOKEN {
        return Err(ExchangeRefusal::requested_type());
    }
    if !SUBJECT_TYPES.contains(&form.subject_token_type.as_str()) {
        return Err(ExchangeRefusal::subject_type());
    }
    let gone = |effect: &Effect| matches!(effect, Effect::FederatedOutlivesProvider);
    if google.fault_about(&form.audience, gone).is_some() {
        return Err(ExchangeRefusal::target_invalid());
    }
    let target = google.read(|world| Target::find(world, &form.audience))?;
    let keys = issuer::keys(google, &target).await?;
    let claims = verify(&form.subject_token, &target, &keys)?;
    let left = seconds_left(&claims, google.now())?;
    check_audience(&claims, &target)?;
    let workload = subject::of(&target, &claims)?;
    let lifetime = lifetime(left)?;
    let scopes = match form.scope.trim() {
        "" => vec![CLOUD_PLATFORM.to_owned()],
        scopes => scopes.split_whitespace().map(str::to_owned).collect(),
    };
    let principal = Principal::Federated(workload);
    let token = google.issue(
        principal,
        scopes,
        SignedDuration::from_secs(lifetime),
        Vec::new(),
    );
    let mut response = json!({
        "access_token": token, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
    });
    if lifetime > 1 {
        response["expires_in"] = json!(lifetime);
    }
    Ok(response)
}

/// Checks issuer and signature, and gives the claims.
fn verify(token: &str, target: &Target, keys: &Value) -> Result<Value, ExchangeRefusal> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| ExchangeRefusal::not_a_jwt())?;
    if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) {
        return Err(ExchangeRefusal::bad_signature());
    }
    let claims = unverified_claims(token).ok_or_else(ExchangeRefusal::not_a_jwt)?;
    let found = claims["iss"].as_str().unwrap_or_default();
    if found != target.issuer {
        return Err(ExchangeRefusal::wrong_issuer(found, &target.issuer));
    }
    let keys: JwkSet =
        serde_json::from_value(keys.clone()).map_err(|_| ExchangeRefusal::issuer_unreachable())?;
    let key: &Jwk = header
        .kid
        .as_deref()
        .and_then(|kid| keys.find(kid))
        .ok_or_else(ExchangeRefusal::issuer_unreachable)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| ExchangeRefusal::issuer_unreachable())?;
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Value>(token, &key, &validation)
        .map(|verified| verified.claims)
        .map_err(|_| ExchangeRefusal::bad_signature())
}

fn unverified_claims(token: &str) -> Option<Value> {
    use base64::Engine as _;
    let payload = token.split('.').nth(1)?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// How long the token is still good, by Google's clock.
fn seconds_left(claims: &Value, now: Timestamp) -> Result<i64, ExchangeRefusal> {
    let now = now.as_second();
    let (Some(issued), Some(expires)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
        return Err(ExchangeRefusal::stale("an unknown time"));
    };
    if issued > now + TOLERANCE || expires + TOLERANCE < now {
        return Err(ExchangeRefusal::stale(&issued.to_string()));
    }
    Ok(expires - now)
}

/// What is given lives as long as what was shown, at most an hour, less a moment.
fn lifetime(left: i64) -> Result<i64, ExchangeRefusal> {
    if left < 2 {
        return Err(ExchangeRefusal::stumbled());
    }
    Ok(left.min(3600) - 1)
}

fn check_audience(claims: &Value, target: &Target) -> Result<(), ExchangeRefusal> {
    let found: Vec<&str> = match &claims["aud"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let expected = |audience: &&str| target.audiences.iter().any(|own| own == audience);
    if found.iter().any(expected) {
        return Ok(());
    }
    Err(ExchangeRefusal::wrong_audience(&found.join(", ")))
}
