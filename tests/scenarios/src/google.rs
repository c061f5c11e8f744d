//! An installation that reads Google's registries, and the simulated Google that it asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use artifacts::registry::Registries;
use credentials::google::Fallback;
use credentials::{Credentials, Google};
use gcp::principal::KubernetesAccount;
use gcp::{Endpoints, Identities, Scope, Settings};
use kube::Client;
use testkit::google::{Google as Simulated, HOST};

use crate::Clock;

/// How long a token lives unless the operator says otherwise.
pub const LIFETIME: Duration = Duration::from_hours(1);

/// Gives credentials with identities under a policy and tokens that live so long, as `--gcp-identity=on` does.
///
/// # Errors
/// When Google does not listen.
pub fn credentials(
    google: &Simulated,
    clock: &Clock,
    client: Client,
    fallback: Fallback,
    lifetime: Duration,
) -> Result<Credentials> {
    let endpoints = Endpoints {
        sts: google.apis()?,
        iam_credentials: google.apis()?,
        oauth: google.apis()?,
        ..Endpoints::default()
    };
    let settings = Settings {
        lifetime,
        account: Some(KubernetesAccount::new("argosy", "controller")),
        ..Settings::new(endpoints.with_metadata_host(&google.metadata_host()?)?)
    };
    let time = clock.clone();
    let now: gcp::Clock = Arc::new(move || time.now());
    let observer: gcp::Observer = Arc::new(
        |call| tracing::debug!(service = call.service, error = ?call.error, "asked Google"),
    );
    let identities = Identities::new(settings, &now, &observer);
    let acting = Google::new(identities, client.clone(), fallback, Scope::ReadOnly);
    Ok(Credentials::new(client, Vec::new()).with_google(acting, true))
}

/// Lets connections to Google's host and API go to the simulated ones, as `--registry-endpoint` and `--gcp-endpoint` do.
///
/// # Errors
/// When Google does not listen.
pub fn reached(google: &Simulated, registries: Registries) -> Result<Registries> {
    Ok(registries
        .with_endpoints(HashMap::from([(HOST.to_owned(), google.registry()?)]))
        .with_artifact_registry(google.apis()?))
}
