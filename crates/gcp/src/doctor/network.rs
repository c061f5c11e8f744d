//! Checks of what network policies let out of the controller's Pod.
//!
//! Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy#network-policy-and-workload-identity>

use std::net::{IpAddr, Ipv4Addr};

use super::{Answer, Verdict};
use crate::facts::{Cluster, Facts, Seen};
use crate::network::{Labels, NetworkPolicy, Protocol, Target, Way};
use crate::setup::repair::nodes;
use crate::setup::{Fix, WayOut};

/// The metadata server as policies see it: behind the redirect of Dataplane V2, and without it.
const BEHIND_REDIRECT: (&str, u16) = ("169.254.169.254/32", 80);
const WITHOUT_REDIRECT: (&str, u16) = ("169.254.169.252/32", 988);
/// The same where Dataplane V2 judges a request after its redirect, as was seen: any node, whose addresses differ.
const AT_NODE: (&str, u16) = ("0.0.0.0/0", 988);
/// An address such as nodes have, where that of the Pod's node is not known.
const SOME_NODE: [u8; 4] = [10, 128, 0, 2];

/// Addresses from which Google serves its APIs and registries, one of some of its ranges.
///
/// Source: <https://cloud.google.com/vpc/docs/configure-private-google-access#ip-addr-defaults>
const GOOGLE: &[[u8; 4]] = &[
    [142, 250, 1, 95],
    [172, 217, 1, 95],
    [216, 58, 192, 95],
    [74, 125, 1, 95],
];
/// `private.googleapis.com` and `restricted.googleapis.com`, each at four addresses.
///
/// Source: <https://cloud.google.com/vpc/docs/configure-private-google-access#domain-options>
const PRIVATE: &[[u8; 4]] = &[[199, 36, 153, 8], [199, 36, 153, 11]];
const RESTRICTED: &[[u8; 4]] = &[[199, 36, 153, 4], [199, 36, 153, 7]];

/// Resolvers of a node: its cache, and Cloud DNS.
const RESOLVERS: &[[u8; 4]] = &[[169, 254, 20, 10], [169, 254, 169, 254]];
/// Pods that resolve names, by their label `k8s-app`.
const RESOLVING_PODS: &[&str] = &["kube-dns", "node-local-dns"];

/// Whether policies let something through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    Open,
    Closed,
    /// It depends on what cannot be seen here, which is said.
    Unclear(&'static str),
}

/// The policies that restrict the Pod.
struct Fence<'a>(Vec<&'a NetworkPolicy>);

pub(super) fn policies(facts: &Facts) -> Answer {
    let reading = &facts.pod.network;
    let Some(network) = reading.found()? else {
        return Ok(Verdict::skip("this API serves no Pods, or no NetworkPolicies").seen(reading));
    };
    let Some(labels) = &network.labels else {
        let controller = &facts.intent.controller;
        return Ok(Verdict::skip(&format!("no Pod runs as {controller}")).seen(reading));
    };
    if facts.pod.pod.known().is_ok_and(|it| it.host_network) {
        return Ok(Verdict::skip(
            "policies do not hold for a Pod on its node's network, see K8S-HOSTNET",
        ));
    }
    let fence = Fence(network.restricting());
    if fence.0.is_empty() {
        return Ok(Verdict::pass("no policy restricts what leaves the Pod").seen(reading));
    }
    Ok(judge(facts, &fence, labels).seen(reading))
}

fn judge(facts: &Facts, fence: &Fence<'_>, labels: &Labels) -> Verdict {
    let names: Vec<_> = fence.0.iter().map(|it| it.metadata.name.as_str()).collect();
    let names = names.join(", ");
    let passages = [
        ("the metadata server", fence.to_metadata(facts)),
        ("the resolvers of names (UDP 53)", fence.to_resolvers()),
        ("Google's APIs and registries (TCP 443)", fence.to_google()),
    ];
    let closed: Vec<_> = passages
        .iter()
        .filter(|(_, passage)| *passage == Passage::Closed)
        .map(|(what, _)| *what)
        .collect();
    if !closed.is_empty() {
        let says = format!("{names} keeps it from {}", closed.join(" and from "));
        let way_out = WayOut::new(&facts.intent.controller, labels, &metadata_servers(facts)).fix();
        return Verdict::fail(&says, way_out);
    }
    let unclear = passages.iter().find_map(|(what, passage)| match passage {
        Passage::Unclear(why) => Some(format!("whether {names} lets it reach {what}: {why}")),
        Passage::Open | Passage::Closed => None,
    });
    match unclear {
        Some(says) => Verdict::unknown(&says),
        None => Verdict::pass(&format!("{names} lets it reach what it needs")),
    }
}

impl Fence<'_> {
    fn to_metadata(&self, facts: &Facts) -> Passage {
        if facts.asks_metadata_server().is_err() {
            return Passage::Open;
        }
        let is_open = |(range, port): (&str, u16)| {
            let address = range.split('/').next().and_then(|it| it.parse().ok());
            address.is_some_and(|it| self.lets(tcp(port), Target::Address(it)))
        };
        let (behind, without) = (is_open(BEHIND_REDIRECT), is_open(WITHOUT_REDIRECT));
        let node = facts.pod.pod.known().ok().and_then(|it| it.node_address);
        let node = node.unwrap_or_else(|| SOME_NODE.into());
        let at_node = self.lets(tcp(AT_NODE.1), Target::Address(node));
        let server = &facts.pod.metadata.server;
        let (is_heard, is_silent) = (server.known().is_ok(), is_silent(facts));
        match facts.cluster.known().map(Cluster::has_dataplane_v2) {
            Ok(false) => Passage::of(without),
            Ok(true) | Err(_) if !behind && !without && !at_node => Passage::Closed,
            // Whichever of them it is, it is the one that counts.
            Ok(true) | Err(_) if is_heard => Passage::Open,
            Ok(true) | Err(_) if is_silent && !at_node => Passage::Unclear(
                "it is silent, and Dataplane V2 may judge a request by where it leads to: the node, on TCP 988, which is \
                 not let through",
            ),
            Ok(true) => Passage::of(behind),
            Err(_) if behind && without => Passage::Open,
            Err(_) => Passage::Unclear(
                "it lets one of 169.254.169.254:80 (Dataplane V2) and 169.254.169.252:988 (without) through, \
                 and the cluster was not read",
            ),
        }
    }

    fn to_google(&self) -> Passage {
        let reached = |it: &[u8; 4]| self.lets(tcp(443), at(*it));
        let by_others = |addresses: &[[u8; 4]]| addresses.iter().all(reached);
        // Who lets out to the private ranges alone has zones that lead there.
        let is_private =
            !GOOGLE.iter().any(reached) && (by_others(PRIVATE) || by_others(RESTRICTED));
        if GOOGLE.iter().all(reached) || is_private {
            return Passage::Open;
        }
        let mut policies = self.0.iter();
        if policies.any(|it| it.lets_somewhere(tcp(443), at(GOOGLE[0]))) {
            Passage::Unclear("it lets TCP 443 out to some addresses only; EGRESS tries them")
        } else {
            Passage::Closed
        }
    }

    fn to_resolvers(&self) -> Passage {
        let way = Way {
            protocol: Protocol::Udp,
            port: 53,
            name: "dns",
        };
        let namespace = label("kubernetes.io/metadata.name", "kube-system");
        let pods = RESOLVING_PODS.iter().map(|it| label("k8s-app", it));
        let mut pods = pods.map(|labels| {
            let (labels, namespace) = (&labels, &namespace);
            self.lets(way, Target::Pod { labels, namespace })
        });
        if pods.any(|it| it) {
            return Passage::Open;
        }
        if RESOLVERS.iter().any(|it| self.lets(way, at(*it))) {
            return Passage::Unclear(
                "it lets UDP 53 out to an address of the node, where only some clusters resolve names, \
                 and not to kube-dns",
            );
        }
        let (labels, namespace) = (&label("k8s-app", "kube-dns"), &namespace);
        let target = Target::Pod { labels, namespace };
        if self.0.iter().any(|it| it.lets_somewhere(way, target)) {
            Passage::Unclear("it lets UDP 53 out, but not to what is known to resolve names")
        } else {
            Passage::Closed
        }
    }

    fn lets(&self, way: Way, target: Target<'_>) -> bool {
        self.0.iter().any(|it| it.lets(way, target))
    }
}

impl Passage {
    fn of(is_open: bool) -> Self {
        if is_open { Self::Open } else { Self::Closed }
    }
}

/// Says what has to be let through where the metadata server is silent.
pub(super) fn allow_metadata(facts: &Facts) -> Fix {
    let servers = metadata_servers(facts);
    let ranges: Vec<_> = servers
        .iter()
        .map(|(range, port)| format!("{range} on TCP {port}"))
        .collect();
    let advice = format!(
        "where NetworkPolicies select the controller, allow egress to {}",
        ranges.join(" and ")
    );
    // Where no policy restricts the Pod, one that lets it out would be the first to do so.
    let network = facts.pod.network.known().ok();
    let network = network.filter(|it| !it.restricting().is_empty());
    match network.and_then(|it| it.labels.as_ref()) {
        Some(labels) => WayOut::new(&facts.intent.controller, labels, &servers)
            .fix()
            .and_advice(&advice),
        None => nodes::add_metadata_server(facts)
            .unwrap_or_else(|| nodes::restart_metadata_server(facts))
            .and_advice(&advice),
    }
}

/// Says whether the metadata server was asked and did not answer.
fn is_silent(facts: &Facts) -> bool {
    matches!(facts.pod.metadata.server.seen, Seen::Unreachable { .. })
}

/// Where the metadata server is; all places while it is not known which of them counts.
fn metadata_servers(facts: &Facts) -> Vec<(&'static str, u16)> {
    if facts.asks_metadata_server().is_err() {
        return Vec::new();
    }
    match facts.cluster.known().map(Cluster::has_dataplane_v2) {
        Ok(true) => vec![BEHIND_REDIRECT, AT_NODE],
        Ok(false) => vec![WITHOUT_REDIRECT],
        Err(_) => vec![BEHIND_REDIRECT, WITHOUT_REDIRECT, AT_NODE],
    }
}

fn tcp(port: u16) -> Way {
    Way {
        protocol: Protocol::Tcp,
        port,
        name: "",
    }
}

fn at(address: [u8; 4]) -> Target<'static> {
    Target::Address(IpAddr::V4(Ipv4Addr::from(address)))
}

fn label(key: &str, value: &str) -> Labels {
    Labels::from([(key.to_owned(), value.to_owned())])
}
