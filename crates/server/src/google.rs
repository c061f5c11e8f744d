//! Google's identities and addresses, made of settings.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use credentials::google::{CallerError, POD_TOKEN};
use gcp::principal::KubernetesAccount;
use gcp::{Base, Call, Endpoints, Identities, Settings, TokenError};
use kube::Client;
use prometheus_client::metrics::gauge::Gauge;
use secret::Secret;
use url::Url;

use crate::args::{self, Mode};
use crate::metrics::{Provider, Ready};
use crate::parts::Place;

/// The one provider of identities so far.
const GOOGLE: Provider = Provider { provider: "google" };

/// Names another metadata server than Google's.
const METADATA_HOST: &str = "GCE_METADATA_HOST";

/// Wires who acts at Google's registries; says too whether identities are used where no Secret speaks.
///
/// Where the metadata server says who the controller is, it is waited for beside everything else, and `ready` tells.
///
/// # Errors
/// When a setting makes no sense, or the credential file cannot be read.
pub(crate) fn google(
    arguments: &args::Google,
    place: Place,
    client: Client,
    clock: &gcp::Clock,
    ready: &Ready,
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
    let settings = settings(arguments, metadata_host.as_deref(), account())?;
    let is_waited_for = is_wanted && matches!(settings.base, Base::Metadata);
    let identities = Identities::new(settings, clock, &(Arc::new(log) as gcp::Observer));
    if is_waited_for {
        let ready = ready.get_or_create(&GOOGLE).clone();
        tokio::spawn(wait(identities.clone(), ready));
    }
    let fallback = arguments.gcp_identity_fallback;
    let google = credentials::Google::new(identities, client, fallback, arguments.caller.scope());
    Ok((google, is_wanted))
}

fn settings(
    arguments: &args::Google,
    metadata_host: Option<&str>,
    account: Option<KubernetesAccount>,
) -> Result<Settings> {
    Ok(Settings {
        account,
        base: arguments.caller.base().map_err(said)?,
        project: arguments.caller.gcp_project.clone(),
        lifetime: arguments.gcp_token_lifetime,
        ..Settings::new(endpoints(arguments, metadata_host)?)
    })
}

/// Waits for the metadata server, says the first time that it is late, and when it has answered.
async fn wait(identities: Identities, ready: Gauge) {
    ready.set(0);
    let mut is_told = false;
    let tell = |error: &TokenError| {
        if !std::mem::replace(&mut is_told, true) {
            let next = error.hint();
            tracing::warn!(%error, next, "the metadata server has not answered yet; it is asked until it does");
        }
    };
    let project = identities.metadata().wait(tell).await;
    ready.set(1);
    tracing::info!(%project, "the metadata server answers");
}

/// The Kubernetes account of this Pod, as its token says: the metadata server names the pool alone.
pub(crate) fn account() -> Option<KubernetesAccount> {
    gcp::subject_of(&Secret::new(fs::read_to_string(POD_TOKEN).ok()?))
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

#[cfg(test)]
mod tests;
