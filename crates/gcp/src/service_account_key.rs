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

use crate::granted::{Granted, read_granted};
use crate::http::Http;
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
        self.http.pace().repeat(&self.url, deadline, attempt).await
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
    use serde_json::{Value, json};

    use super::*;
    use crate::identities::Settings;
    use crate::loopback::{Hands, Loopback, Reply, granted, identities, start};

    fn pair() -> KeyPair {
        KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key")
    }

    fn file(pair: &KeyPair) -> Value {
        json!({
            "type": "service_account",
            "client_email": "puller@acme.iam.gserviceaccount.com",
            "private_key_id": "k-1",
            "private_key": pair.serialize_pem(),
            "token_uri": "https://evil.example.com/token",
        })
    }

    fn parse(file: &Value) -> Result<ServiceAccountKey, KeyError> {
        ServiceAccountKey::parse(file.to_string().as_bytes())
    }

    #[tokio::test]
    async fn a_key_signs_for_google_and_the_file_does_not_say_where_that_goes() {
        let (server, pair) = (Loopback::start().await, pair());
        server.answer("/token", [Reply::new(200, &granted("puller", 3_599))]);
        let identities = identities(Settings::new(server.endpoints()), &Hands::new());
        let key = parse(&file(&pair)).expect("a key");
        let token = identities
            .key(&key, Scope::ReadOnly)
            .await
            .expect("a token");
        assert_eq!(
            token.identity.to_string(),
            "serviceAccount:puller@acme.iam.gserviceaccount.com"
        );
        let form = server.seen("/token")[0].body.clone();
        let assertion = url::form_urlencoded::parse(form.as_bytes())
            .find_map(|(name, value)| (name == "assertion").then(|| value.into_owned()))
            .expect("an assertion");
        let public = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).expect("a key");
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[AUDIENCE]);
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode::<Value>(&assertion, &public, &validation);
        let decoded = decoded.expect("a good signature");
        assert_eq!(decoded.header.kid.as_deref(), Some("k-1"));
        let now = start().as_second();
        assert_eq!(
            decoded.claims,
            json!({
                "iss": "puller@acme.iam.gserviceaccount.com",
                "scope": "https://www.googleapis.com/auth/cloud-platform.read-only",
                "aud": "https://oauth2.googleapis.com/token",
                "iat": now,
                "exp": now + 3_600,
            })
        );
    }

    #[tokio::test]
    async fn another_key_under_the_same_name_gets_nothing_of_the_first() {
        let server = Loopback::start().await;
        let refused = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#;
        let replies = [
            Reply::new(200, &granted("a", 3_599)),
            Reply::new(400, refused),
        ];
        server.answer("/token", replies);
        let identities = identities(Settings::new(server.endpoints()), &Hands::new());
        let first = parse(&file(&pair())).expect("a key");
        let second = parse(&file(&pair())).expect("a key");
        assert!(identities.key(&first, Scope::ReadOnly).await.is_ok());
        assert!(identities.key(&first, Scope::ReadOnly).await.is_ok());
        let error = identities
            .key(&second, Scope::ReadOnly)
            .await
            .expect_err("refused");
        assert_eq!(error.label(), "rejected");
        assert_eq!(server.seen("/token").len(), 2);
    }

    #[test]
    fn only_whole_keys_of_service_accounts_are_taken_and_none_is_shown() {
        let good = file(&pair());
        let private = good["private_key"].as_str().expect("a key").to_owned();
        for (field, value, error) in [
            (
                "type",
                json!("external_account"),
                KeyError::Kind {
                    kind: "external_account".to_owned(),
                },
            ),
            (
                "type",
                json!(""),
                KeyError::Kind {
                    kind: String::new(),
                },
            ),
            (
                "client_email",
                json!("somebody@example.com"),
                KeyError::Email,
            ),
            ("private_key", json!(""), KeyError::PrivateKey),
            ("private_key", json!(&private[..200]), KeyError::PrivateKey),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            assert_eq!(parse(&bad).expect_err("no key"), error);
        }
        let error = ServiceAccountKey::parse(format!("{{{private}").as_bytes());
        assert!(matches!(error, Err(KeyError::Json { .. })));
        let key = parse(&good).expect("a key");
        assert!(!format!("{key:?} {error:?}").contains("MII"));
    }
}
