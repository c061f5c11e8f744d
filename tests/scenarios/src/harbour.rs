//! A world in which the loops are at work, and short ways to say what is in it.

mod pipeline;
pub(crate) mod steps;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use artifacts::{
    Limits, chart, child::Launcher, egress::Policy, git::Mirrors, git::Repositories,
    registry::Registries,
};
use controllers::{Context, FreightIndex, Metrics, Settings};
use credentials::PlainHttp;
use credentials::google::Fallback;
use embedded_apiserver::Options;
use k8s_openapi::api::authentication::v1::UserInfo;
use kube::Client;
use kube::api::{Api, PostParams};
use prometheus_client::registry::Registry;
use serde_json::json;
use tempfile::TempDir;
use testkit::World;
use testkit::google::Google;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::Clock;
use crate::admission::{self, NAMESPACE};
use crate::google;

/// The project of every test.
pub const PROJECT: &str = "acme";

/// A repository that nobody serves: Freight is made by the tests.
const REPOSITORY: &str = "127.0.0.1:1/web";

/// What lies around the cluster.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    pub google: Option<Arc<Google>>,
    /// When the controller may act for Projects at Google.
    pub fallback: Fallback,
    /// The cluster's issuer, where others are to know it by that.
    pub issuer: Option<String>,
    /// Plurals of kinds that no webhook validates.
    pub unchecked: &'static [&'static str],
}

/// A world with loops; they stop when it is dropped.
#[derive(Debug)]
pub struct Harbour {
    pub world: World,
    pub clock: Clock,
    /// Where admission looks Freight up.
    index: FreightIndex,
    surroundings: Surroundings,
    folder: Arc<TempDir>,
    /// Of the loops that were started last.
    metrics: Registry,
    cancel: CancellationToken,
    loops: Option<JoinHandle<Result<(), controllers::Error>>>,
}

impl Harbour {
    /// Opens a world with the project `acme` in it, and starts the loops.
    pub async fn open() -> Result<Self> {
        Self::open_in(Clock::start(), Surroundings::default()).await
    }

    /// The same where there is more than a cluster.
    pub async fn open_in(clock: Clock, surroundings: Surroundings) -> Result<Self> {
        let time = clock.clone();
        let options = Options {
            clock: Arc::new(move || time.now()),
            issuer: surroundings.issuer.clone(),
            ..Options::default()
        };
        let world = World::with(options).await?;
        let time = clock.clone();
        let now = Arc::new(move || time.now());
        let index = admission::install_but(&world, now, surroundings.unchecked).await?;
        let mut it = Self {
            world,
            clock,
            index,
            surroundings,
            folder: Arc::new(TempDir::new()?),
            metrics: Registry::default(),
            cancel: CancellationToken::new(),
            loops: None,
        };
        it.start().await?;
        it.create_project(PROJECT).await?;
        it.create_warehouse().await?;
        Ok(it)
    }

    /// Creates a Project and waits until it is ready.
    pub async fn create_project(&self, name: &str) -> Result<()> {
        let project: resources::Project =
            serde_json::from_value(json!({"metadata": {"name": name}}))?;
        Api::all(self.client())
            .create(&PostParams::default(), &project)
            .await?;
        self.until("the Project is ready", async || {
            let project: resources::Project = Api::all(self.client()).get(name).await?;
            let conditions = project.status.map(|it| it.conditions).unwrap_or_default();
            Ok(resources::condition::is_true(&conditions, "Ready").then_some(()))
        })
        .await
    }

    /// Creates the Warehouse whose Freight is made by the tests.
    async fn create_warehouse(&self) -> Result<()> {
        let warehouse = json!({
            "metadata": {"name": "main"},
            "spec": {"freightCreationPolicy": "Manual", "subscriptions": [{"image": {"repoURL": REPOSITORY}}]},
        });
        let warehouse: resources::Warehouse = serde_json::from_value(warehouse)?;
        self.api()
            .create(&PostParams::default(), &warehouse)
            .await?;
        Ok(())
    }

    /// Starts the loops, as a process that starts does.
    pub async fn start(&mut self) -> Result<()> {
        self.cancel = CancellationToken::new();
        self.metrics = Registry::default();
        let metrics = Metrics::register(&mut self.metrics);
        let context = self.context(metrics)?;
        let mut ready = context.ready.subscribe();
        self.loops = Some(tokio::spawn(controllers::run(context, self.cancel.clone())));
        ready.wait_for(|it| *it).await?;
        Ok(())
    }

    fn context(&self, metrics: Arc<Metrics>) -> Result<Context> {
        let clock = self.clock.clone();
        let mut engine = engine::Context::new(
            self.client(),
            Launcher::direct(),
            self.folder.path().join("work"),
            Arc::new(move || clock.now()),
        );
        let limits = Limits::default();
        let policy = Arc::new(Policy::new().with_loopback());
        engine.egress = Arc::clone(&policy);
        engine.credentials = engine.credentials.with_plain_http(PlainHttp::Loopback);
        let controller = self.client_as("kargo-controller");
        let mut registries = Registries::new(Arc::clone(&policy), limits.clone());
        if let Some(simulated) = &self.surroundings.google {
            let fallback = self.surroundings.fallback;
            let (clock, lifetime) = (&self.clock, google::LIFETIME);
            engine.credentials =
                google::credentials(simulated, clock, controller.clone(), fallback, lifetime)?
                    .with_plain_http(PlainHttp::Loopback);
            registries = google::reached(simulated, registries)?;
        }
        Ok(Context {
            controller,
            management: self.client_as("kargo-management-controller"),
            settings: Settings {
                patience: Duration::from_secs(5),
                ..Settings::default()
            },
            registries: Arc::new(registries),
            charts: Arc::new(chart::Repositories::new(
                Arc::clone(&policy),
                limits.clone(),
            )),
            repositories: Arc::new(Repositories::new(
                Launcher::direct(),
                policy,
                limits,
                Mirrors::new(self.folder.path().join("mirrors"), Mirrors::DISK),
            )),
            credentials: Arc::new(engine.credentials.clone()),
            clock: Arc::clone(&engine.clock),
            engine,
            metrics,
            freight: FreightIndex::new(),
            ready: watch::Sender::new(false),
        })
    }

    /// Stops the loops, as a process that is told to stop does.
    pub async fn stop(&mut self) -> Result<()> {
        self.cancel.cancel();
        if let Some(loops) = self.loops.take() {
            loops.await??;
        }
        Ok(())
    }

    /// Ends the loops in the middle of whatever they do, as `kill -9` does.
    pub async fn kill(&mut self) {
        if let Some(loops) = self.loops.take() {
            loops.abort();
            drop(loops.await);
        }
    }

    /// What a scrape of the metrics gets.
    pub fn metrics(&self) -> Result<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metrics).context("metrics")?;
        Ok(text)
    }

    /// Where files may be put that are gone with the harbour.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Counts the folders that Promotions have on disk.
    pub fn work_dirs(&self) -> usize {
        let folders = std::fs::read_dir(self.folder.path().join("work"));
        folders
            .into_iter()
            .flatten()
            .flatten()
            .filter(|it| it.path().is_dir())
            .count()
    }

    pub fn client(&self) -> Client {
        self.world.client()
    }

    /// A client that acts as one of the loops' accounts.
    fn client_as(&self, account: &str) -> Client {
        let username = format!("system:serviceaccount:{NAMESPACE}:{account}");
        self.world.api().client_as(UserInfo {
            username: Some(username),
            ..UserInfo::default()
        })
    }

    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client(), PROJECT)
    }
}

impl Drop for Harbour {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(loops) = &self.loops {
            loops.abort();
        }
    }
}
