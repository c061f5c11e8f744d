//! Whom Google is asked as: a token that is given, or the credential file that Google's own tools use.
//!
//! Source: <https://cloud.google.com/docs/authentication/application-default-credentials>

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use gcp::{
    Apis, AuthorizedUser, Base, Clock, Endpoints, ExternalAccount, Identities, Observer, Scope,
    ServiceAccountKey, Settings,
};
use secret::Secret;
use serde::Deserialize;

use super::place::variable;

/// The variable by which gcloud itself is given a token.
const TOKEN_VARIABLE: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN";

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type", default)]
    kind: String,
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
    let path = env::var_os("GOOGLE_APPLICATION_CREDENTIALS")?;
    let kind = fs::read(path).ok().and_then(|json| kind_of(&json).ok());
    Some(kind.unwrap_or_else(|| "unreadable".to_owned()))
}

fn with_token(text: &str, endpoints: &Endpoints) -> Apis {
    let quota_project = variable("GOOGLE_CLOUD_QUOTA_PROJECT");
    Apis::new(endpoints.clone(), Secret::from(text.trim())).paid_by(quota_project)
}

fn application_default() -> Option<PathBuf> {
    if let Some(path) = env::var_os("GOOGLE_APPLICATION_CREDENTIALS") {
        return Some(PathBuf::from(path));
    }
    let gcloud = env::var_os("CLOUDSDK_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".config/gcloud")))?;
    let path = gcloud.join("application_default_credentials.json");
    path.exists().then_some(path)
}

async fn from_file(path: &Path, endpoints: &Endpoints, clock: &Clock) -> Result<Apis> {
    let json = fs::read(path)?;
    let base = match kind_of(&json)?.as_str() {
        "authorized_user" => {
            let user = AuthorizedUser::parse(&json)?;
            let token = user.token(endpoints, clock).await?;
            let apis = Apis::new(endpoints.clone(), token.access_token);
            return Ok(apis.paid_by(user.quota_project));
        }
        "service_account" => Base::Key(Box::new(ServiceAccountKey::parse(&json)?)),
        "external_account" => Base::ExternalAccount(Box::new(ExternalAccount::parse(&json)?)),
        other => bail!(
            "its type is {other:?}, none of authorized_user, service_account, external_account; \
             give a token instead: gcloud auth print-access-token > FILE"
        ),
    };
    let settings = Settings {
        base,
        ..Settings::new(endpoints.clone())
    };
    let nobody: Observer = Arc::new(|_| {});
    let identities = Identities::new(settings, clock, &nobody);
    let token = identities.base(Scope::CloudPlatform).await?;
    Ok(Apis::new(endpoints.clone(), token.access_token.clone()))
}

fn kind_of(json: &[u8]) -> Result<String> {
    let kind: Kind = serde_json::from_slice(json).map_err(|error| {
        anyhow::anyhow!(
            "it is not JSON: line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    Ok(kind.kind)
}
