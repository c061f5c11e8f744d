//! `argosy controller`: the loops against any Kubernetes API.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use controllers::{FreightIndex, Metrics, Shard};
use gcp::principal::KubernetesAccount;
use kube::api::{Api, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::args::Controller;
use crate::parts::{self, Identities, Installation, Place};
use crate::{data_dir, google, metrics, process};

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the API cannot be reached or does not know the kinds.
pub fn controller(arguments: Controller) -> Result<()> {
    process::run(&arguments.logging.clone(), |stop| run(arguments, stop))
}

async fn run(arguments: Controller, stop: CancellationToken) -> Result<()> {
    let data = data_dir::prepare(arguments.data_dir.as_deref(), "argosy/controller")?;
    let config = config(&arguments).await?;
    let api_server = address_of(&config).await;
    let client = Client::try_from(config).context(
        "failed to make a client of the kubeconfig; see what it says: kubectl config view",
    )?;
    kinds_are_known(&client).await?;
    let mut registry = Registry::default();
    let measured = Metrics::register(&mut registry);
    let identity_ready = metrics::ready(&mut registry);
    let identities = Identities {
        controller: client.clone(),
        management: client,
    };
    let shard = arguments
        .shard
        .map_or_else(Shard::default_one, Shard::named);
    let is_own_cluster = arguments.kubeconfig.is_none();
    let account = account(arguments.controller, is_own_cluster, google::account);
    let context = parts::context(Installation {
        identities,
        work: &arguments.work,
        place: Place::Cluster,
        shard,
        account,
        data: &data,
        api_server,
        freight: FreightIndex::new(),
        metrics: measured,
        identity_ready,
    })?;
    let health = health(arguments.health_listen, context.ready.subscribe(), registry).await?;
    let serving = tokio::spawn(health);
    tracing::info!(health = %arguments.health_listen, "started");
    let outcome = controllers::run(context, stop.clone()).await;
    serving.abort();
    match outcome {
        Err(controllers::Error::NeverFilled) if stop.is_cancelled() => Ok(()),
        outcome => outcome.context("the loops ended"),
    }
}

/// As whom this runs at the API: what the operator says, else the account of this Pod, which means nothing to another cluster.
fn account(
    named: Option<KubernetesAccount>,
    is_own_cluster: bool,
    of_pod: impl FnOnce() -> Option<KubernetesAccount>,
) -> Option<KubernetesAccount> {
    named.or_else(|| is_own_cluster.then(of_pod).flatten())
}

async fn config(arguments: &Controller) -> Result<Config> {
    let Some(path) = &arguments.kubeconfig else {
        return Config::infer().await.context(
            "no Kubernetes API was found: neither a pod's service account nor a kubeconfig; \
             name one: argosy controller --kubeconfig FILE",
        );
    };
    let kubeconfig = Kubeconfig::read_from(path).with_context(|| {
        format!(
            "failed to read {}; name another: argosy controller --kubeconfig FILE",
            path.display()
        )
    })?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .with_context(|| {
            format!(
                "{0} names no usable cluster; see what it says: kubectl config view --kubeconfig {0}",
                path.display()
            )
        })
}

/// Where the API server listens, so that no repository URL may lead there.
async fn address_of(config: &Config) -> Option<SocketAddr> {
    let host = config
        .cluster_url
        .host()?
        .trim_matches(['[', ']'])
        .to_owned();
    let port = config.cluster_url.port_u16().unwrap_or(443);
    tokio::net::lookup_host((host, port)).await.ok()?.next()
}

async fn kinds_are_known(client: &Client) -> Result<()> {
    let projects: Api<resources::Project> = Api::all(client.clone());
    match projects.list(&ListParams::default().limit(1)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => {
            bail!(
                "the API does not know Argosy's kinds; run: argosy crds | kubectl apply --server-side -f -"
            )
        }
        Err(error) => Err(error).context(
            "failed to list projects; see whether the API answers and lets you: kubectl auth can-i list projects.kargo.akuity.io",
        ),
    }
}

/// Binds the port at once, so that a taken one is told before the loops start.
async fn health(
    address: SocketAddr,
    ready: watch::Receiver<bool>,
    registry: Registry,
) -> Result<impl Future<Output = ()>> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("failed to listen on {address}; choose another: --health-listen IP:PORT")
    })?;
    let is_ready = move || {
        let ready = *ready.borrow();
        async move {
            if ready {
                (StatusCode::OK, "ok")
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, "starting")
            }
        }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(is_ready))
        .merge(metrics::route(registry));
    Ok(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "health and metrics are no longer served");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_runs_as_whom_the_operator_says_or_as_the_account_of_its_pod() {
        let pod = || Some(KubernetesAccount::new("delivery", "promoter"));
        let named = || Some(KubernetesAccount::new("named", "one"));
        assert_eq!(account(named(), true, pod), named());
        assert_eq!(account(None, true, pod), pod());
        assert_eq!(account(None, true, || None), None);
        // At another cluster the Pod's account is nobody.
        assert_eq!(account(None, false, pod), None);
        assert_eq!(account(named(), false, pod), named());
    }
}
