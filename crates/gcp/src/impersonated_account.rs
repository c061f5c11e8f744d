//! The credential of somebody who acts as a service account, as `gcloud auth application-default login
//! --impersonate-service-account` writes it.
//!
//! Source: <https://google.aip.dev/auth/4115>,
//! <https://cloud.google.com/docs/authentication/use-service-account-impersonation>

use std::sync::Arc;
use std::time::Duration;

use secret::Secret;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::endpoints::at;
use crate::external_account::{FileError, impersonated, unreadable};
use crate::http::{Http, Pace};
use crate::iam_credentials::{IamCredentials, Wanted, token_path};
use crate::principal::ServiceAccountEmail;
use crate::token::{Identity, Scope, Token};
use crate::{Clock, Endpoints, TokenError};

/// A credential file of type `impersonated_service_account`; prints without what is in it.
#[derive(Debug, Clone)]
pub struct ImpersonatedAccount {
    /// Whom the file lets act.
    pub email: ServiceAccountEmail,
    /// The credential within, as JSON: whoever may act as the account.
    source: Secret<String>,
    /// Who pays for what is asked.
    pub quota_project: Option<String>,
    delegates: Vec<String>,
}

#[derive(Deserialize)]
struct File<'a> {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    service_account_impersonation_url: String,
    #[serde(default)]
    delegates: Vec<String>,
    #[serde(borrow)]
    source_credentials: Option<&'a RawValue>,
    quota_project_id: Option<String>,
}

impl ImpersonatedAccount {
    pub fn parse(json: &[u8]) -> Result<Self, FileError> {
        let file: File<'_> = serde_json::from_slice(json).map_err(unreadable)?;
        if file.kind != "impersonated_service_account" {
            let kind = crate::redact::redact(&file.kind);
            return Err(FileError::Kind { kind });
        }
        let (_, email) = impersonated(&file.service_account_impersonation_url)?;
        let source = file.source_credentials.ok_or(FileError::Source)?;
        Ok(Self {
            email,
            source: Secret::from(source.get()),
            quota_project: file.quota_project_id,
            delegates: file.delegates,
        })
    }

    /// Gives the credential within to whoever reads such files.
    pub fn read_source<T>(&self, read: impl FnOnce(&[u8]) -> T) -> T {
        read(self.source.expose().as_bytes())
    }

    /// Asks for a token of the account as `caller`, who is whom the credential within says.
    ///
    /// The file's address only names the account: where tokens go is never the file's choice.
    pub async fn token(
        &self,
        endpoints: &Endpoints,
        clock: &Clock,
        caller: &Token,
    ) -> Result<Token, TokenError> {
        let asking = IamCredentials {
            http: Http::new(Pace::GOOGLE, Arc::new(|_| {})),
            clock: Arc::clone(clock),
        };
        let deadline = asking.http.pace().deadline();
        let wanted = Wanted {
            account: self.email.as_str(),
            delegates: &self.delegates,
            scope: Scope::CloudPlatform,
            lifetime: Duration::from_hours(1),
        };
        let url = at(&endpoints.iam_credentials, &token_path(&self.email));
        let granted = asking.generate(&url, caller, wanted, deadline).await?;
        Ok(granted.of(Identity::ServiceAccount(self.email.clone())))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::loopback::{Loopback, Reply};

    const EMAIL: &str = "auditor@acme-gke.iam.gserviceaccount.com";

    fn file() -> Value {
        json!({
            "type": "impersonated_service_account",
            "service_account_impersonation_url":
                format!("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"),
            "delegates": ["projects/-/serviceAccounts/between@acme-gke.iam.gserviceaccount.com"],
            "source_credentials": {"type": "authorized_user", "refresh_token": "r3fresh"},
            "quota_project_id": "acme-gke",
        })
    }

    fn parse(file: &Value) -> Result<ImpersonatedAccount, FileError> {
        ImpersonatedAccount::parse(file.to_string().as_bytes())
    }

    #[tokio::test]
    async fn the_account_is_asked_for_where_the_operator_says_and_through_its_delegates() {
        let server = Loopback::start().await;
        let path = format!("/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken");
        let body = r#"{"accessToken":"ya29.auditor","expireTime":"1970-01-01T01:00:00Z"}"#;
        let date = "Thu, 01 Jan 1970 00:00:00 GMT";
        server.answer(&path, [Reply::new(200, body).header("date", date)]);
        let account = parse(&file()).expect("a file");
        assert_eq!(account.quota_project.as_deref(), Some("acme-gke"));
        let has_credential = |json: &[u8]| String::from_utf8_lossy(json).contains("r3fresh");
        assert!(account.read_source(has_credential));
        assert!(!format!("{account:?}").contains("r3fresh"));
        let clock: Clock = Arc::new(|| Timestamp::UNIX_EPOCH);
        let caller = Token {
            access_token: Secret::from("ya29.ann"),
            identity: Identity::Federated("user".to_owned()),
            expires: Timestamp::UNIX_EPOCH,
            doubt: None,
        };
        let token = account.token(&server.endpoints(), &clock, &caller).await;
        let token = token.expect("a token");
        assert_eq!(token.access_token.expose(), "ya29.auditor");
        assert_eq!(
            token.identity.to_string(),
            format!("serviceAccount:{EMAIL}")
        );
        let seen = server.seen(&path);
        assert!(
            seen[0].body.contains("between@acme-gke"),
            "{}",
            seen[0].body
        );
    }

    #[test]
    fn a_file_without_an_account_or_a_credential_within_is_refused() {
        let with = |field: &str, value: Value| {
            let mut changed = file();
            changed[field] = value;
            parse(&changed).expect_err("a bad file")
        };
        assert!(matches!(
            with("type", json!("authorized_user")),
            FileError::Kind { .. }
        ));
        let url = "service_account_impersonation_url";
        for address in [
            "",
            "http://example.com/serviceAccounts/a@b:generateAccessToken",
        ] {
            let refused = with(url, json!(address));
            assert_eq!(refused, FileError::Address { field: url }, "{address}");
        }
        assert_eq!(with("source_credentials", Value::Null), FileError::Source);
    }
}
