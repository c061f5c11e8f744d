//! The loops: each looks at one kind of object and brings the world nearer to what it says.
//!
//! A look is *gather → decide → apply*: reads, a pure function in `domain`, writes. What takes minutes (discovery, the
//! steps of a promotion) runs as a task beside the loop; its end is one more reason to look.
//!
//! | Loop | Looks at | Woken by |
//! | --- | --- | --- |
//! | `warehouse.rs` | Warehouses | their spec, a refresh, the interval, the end of a discovery |
//! | `stage.rs` | Stages | their spec, a refresh, Promotions, Freight upstream, policies, soak times |
//! | `promotion.rs` | Promotions | their creation, a refresh, an abort, their Stage, the end of their task |
//! | `project.rs` | Projects | their spec, their namespace, health of what is in it |
//! | `project_config.rs` | `ProjectConfigs` | their spec, a refresh |
//!
//! [`run`] fills the stores (`indexed_store.rs`), then starts all loops. An error sends an object to the back of its queue
//! (`queue.rs`); a stop ends tasks where they are, and what they had not finished goes on after the next start.

mod error;
mod freight;
mod freight_index;
mod indexed_store;
mod indexes;
mod metrics;
mod places;
mod project;
mod project_config;
mod promotion;
mod queue;
mod recorder;
mod seat;
mod shard;
mod stage;
mod stores;
mod tasks;
mod triggers;
mod warehouse;
mod writes;

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use artifacts::chart;
use artifacts::git::Repositories;
use artifacts::registry::Registries;
use credentials::Credentials;
use futures::FutureExt;
use jiff::Timestamp;
use kube::Client;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::{
    error::Error, freight_index::FreightIndex, metrics::Metrics, places::Share, shard::Shard,
};
use self::{
    queue::{Key, Next, Queue},
    stores::{Queues, Stores},
};

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// All that the loops work with.
#[derive(Clone)]
pub struct Context {
    /// Who looks after Warehouses, Stages and Promotions.
    pub controller: Client,
    /// Who looks after Projects and their settings.
    pub management: Client,
    pub settings: Settings,
    pub engine: engine::Context,
    pub registries: Arc<Registries>,
    pub repositories: Arc<Repositories>,
    pub charts: Arc<chart::Repositories>,
    pub credentials: Arc<Credentials>,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// Where all Freight is looked up; [`run`] keeps it up to date.
    pub freight: FreightIndex,
    /// Becomes true when all stores are filled and the loops work.
    pub ready: watch::Sender<bool>,
}

/// What the operator may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    pub shard: Shard,
    /// How many objects of a kind are looked at at a time.
    pub workers: usize,
    /// How many promotions run their steps at a time.
    pub promotions: usize,
    /// How many Warehouses discover at a time, in all and of one project.
    pub discoveries: Share,
    /// The shortest time between two discoveries of a Warehouse, whatever it says itself.
    pub shortest_interval: Duration,
    /// How long a stop waits for tasks to end.
    pub patience: Duration,
    /// Namespace of the service accounts of this installation.
    pub namespace: String,
    /// Service account of the controller there, which reads Secrets of Projects; none is the one that its shard has by default.
    pub account: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shard: Shard::default(),
            workers: 4,
            promotions: 4,
            discoveries: Share::quartered(16),
            shortest_interval: Duration::ZERO,
            patience: Duration::from_secs(20),
            namespace: "argosy".to_owned(),
            account: None,
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Context")
            .field("settings", &self.settings)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl Context {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }
}

/// What all loops of a process share.
pub(crate) struct World {
    pub(crate) cx: Context,
    pub(crate) stores: Stores,
    pub(crate) queues: Queues,
}

/// Runs all loops until `cancel` fires.
///
/// On a stop what is being looked at is finished, tasks are ended where they are, and promotions stay as they are: they go
/// on when the loops start again.
///
/// # Errors
/// [`Error::NeverFilled`] if `cancel` fired before the API had answered.
pub async fn run(cx: Context, cancel: CancellationToken) -> Result<(), Error> {
    let (stores, queues) = (Stores::new(&cx.freight), Queues::default());
    triggers::wire(&stores, &queues, &cx.settings.shard);
    let world = Arc::new(World { cx, stores, queues });
    let following = tokio::spawn(follow(Arc::clone(&world), cancel.clone()));

    tokio::select! {
        () = world.stores.filled() => {}
        () = cancel.cancelled() => return Err(Error::NeverFilled),
    }
    world.cx.ready.send_replace(true);
    tracing::info!("the loops are at work");

    let promotions = promotion::Loop::new(Arc::clone(&world), &cancel);
    promotions.tidy_up().await;
    let warehouses = warehouse::Loop::new(Arc::clone(&world), &cancel);
    let management = async {
        if world.cx.settings.shard.is_default() {
            let projects = work(&world, "Project", &world.queues.projects, &cancel, |key| {
                project::look(Arc::clone(&world), key)
            });
            let configs = work(
                &world,
                "ProjectConfig",
                &world.queues.configs,
                &cancel,
                |key| project_config::look(Arc::clone(&world), key),
            );
            tokio::join!(projects, configs);
        }
    };
    tokio::join!(
        work(
            &world,
            "Promotion",
            &world.queues.promotions,
            &cancel,
            |key| promotions.look(key)
        ),
        work(
            &world,
            "Warehouse",
            &world.queues.warehouses,
            &cancel,
            |key| warehouses.look(key)
        ),
        work(&world, "Stage", &world.queues.stages, &cancel, |key| {
            stage::look(Arc::clone(&world), key)
        }),
        management,
    );
    tokio::join!(promotions.ended(), warehouses.ended());
    if following.await.is_err() {
        tracing::error!("following the API ended in a panic");
    }
    tracing::info!("the loops have stopped");
    Ok(())
}

/// Feeds every store, and now and then says how large it is.
async fn follow(world: Arc<World>, cancel: CancellationToken) {
    let (stores, cx) = (&world.stores, &world.cx);
    let sizes = async {
        while !cancel.is_cancelled() {
            stores.measure(&cx.metrics);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(15)) => {}
                () = cancel.cancelled() => {}
            }
        }
    };
    tokio::join!(
        stores.freight.follow(cx.controller.clone(), cancel.clone()),
        stores
            .promotions
            .follow(cx.controller.clone(), cancel.clone()),
        stores.stages.follow(cx.controller.clone(), cancel.clone()),
        stores
            .warehouses
            .follow(cx.controller.clone(), cancel.clone()),
        stores.configs.follow(cx.management.clone(), cancel.clone()),
        stores
            .projects
            .follow(cx.management.clone(), cancel.clone()),
        stores
            .namespaces
            .follow(cx.management.clone(), cancel.clone()),
        sizes,
    );
}

/// Works off the queue of one loop: a look that fails or panics is logged, counted and repeated later.
async fn work<F>(
    world: &World,
    kind: &'static str,
    queue: &Arc<Queue>,
    cancel: &CancellationToken,
    look: impl Fn(Key) -> F,
) where
    F: Future<Output = Result<Next, Error>>,
{
    let metrics = &world.cx.metrics;
    let guarded = |key: Key| {
        let looking = AssertUnwindSafe(look(key.clone())).catch_unwind();
        async move {
            let started = Instant::now();
            let (result, next) = match looking.await {
                Ok(Ok(next)) => ("ok", next),
                Ok(Err(error)) if error.is_conflict() => {
                    tracing::debug!(kind, object = %key, %error, "somebody else was faster");
                    ("conflict", Next::AfterError)
                }
                Ok(Err(error)) => {
                    tracing::warn!(kind, object = %key, %error, "this did not work, it is tried again");
                    ("error", Next::AfterError)
                }
                Err(_) => {
                    tracing::error!(kind, object = %key, "a look ended in a panic, it is tried again");
                    ("panic", Next::AfterError)
                }
            };
            metrics
                .looks
                .get_or_create(&metrics::Look {
                    looked_at: kind,
                    result,
                })
                .inc();
            metrics
                .look_seconds
                .get_or_create(&metrics::Kind { kind })
                .observe(started.elapsed().as_secs_f64());
            next
        }
    };
    queue.work(world.cx.settings.workers, cancel, guarded).await;
}
