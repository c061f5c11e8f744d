//! The stores and queues of a process: one store per kind that is looked up, one queue per loop.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use resources::{Freight, Project, ProjectConfig, Promotion, Stage, Warehouse};

use crate::{
    FreightIndex,
    indexed_store::{Indexed, IndexedStore},
    metrics::{Kind, Metrics},
    queue::Queue,
};

/// One store per kind.
pub(crate) struct Stores {
    pub(crate) freight: Arc<IndexedStore<Freight>>,
    pub(crate) promotions: Arc<IndexedStore<Promotion>>,
    pub(crate) stages: Arc<IndexedStore<Stage>>,
    pub(crate) warehouses: Arc<IndexedStore<Warehouse>>,
    pub(crate) configs: Arc<IndexedStore<ProjectConfig>>,
    pub(crate) projects: Arc<IndexedStore<Project>>,
    pub(crate) namespaces: Arc<IndexedStore<Namespace>>,
}

impl Stores {
    /// `freight` is looked at by others too.
    pub(crate) fn new(freight: &FreightIndex) -> Self {
        Self {
            freight: Arc::clone(&freight.0),
            promotions: IndexedStore::new().into(),
            stages: IndexedStore::new().into(),
            warehouses: IndexedStore::new().into(),
            configs: IndexedStore::new().into(),
            projects: IndexedStore::new().into(),
            namespaces: IndexedStore::new().into(),
        }
    }

    /// Waits until all stores have been filled for the first time.
    pub(crate) async fn filled(&self) {
        let Self {
            freight,
            promotions,
            stages,
            warehouses,
            configs,
            projects,
            namespaces,
        } = self;
        tokio::join!(
            freight.filled(),
            promotions.filled(),
            stages.filled(),
            warehouses.filled(),
            configs.filled(),
            projects.filled(),
            namespaces.filled(),
        );
    }

    pub(crate) fn measure(&self, metrics: &Metrics) {
        let Self {
            freight,
            promotions,
            stages,
            warehouses,
            configs,
            projects,
            namespaces,
        } = self;
        measure(freight, "Freight", metrics);
        measure(promotions, "Promotion", metrics);
        measure(stages, "Stage", metrics);
        measure(warehouses, "Warehouse", metrics);
        measure(configs, "ProjectConfig", metrics);
        measure(projects, "Project", metrics);
        measure(namespaces, "Namespace", metrics);
    }
}

fn measure<K: Indexed>(store: &IndexedStore<K>, kind: &'static str, metrics: &Metrics) {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    metrics
        .objects
        .get_or_create(&Kind { kind })
        .set(number(store.len() as u64));
    metrics
        .entries_read
        .get_or_create(&Kind { kind })
        .set(number(store.entries_read()));
}

/// One queue per loop.
#[derive(Clone, Default)]
pub(crate) struct Queues {
    pub(crate) promotions: Arc<Queue>,
    pub(crate) stages: Arc<Queue>,
    pub(crate) warehouses: Arc<Queue>,
    pub(crate) configs: Arc<Queue>,
    pub(crate) projects: Arc<Queue>,
}
