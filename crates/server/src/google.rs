//! Google's identities and addresses, made of settings.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use credentials::google::{CallerError, POD_TOKEN, account_of_token};
use gcp::principal::KubernetesAccount;
use gcp::{Call, Endpoints, Identities, Settings};
use kube::Client;
use secret::Secret;
use url::Url;

use crate::args::{self, Mode};
use crate::parts::Place;

/// Names another metadata server than Google's.
const METADATA_HOST: &str = "GCE_METADATA_HOST";

/// Wires who acts at Google's registries; says too whether identities are used where no Secret speaks.
///
/// # Errors
/// When a setting makes no sense, or the credential file cannot be read.
pub(crate) fn google(
    arguments: &args::Google,
    place: Place,
    client: Client,
    clock: &gcp::Clock,
) -> Result<(credentials::Google, bool)> {
    let metadata_host = std::env::var_os(METADATA_HOST)
        .and_then(|it| it.into_string().ok())
        .filter(|it| !it.is_empty());
    let is_wanted = match arguments.gcp_identity {
        Mode::On => true,
        Mode::Off => false,
        Mode::Auto => {
            place == Place::Cluster
                || metadata_host.is_some()
                || arguments.caller.gcp_credentials.is_some()
        }
    };
    let endpoints = endpoints(arguments, metadata_host.as_deref())?;
    let settings = Settings {
        account: account(),
        base: arguments.caller.base().map_err(said)?,
        project: arguments.caller.gcp_project.clone(),
        lifetime: arguments.gcp_token_lifetime,
        ..Settings::new(endpoints)
    };
    let identities = Identities::new(settings, clock, &(Arc::new(log) as gcp::Observer));
    let fallback = arguments.gcp_identity_fallback;
    let google = credentials::Google::new(identities, client, fallback, arguments.caller.scope());
    Ok((google, is_wanted))
}

/// The Kubernetes account of this Pod, as its token says: the metadata server names the pool alone.
fn account() -> Option<KubernetesAccount> {
    let token = Secret::new(fs::read_to_string(POD_TOKEN).ok()?);
    account_of_token(&token)
}

/// Where connections to registries go; each one that is not the registry's own is said.
pub(crate) fn registry_endpoints(arguments: &args::Google) -> HashMap<String, Url> {
    for (host, url) in &arguments.registry_endpoints {
        tracing::info!(host, %url, "connections to this registry go elsewhere");
    }
    arguments.registry_endpoints.iter().cloned().collect()
}

fn log(call: &Call<'_>) {
    let Call {
        service,
        outcome,
        error,
        took,
    } = call;
    let error = error.map(ToString::to_string);
    tracing::debug!(service, outcome, error, ?took, "asked Google");
}

/// Where Artifact Registry's API is asked for the versions of an image.
///
/// # Errors
/// When a setting names no service.
pub(crate) fn artifact_registry(arguments: &args::Google) -> Result<Url> {
    Ok(services(arguments)?.artifact_registry)
}

fn endpoints(arguments: &args::Google, metadata_host: Option<&str>) -> Result<Endpoints> {
    for (service, url) in &arguments.gcp_endpoints {
        tracing::info!(service, %url, "this service of Google's is asked elsewhere");
    }
    let mut endpoints = services(arguments)?;
    // A setting names the metadata server more closely than the environment does.
    let is_named = arguments
        .gcp_endpoints
        .iter()
        .any(|(it, _)| it == "metadata");
    if let Some(host) = metadata_host.filter(|_| !is_named) {
        endpoints = endpoints
            .with_metadata_host(host)
            .map_err(|error| anyhow!("{METADATA_HOST}: {error}; {}", error.hint()))?;
    }
    Ok(endpoints)
}

fn services(arguments: &args::Google) -> Result<Endpoints> {
    let mut endpoints = Endpoints::default();
    for (service, url) in &arguments.gcp_endpoints {
        endpoints.set(service, url.as_str()).map_err(|error| {
            anyhow!("--gcp-endpoint {service}={url}: {error}; {}", error.hint())
        })?;
    }
    Ok(endpoints)
}

/// Says why the credential file cannot be used, and what to do.
fn said(error: CallerError) -> anyhow::Error {
    let text = format!("{error}; {}", error.hint());
    match error {
        CallerError::Read { source, .. } => anyhow::Error::new(source).context(text),
        CallerError::Unusable { .. } => anyhow!(text),
    }
}
