//! ID tokens, JWTs and blobs, signed with the key that Google keeps for an account.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{exists, may};
use crate::apis::Answer;
use crate::call::Call;
use crate::google::{Caller, Google};
use crate::refusal::Refusal;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct GenerateIdToken {
    delegates: Vec<String>,
    audience: String,
    include_email: bool,
    /// Accepted; the world's accounts have no organization number in their tokens.
    #[serde(rename = "organizationNumberIncluded")]
    _organization_number_included: bool,
}

pub(super) fn generate_id_token(
    google: &Google,
    call: &Call,
    caller: &Caller,
    account: &str,
) -> Answer {
    let body: GenerateIdToken = call.json()?;
    if body.audience.is_empty() {
        return Err(Refusal::invalid_field("audience", "Audience required."));
    }
    let email = exists(google, account)?;
    let permission = "iam.serviceAccounts.getOpenIdToken";
    may(
        google,
        caller.principal(),
        &[],
        &body.delegates,
        &email,
        permission,
    )?;
    let claims = IdClaims {
        audience: &body.audience,
        include_email: body.include_email,
    };
    Ok(json!({ "token": claims.sign(google, &email) }))
}

/// What an ID token is to say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdClaims<'a> {
    pub(crate) audience: &'a str,
    pub(crate) include_email: bool,
}

/// Makes an ID token of an account that asks for its own.
pub(crate) fn own_identity_token(
    google: &Google,
    account: &str,
    claims: &IdClaims<'_>,
) -> Result<String, Refusal> {
    let email = exists(google, account)?;
    Ok(claims.sign(google, &email))
}

impl IdClaims<'_> {
    /// Source: <https://cloud.google.com/docs/authentication/token-types#id>
    pub(crate) fn sign(&self, google: &Google, email: &str) -> String {
        let now = google.now().as_second();
        let id = google.read(|world| {
            let account = world.service_account(email).map(|(_, account)| account);
            account.map_or_else(String::new, |account| account.unique_id.clone())
        });
        let mut claims = json!({
            "iss": "https://accounts.google.com", "aud": self.audience, "azp": id, "sub": id,
            "iat": now, "exp": now + 3600,
        });
        if self.include_email {
            claims["email"] = json!(email);
            claims["email_verified"] = json!(true);
        }
        google.keys().google().sign_jwt(&claims)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Sign {
    delegates: Vec<String>,
    payload: String,
}

/// A JWT that Google signs ends within half a day.
const LONGEST_JWT: SignedDuration = SignedDuration::from_hours(12);

pub(super) fn sign_jwt(google: &Google, call: &Call, caller: &Caller, account: &str) -> Answer {
    let body: Sign = call.json()?;
    let email = exists(google, account)?;
    may(
        google,
        caller.principal(),
        &[],
        &body.delegates,
        &email,
        "iam.serviceAccounts.signJwt",
    )?;
    let mut claims: Value = serde_json::from_str(&body.payload)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::invalid_field("payload", "The payload must be a JSON object."))?;
    let latest = (google.now() + LONGEST_JWT).as_second();
    match claims.get("exp").map(Value::as_i64) {
        None => claims["exp"] = json!(google.now().as_second() + 3600),
        Some(Some(exp)) if exp <= latest => {}
        Some(_) => {
            let text = "The exp claim must be a number at most 12 hours in the future.";
            return Err(Refusal::invalid_field("payload", text));
        }
    }
    let key = google.keys().google();
    Ok(json!({ "keyId": key.id, "signedJwt": key.sign_jwt(&claims) }))
}

pub(super) fn sign_blob(google: &Google, call: &Call, caller: &Caller, account: &str) -> Answer {
    let body: Sign = call.json()?;
    let email = exists(google, account)?;
    may(
        google,
        caller.principal(),
        &[],
        &body.delegates,
        &email,
        "iam.serviceAccounts.signBlob",
    )?;
    let payload = STANDARD
        .decode(&body.payload)
        .map_err(|_| Refusal::invalid_field("payload", "Base64 decoding failed."))?;
    let key = google.keys().google();
    Ok(json!({ "keyId": key.id, "signedBlob": STANDARD.encode(key.sign(&payload)) }))
}
