//! Keys of service accounts: the file, and the token that a signature by it gets.
//!
//! Only the account, the key's id and the private key are used. Where a token is asked for is never the file's choice:
//! files come from tenants.
//!
//! Source: <https://developers.google.com/identity/protocols/oauth2/service-account#httprest>

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use url::Url;

use crate::http::Http;
use crate::metadata::{Granted, read_granted};
use crate::principal::ServiceAccountEmail;
use crate::sts::refused_exchange;
use crate::token::Scope;
use crate::{Clock, TokenError};

/// What the service calls itself, wherever it is reached.
const AUDIENCE: &str = "https://oauth2.googleapis.com/token";
const LIFE: SignedDuration = SignedDuration::from_hours(1);

/// A key of a service account; prints without the private key.
#[derive(Debug, Clone)]
pub struct ServiceAccountKey {
    pub email: ServiceAccountEmail,
    pub key_id: String,
    private_key: Secret<String>,
}

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("not the JSON of a key: line {line}, column {column}")]
    Json { line: usize, column: usize },
    #[error("the type is {kind:?}, not service_account")]
    Kind { kind: String },
    #[error("client_email is not the email of a service account")]
    Email,
    #[error("private_key is not an RSA key in PEM")]
    PrivateKey,
}

impl KeyError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Kind { .. } => {
                "only keys of service accounts are taken from Secrets; other credential files are the operator's"
            }
            Self::Json { .. } | Self::Email | Self::PrivateKey => {
                "store the file as Google gave it, or better none: gcloud iam service-accounts keys list"
            }
        }
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    client_email: String,
    #[serde(default)]
    private_key_id: String,
    #[serde(default)]
    private_key: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
}

impl ServiceAccountKey {
    pub fn parse(json: &[u8]) -> Result<Self, KeyError> {
        let file: File = serde_json::from_slice(json).map_err(|error| KeyError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let private_key = Secret::new(file.private_key);
        if file.kind != "service_account" {
            let kind = crate::redact::redact(&file.kind);
            return Err(KeyError::Kind { kind });
        }
        EncodingKey::from_rsa_pem(private_key.expose().as_bytes())
            .map_err(|_| KeyError::PrivateKey)?;
        Ok(Self {
            email: ServiceAccountEmail::parse(&file.client_email).map_err(|_| KeyError::Email)?,
            key_id: crate::redact::redact(&file.private_key_id),
            private_key,
        })
    }

    /// Tells keys apart by all that is in them: who names another's account and key id gets nothing of theirs.
    pub(crate) fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        for part in [self.email.as_str(), &self.key_id, self.private_key.expose()] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        format!("{:x}", digest.finalize())
    }

    fn sign(&self, scope: Scope, now: Timestamp) -> Result<Secret<String>, KeyError> {
        let claims = Claims {
            iss: self.email.as_str(),
            scope: scope.url(),
            aud: AUDIENCE,
            iat: now.as_second(),
            exp: (now + LIFE).as_second(),
        };
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.key_id.clone());
        let key = EncodingKey::from_rsa_pem(self.private_key.expose().as_bytes())
            .map_err(|_| KeyError::PrivateKey)?;
        let signed = jsonwebtoken::encode(&header, &claims, &key);
        signed.map(Secret::new).map_err(|_| KeyError::PrivateKey)
    }
}

/// Exchanges what a key signed.
#[derive(Clone)]
pub(crate) struct Oauth {
    pub(crate) http: Http,
    /// The whole address, path included.
    pub(crate) url: Url,
    pub(crate) clock: Clock,
}

impl Oauth {
    pub(crate) async fn exchange(
        &self,
        key: &ServiceAccountKey,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Granted, TokenError> {
        let asked_at = (self.clock)();
        let assertion = key.sign(scope, asked_at)?;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", assertion.expose()),
        ];
        let attempt = || {
            let build = |client: &reqwest::Client| client.post(self.url.clone()).form(&form);
            self.http.send("oauth", &self.url, build, move |answer| {
                match answer.status {
                    StatusCode::OK => read_granted(answer, asked_at),
                    _ => Err(refused_exchange(answer)),
                }
            })
        };
        self.http.pace().repeat(deadline, attempt).await
    }
}
