//! The policy that lets the controller out, as a resource of the Kubernetes provider.
//!
//! Source: <https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs/resources/network_policy_v1>

use super::block::{Block, text};
use crate::network::Labels;
use crate::setup::WayOut;
use crate::setup::way_out::RESOLVERS;

/// Writes the policy.
pub(in crate::setup) fn way_out(way_out: &WayOut<'_>) -> String {
    let system = Labels::from([(
        "kubernetes.io/metadata.name".to_owned(),
        "kube-system".to_owned(),
    )]);
    let pods = Block::nested("to").inside(selector("namespace_selector", &system));
    let mut dns = Block::nested("egress").inside(pods);
    for range in RESOLVERS {
        dns = dns.inside(to(range));
    }
    dns = dns.inside(port("UDP", 53)).inside(port("TCP", 53));
    let metadata = way_out.metadata.iter().map(|(range, number)| {
        let rule = Block::nested("egress").inside(to(range));
        rule.inside(port("TCP", *number))
    });
    let google = Block::nested("egress")
        .inside(to("0.0.0.0/0"))
        .inside(port("TCP", 443));
    let named = Block::nested("metadata")
        .with("name", &text("argosy-to-google"))
        .with("namespace", &text(&way_out.controller.namespace));
    let spec = Block::nested("spec")
        .with("policy_types", "[\"Egress\"]")
        .inside(selector("pod_selector", way_out.labels()))
        .inside(dns);
    let spec = metadata.chain([google]).fold(spec, Block::inside);
    Block::resource("kubernetes_network_policy_v1", "argosy_to_google")
        .inside(named)
        .inside(spec)
        .to_string()
}

fn to(range: &str) -> Block {
    Block::nested("to").inside(Block::nested("ip_block").with("cidr", &text(range)))
}

fn port(protocol: &str, number: u16) -> Block {
    Block::nested("ports")
        .with("protocol", &text(protocol))
        .with("port", &text(&number.to_string()))
}

fn selector(name: &str, labels: &Labels) -> Block {
    let pairs = labels
        .iter()
        .map(|(key, value)| format!("{} = {}", text(key), text(value)));
    let pairs: Vec<_> = pairs.collect();
    let block = Block::nested(name);
    match pairs.as_slice() {
        [] => block,
        pairs => block.with("match_labels", &format!("{{ {} }}", pairs.join(", "))),
    }
}
