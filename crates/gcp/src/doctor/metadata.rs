//! Checks of the metadata server and the clock, as the Pod finds them.

use std::time::Duration;

use super::own_identity::OwnIdentity;
use super::{Answer, Verdict, symptoms};
use crate::facts::{Facts, Metadata, Reading, Seen};
use crate::principal::ServiceAccountEmail;
use crate::setup::Fix;
use crate::setup::repair::{controller, nodes};

/// From when on an answer of the metadata server is slow.
const SLOW: Duration = Duration::from_secs(1);
/// From when on it is so slow that callers may give up.
const TOO_SLOW: Duration = Duration::from_secs(5);
/// How far a clock may be off before tokens are refused.
const CLOCK_BOUND: i64 = 60;
/// With this status the server of a crowded node ends a request that had to wait.
const CROWDED: u16 = 499;

pub(super) fn reach(facts: &Facts) -> Answer {
    facts.asks_metadata_server()?;
    let reading = &facts.pod.metadata.server;
    let says = match &reading.seen {
        Seen::Known(_) => {
            let says = match facts.pod.metadata.waited.as_secs() {
                0 => "it answers".to_owned(),
                seconds => format!("it answers, after {seconds} s"),
            };
            return Ok(Verdict::pass(&says).seen(reading));
        }
        Seen::Skipped => return reading.known().map(|_| Verdict::pass("")),
        Seen::Unreachable { .. } if reading.source.status == Some(CROWDED) => {
            let says = "it lets callers wait and gives up (HTTP 499): too many ask it at a time";
            return Ok(Verdict::fail(says, relief(facts)).seen(reading));
        }
        Seen::Unreachable { why } if why.contains("refused") => {
            format!(
                "{why}; a new Pod waits some seconds for it, longer means that the node has none"
            )
        }
        Seen::Unreachable { why } => format!("{why}; a time-out is mostly a network policy"),
        Seen::Denied(denial) => format!("something answers in its place: {}", denial.says()),
        Seen::Absent => "something answers in its place: not found".to_owned(),
    };
    let fix = super::network::allow_metadata(facts);
    Ok(Verdict::fail(&says, fix).seen(reading))
}

pub(super) fn flavor(facts: &Facts) -> Answer {
    let metadata = &facts.pod.metadata;
    let server = metadata.server.known()?;
    let attributes = metadata.attributes.known().cloned().unwrap_or_default();
    let is_node = attributes.iter().any(|it| it.starts_with("kube-env"));
    let is_gke = server.starts_with("GKE") || attributes.iter().any(|it| it == "cluster-uid");
    let verdict = if is_gke && !is_node {
        Verdict::pass(&format!("it is {server}"))
    } else {
        let pod = facts.pod.pod.known();
        let fix = if pod.is_ok_and(|it| it.host_network) {
            controller::leave_host_network(facts)
        } else {
            nodes::serve_metadata(facts)
        };
        let says =
            format!("it is {server}, the node's own: the Pod would have the identity of its node");
        Verdict::fail(&says, fix)
    };
    Ok(verdict.seen(&metadata.server))
}

pub(super) fn project(facts: &Facts) -> Answer {
    let Metadata {
        project, number, ..
    } = &facts.pod.metadata;
    for (reading, what) in [(project, "id"), (number, "number")] {
        let is_empty = matches!(&reading.seen, Seen::Known(it) if it.is_empty());
        if is_empty || is_missing(reading) {
            let says = format!("it does not know the {what} of its project");
            let fix = nodes::restart_metadata_server(facts)
                .and_advice("until it does, name the project: --gcp-project ID");
            return Ok(Verdict::fail(&says, fix).seen(reading));
        }
    }
    let says = format!("{} ({})", project.known()?, number.known()?);
    Ok(Verdict::pass(&says).seen(project).seen(number))
}

pub(super) fn email(facts: &Facts) -> Answer {
    let reading = &facts.pod.metadata.email;
    if is_missing(reading) {
        return Ok(nobody(facts).seen(reading));
    }
    let email = reading.known()?;
    if let Some(found) = OwnIdentity::parse(email) {
        return Ok(found.judged(facts)?.seen(reading));
    }
    let verdict = match ServiceAccountEmail::parse(email) {
        Ok(account) if is_of_nodes(facts, &account) => Verdict::fail(
            &format!("the Pod has the identity of its node, {account}"),
            nodes::serve_metadata(facts),
        ),
        Ok(account) => Verdict::fail(
            &format!("the Pod is {account}: its Kubernetes account is tied to it, or its node is"),
            crate::audit::remove_annotation(facts),
        ),
        Err(_) => Verdict::unknown(&format!("{email:?} is no kind of identity that is known")),
    };
    Ok(verdict.seen(reading))
}

/// Says whether nodes run as an account: by default, or as was seen of the cluster.
fn is_of_nodes(facts: &Facts, account: &ServiceAccountEmail) -> bool {
    let cluster = facts.cluster.known().ok();
    let mut pools = cluster.into_iter().flat_map(|it| &it.node_pools);
    account.is_default_compute() || pools.any(|it| it.config.service_account == account.as_str())
}

pub(super) fn token(facts: &Facts) -> Answer {
    let reading = &facts.pod.metadata.token_seconds;
    if facts.asks_metadata_server().is_err() {
        return by_file(facts, reading);
    }
    let verdict = match &reading.seen {
        Seen::Known(0) => Verdict::fail(
            "its token has expired already",
            nodes::restart_metadata_server(facts),
        ),
        Seen::Known(seconds) => Verdict::pass(&format!("its token lives {seconds} more seconds")),
        Seen::Denied(denial) => {
            let fix = if denial.message.contains("Unable to generate access token") {
                crate::audit::remove_annotation(facts)
            } else {
                nodes::restart_metadata_server(facts)
            };
            Verdict::fail(&symptoms::with_cause(&denial.message), fix)
        }
        _ if is_missing(reading) => nobody(facts),
        Seen::Unreachable { why } if is_refusal(reading.source.status) => {
            Verdict::fail(why, nodes::restart_metadata_server(facts))
        }
        Seen::Absent | Seen::Unreachable { .. } | Seen::Skipped => {
            return reading.known().map(|_| Verdict::pass(""));
        }
    };
    Ok(verdict.seen(reading))
}

/// Judges the token that the credential file of a cluster outside Google comes to.
fn by_file(facts: &Facts, reading: &Reading<u64>) -> Answer {
    let Seen::Denied(denial) = &reading.seen else {
        let seconds = *reading.known()?;
        let says = format!("the token of the credential file lives {seconds} seconds");
        return Ok(Verdict::pass(&says).seen(reading));
    };
    let fix = controller::set(facts, "ARGOSY_GCP_CREDENTIALS", "FILE").and_advice(
        "gcloud iam workload-identity-pools create-cred-config writes a file that fits the provider",
    );
    Ok(Verdict::fail(&symptoms::with_cause(&denial.message), fix).seen(reading))
}

fn nobody(facts: &Facts) -> Verdict {
    Verdict::fail(
        "it knows no identity of the Pod",
        nodes::workload_pool(facts),
    )
}

/// Says whether the server answered that there is no such thing. Its own words for that are no error of Google's.
fn is_missing<T>(reading: &Reading<T>) -> bool {
    match reading.seen {
        Seen::Absent => true,
        Seen::Unreachable { .. } => reading.source.status == Some(404),
        Seen::Known(_) | Seen::Denied(_) | Seen::Skipped => false,
    }
}

/// Says whether a status is an answer of the server that gives no token; one that is only busy is asked again.
fn is_refusal(status: Option<u16>) -> bool {
    status.is_some_and(|it| !matches!(it, 408 | 429 | 499))
}

pub(super) fn latency(facts: &Facts) -> Answer {
    let reading = &facts.pod.metadata.latency;
    let slowest = *reading.known()?;
    let says = format!("the slowest of its answers took {} ms", slowest.as_millis());
    let verdict = match slowest {
        it if it > TOO_SLOW => {
            let says = format!("{says}, longer than callers wait");
            Verdict::warn(&says, relief(facts))
        }
        it if it > SLOW => Verdict::warn(&says, relief(facts)),
        _ => Verdict::pass(&says),
    };
    Ok(verdict.seen(reading))
}

fn relief(facts: &Facts) -> Fix {
    controller::move_elsewhere(facts)
        .and_advice("look for Pods on the node that ask all the time: 500 connections is its limit")
}

pub(super) fn clock(facts: &Facts) -> Answer {
    let reading = &facts.pod.clock_offset;
    let seconds = *reading.known()?;
    let says = format!(
        "the clock is {} s {}",
        seconds.abs(),
        if seconds < 0 { "behind" } else { "ahead" }
    );
    let verdict = match seconds.abs() {
        it if it > CLOCK_BOUND => Verdict::fail(&says, nodes::set_clock(facts)),
        it if it > CLOCK_BOUND / 2 => Verdict::warn(&says, nodes::set_clock(facts)),
        _ => Verdict::pass(&says),
    };
    Ok(verdict.seen(reading))
}
