//! The parts of a control plane, wired: clients, credentials, registries, engine, loops.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use artifacts::chart;
use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{Mirrors, Repositories};
use artifacts::registry::{Registries, TrustedRealm};
use artifacts::work_tree::{Identity, Integration};
use controllers::{FreightIndex, Metrics, Settings, Shard};
use credentials::{Credentials, PlainHttp};
use gcp::principal::KubernetesAccount;
use kube::Client;
use tokio::sync::watch;

use crate::args::{PushIntegration, Work};
use crate::google;
use crate::metrics::Ready;

/// Who acts: each part of a control plane is its own service account.
#[derive(Clone)]
pub(crate) struct Identities {
    /// Looks after Warehouses, Stages and Promotions, and reads credentials.
    pub(crate) controller: Client,
    /// Looks after Projects and their settings.
    pub(crate) management: Client,
}

/// Where a control plane runs, which decides what it may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On somebody's machine, whose own servers are welcome.
    Laptop,
    /// In a cluster, where loopback belongs to the pod alone.
    Cluster,
}

/// Variables of the operator that children need to reach the outside.
const PROXY_VARIABLES: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// What a control plane is wired from.
pub(crate) struct Installation<'a> {
    pub(crate) identities: Identities,
    pub(crate) work: &'a Work,
    pub(crate) place: Place,
    pub(crate) shard: Shard,
    /// As whom the controller runs, where that is known.
    pub(crate) account: Option<KubernetesAccount>,
    /// The folder of everything that outlives the process.
    pub(crate) data: &'a Path,
    /// Where the Kubernetes API listens, so that no repository URL may lead there.
    pub(crate) api_server: Option<SocketAddr>,
    pub(crate) freight: FreightIndex,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) identity_ready: Ready,
}

/// Wires the loops' context.
///
/// # Errors
/// When our own program, which children are started through, cannot be found.
pub(crate) fn context(installation: Installation<'_>) -> Result<controllers::Context> {
    let Installation {
        identities,
        work,
        place,
        shard,
        account,
        data,
        api_server,
        freight,
        metrics,
        identity_ready,
    } = installation;
    let policy = Arc::new(egress(work, place, api_server));
    let launcher = launcher(work)?;
    let limits = work.discovery.limits();
    let plain_http = match place {
        _ if work.allow_credentials_over_http => PlainHttp::Anywhere,
        Place::Laptop => PlainHttp::Loopback,
        Place::Cluster => PlainHttp::Never,
    };
    let clock: controllers::Clock = Arc::new(jiff::Timestamp::now);
    let (google, workload_identity) = google::google(
        &work.google,
        place,
        identities.controller.clone(),
        &clock,
        &identity_ready,
    )?;
    let credentials = Credentials::new(
        identities.controller.clone(),
        work.shared_namespaces.clone(),
    )
    .with_plain_http(plain_http)
    .with_google(google, workload_identity);
    let mut engine = engine::Context::new(
        identities.controller.clone(),
        launcher.clone(),
        data.join("promotions"),
        Arc::clone(&clock),
    );
    engine.credentials = credentials.clone();
    engine.egress = Arc::clone(&policy);
    engine.settings = engine_settings(work);
    let concurrency = usize::from(work.concurrency);
    Ok(controllers::Context {
        controller: identities.controller,
        management: identities.management,
        settings: Settings {
            shard,
            workers: concurrency,
            promotions: concurrency,
            discoveries: work.discovery.share(),
            shortest_interval: work.min_warehouse_interval,
            patience: work.shutdown_grace,
            ..accounts(account)
        },
        engine,
        registries: Arc::new(
            Registries::new(Arc::clone(&policy), limits.clone())
                .with_endpoints(google::registry_endpoints(&work.google))
                .with_trusted_realms(trusted_realms(work))
                .with_artifact_registry(google::artifact_registry(&work.google)?)
                .with_memory(work.discovery.memory(data))
                .with_cache_by_tag(work.discovery.cache_by_tag()),
        ),
        charts: Arc::new(chart::Repositories::new(
            Arc::clone(&policy),
            limits.clone(),
        )),
        repositories: Arc::new(Repositories::new(
            launcher,
            policy,
            limits,
            Mirrors::new(data.join("mirrors"), work.mirror_disk),
        )),
        credentials: Arc::new(credentials),
        clock,
        metrics,
        freight,
        ready: watch::Sender::new(false),
    })
}

/// Settings of whom Projects let in.
fn accounts(account: Option<KubernetesAccount>) -> Settings {
    let default = Settings::default();
    match account {
        None => default,
        Some(KubernetesAccount { namespace, name }) => Settings {
            namespace,
            account: Some(name),
            ..default
        },
    }
}

fn egress(work: &Work, place: Place, api_server: Option<SocketAddr>) -> Policy {
    let mut policy = Policy::new();
    if place == Place::Laptop {
        policy = policy.with_loopback();
    }
    if let Some(address) = api_server {
        policy = policy.with_api_server(address);
    }
    for network in &work.deny_networks {
        policy = policy.deny(*network);
    }
    policy
}

/// Whom registries may send to with a login, wherever they are; each is said.
fn trusted_realms(work: &Work) -> Vec<TrustedRealm> {
    for host in &work.trusted_realms {
        tracing::info!(%host, "any registry may send here for a token, with the login that a Secret holds for it");
    }
    work.trusted_realms.clone()
}

fn engine_settings(work: &Work) -> engine::Settings {
    engine::Settings {
        ui_base_url: work.ui_base_url.clone(),
        shared_namespace: work.shared_namespaces.first().cloned().unwrap_or_default(),
        git_identity: Identity {
            name: work.git_author_name.clone(),
            email: work.git_author_email.clone(),
            signing: None,
        },
        push_integration: match work.push_integration {
            PushIntegration::AlwaysRebase => Integration::AlwaysRebase,
            PushIntegration::RebaseOrMerge => Integration::RebaseOrMerge,
            PushIntegration::RebaseOrFail => Integration::RebaseOrFail,
            PushIntegration::AlwaysMerge => Integration::AlwaysMerge,
            PushIntegration::None => Integration::None,
        },
        kustomize: work.kustomize.clone(),
        helm: work.helm.clone(),
        remote_bases: work.kustomize_remote_bases,
    }
}

/// Finds the program that runs, by a name that stays good when its file is replaced or removed.
///
/// Source: <https://man7.org/linux/man-pages/man5/proc_pid_exe.5.html>
fn own_program() -> Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() {
        return Ok(running);
    }
    env::current_exe().context("failed to find our own program")
}

/// Children run behind `argosy child`, find programs where we do, and use the operator's proxy.
fn launcher(work: &Work) -> Result<Launcher> {
    let mut launcher = Launcher::through(own_program()?);
    if let Some(path) = env::var_os("PATH") {
        launcher = launcher.with_search_path(path);
    }
    if let Some(file) = &work.ca_file {
        launcher = launcher.with_ca_file(file);
    }
    if let Some(file) = &work.known_hosts {
        launcher = launcher.with_known_hosts(file);
    }
    for name in PROXY_VARIABLES {
        if let Some(value) = env::var_os(name) {
            launcher = launcher.with_environment(name, value);
        }
    }
    Ok(launcher)
}
