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

#[cfg(test)]
mod tests {
    use artifacts::Outcome;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn what_was_spent_is_counted_and_told() {
        let (registry, git) = ("registry.example".to_owned(), "git.example".to_owned());
        let spending = Spending {
            spent: Spent {
                requests: BTreeMap::from([
                    ((registry.clone(), Outcome::Answered), 5),
                    ((registry.clone(), Outcome::Denied), 2),
                    ((git.clone(), Outcome::Failed), 1),
                ]),
                git: BTreeMap::from([(git.clone(), 3)]),
                remembered: 7,
                waited: Duration::from_millis(1_500),
                ..Spent::default()
            },
            took: Duration::from_millis(2_500),
            queued: Duration::from_millis(500),
        };
        let mut metrics = Registry::default();
        let cost = spending.told(&Metrics::register(&mut metrics));
        let expected = Cost {
            requests: BTreeMap::from([(registry, 7), (git, 1)]),
            git: 3,
            remembered: 7,
            took: Duration::from_millis(2_500),
            queued: Duration::from_millis(500),
        };
        assert_eq!(cost, expected);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics).expect("metrics");
        let requests = "argosy_discovery_requests_total";
        for expected in [
            format!("{requests}{{host=\"registry.example\",outcome=\"answered\"}} 5"),
            format!("{requests}{{host=\"registry.example\",outcome=\"denied\"}} 2"),
            format!("{requests}{{host=\"git.example\",outcome=\"failed\"}} 1"),
            format!("{requests}{{host=\"git.example\",outcome=\"git\"}} 3"),
            "argosy_discovery_remembered_total 7".to_owned(),
            "argosy_discovery_seconds_sum 2.5".to_owned(),
            "argosy_discovery_seconds_count 1".to_owned(),
            "argosy_discovery_queued_seconds_sum 0.5".to_owned(),
            "argosy_discovery_queued_seconds_count 1".to_owned(),
            "argosy_discovery_waited_seconds_total 1.5".to_owned(),
        ] {
            assert!(
                text.lines().any(|it| it == expected),
                "{expected} in:\n{text}"
            );
        }
    }
}
