//! Checks of the metadata server, the clock and the ways out, as the Pod finds them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Answer, Verdict, symptoms};
use crate::facts::{Facts, Gap, Metadata, Reading, Seen};
use crate::network::Range;
use crate::policy::{Member, PoolMember, PoolSubject};
use crate::principal::{KubernetesAccount, ServiceAccountEmail, WorkloadPool};
use crate::setup::Fix;
use crate::setup::repair::{controller, nodes};
use crate::setup::shell::command;
use crate::setup::terraform::block::{Block, list, text};
use crate::setup::terraform::commented;

/// From when on an answer of the metadata server is slow.
const SLOW: Duration = Duration::from_secs(1);
/// From when on it is so slow that callers may give up.
const TOO_SLOW: Duration = Duration::from_secs(5);
/// How far a clock may be off before tokens are refused.
const CLOCK_BOUND: i64 = 60;
/// Where the metadata server is, by its name and its address.
const NAME: &str = "metadata.google.internal";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// With this status the server of a crowded node ends a request that had to wait.
const CROWDED: u16 = 499;

/// Argosy itself reads no such variable; what else runs in the Pod, Google's own tools and this command among it, does.
pub(super) fn environment(facts: &Facts) -> Answer {
    let reading = &facts.pod.environment;
    let set = reading.known()?.get("GOOGLE_APPLICATION_CREDENTIALS");
    let verdict = match set {
        None => Verdict::pass("GOOGLE_APPLICATION_CREDENTIALS is not set"),
        Some(kind) if kind == "external_account" => {
            Verdict::pass("GOOGLE_APPLICATION_CREDENTIALS leads to a configuration without a key")
        }
        Some(kind) => Verdict::warn(
            &format!(
                "GOOGLE_APPLICATION_CREDENTIALS leads to a file of type {kind}: Argosy does not use it, other programs \
                 in the Pod would before they ask the metadata server"
            ),
            controller::unset(facts, "GOOGLE_APPLICATION_CREDENTIALS"),
        ),
    };
    Ok(verdict.seen(reading))
}

pub(super) fn proxy(facts: &Facts) -> Answer {
    let reading = &facts.pod.environment;
    let environment = reading.known()?;
    let variable = |name: &str| {
        environment
            .get(name)
            .or_else(|| environment.get(&name.to_ascii_lowercase()))
    };
    let excepted = variable("NO_PROXY").is_some_and(|it| it.split(',').any(excepts_metadata));
    let verdict = match variable("HTTP_PROXY") {
        None => Verdict::pass("no proxy is set"),
        Some(_) if excepted => Verdict::pass("the proxy leaves the metadata server out"),
        Some(_) => {
            let others = variable("NO_PROXY").filter(|it| !it.is_empty());
            let others = others.map(|it| format!("{it},")).unwrap_or_default();
            let hosts = format!("{others}169.254.169.254,metadata.google.internal");
            // Argosy's own requests to Google are sent past any proxy.
            Verdict::warn(
                "HTTP_PROXY is set and NO_PROXY does not name the metadata server: Argosy asks no proxy, \
                 other programs in the Pod would",
                controller::set(facts, "NO_PROXY", &hosts),
            )
        }
    };
    Ok(verdict.seen(reading))
}

/// Says whether an entry of `NO_PROXY` means the metadata server: by its address, a range around it, its name, or a domain
/// that ends like it.
fn excepts_metadata(entry: &str) -> bool {
    let entry = entry.trim();
    if entry == "*" {
        return true;
    }
    if let Ok(range) = entry.parse::<Range>() {
        return range.contains(IpAddr::V4(ADDRESS));
    }
    let domain = entry.trim_start_matches('*').trim_start_matches('.');
    let rest = NAME.strip_suffix(domain);
    entry == ADDRESS.to_string()
        || !domain.is_empty() && rest.is_some_and(|it| it.is_empty() || it.ends_with('.'))
}

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
    if let Some(found) = Own::parse(email) {
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

/// The Pod's own identity, in either of the forms in which the metadata server tells it.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity#metadata_server>
struct Own {
    pool: WorkloadPool,
    /// None where only the pool is told.
    account: Option<KubernetesAccount>,
}

impl Own {
    fn parse(email: &str) -> Option<Self> {
        if let Ok(pool) = WorkloadPool::parse(email) {
            return Some(Self {
                pool,
                account: None,
            });
        }
        let Member::Pool(PoolMember { pool, subject, .. }) = Member::parse(email) else {
            return None;
        };
        let PoolSubject::Account(account) = subject else {
            return None;
        };
        Some(Self {
            pool: WorkloadPool::parse(&pool).ok()?,
            account: Some(account),
        })
    }

    fn judged(&self, facts: &Facts) -> Result<Verdict, Gap> {
        let wanted = facts.principal()?;
        if self.pool != wanted.pool {
            return Ok(in_another_pool(facts, &self.pool, &wanted.pool));
        }
        Ok(match &self.account {
            Some(account) if *account != wanted.account => Verdict::fail(
                &format!("the Pod is {account}, and grants name {}", wanted.account),
                controller::run_as(account, &wanted.account)
                    .and_advice("or, if it is meant to: --controller NAMESPACE/NAME"),
            ),
            Some(_) | None => Verdict::pass(&format!("the Pod is {wanted}")),
        })
    }
}

/// The pool of a fleet is no failure while it is not known that the cluster has another.
fn in_another_pool(facts: &Facts, found: &WorkloadPool, wanted: &WorkloadPool) -> Verdict {
    let says = format!("the Pod is in {found}, and grants name the pool {wanted}");
    let fix = nodes::show_pool(facts);
    if facts.cluster.known().is_ok() {
        let advice = "name the controller's own cluster and its project: --gcp-project ID, --cluster LOCATION/NAME";
        return Verdict::fail(&says, fix.and_advice(advice));
    }
    Verdict::warn(
        &format!("{says}, unless the cluster is of a fleet: the cluster was not read"),
        fix.and_advice("if it is of a fleet, grants have to name the pool of that fleet"),
    )
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
        Seen::Unreachable { why } => Ok(Verdict::fail(why, way_to(host)).seen(reading)),
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
    let options = [
        ("region", "REGION"),
        ("enable-private-ip-google-access", ""),
    ];
    let words = [
        "gcloud", "compute", "networks", "subnets", "update", "SUBNET",
    ];
    let access = "private_ip_google_access = true";
    let mut lines = vec![command(&words, &options)];
    lines.push(format!(
        "# Only where the network leads Google's names to the restricted range, {zone} too:"
    ));
    lines.extend(zone_commands(zone).iter().map(|it| format!("# {it}")));
    let declared = [
        commented("In the google_compute_subnetwork:", access),
        commented(
            &format!(
                "Only where the network leads Google's names to the restricted range, {zone} too:"
            ),
            &zone_declared(zone),
        ),
    ];
    Fix::commands(&lines)
        .and_terraform(declared.join(""))
        .and_advice(&format!(
            "with a restricted or private range, {zone} needs a DNS zone too: one for googleapis.com does not cover it"
        ))
}

/// `restricted.googleapis.com`; `private.googleapis.com` is at 199.36.153.8 to .11.
///
/// Source: <https://cloud.google.com/vpc/docs/configure-private-google-access#config-domain>
const RESTRICTED: [&str; 4] = [
    "199.36.153.4",
    "199.36.153.5",
    "199.36.153.6",
    "199.36.153.7",
];

/// Says which name of a zone has the addresses, all others being led to it.
fn addressed(zone: &str) -> String {
    match zone {
        "googleapis.com" => "restricted.googleapis.com.".to_owned(),
        zone => format!("{zone}."),
    }
}

fn zone_commands(zone: &str) -> [String; 3] {
    let (name, holder) = (zone.replace('.', "-"), addressed(zone));
    let (dns_name, star) = (format!("{zone}."), format!("*.{zone}."));
    let record = |record: &str, kind, data: &str| {
        let words = ["gcloud", "dns", "record-sets", "create", record];
        let options = [("zone", name.as_str()), ("type", kind), ("rrdatas", data)];
        command(&words, &options)
    };
    let zone_options = [
        ("dns-name", dns_name.as_str()),
        ("visibility", "private"),
        ("networks", "NETWORK"),
        ("description", "Google by the restricted range"),
    ];
    [
        command(
            &["gcloud", "dns", "managed-zones", "create", &name],
            &zone_options,
        ),
        record(&holder, "A", &RESTRICTED.join(",")),
        record(&star, "CNAME", &holder),
    ]
}

fn zone_declared(zone: &str) -> String {
    let name = zone.replace('.', "-");
    let (resource, holder) = (name.replace('-', "_"), addressed(zone));
    let record = |suffix: &str, record: &str, kind: &str, data: &[String]| {
        Block::resource("google_dns_record_set", &format!("{resource}_{suffix}"))
            .with(
                "managed_zone",
                &format!("google_dns_managed_zone.{resource}.name"),
            )
            .with("name", &text(record))
            .with("type", &text(kind))
            .with("rrdatas", &list(data))
            .to_string()
    };
    let networks = Block::nested("networks").with("network_url", &text("NETWORK"));
    let declared = Block::resource("google_dns_managed_zone", &resource)
        .with("name", &text(&name))
        .with("dns_name", &text(&format!("{zone}.")))
        .with("visibility", &text("private"))
        .inside(Block::nested("private_visibility_config").inside(networks));
    [
        declared.to_string(),
        record("a", &holder, "A", &RESTRICTED.map(str::to_owned)),
        record("all", &format!("*.{zone}."), "CNAME", &[holder.clone()]),
    ]
    .join("\n")
}
