//! What the loops count.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;

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

/// Names a host that discovery asked, and how that ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Request {
    pub(crate) host: String,
    pub(crate) outcome: &'static str,
}

/// Most hosts that are counted by name: tenants choose them.
const HOSTS_BOUND: usize = 500;
const OTHER_HOSTS: &str = "other";

/// What the loops count.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub(crate) looks: Family<Look, Counter>,
    pub(crate) look_seconds: Family<Kind, Histogram, fn() -> Histogram>,
    pub(crate) promotions: Family<Ending, Counter>,
    pub(crate) discoveries: Family<Ending, Counter>,
    pub(crate) discovery_seconds: Histogram,
    pub(crate) queued_seconds: Histogram,
    pub(crate) requests: Family<Request, Counter>,
    hosts: Arc<Mutex<BTreeSet<String>>>,
    pub(crate) remembered: Counter,
    pub(crate) waited_seconds: Counter<f64, AtomicU64>,
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
            "argosy_discovery_seconds",
            "How long discoveries took, of all subscriptions of a Warehouse",
            it.discovery_seconds.clone(),
        );
        registry.register(
            "argosy_discovery_queued_seconds",
            "How long discoveries that were due waited for a place",
            it.queued_seconds.clone(),
        );
        registry.register(
            "argosy_discovery_requests",
            "Requests of discoveries, by host and how they ended; git stands for a child that asked a Git host",
            it.requests.clone(),
        );
        registry.register(
            "argosy_discovery_remembered",
            "Answers that discoveries did not have to ask for, since they cannot have changed",
            it.remembered.clone(),
        );
        registry.register(
            "argosy_discovery_waited_seconds",
            "Time that discoveries waited for their turn at a host, and for what another discovery was doing",
            it.waited_seconds.clone(),
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

    /// Counts requests to a host; beyond a bound of hosts those of all others together.
    pub(crate) fn request(&self, host: &str, outcome: &'static str, count: u64) {
        let mut hosts = self.hosts.lock();
        let is_known =
            hosts.contains(host) || hosts.len() < HOSTS_BOUND && hosts.insert(host.to_owned());
        drop(hosts);
        let host = if is_known { host } else { OTHER_HOSTS }.to_owned();
        let labels = Request { host, outcome };
        self.requests.get_or_create(&labels).inc_by(count);
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
            discovery_seconds: Histogram::new(exponential_buckets(0.01, 4.0, 9)),
            queued_seconds: Histogram::new(exponential_buckets(0.01, 4.0, 9)),
            requests: Family::default(),
            hosts: Arc::default(),
            remembered: Counter::default(),
            waited_seconds: Counter::default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what is counted of a host, by name.
    fn counted(metrics: &Metrics, host: &str, outcome: &'static str) -> Option<u64> {
        let host = host.to_owned();
        let counter = metrics.requests.get(&Request { host, outcome })?;
        Some(counter.get())
    }

    #[test]
    fn so_many_hosts_are_counted_by_name_and_the_rest_together() {
        let metrics = Metrics::default();
        for number in 0..HOSTS_BOUND {
            metrics.request(&format!("host-{number}"), "answered", 1);
        }
        assert_eq!(counted(&metrics, OTHER_HOSTS, "answered"), None);
        metrics.request("one-more", "answered", 2);
        metrics.request("another", "answered", 3);
        metrics.request("another", "failed", 4);
        // Those that were there before still have their names, whatever comes of them.
        metrics.request("host-0", "answered", 5);
        metrics.request("host-499", "failed", 6);
        for (host, outcome, expected) in [
            ("one-more", "answered", None),
            ("another", "failed", None),
            (OTHER_HOSTS, "answered", Some(2 + 3)),
            (OTHER_HOSTS, "failed", Some(4)),
            ("host-0", "answered", Some(1 + 5)),
            ("host-499", "failed", Some(6)),
        ] {
            let found = counted(&metrics, host, outcome);
            assert_eq!(found, expected, "{host} {outcome}");
        }
    }
}
