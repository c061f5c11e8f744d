//! A world in which the loops are at work, and short ways to say what is in it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use artifacts::{Limits, child::Launcher, egress::Policy, git::Repositories, registry::Registries};
use controllers::{Context, FreightIndex, Metrics, Settings};
use embedded_apiserver::Options;
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::UserInfo;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use resources::{Freight, Promotion, PromotionPhase, Stage};
use scenarios::admission::{self, NAMESPACE};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::World;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The project of every test.
pub(crate) const PROJECT: &str = "acme";

/// A repository that nobody serves: Freight is made by the tests.
const REPOSITORY: &str = "127.0.0.1:1/web";

/// A clock that stands still until it is told to move on.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(AtomicI64::new(4_000_000_000)))
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).expect("a time of this century")
    }

    /// Moves on by so many seconds.
    pub(crate) fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// A world with loops; they stop when it is dropped.
pub(crate) struct Harbour {
    pub world: World,
    pub clock: Clock,
    /// Where admission looks Freight up.
    index: FreightIndex,
    folder: Arc<TempDir>,
    cancel: CancellationToken,
    loops: Option<JoinHandle<Result<(), controllers::Error>>>,
}

impl Harbour {
    /// Opens a world with the project `acme` in it, and starts the loops.
    pub(crate) async fn open() -> Result<Self> {
        let clock = Clock::new();
        let time = clock.clone();
        let options = Options {
            clock: Arc::new(move || time.now()),
            ..Options::default()
        };
        let world = World::with(options).await?;
        let time = clock.clone();
        let index = admission::install(&world, Arc::new(move || time.now())).await?;
        let folder = Arc::new(TempDir::new()?);
        let mut it = Self {
            world,
            index,
            clock,
            folder,
            cancel: CancellationToken::new(),
            loops: None,
        };
        it.start().await?;
        it.create_project().await?;
        Ok(it)
    }

    async fn create_project(&self) -> Result<()> {
        let project: resources::Project =
            serde_json::from_value(json!({"metadata": {"name": PROJECT}}))?;
        Api::all(self.client())
            .create(&PostParams::default(), &project)
            .await?;
        self.until("the Project is ready", async || {
            let project: resources::Project = Api::all(self.client()).get(PROJECT).await?;
            let conditions = project.status.map(|it| it.conditions).unwrap_or_default();
            Ok(resources::condition::is_true(&conditions, "Ready").then_some(()))
        })
        .await?;
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
    pub(crate) async fn start(&mut self) -> Result<()> {
        self.cancel = CancellationToken::new();
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
        let context = Context {
            controller: self.client_as("kargo-controller"),
            management: self.client_as("kargo-management-controller"),
            settings: Settings {
                patience: Duration::from_secs(5),
                ..Settings::default()
            },
            registries: Arc::new(Registries::new(Arc::clone(&policy), limits.clone())),
            repositories: Arc::new(Repositories::new(
                Launcher::direct(),
                policy,
                limits,
                self.folder.path().join("mirrors"),
            )),
            credentials: Arc::new(engine.credentials.clone()),
            clock: Arc::clone(&engine.clock),
            engine,
            metrics: Arc::new(Metrics::default()),
            freight: FreightIndex::new(),
            ready: watch::Sender::new(false),
        };
        let mut ready = context.ready.subscribe();
        self.loops = Some(tokio::spawn(controllers::run(context, self.cancel.clone())));
        ready.wait_for(|it| *it).await?;
        Ok(())
    }

    /// Stops the loops, as a process that is told to stop does.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        self.cancel.cancel();
        if let Some(loops) = self.loops.take() {
            loops.await??;
        }
        Ok(())
    }

    /// Ends the loops in the middle of whatever they do, as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        if let Some(loops) = self.loops.take() {
            loops.abort();
            drop(loops.await);
        }
    }

    /// Counts the folders that Promotions have on disk.
    pub(crate) fn work_dirs(&self) -> usize {
        let folders = std::fs::read_dir(self.folder.path().join("work"));
        folders
            .into_iter()
            .flatten()
            .flatten()
            .filter(|it| it.path().is_dir())
            .count()
    }

    pub(crate) fn client(&self) -> Client {
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

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client(), PROJECT)
    }

    /// Creates a Stage that takes Freight of the Warehouse `main`.
    pub(crate) async fn stage(&self, name: &str, sources: Value, steps: Value) -> Result<Stage> {
        self.stage_of(name, "main", sources, steps).await
    }

    /// Creates a Stage that takes Freight of a Warehouse.
    pub(crate) async fn stage_of(
        &self,
        name: &str,
        warehouse: &str,
        sources: Value,
        steps: Value,
    ) -> Result<Stage> {
        let stage = json!({
            "metadata": {"name": name},
            "spec": {
                "requestedFreight": [{"origin": {"kind": "Warehouse", "name": warehouse}, "sources": sources}],
                "promotionTemplate": {"spec": {"steps": steps}},
            },
        });
        Ok(self
            .api()
            .create(&PostParams::default(), &serde_json::from_value(stage)?)
            .await?)
    }

    /// Lets the Stages whose names are given promote by themselves.
    pub(crate) async fn auto_promote(&self, stages: &[&str]) -> Result<()> {
        let policies: Vec<_> = stages
            .iter()
            .map(|it| json!({"stageSelector": {"name": it}, "autoPromotionEnabled": true}))
            .collect();
        let config = json!({
            "apiVersion": "kargo.akuity.io/v1alpha1",
            "kind": "ProjectConfig",
            "metadata": {"name": PROJECT, "namespace": PROJECT},
            "spec": {"promotionPolicies": policies},
        });
        let parameters = PatchParams::apply("test").force();
        self.api::<resources::ProjectConfig>()
            .patch(PROJECT, &parameters, &Patch::Apply(config))
            .await?;
        Ok(())
    }

    /// Creates Freight with one image.
    pub(crate) async fn freight(&self, tag: &str) -> Result<String> {
        let freight: Freight = serde_json::from_value(json!({
            "metadata": {"generateName": "freight-"},
            "origin": {"kind": "Warehouse", "name": "main"},
            "images": [{"repoURL": REPOSITORY, "tag": tag, "digest": "sha256:1"}],
        }))?;
        let created: Freight = self.api().create(&PostParams::default(), &freight).await?;
        admission::indexed(&self.world, &self.index, &created).await?;
        self.clock.advance(1);
        Ok(created.name_any())
    }

    /// Asks for a Promotion, as a person does.
    pub(crate) async fn promote(&self, stage: &str, freight: &str) -> Result<String> {
        let promotion = json!({
            "metadata": {"generateName": "promo-"},
            "spec": {"stage": stage, "freight": freight, "steps": []},
        });
        let promotion: Promotion = serde_json::from_value(promotion)?;
        Ok(self
            .api()
            .create(&PostParams::default(), &promotion)
            .await?
            .name_any())
    }

    pub(crate) async fn annotate<K>(&self, name: &str, key: &str, value: &str) -> Result<()>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
    {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {key: value}}}));
        self.api::<K>()
            .patch(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Approves Freight for a Stage.
    pub(crate) async fn approve(&self, freight: &str, stage: &str) -> Result<()> {
        let patch = Patch::Merge(
            json!({"status": {"approvedFor": {stage: {"approvedAt": self.clock.now().to_string()}}}}),
        );
        self.api::<Freight>()
            .patch_status(freight, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Takes an approval back.
    pub(crate) async fn disapprove(&self, freight: &str, stage: &str) -> Result<()> {
        let patch = Patch::Merge(json!({"status": {"approvedFor": {stage: null}}}));
        self.api::<Freight>()
            .patch_status(freight, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_stage(&self, name: &str) -> Result<()> {
        self.api::<Stage>()
            .delete(name, &DeleteParams::default())
            .await?;
        Ok(())
    }

    /// Waits until a Stage is as `is` wants it.
    pub(crate) async fn stage_until(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&Stage) -> bool,
    ) -> Result<Stage> {
        let what = format!("Stage {name:?}: {what}");
        let found = self
            .until(&what, async || {
                Ok(Some(self.api::<Stage>().get(name).await?).filter(&is))
            })
            .await;
        match found {
            Ok(stage) => Ok(stage),
            Err(error) => {
                let last = self.api::<Stage>().get(name).await?.status;
                let promotions = self.promotions(name).await?;
                let promotions: Vec<_> = promotions.into_iter().map(|it| it.status).collect();
                Err(error.context(format!("it is {last:?} with {promotions:?}")))
            }
        }
    }

    /// Waits until a Stage holds Freight and says that it is verified.
    pub(crate) async fn holds(&self, stage: &str, freight: &str) -> Result<Stage> {
        let what = format!("it holds {freight} verified");
        self.stage_until(stage, &what, |it| {
            let here = it.current_freight().is_some_and(|it| it.includes(freight));
            let conditions = it.status.as_ref().map_or(&[][..], |it| &it.conditions);
            here && resources::condition::is_true(conditions, "Ready")
        })
        .await
    }

    /// Waits until Freight is as `is` wants it.
    pub(crate) async fn freight_until(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&Freight) -> bool,
    ) -> Result<Freight> {
        self.until(what, async || {
            Ok(Some(self.api::<Freight>().get(name).await?).filter(&is))
        })
        .await
    }

    /// Waits until a Promotion is in a phase.
    pub(crate) async fn phase(&self, promotion: &str, phase: PromotionPhase) -> Result<Promotion> {
        let what = format!("Promotion {promotion} is {phase}");
        self.until(&what, async || {
            let it: Promotion = self.api().get(promotion).await?;
            if it.is_terminal() && it.phase() != Some(&phase) {
                bail!(
                    "it is {:?}: {:?}",
                    it.phase(),
                    it.status.as_ref().map(|it| &it.message)
                );
            }
            Ok(Some(it).filter(|it| it.phase() == Some(&phase)))
        })
        .await
    }

    /// Lists the Promotions of a Stage, oldest first.
    pub(crate) async fn promotions(&self, stage: &str) -> Result<Vec<Promotion>> {
        let mut found: Vec<Promotion> = self
            .api::<Promotion>()
            .list(&kube::api::ListParams::default())
            .await?
            .items;
        found.retain(|it| it.spec.stage == stage);
        found.sort_by_key(ResourceExt::name_any);
        Ok(found)
    }

    /// Lets the loops come to rest: whatever they would do at once has been done.
    pub(crate) async fn settle(&self) -> Result<()> {
        let mut quiet = 0;
        let mut before = String::new();
        while quiet < 10 {
            tokio::time::sleep(Duration::from_millis(30)).await;
            let now = self
                .api::<Promotion>()
                .list(&kube::api::ListParams::default())
                .await?
                .metadata
                .resource_version;
            let now = now.context("a list has a resource version")?;
            quiet = if now == before { quiet + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }

    /// Asks again until there is an answer.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        ask: impl AsyncFn() -> Result<Option<T>>,
    ) -> Result<T> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(answer) = ask().await.with_context(|| what.to_owned())? {
                return Ok(answer);
            }
            if tokio::time::Instant::now() > deadline {
                bail!("{what}: did not happen in time");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
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

/// Sources that take Freight straight from the Warehouse.
pub(crate) fn direct() -> Value {
    json!({"direct": true})
}

/// Sources that take Freight verified in these Stages.
pub(crate) fn upstream(stages: &[&str]) -> Value {
    json!({"stages": stages})
}

/// Steps that do nothing to the outside.
pub(crate) fn harmless() -> Value {
    harmless_with(REPOSITORY, "main")
}

/// Steps that only tell the tag of an image.
pub(crate) fn harmless_with(repository: &str, warehouse: &str) -> Value {
    let tag = format!("${{{{ imageFrom('{repository}', warehouse('{warehouse}')).Tag }}}}");
    json!([{"uses": "compose-output", "as": "note", "config": {"tag": tag}}])
}

/// A step that fails.
pub(crate) fn failing() -> Value {
    json!([{"uses": "fail", "config": {"message": "on purpose"}}])
}
