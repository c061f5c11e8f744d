//! Checks of the metadata server, the clock and the ways out, as the Pod finds them.

use std::time::Duration;

use super::{Answer, Verdict, symptoms};
use crate::facts::{Facts, Seen};
use crate::principal::ServiceAccountEmail;
use crate::setup::Fix;

/// From when on an answer of the metadata server is slow.
const SLOW: Duration = Duration::from_secs(1);
/// From when on it is so slow that callers give up.
const TOO_SLOW: Duration = Duration::from_secs(5);
/// How far a clock may be off before tokens are refused.
const CLOCK_BOUND: i64 = 60;
/// With this status the server of a crowded node ends a request that had to wait.
const CROWDED: u16 = 499;

pub(super) fn environment(facts: &Facts) -> Verdict {
    let set = facts.pod.environment.get("GOOGLE_APPLICATION_CREDENTIALS");
    match set {
        None => Verdict::pass("GOOGLE_APPLICATION_CREDENTIALS is not set"),
        Some(kind) if kind == "external_account" => {
            Verdict::pass("GOOGLE_APPLICATION_CREDENTIALS leads to a configuration without a key")
        }
        Some(kind) => Verdict::warn(&format!(
            "GOOGLE_APPLICATION_CREDENTIALS leads to a file of type {kind}, which comes before the metadata server"
        ))
        .fix(Fix::advice("take GOOGLE_APPLICATION_CREDENTIALS out of the Deployment")),
    }
}

pub(super) fn proxy(facts: &Facts) -> Verdict {
    let variable = |name: &str| {
        let environment = &facts.pod.environment;
        environment
            .get(name)
            .or_else(|| environment.get(&name.to_ascii_lowercase()))
    };
    let excepted = variable("NO_PROXY").is_some_and(|it| {
        it.split(',').any(|host| {
            matches!(
                host.trim(),
                "169.254.169.254" | "metadata.google.internal" | "*"
            )
        })
    });
    match variable("HTTP_PROXY") {
        None => Verdict::pass("no proxy is set"),
        Some(_) if excepted => Verdict::pass("the proxy leaves the metadata server out"),
        Some(_) => {
            // Argosy's own requests to Google are sent past any proxy.
            Verdict::warn(
                "HTTP_PROXY is set and NO_PROXY does not name the metadata server: Argosy asks no proxy, \
                 other programs in the Pod would",
            )
            .fix(Fix::advice(
                "add 169.254.169.254,metadata.google.internal to NO_PROXY",
            ))
        }
    }
}

pub(super) fn reach(facts: &Facts) -> Answer {
    let reading = &facts.pod.metadata.server;
    let says = match &reading.seen {
        Seen::Known(_) => return Ok(Verdict::pass("it answers").seen(reading)),
        Seen::Skipped => return reading.known().map(|_| Verdict::pass("")),
        Seen::Unreachable { .. } if reading.source.status == Some(CROWDED) => {
            let says = "it lets callers wait and gives up (HTTP 499): too many ask it at a time";
            return Ok(Verdict::fail(says).seen(reading).fix(relief()));
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
    Ok(Verdict::fail(&says)
        .seen(reading)
        .fix(super::network::allow_metadata(facts)))
}

pub(super) fn flavor(facts: &Facts) -> Answer {
    let metadata = &facts.pod.metadata;
    let server = metadata.server.known()?;
    let attributes = metadata.attributes.known().cloned().unwrap_or_default();
    let is_node = attributes.iter().any(|it| it.starts_with("kube-env"));
    let is_gke = server.starts_with("GKE") || attributes.iter().any(|it| it == "cluster-uid");
    Ok(if is_gke && !is_node {
Verdict::pass(&format!("it is {server}"))
} else {
Verdict::fail(&format!("it is {server}, the node's own: the Pod would have the identity of its node"))
            .fix(Fix::advice(
                "give the node pool GKE_METADATA (see NODEPOOL-MODE) and take the Pod off the host network (see K8S-HOSTNET)",
            ))
}
    .seen(&metadata.server))
}

pub(super) fn project(facts: &Facts) -> Answer {
    let home = facts.home.known()?;
    Ok(Verdict::pass(&format!("{} ({})", home.project, home.number)).seen(&facts.home))
}

pub(super) fn email(facts: &Facts) -> Answer {
    let reading = &facts.pod.metadata.email;
    let email = reading.known()?;
    let is_pool = email.ends_with(".svc.id.goog");
    let is_principal = email.starts_with("principal://");
    let verdict = match ServiceAccountEmail::parse(email) {
        _ if is_pool || is_principal => {
            Verdict::pass(&format!("the Pod is {}", facts.principal()?))
        }
        Ok(account) if account.is_default_compute() => {
            Verdict::fail(&format!("the Pod has the identity of its node, {account}")).fix(
                Fix::advice("give the node pool GKE_METADATA, see NODEPOOL-MODE"),
            )
        }
        Ok(account) => Verdict::fail(&format!(
            "the Pod is {account}: its Kubernetes account is tied to it, or its node is"
        ))
        .fix(crate::audit::remove_annotation(facts)),
        Err(_) => Verdict::unknown(&format!("{email:?} is no kind of identity that is known")),
    };
    Ok(verdict.seen(reading))
}

pub(super) fn token(facts: &Facts) -> Answer {
    let reading = &facts.pod.metadata.token_seconds;
    let verdict = match &reading.seen {
        Seen::Known(0) => Verdict::fail("its token has expired already"),
        Seen::Known(seconds) => Verdict::pass(&format!("its token lives {seconds} more seconds")),
        Seen::Denied(denial) => {
            let verdict = Verdict::fail(&symptoms::with_cause(&denial.message));
            if denial.message.contains("Unable to generate access token") {
                verdict.fix(crate::audit::remove_annotation(facts))
            } else {
                verdict
            }
        }
        Seen::Absent => Verdict::fail("it knows no identity of the Pod").fix(Fix::advice(
            "check that the cluster has a workload pool, see CLUSTER-WIF",
        )),
        Seen::Unreachable { .. } | Seen::Skipped => {
            return reading.known().map(|_| Verdict::pass(""));
        }
    };
    Ok(verdict.seen(reading))
}

pub(super) fn latency(facts: &Facts) -> Answer {
    let reading = &facts.pod.metadata.latency;
    let slowest = *reading.known()?;
    let says = format!("the slowest of its answers took {} ms", slowest.as_millis());
    Ok(match slowest {
        it if it > TOO_SLOW => Verdict::fail(&says).fix(relief()),
        it if it > SLOW => Verdict::warn(&says).fix(relief()),
        _ => Verdict::pass(&says),
    }
    .seen(reading))
}

fn relief() -> Fix {
    Fix::advice("look for Pods on the node that ask all the time: 500 connections is its limit")
}

pub(super) fn clock(facts: &Facts) -> Answer {
    let reading = &facts.pod.clock_offset;
    let seconds = *reading.known()?;
    let says = format!(
        "the clock is {} s {}",
        seconds.abs(),
        if seconds < 0 { "behind" } else { "ahead" }
    );
    Ok(match seconds.abs() {
        it if it > CLOCK_BOUND => Verdict::fail(&says).fix(Fix::advice(
            "have the node set its clock by time.google.com",
        )),
        it if it > CLOCK_BOUND / 2 => Verdict::warn(&says),
        _ => Verdict::pass(&says),
    }
    .seen(reading))
}

pub(super) fn egress(facts: &Facts) -> Vec<(String, Answer)> {
    let hosts = facts.pod.hosts.iter();
    hosts
        .map(|(host, reading)| (host.clone(), reached(host, reading)))
        .collect()
}

fn reached(host: &str, reading: &crate::facts::Reading<Duration>) -> Answer {
    match &reading.seen {
        Seen::Known(took) => {
            Ok(Verdict::pass(&format!("reached in {} ms", took.as_millis())).seen(reading))
        }
        Seen::Unreachable { why } => Ok(Verdict::fail(why).seen(reading).fix(way_to(host))),
        _ => reading.known().map(|_| Verdict::pass("")),
    }
}

/// Nodes without public addresses reach Google by Private Google Access, and registries by a zone of their own.
fn way_to(host: &str) -> Fix {
    let zone = match () {
        () if host.ends_with("pkg.dev") => "pkg.dev",
        () if host.ends_with("gcr.io") => "gcr.io",
        () => "googleapis.com",
    };
    Fix::command("gcloud compute networks subnets update SUBNET --region=REGION --enable-private-ip-google-access\n")
        .and_terraform("# In the google_compute_subnetwork:\n#   private_ip_google_access = true\n")
        .and_advice(&format!(
            "with a restricted or private range, {zone} needs a DNS zone too: one for googleapis.com does not cover it"
        ))
}
