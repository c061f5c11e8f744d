//! Discovers artifacts for Warehouses, and makes Freight of them.

mod discovery;
mod identity;
mod memory;
mod spending;

use std::sync::Arc;
use std::time::Instant;

use artifacts::Cost;
use domain::message::with_next;
use domain::warehouse::{Act, Creation, Discovery, Failure, News, Plan, Seen, Work};
use futures::StreamExt as _;
use kube::{Api, api::PostParams};
use resources::{Freight, Warehouse, names::annotation};
use tokio_util::sync::CancellationToken;

use self::discovery::{Asked, Means};
use self::memory::Memory;
use self::spending::Spending;
use crate::{
    Metrics, World,
    error::{Error, said},
    queue::{Key, Next},
    recorder::Recorder,
    tasks::{Start, Task, Tasks},
    writes,
};

/// How many subscriptions of a Warehouse are asked at a time.
const SUBSCRIPTIONS_AT_A_TIME: usize = 4;

/// The loop over Warehouses.
pub(crate) struct Loop {
    world: Arc<World>,
    tasks: Tasks<Discovery>,
    recorder: Recorder,
    memory: Arc<Memory>,
}

impl Loop {
    pub(crate) fn new(world: Arc<World>, cancel: &CancellationToken) -> Self {
        let cx = &world.cx;
        let tasks = Tasks::new(
            cx.settings.discoveries,
            Arc::clone(&world.queues.warehouses),
            cancel.clone(),
        );
        let recorder = Recorder::new(
            cx.controller.clone(),
            cx.settings.shard.component("warehouse-controller"),
        );
        Self {
            world,
            tasks,
            recorder,
            memory: Arc::default(),
        }
    }

    pub(crate) async fn look(&self, key: Key) -> Result<Next, Error> {
        let warehouse = self.world.stores.warehouses.get(&key);
        let shard = &self.world.cx.settings.shard;
        let Some(warehouse) = warehouse.filter(|it| !it.is_terminating() && shard.includes(&**it))
        else {
            self.tasks.stop(&key);
            self.memory.forget(&key);
            return Ok(Next::OnChange);
        };
        let seen = self.gather(&key, &warehouse);
        let plan = domain::warehouse::decide(&seen);
        self.apply(&key, &seen, plan).await
    }

    /// Waits until no discovery is under way any more.
    pub(crate) async fn ended(&self) {
        self.tasks.ended(self.world.cx.settings.patience).await;
    }

    fn gather<'a>(&self, key: &Key, warehouse: &'a Warehouse) -> Seen<'a> {
        let work = match self.tasks.take(key) {
            Task::None => Work::None,
            Task::Running => Work::Running,
            Task::Ended(discovery) => Work::Ended(discovery),
        };
        let cx = &self.world.cx;
        Seen {
            now: cx.now(),
            warehouse,
            shortest_interval: cx.settings.shortest_interval,
            work,
        }
    }

    async fn apply(&self, key: &Key, seen: &Seen<'_>, plan: Plan) -> Result<Next, Error> {
        let Plan { status, act, again } = plan;
        if let Work::Ended(discovery) = &seen.work {
            for failure in discovery.answers.iter().filter_map(|it| it.as_ref().err()) {
                let Failure {
                    subscription,
                    message,
                } = failure;
                tracing::warn!(project = %key.namespace, warehouse = %key.name, subscription, why = message, "discovery failed, it is tried again");
            }
            let failed = discovery.answers.iter().any(Result::is_err);
            Metrics::ended(
                &self.world.cx.metrics.discoveries,
                if failed { "failed" } else { "succeeded" },
            );
            self.tell_identity(key, seen, &status, discovery).await;
        }
        match act {
            Act::Rest => {
                self.write(key, seen, &status).await?;
                Ok(again.into())
            }
            Act::Discover => {
                self.write(key, seen, &status).await?;
                self.start(key, seen.warehouse.metadata.generation.unwrap_or_default());
                Ok(again.into())
            }
            Act::Create(freight) => {
                let creation = self.create(key, *freight).await;
                let (status, again) = domain::warehouse::created(seen, status, &creation);
                self.write(key, seen, &status).await?;
                Ok(again.into())
            }
        }
    }

    /// Tells who acts at registries, once for every change.
    async fn tell_identity(
        &self,
        key: &Key,
        seen: &Seen<'_>,
        status: &resources::WarehouseStatus,
        discovery: &Discovery,
    ) {
        let (before, actor) = (self.memory.told(key), self.recorder.actor());
        let news = domain::warehouse::identity_news(seen, status, before.as_deref(), &actor);
        let Some(News { told, event }) = news else {
            return;
        };
        self.memory.tell(key, told);
        if let Some(event) = event {
            let identities = discovery.identities.as_deref().unwrap_or_default();
            identity::log(key, event.tone, identities);
            self.recorder.tell(event, self.world.cx.now()).await;
        }
    }

    async fn write(
        &self,
        key: &Key,
        seen: &Seen<'_>,
        status: &resources::WarehouseStatus,
    ) -> Result<(), Error> {
        let api: Api<Warehouse> = Api::namespaced(self.world.cx.controller.clone(), &key.namespace);
        writes::status(
            &api,
            &self.world.stores.warehouses,
            &key.name,
            seen.warehouse.status.as_ref(),
            status,
        )
        .await
    }

    fn start(&self, key: &Key, generation: i64) {
        let (world, subject) = (Arc::clone(&self.world), key.clone());
        let crashed = move || {
            let message = "discovery ended in a panic; this is a defect of Argosy".to_owned();
            let failure = Failure {
                subscription: "Warehouse".to_owned(),
                message,
            };
            Discovery {
                generation,
                refresh: None,
                answers: vec![Err(failure)],
                identities: None,
                remarks: Vec::new(),
                cost: domain::warehouse::Cost::default(),
            }
        };
        let memory = Arc::clone(&self.memory);
        self.tasks.start(
            key,
            |start| discover(world, memory, subject, start),
            crashed,
        );
    }

    async fn create(&self, key: &Key, freight: Freight) -> Creation {
        let cx = &self.world.cx;
        let api: Api<Freight> = Api::namespaced(cx.controller.clone(), &key.namespace);
        let name = freight.name().to_owned();
        // What is known to exist is not sent; it would be made anew only to be refused.
        if !name.is_empty()
            && self
                .world
                .stores
                .freight
                .get(&Key::new(&key.namespace, &name))
                .is_some()
        {
            return Creation::AlreadyExists { name };
        }
        match api.create(&PostParams::default(), &freight).await {
            Ok(created) => {
                let name = created.name().to_owned();
                cx.metrics.freight_created.inc();
                tracing::info!(project = %key.namespace, warehouse = %key.name, freight = name, alias = created.alias, "made Freight");
                let event = domain::event::freight_created(&created, &self.recorder.actor());
                self.world.stores.freight.observe(created);
                self.recorder.tell(event, cx.now()).await;
                Creation::Created { name }
            }
            Err(kube::Error::Api(status))
                if status.code == 409 && status.reason == "AlreadyExists" =>
            {
                Creation::AlreadyExists { name }
            }
            Err(error) => Creation::Failed {
                message: said(&error),
                next: format!(
                    "it is tried again; see whether the controller may: kubectl auth can-i create freights --namespace {}{}",
                    key.namespace,
                    credentials::as_whom(&error)
                ),
            },
        }
    }
}

/// Reads the Warehouse as it is now, and asks every subscription.
async fn discover(world: Arc<World>, memory: Arc<Memory>, key: Key, start: Start) -> Discovery {
    let Start {
        cancel,
        waited,
        seat,
    } = start;
    let api: Api<Warehouse> = Api::namespaced(world.cx.controller.clone(), &key.namespace);
    let warehouse = match api.get(&key.name).await {
        Ok(warehouse) => warehouse,
        Err(error) => {
            let generation = world
                .stores
                .warehouses
                .get(&key)
                .and_then(|it| it.metadata.generation)
                .unwrap_or_default();
            let failure = Failure {
                subscription: "Warehouse".to_owned(),
                message: with_next(
                    format!("it cannot be read: {}", said(&error)),
                    "see whether the API answers: kubectl get --raw /readyz",
                ),
            };
            return Discovery {
                generation,
                refresh: None,
                answers: vec![Err(failure)],
                identities: None,
                remarks: Vec::new(),
                cost: domain::warehouse::Cost::default(),
            };
        }
    };
    // Once for every wish: a discovery that fails is repeated, and what was just refused is refused again.
    if let Some(refresh) = refresh_asked(&warehouse).filter(|it| memory.hears(&key, it)) {
        tracing::debug!(project = %key.namespace, warehouse = %key.name, refresh, "who was refused is asked for anew");
        world.cx.credentials.forget_refusals(warehouse.namespace());
    }
    let (started, cost) = (Instant::now(), Cost::default());
    // Collected, because a stream over a closure that borrows cannot be shown to be `Send`.
    let asking: Vec<_> = warehouse
        .spec
        .subscriptions
        .iter()
        .map(|it| async {
            let part = seat.part().await;
            let means = Means {
                cost: &cost,
                room: &part,
            };
            discovery::ask(&world.cx, &warehouse, it, means).await
        })
        .collect();
    let asking = futures::stream::iter(asking).buffered(SUBSCRIPTIONS_AT_A_TIME);
    let asked: Vec<Asked> = tokio::select! {
        asked = asking.collect() => asked,
        () = cancel.cancelled() => Vec::new(),
    };
    let (mut answers, mut remarks, mut identities) = (Vec::new(), Vec::new(), Vec::new());
    for Asked {
        answer,
        acting,
        remarks: found,
    } in asked
    {
        answers.push(answer);
        remarks.extend(found);
        identities.extend(acting);
    }
    let spent = Spending {
        spent: cost.spent(),
        took: started.elapsed(),
        queued: waited,
    };
    Discovery {
        generation: if cancel.is_cancelled() {
            i64::MIN
        } else {
            warehouse.metadata.generation.unwrap_or_default()
        },
        refresh: warehouse.annotation(annotation::REFRESH).map(str::to_owned),
        answers,
        identities: Some(identities),
        remarks,
        cost: spent.told(&world.cx.metrics),
    }
}

/// Finds the wish of whoever asks for this discovery, where it is not its interval.
fn refresh_asked(warehouse: &Warehouse) -> Option<&str> {
    let handled = warehouse
        .status
        .as_ref()
        .map(|it| it.last_handled_refresh.as_str());
    let asked = warehouse.annotation(annotation::REFRESH);
    asked.filter(|it| Some(*it) != handled)
}
