//! What a discovery cost, for metrics and for the Warehouse's status.

use std::collections::BTreeMap;
use std::time::Duration;

use artifacts::Spent;
use domain::warehouse::Cost;

use crate::metrics::Metrics;

/// What a discovery came to.
pub(super) struct Spending {
    pub(super) spent: Spent,
    pub(super) took: Duration,
    /// How long it waited to begin.
    pub(super) queued: Duration,
}

impl Spending {
    /// Counts what was spent, and puts it as a status tells it.
    pub(super) fn told(&self, metrics: &Metrics) -> Cost {
        let Self {
            spent,
            took,
            queued,
        } = self;
        let mut requests: BTreeMap<String, u64> = BTreeMap::new();
        for ((host, outcome), count) in &spent.requests {
            metrics.request(host, outcome.label(), *count);
            *requests.entry(host.clone()).or_default() += count;
        }
        for (host, count) in &spent.git {
            metrics.request(host, "git", *count);
        }
        metrics.remembered.inc_by(spent.remembered);
        metrics.discovery_seconds.observe(took.as_secs_f64());
        metrics.queued_seconds.observe(queued.as_secs_f64());
        metrics.waited_seconds.inc_by(spent.waited.as_secs_f64());
        Cost {
            requests,
            git: spent.git.values().sum(),
            remembered: spent.remembered,
            took: *took,
            queued: *queued,
        }
    }
}
