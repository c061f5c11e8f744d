//! Checks of the ways out of the Pod, and of what makes one.

use std::time::Duration;

use super::{Answer, Verdict};
use crate::facts::{Facts, Reading, Seen};
use crate::setup::Fix;
use crate::setup::shell::command;
use crate::setup::terraform::block::{Block, list, text};
use crate::setup::terraform::commented;

pub(super) fn hosts(facts: &Facts) -> Vec<(String, Answer)> {
    let hosts = facts.pod.hosts.iter();
    hosts
        .map(|(host, reading)| (host.clone(), reached(host, reading)))
        .collect()
}

fn reached(host: &str, reading: &Reading<Duration>) -> Answer {
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
        record(
            "all",
            &format!("*.{zone}."),
            "CNAME",
            std::slice::from_ref(&holder),
        ),
    ]
    .join("\n")
}
