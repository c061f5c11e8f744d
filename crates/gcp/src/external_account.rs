//! Credential files of the operator for clusters outside Google: which Kubernetes token goes to which provider.
//!
//! Source: <https://google.aip.dev/auth/4117>,
//! <https://cloud.google.com/iam/docs/workload-identity-federation-with-kubernetes>

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::dangerous::insecure_decode_claims;
use secret::Secret;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::endpoints::is_on_this_machine;
use crate::principal::{KubernetesAccount, ServiceAccountEmail};
use crate::sts::{JWT, Provider};

/// A credential file of type `external_account` whose token is read from a file.
///
/// Only the operator's files are read so: they say where tokens are sent. Files that run a program, ask a URL or speak
/// AWS are refused.
#[derive(Debug, Clone)]
pub struct ExternalAccount {
    pub(crate) audience: String,
    pub(crate) provider: Provider,
    pub(crate) token_type: String,
    /// The STS to ask, if the file names one.
    pub(crate) token_url: Option<Url>,
    pub(crate) source: TokenFile,
    pub(crate) impersonation: Option<Impersonation>,
}

/// Where the subject token is; it is read anew for every exchange, as it is renewed there.
#[derive(Debug, Clone)]
pub(crate) struct TokenFile {
    path: PathBuf,
    /// The member of a JSON file that holds the token; without one the whole file is it.
    field: Option<String>,
}

/// The service account that is acted as after the exchange.
#[derive(Debug, Clone)]
pub(crate) struct Impersonation {
    pub(crate) url: Url,
    pub(crate) email: ServiceAccountEmail,
    pub(crate) lifetime: Duration,
}

/// Why a credential file, or the token file it names, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error("not JSON as expected: line {line}, column {column}")]
    Json { line: usize, column: usize },
    #[error("the type is {kind:?}, neither external_account nor service_account")]
    Kind { kind: String },
    #[error("audience {audience:?} is not the name of a workload identity provider")]
    Audience { audience: String },
    #[error("credential_source runs a program")]
    Executable,
    #[error("credential_source names no file")]
    Source,
    #[error("{field} is not an https address of a service")]
    Address { field: &'static str },
    #[error("token_lifetime_seconds is {seconds}, not between 600 and 43200")]
    Lifetime { seconds: u64 },
    #[error("failed to read the token file {path}: {why}")]
    Read { path: String, why: String },
    #[error("the token file {path} holds no token")]
    NoToken { path: String },
}

impl FileError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Executable | Self::Source => {
                "project a Kubernetes token into a file and name it: gcloud iam workload-identity-pools \
                 create-cred-config PROVIDER --credential-source-file=PATH"
            }
            Self::Read { .. } | Self::NoToken { .. } => {
                "mount a projected volume with a serviceAccountToken at that path"
            }
            Self::Json { .. }
            | Self::Kind { .. }
            | Self::Audience { .. }
            | Self::Address { .. }
            | Self::Lifetime { .. } => {
                "write the file anew: gcloud iam workload-identity-pools create-cred-config"
            }
        }
    }
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    audience: String,
    subject_token_type: Option<String>,
    token_url: Option<String>,
    #[serde(default)]
    credential_source: Source,
    service_account_impersonation_url: Option<String>,
    #[serde(default)]
    service_account_impersonation: Lifetime,
}

#[derive(Deserialize, Default)]
struct Source {
    file: Option<PathBuf>,
    executable: Option<Value>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    #[serde(rename = "type")]
    kind: Option<String>,
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize, Default)]
struct Lifetime {
    token_lifetime_seconds: Option<u64>,
}

impl ExternalAccount {
    pub fn parse(json: &[u8]) -> Result<Self, FileError> {
        let file: File = serde_json::from_slice(json).map_err(unreadable)?;
        if file.kind != "external_account" {
            return Err(FileError::Kind { kind: file.kind });
        }
        let impersonation = file
            .service_account_impersonation_url
            .map(|url| Impersonation::parse(&url, &file.service_account_impersonation));
        let token_url = file
            .token_url
            .map(|url| address(&url).ok_or(FileError::Address { field: "token_url" }));
        Ok(Self {
            provider: Provider::parse(&file.audience).ok_or_else(|| FileError::Audience {
                audience: file.audience.clone(),
            })?,
            audience: file.audience,
            token_type: file.subject_token_type.unwrap_or_else(|| JWT.to_owned()),
            token_url: token_url.transpose()?,
            source: TokenFile::of(file.credential_source)?,
            impersonation: impersonation.transpose()?,
        })
    }
}

/// Reads whom an address is for that tokens of a service account are asked for at.
pub(crate) fn impersonated(text: &str) -> Result<(Url, ServiceAccountEmail), FileError> {
    let field = "service_account_impersonation_url";
    let url = address(text).ok_or(FileError::Address { field })?;
    let email = url
        .path()
        .strip_suffix(":generateAccessToken")
        .and_then(|path| path.rsplit_once("/serviceAccounts/"))
        .and_then(|(_, email)| ServiceAccountEmail::parse(&email.replace("%40", "@")).ok())
        .ok_or(FileError::Address { field })?;
    Ok((url, email))
}

impl Impersonation {
    fn parse(text: &str, lifetime: &Lifetime) -> Result<Self, FileError> {
        let (url, email) = impersonated(text)?;
        let seconds = lifetime.token_lifetime_seconds.unwrap_or(3_600);
        if !(600..=43_200).contains(&seconds) {
            return Err(FileError::Lifetime { seconds });
        }
        Ok(Self {
            url,
            email,
            lifetime: Duration::from_secs(seconds),
        })
    }
}

impl TokenFile {
    fn of(source: Source) -> Result<Self, FileError> {
        if source.executable.is_some() {
            return Err(FileError::Executable);
        }
        let path = source.file.ok_or(FileError::Source)?;
        match (
            source.format.kind.as_deref(),
            source.format.subject_token_field_name,
        ) {
            (None | Some("text"), _) => Ok(Self { path, field: None }),
            (Some("json"), Some(field)) => Ok(Self {
                path,
                field: Some(field),
            }),
            _ => Err(FileError::Source),
        }
    }

    pub(crate) async fn read(&self) -> Result<Secret<String>, FileError> {
        let path = self.path.display().to_string();
        let text = tokio::fs::read_to_string(&self.path).await;
        let text = text.map(Secret::new).map_err(|error| FileError::Read {
            path: path.clone(),
            why: error.kind().to_string(),
        })?;
        let token = match &self.field {
            None => text.expose().trim().to_owned(),
            Some(field) => {
                let value: Value = serde_json::from_str(text.expose()).map_err(unreadable)?;
                let token = value.get(field).and_then(Value::as_str);
                token.unwrap_or_default().to_owned()
            }
        };
        if token.is_empty() {
            return Err(FileError::NoToken { path });
        }
        Ok(Secret::new(token))
    }
}

/// Reads whose a Kubernetes token is, as far as it says: who it is to others decides whoever takes it.
pub fn subject_of(token: &Secret<String>) -> Option<KubernetesAccount> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let Claims { sub } = insecure_decode_claims(token.expose().trim()).ok()?;
    let (namespace, name) = sub
        .strip_prefix("system:serviceaccount:")?
        .split_once(':')?;
    KubernetesAccount::parse(&format!("{namespace}/{name}")).ok()
}

/// Reads an address that a token may be sent to: https, or this machine.
fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_here = is_on_this_machine(&url);
    (url.scheme() == "https" || url.scheme() == "http" && is_here).then_some(url)
}

/// Says where the JSON is wrong and not how: that would show a part of it.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn unreadable(error: serde_json::Error) -> FileError {
    FileError::Json {
        line: error.line(),
        column: error.column(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file() -> Value {
        json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/providers/cluster",
            "subject_token_type": JWT,
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/var/run/secrets/tokens/gcp/token"},
            "service_account_impersonation_url":
                "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@acme.iam.gserviceaccount.com:generateAccessToken",
            "service_account_impersonation": {"token_lifetime_seconds": 900},
        })
    }

    fn error(field: &str, value: Value) -> FileError {
        let mut changed = file();
        changed[field] = value;
        ExternalAccount::parse(changed.to_string().as_bytes()).expect_err("a bad file")
    }

    #[test]
    fn a_file_of_gcloud_is_understood() {
        let parsed = ExternalAccount::parse(file().to_string().as_bytes()).expect("a file");
        let impersonation = parsed.impersonation.expect("an account");
        assert_eq!(
            impersonation.email.as_str(),
            "a@acme.iam.gserviceaccount.com"
        );
        assert_eq!(impersonation.lifetime, Duration::from_mins(15));
    }

    #[test]
    fn programs_urls_and_other_clouds_are_refused() {
        let program = json!({"executable": {"command": "/bin/sh"}, "file": "token"});
        assert_eq!(error("credential_source", program), FileError::Executable);
        for source in [
            json!({}),
            json!({"url": "http://169.254.169.254/"}),
            json!({"environment_id": "aws1"}),
            json!({"file": "token", "format": {"type": "xml"}}),
            json!({"file": "token", "format": {"type": "json"}}),
        ] {
            assert_eq!(error("credential_source", source), FileError::Source);
        }
        assert!(matches!(
            error("type", json!("authorized_user")),
            FileError::Kind { .. }
        ));
        assert!(matches!(
            error("audience", json!("//example.com/x")),
            FileError::Audience { .. }
        ));
    }

    #[test]
    fn a_token_goes_to_https_or_to_this_machine_only() {
        for url in ["http://sts.example.com/v1/token", "ftp://127.0.0.1/", "sts"] {
            let field = "token_url";
            assert_eq!(error(field, json!(url)), FileError::Address { field });
        }
        let field = "service_account_impersonation_url";
        for url in [
            "https://iamcredentials.googleapis.com/v1/x",
            "http://example.com/serviceAccounts/a@b:generateAccessToken",
        ] {
            assert_eq!(error(field, json!(url)), FileError::Address { field });
        }
        let seconds = json!({"token_lifetime_seconds": 599});
        assert_eq!(
            error("service_account_impersonation", seconds),
            FileError::Lifetime { seconds: 599 }
        );
        assert!(address("http://127.0.0.1:9000/v1/token").is_some());
    }

    #[tokio::test]
    async fn a_token_file_is_text_or_a_member_of_json() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let text = TokenFile {
            path: path.clone(),
            field: None,
        };
        let json = TokenFile {
            path: path.clone(),
            field: Some("id_token".to_owned()),
        };
        assert!(matches!(text.read().await, Err(FileError::Read { .. })));
        std::fs::write(&path, "{\"id_token\": \"jwt\"}\n").expect("a file");
        assert_eq!(json.read().await.expect("a token").expose(), "jwt");
        std::fs::write(&path, "jwt\n").expect("a file");
        assert_eq!(text.read().await.expect("a token").expose(), "jwt");
        assert!(matches!(json.read().await, Err(FileError::Json { .. })));
        std::fs::write(&path, "\n").expect("a file");
        assert!(matches!(text.read().await, Err(FileError::NoToken { .. })));
    }
}
