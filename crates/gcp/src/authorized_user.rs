//! The credential of a person, as `gcloud auth application-default login` writes it, and the token that it gets.
//!
//! Source: <https://google.aip.dev/auth/4113>

use std::sync::Arc;

use reqwest::StatusCode;
use secret::Secret;
use serde::Deserialize;

use crate::endpoints::at;
use crate::external_account::FileError;
use crate::granted::read_granted;
use crate::http::{Http, Pace};
use crate::sts::refused_exchange;
use crate::token::{Identity, Token};
use crate::{Clock, Endpoints, TokenError};

/// A credential file of type `authorized_user`; prints without its secrets.
#[derive(Debug, Clone)]
pub struct AuthorizedUser {
    client_id: String,
    client_secret: Secret<String>,
    refresh_token: Secret<String>,
    /// Who pays for what this person asks.
    pub quota_project: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
    #[serde(default)]
    refresh_token: String,
    quota_project_id: Option<String>,
}

impl AuthorizedUser {
    pub fn parse(json: &[u8]) -> Result<Self, FileError> {
        let file: File = serde_json::from_slice(json).map_err(|error| FileError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        if file.kind != "authorized_user" {
            let kind = crate::redact::redact(&file.kind);
            return Err(FileError::Kind { kind });
        }
        Ok(Self {
            client_id: file.client_id,
            client_secret: Secret::new(file.client_secret),
            refresh_token: Secret::new(file.refresh_token),
            quota_project: file.quota_project_id,
        })
    }

    /// Asks for a token as this person; where that goes is never the file's choice.
    pub async fn token(&self, endpoints: &Endpoints, clock: &Clock) -> Result<Token, TokenError> {
        let url = at(&endpoints.oauth, "/token");
        let http = Http::new(Pace::GOOGLE, Arc::new(|_| {}));
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
            ("refresh_token", self.refresh_token.expose()),
        ];
        let attempt = || {
            let asked_at = clock();
            let build = |client: &reqwest::Client| client.post(url.clone()).form(&form);
            http.send("oauth", &url, build, move |answer| match answer.status {
                StatusCode::OK => read_granted(answer, asked_at),
                _ => Err(refused_exchange(answer)),
            })
        };
        let deadline = http.pace().deadline();
        let granted = http.pace().repeat(&url, deadline, attempt).await?;
        Ok(granted.of(Identity::Federated("user".to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::loopback::{Loopback, Reply, granted};

    #[tokio::test]
    async fn a_person_gets_a_token_and_the_secrets_stay_out_of_what_is_printed() {
        let server = Loopback::start().await;
        server.answer("/token", [Reply::new(200, &granted("ann", 3_599))]);
        let file = json!({"type": "authorized_user", "client_id": "c", "client_secret": "s3cret",
            "refresh_token": "r3fresh", "quota_project_id": "acme-gke"});
        let user = AuthorizedUser::parse(file.to_string().as_bytes()).expect("a file");
        assert_eq!(user.quota_project.as_deref(), Some("acme-gke"));
        let clock: Clock = Arc::new(|| Timestamp::UNIX_EPOCH);
        let token = user.token(&server.endpoints(), &clock).await;
        assert_eq!(token.expect("a token").expires.as_second(), 3_599);
        let printed = format!("{user:?}");
        assert!(!printed.contains("s3cret") && !printed.contains("r3fresh"));
    }

    #[test]
    fn files_of_other_kinds_are_refused() {
        let refused = AuthorizedUser::parse(br#"{"type":"service_account"}"#);
        assert!(matches!(refused, Err(FileError::Kind { .. })));
    }
}
