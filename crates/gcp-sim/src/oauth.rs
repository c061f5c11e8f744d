//! OAuth: access tokens for JSON keys and for people who logged in, what a token is good for, and the keys that Google
//! signs with.
//!
//! Sources: <https://developers.google.com/identity/protocols/oauth2/service-account>,
//! <https://developers.google.com/identity/protocols/oauth2/web-server#offline>

mod refused;

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};
use jiff::SignedDuration;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::apis;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::iam_credentials::IdClaims;
use crate::keys::jwk_set;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::sts::ExchangeRefusal;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

const REFRESH: &str = "refresh_token";

const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub(crate) fn answer(google: &Google, call: &Call) -> Response {
    match (&call.method, call.parts().as_slice()) {
        (&Method::POST, ["token"]) => token(google, call)
            .map_or_else(ExchangeRefusal::into_response, |value| apis::json(&value)),
        (&Method::GET | &Method::POST, ["tokeninfo"] | ["oauth2", "v3", "tokeninfo"]) => {
            token_info(google, call)
        }
        (&Method::GET, ["oauth2", "v3", "certs"] | ["robot", "v1", "metadata", "jwk", _]) => {
            apis::json(&jwk_set(&[google.keys().google().jwk()]))
        }
        _ => Refusal::no_such_route(&call.path).into_response(),
    }
}

fn token(google: &Google, call: &Call) -> Result<Value, ExchangeRefusal> {
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&call.body)
        .into_owned()
        .collect();
    let field = |wanted: &str| {
        let found = form.iter().find(|(name, _)| name == wanted);
        found.map_or("", |(_, value)| value.as_str())
    };
    if field("grant_type") == REFRESH {
        return refreshed(google, field("refresh_token"));
    }
    if field("grant_type") != JWT_BEARER {
        return Err(refused::grant_type(field("grant_type")));
    }
    let claims = verify(google, field("assertion"))?;
    let email = claims["iss"].as_str().unwrap_or_default();
    if let Some(audience) = claims["target_audience"].as_str() {
        let id = IdClaims {
            audience,
            include_email: true,
        };
        return Ok(json!({ "id_token": id.sign(google, email) }));
    }
    let scopes: Vec<String> = claims["scope"]
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if scopes.is_empty() {
        return Err(refused::no_scope());
    }
    let token = google.issue(Principal::service_account(email), scopes, HOUR, Vec::new());
    Ok(json!({ "access_token": token, "expires_in": 3599, "token_type": "Bearer" }))
}

/// Gives an access token of whoever logged in; with which client is not looked at.
fn refreshed(google: &Google, refresh_token: &str) -> Result<Value, ExchangeRefusal> {
    let Some(principal) = google.logged_in(refresh_token) else {
        return Err(refused::logged_out());
    };
    let scopes = vec![CLOUD_PLATFORM.to_owned()];
    let token = google.issue(principal, scopes, HOUR, Vec::new());
    Ok(json!({
        "access_token": token, "expires_in": 3599, "scope": CLOUD_PLATFORM, "token_type": "Bearer",
    }))
}

/// Checks that an enabled key of the issuer signed the assertion, and that it is of now.
fn verify(google: &Google, assertion: &str) -> Result<Value, ExchangeRefusal> {
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| refused::malformed())?;
    let kid = header.kid.unwrap_or_default();
    let public = google
        .read(|world| {
            let accounts = world
                .projects
                .iter()
                .flat_map(|project| &project.service_accounts);
            let owner = accounts
                .filter(|account| !account.deleted && !account.disabled)
                .find_map(|account| {
                    Some((account, account.keys.iter().find(|key| key.id == kid)?))
                });
            let (account, key) = owner.filter(|(_, key)| !key.disabled)?;
            Some((account.email.clone(), key.public.clone()?))
        })
        .ok_or_else(refused::bad_signature)?;
    let (email, jwk) = public;
    let jwk: Jwk = serde_json::from_value(jwk).map_err(|_| refused::malformed())?;
    let key = DecodingKey::from_jwk(&jwk).map_err(|_| refused::malformed())?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims = jsonwebtoken::decode::<Value>(assertion, &key, &validation)
        .map_err(|_| refused::bad_signature())?
        .claims;
    let now = google.now().as_second();
    let (issued, expires) = (claims["iat"].as_i64(), claims["exp"].as_i64());
    let timely = issued.is_some_and(|it| it <= now + 60)
        && expires.is_some_and(|it| it > now && it <= now + 3600 + 60);
    if !timely {
        return Err(refused::not_of_now());
    }
    if claims["iss"] != json!(email) {
        return Err(refused::no_account());
    }
    google.note_key(&email, &kid);
    Ok(claims)
}

/// Tells about the tokens of accounts and people; those of workloads are not known here.
fn token_info(google: &Google, call: &Call) -> Response {
    let token = call.query("access_token").unwrap_or_default();
    let now = google.now();
    let issued = google.token(token).filter(|issued| {
        issued.expires_at > now && !matches!(issued.principal, Principal::Federated(_))
    });
    let Some(issued) = issued else {
        let body = json!({ "error": "invalid_token", "error_description": "Invalid Value" });
        return (StatusCode::BAD_REQUEST, apis::json(&body)).into_response();
    };
    let mut info = json!({
        "scope": issued.scopes.join(" "),
        "exp": issued.expires_at.as_second().to_string(),
        "expires_in": issued.expires_at.duration_since(now).as_secs().to_string(),
        "access_type": "online",
    });
    let told = issued
        .scopes
        .iter()
        .any(|scope| scope.ends_with("/userinfo.email") || scope == "email");
    if let Some(email) = issued.principal.email().filter(|_| told) {
        info["email"] = json!(email);
        info["email_verified"] = json!("true");
    }
    apis::json(&info)
}
