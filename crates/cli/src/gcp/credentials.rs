//! Whom Google is asked as: a token that is given, or the credential file that Google's own tools use.
//!
//! Source: <https://cloud.google.com/docs/authentication/application-default-credentials>

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use gcp::principal::ServiceAccountEmail;
use gcp::{
    Apis, AuthorizedUser, Base, Clock, Endpoints, ExternalAccount, Identities, ImpersonatedAccount,
    Observer, Scope, ServiceAccountKey, Settings, Token, TokenError,
};
use secret::Secret;
use serde::Deserialize;

use super::place::variable;

/// The variable by which gcloud itself is given a token.
const TOKEN_VARIABLE: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN";
/// The variable by which Google's tools are given a credential file.
const FILE_VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// How a person gets a new credential file.
const LOG_IN: &str = "log in again: gcloud auth application-default login";

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type", default)]
    kind: String,
}

/// What a file holds that needs nobody else.
enum Credential {
    User(Box<AuthorizedUser>),
    Program(Base),
}

/// Finds who asks, in the order in which Google's tools look; none if nobody is to be found.
pub(super) async fn find(
    token_file: Option<&Path>,
    endpoints: &Endpoints,
    clock: &Clock,
) -> Result<Option<Apis>> {
    if let Some(path) = token_file {
        let text = fs::read_to_string(path)
            .with_context(|| format!("failed to read the access token in {}", path.display()))?;
        return Ok(Some(with_token(&text, endpoints)));
    }
    if let Some(text) = variable(TOKEN_VARIABLE) {
        return Ok(Some(with_token(&text, endpoints)));
    }
    match application_default() {
        Some(path) => from_file(&path, endpoints, clock)
            .await
            .with_context(|| format!("failed to ask as whom {} says", path.display()))
            .map(Some),
        None => Ok(None),
    }
}

/// Says of which type the file of `GOOGLE_APPLICATION_CREDENTIALS` is, if it is set.
pub(super) fn kind_of_variable() -> Option<String> {
    let path = env::var_os(FILE_VARIABLE)?;
    let kind = fs::read(path).ok().and_then(|json| kind_of(&json).ok());
    Some(kind.unwrap_or_else(|| "unreadable".to_owned()))
}

fn with_token(text: &str, endpoints: &Endpoints) -> Apis {
    let quota_project = variable("GOOGLE_CLOUD_QUOTA_PROJECT");
    Apis::new(endpoints.clone(), Secret::from(text.trim())).paid_by(quota_project)
}

fn application_default() -> Option<PathBuf> {
    if let Some(path) = env::var_os(FILE_VARIABLE) {
        return Some(PathBuf::from(path));
    }
    let gcloud = env::var_os("CLOUDSDK_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config/gcloud")))?;
    let path = gcloud.join("application_default_credentials.json");
    path.exists().then_some(path)
}

async fn from_file(path: &Path, endpoints: &Endpoints, clock: &Clock) -> Result<Apis> {
    let json = fs::read(path).map_err(|error| {
        anyhow!("{error}; name another file in {FILE_VARIABLE}, or unset it and {LOG_IN}")
    })?;
    if kind_of(&json)? != "impersonated_service_account" {
        let credential = Credential::parse(&json)?;
        let token = credential.token(endpoints, clock).await?;
        let apis = Apis::new(endpoints.clone(), token.access_token.clone());
        return Ok(apis.paid_by(credential.quota_project()));
    }
    let account =
        ImpersonatedAccount::parse(&json).map_err(|error| anyhow!("{error}; {LOG_IN}"))?;
    let within = "failed to use source_credentials within it";
    let credential = account.read_source(Credential::parse).context(within)?;
    let caller = credential.token(endpoints, clock).await.context(within)?;
    let token = account.token(endpoints, clock, &caller).await;
    let token = token.map_err(|error| refused_account(&account, &error))?;
    Ok(Apis::new(endpoints.clone(), token.access_token).paid_by(account.quota_project))
}

impl Credential {
    fn parse(json: &[u8]) -> Result<Self> {
        Ok(match kind_of(json)?.as_str() {
            "authorized_user" => {
                let user = AuthorizedUser::parse(json);
                Self::User(Box::new(
                    user.map_err(|error| anyhow!("{error}; {LOG_IN}"))?,
                ))
            }
            "service_account" => {
                let key = ServiceAccountKey::parse(json);
                let key = key.map_err(|error| anyhow!("{error}; {}", error.hint()))?;
                Self::Program(Base::Key(Box::new(key)))
            }
            "external_account" => {
                let file = ExternalAccount::parse(json);
                let file = file.map_err(|error| anyhow!("{error}; {}", error.hint()))?;
                Self::Program(Base::ExternalAccount(Box::new(file)))
            }
            other => bail!(
                "its type is {other:?}, none of authorized_user, service_account, external_account, \
                 impersonated_service_account; give a token instead: gcloud auth print-access-token > FILE, \
                 and --access-token-file FILE"
            ),
        })
    }

    async fn token(&self, endpoints: &Endpoints, clock: &Clock) -> Result<Arc<Token>> {
        let base = match self {
            Self::User(user) => {
                let token = user.token(endpoints, clock).await;
                return token.map(Arc::new).map_err(|error| refused_user(&error));
            }
            Self::Program(base) => base.clone(),
        };
        let settings = Settings {
            base,
            ..Settings::new(endpoints.clone())
        };
        let nobody: Observer = Arc::new(|_| {});
        let identities = Identities::new(settings, clock, &nobody);
        let token = identities.base(Scope::CloudPlatform).await;
        token.map_err(|error| anyhow!("{}; {}", with_causes(&error), error.hint()))
    }

    fn quota_project(&self) -> Option<String> {
        match self {
            Self::User(user) => user.quota_project.clone(),
            Self::Program(_) => None,
        }
    }
}

/// Says why a person's credential got no token: one that was revoked or has expired is got anew.
fn refused_user(error: &TokenError) -> anyhow::Error {
    match error {
        TokenError::Rejected { .. } => anyhow!("{error}; {LOG_IN}"),
        _ => anyhow!("{}; {}", with_causes(error), error.hint()),
    }
}

fn refused_account(account: &ImpersonatedAccount, error: &TokenError) -> anyhow::Error {
    match error {
        TokenError::Forbidden { .. } => anyhow!(
            "{error}; let yourself act as it: gcloud iam service-accounts add-iam-policy-binding {} \
             {}--role=roles/iam.serviceAccountTokenCreator --member=user:YOU",
            account.email,
            project_flag(&account.email)
        ),
        _ => anyhow!("{}; {}", with_causes(error), error.hint()),
    }
}

/// Names the project of an account for gcloud, which does not read it out of the email.
fn project_flag(email: &ServiceAccountEmail) -> String {
    let project = email.project();
    project.map_or_else(String::new, |it| format!("--project={it} "))
}

fn with_causes(error: &TokenError) -> String {
    let causes = std::iter::successors(error.source(), |&it| it.source());
    let mut parts = vec![error.to_string()];
    parts.extend(causes.map(ToString::to_string));
    parts.join(": ")
}

fn kind_of(json: &[u8]) -> Result<String> {
    let kind: Kind = serde_json::from_slice(json).map_err(|error| {
        anyhow!(
            "it is not JSON as expected: line {}, column {}; {LOG_IN}",
            error.line(),
            error.column()
        )
    })?;
    Ok(kind.kind)
}
