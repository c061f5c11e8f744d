//! The condition `DiscoveryCost`: what the last discovery asked of the outside.

use std::collections::BTreeMap;
use std::time::Duration;

use resources::condition::{DISCOVERY_COST, TRUE};

use super::Conditions;

/// Most hosts that a message names; the rest are counted.
const HOSTS_SHOWN: usize = 5;

/// What one discovery spent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests over HTTP by host, repetitions and requests for tokens included.
    pub requests: BTreeMap<String, u64>,
    /// Times that git was started to ask a remote.
    pub git: u64,
    /// Answers that did not have to be asked for, since they cannot have changed.
    pub remembered: u64,
    /// From its start to its end.
    pub took: Duration,
    /// From the moment it was due until it was its turn.
    pub queued: Duration,
}

/// Says it on the status.
pub(super) fn tell(conditions: &mut Conditions<'_>, cost: &Cost) {
    conditions.set(DISCOVERY_COST, TRUE, "Measured", &message(cost));
}

fn message(cost: &Cost) -> String {
    let Cost {
        requests,
        git,
        remembered,
        took,
        queued,
    } = cost;
    let total: u64 = requests.values().sum();
    let mut text = counted(total, "request", "requests");
    if !requests.is_empty() {
        let mut hosts: Vec<(&String, &u64)> = requests.iter().collect();
        hosts.sort_by_key(|(host, count)| (std::cmp::Reverse(**count), *host));
        let mut shown: Vec<String> = hosts
            .iter()
            .take(HOSTS_SHOWN)
            .map(|(host, count)| format!("{host} {count}"))
            .collect();
        if hosts.len() > HOSTS_SHOWN {
            shown.push(format!("{} more hosts", hosts.len() - HOSTS_SHOWN));
        }
        text = format!("{text} ({})", shown.join(", "));
    }
    if *git > 0 {
        text = format!("{text}, git started {}", counted(*git, "time", "times"));
    }
    if *remembered > 0 {
        let answers = counted(*remembered, "answer", "answers");
        text = format!("{text}, {answers} remembered");
    }
    text = format!("{text}; it took {:.1} s", took.as_secs_f64());
    if *queued >= Duration::from_millis(100) {
        text = format!("{text} after {:.1} s in the queue", queued.as_secs_f64());
    }
    text
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cost: &Cost, expected: &str) {
        assert_eq!(message(cost), expected);
    }

    #[test]
    fn the_cost_is_told_in_a_line() {
        check(&Cost::default(), "0 requests; it took 0.0 s");
        let hosts = |hosts: &[(&str, u64)]| {
            hosts
                .iter()
                .map(|(host, count)| ((*host).to_owned(), *count))
                .collect()
        };
        check(
            &Cost {
                requests: hosts(&[("github.com", 1)]),
                took: Duration::from_millis(140),
                ..Cost::default()
            },
            "1 request (github.com 1); it took 0.1 s",
        );
        check(
            &Cost {
                requests: hosts(&[("a", 1), ("b", 9), ("c", 2), ("d", 2), ("e", 1), ("f", 1)]),
                git: 1,
                remembered: 20,
                took: Duration::from_millis(1_260),
                queued: Duration::from_secs(3),
            },
            "16 requests (b 9, c 2, d 2, a 1, e 1, 1 more hosts), git started 1 time, 20 answers remembered; it took 1.3 s after 3.0 s in the queue",
        );
    }
}
