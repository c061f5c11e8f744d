//! `argosy gcp doctor`, `audit` and `setup`: gathers what is there, lets the library `gcp` judge, prints.
//!
//! ```text
//! place (flags → who asks whom) → gather (reads only) → gcp::doctor | gcp::audit | gcp::setup → print
//!                                                                                     ├─ apply (writes) → gather
//!                                                                                     └─ refresh (writes)
//! ```

mod apply;
mod audit;
mod credentials;
mod doctor;
mod gather;
mod place;
mod print;
mod refresh;
mod setup;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use ::gcp::{Clock, Endpoints};
use anyhow::{Context as _, Result, anyhow};
use secret::Secret;
use url::Url;

pub use audit::Audit;
pub use doctor::Doctor;
pub use setup::Setup;

/// Walks the chain and says which link is broken: 0 if none, 1 if one is, 2 if some could not be looked at.
///
/// # Errors
/// When nobody is there to ask, or a flag is not what it should be.
pub fn doctor(arguments: &Doctor) -> Result<ExitCode> {
    block_on(doctor::run(arguments))
}

/// Compares what is granted with what is needed: 1 with findings that bad, 2 if some could not be looked at, else 0.
///
/// # Errors
/// When nobody is there to ask, or a flag is not what it should be.
pub fn audit(arguments: &Audit) -> Result<ExitCode> {
    block_on(audit::run(arguments))
}

/// Writes what is missing, or does it.
///
/// # Errors
/// When nobody is there to ask, or a step is refused.
pub fn setup(arguments: &Setup) -> Result<ExitCode> {
    block_on(setup::run(arguments))
}

fn block_on(work: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another crypto provider is installed already"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(work)
}

/// Gets an access token of whoever runs the command, as Google's own tools would, from services that may be elsewhere.
///
/// # Errors
/// When nobody is to be found, a service is unknown, or Google turns them down.
pub(crate) async fn access_token(elsewhere: &[(String, Url)]) -> Result<Secret<String>> {
    let clock: Clock = Arc::new(jiff::Timestamp::now);
    let mut endpoints = Endpoints::default();
    for (service, url) in elsewhere {
        endpoints.set(service, url.as_str()).map_err(|error| {
            anyhow!("--gcp-endpoint {service}={url}: {error}; {}", error.hint())
        })?;
    }
    let found = credentials::find(None, &endpoints, &clock).await?;
    let found = found
        .context("nobody is there to ask Google as: run gcloud auth application-default login")?;
    Ok(found.token().clone())
}

/// Reads how long to wait.
fn duration(text: &str) -> Result<Duration, String> {
    resources::duration::parse(text)
        .map(resources::Duration::to_std)
        .map_err(|error| format!("{error}; write a number with a unit, such as 90s or 7m"))
}
