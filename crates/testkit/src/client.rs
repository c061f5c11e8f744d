//! Clients for servers on loopback: those that speak plain http, and API servers.

use std::path::Path;

use kube::config::{Config, KubeConfigOptions, Kubeconfig};

/// Builds a client for the API server that a kubeconfig names, such as that of [`World::listen`](crate::World::listen).
///
/// # Errors
/// When the file cannot be read.
pub async fn client_of(kubeconfig: &Path) -> anyhow::Result<kube::Client> {
    install_provider();
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    Ok(kube::Client::try_from(config)?)
}

/// Builds on what is given; whoever builds a client of this kind has to have a crypto provider, used or not.
pub(crate) fn build(builder: reqwest::ClientBuilder) -> reqwest::Result<reqwest::Client> {
    install_provider();
    builder.no_proxy().build()
}

fn install_provider() {
    // Another test of the same process may have been first.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
}
