//! What a discovery cost, for metrics and for the Warehouse's status.

use std::collections::BTreeMap;
use std::time::Duration;

use artifacts::Spent;
use domain::warehouse::Cost;

use crate::metrics::Metrics;

/// Counts what was spent, and puts it as a status tells it.
pub(super) fn told(metrics: &Metrics, spent: &Spent, took: Duration) -> Cost {
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
    metrics.waited_seconds.inc_by(spent.waited.as_secs_f64());
    Cost {
        requests,
        git: spent.git.values().sum(),
        remembered: spent.remembered,
        took,
        queued: Duration::ZERO,
    }
}
