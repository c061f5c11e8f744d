//! What the loops count.

use std::sync::Arc;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// Names a loop and how a look at an object ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Look {
    pub(crate) looked_at: &'static str,
    pub(crate) result: &'static str,
}

/// Names a kind of object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Kind {
    pub(crate) kind: &'static str,
}

/// The one provider of identities so far.
pub(crate) const GOOGLE: &str = "google";

/// Names whose identities are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Provider {
    pub(crate) provider: &'static str,
}

/// Names who acts at a registry, and how that came about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RegistryIdentity {
    pub(crate) provider: &'static str,
    pub(crate) identity: &'static str,
    pub(crate) outcome: &'static str,
}

/// Names the way something ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Ending {
    pub(crate) ending: String,
}

/// What the loops count.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) looks: Family<Look, Counter>,
    pub(crate) look_seconds: Family<Kind, Histogram, fn() -> Histogram>,
    pub(crate) promotions: Family<Ending, Counter>,
    pub(crate) discoveries: Family<Ending, Counter>,
    pub(crate) freight_created: Counter,
    pub(crate) registry_identities: Family<RegistryIdentity, Counter>,
    pub(crate) registry_identity_seconds: Family<Provider, Histogram, fn() -> Histogram>,
    pub(crate) objects: Family<Kind, Gauge>,
    pub(crate) entries_read: Family<Kind, Gauge>,
}

impl Metrics {
    /// Makes the metrics and lists them in `registry`.
    pub fn register(registry: &mut Registry) -> Arc<Self> {
        let it = Self::default();
        registry.register(
            "argosy_looks",
            "Looks at objects, by kind and result",
            it.looks.clone(),
        );
        registry.register(
            "argosy_look_seconds",
            "How long looks took",
            it.look_seconds.clone(),
        );
        registry.register(
            "argosy_promotions",
            "Promotions that ended, by phase",
            it.promotions.clone(),
        );
        registry.register(
            "argosy_discoveries",
            "Discoveries that ended, by result",
            it.discoveries.clone(),
        );
        registry.register(
            "argosy_freight_created",
            "Freight made by Warehouses",
            it.freight_created.clone(),
        );
        registry.register(
            "argosy_registry_identity",
            "Identities that were to act at registries, by provider, identity and outcome",
            it.registry_identities.clone(),
        );
        registry.register(
            "argosy_registry_identity_seconds",
            "How long it took to know who acts at a registry",
            it.registry_identity_seconds.clone(),
        );
        registry.register(
            "argosy_objects",
            "Objects held in memory, by kind",
            it.objects.clone(),
        );
        registry.register(
            "argosy_entries_read",
            "Entries that lookups in memory have touched, by kind",
            it.entries_read.clone(),
        );
        Arc::new(it)
    }

    pub(crate) fn ended(family: &Family<Ending, Counter>, ending: &str) {
        family
            .get_or_create(&Ending {
                ending: ending.to_owned(),
            })
            .inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            looks: Family::default(),
            look_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 4.0, 8))
            }),
            promotions: Family::default(),
            discoveries: Family::default(),
            freight_created: Counter::default(),
            registry_identities: Family::default(),
            registry_identity_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.001, 4.0, 8))
            }),
            objects: Family::default(),
            entries_read: Family::default(),
        }
    }
}
