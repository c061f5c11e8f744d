//! What policies let through, by the rules of Kubernetes.

use serde_json::{Value, json};

use super::*;

const WEB: Way = Way {
    protocol: Protocol::Tcp,
    port: 443,
    name: "https",
};
const DNS: Way = Way {
    protocol: Protocol::Udp,
    port: 53,
    name: "dns",
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn policy(spec: &Value) -> NetworkPolicy {
    let policy = json!({"metadata": {"name": "one"}, "spec": spec});
    serde_json::from_value(policy).unwrap_or_else(|error| panic!("{error}: {spec}"))
}

fn letting(rule: &Value) -> NetworkPolicy {
    policy(&json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}))
}

fn reaches(rule: &Value, way: Way, address: &str) -> bool {
    let address = address.parse().expect("an address");
    letting(rule).lets(way, Target::Address(address))
}

#[test]
fn a_selector_asks_for_labels_and_for_what_they_may_be() {
    let pod = labels(&[("app", "argosy"), ("tier", "control")]);
    for (selector, selects) in [
        (json!({}), true),
        (json!({"matchLabels": {"app": "argosy"}}), true),
        (
            json!({"matchLabels": {"app": "argosy", "tier": "web"}}),
            false,
        ),
        (
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "argosy"]}]}),
            true,
        ),
        (
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a"]}]}),
            false,
        ),
        (
            json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["argosy"]}]}),
            false,
        ),
        (
            json!({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["argosy"]}]}),
            true,
        ),
        (
            json!({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
            true,
        ),
        (
            json!({"matchExpressions": [{"key": "none", "operator": "Exists"}]}),
            false,
        ),
        (
            json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
            false,
        ),
        (
            json!({"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]}),
            true,
        ),
        (
            json!({"matchLabels": {"app": "argosy"}, "matchExpressions": [{"key": "none", "operator": "Exists"}]}),
            false,
        ),
    ] {
        let policy = policy(&json!({"podSelector": selector, "policyTypes": ["Egress"]}));
        assert_eq!(policy.restricts(&pod), selects, "{selector}");
    }
}

#[test]
fn a_policy_is_about_what_leaves_if_it_says_so_or_has_rules_for_it() {
    for (spec, restricts) in [
        (json!({"policyTypes": ["Ingress"]}), false),
        (json!({"policyTypes": ["Ingress", "Egress"]}), true),
        (json!({"policyTypes": ["Ingress"], "egress": [{}]}), false),
        (json!({}), false),
        (json!({"egress": []}), true),
    ] {
        assert_eq!(policy(&spec).restricts(&labels(&[])), restricts, "{spec}");
    }
}

#[test]
fn a_rule_without_ports_or_peers_lets_everything_through() {
    assert!(reaches(&json!({}), WEB, "142.250.1.95"));
    assert!(reaches(&json!({"to": [], "ports": []}), DNS, "10.0.0.10"));
    let none = policy(&json!({"policyTypes": ["Egress"], "egress": []}));
    let address = "142.250.1.95".parse().expect("an address");
    assert!(!none.lets(WEB, Target::Address(address)));
}

#[test]
fn ports_are_numbers_ranges_or_names_and_tcp_unless_said_otherwise() {
    for (port, web, dns) in [
        (json!({"port": 443}), true, false),
        (json!({"protocol": "UDP", "port": 443}), false, false),
        (json!({"protocol": "UDP"}), false, true),
        (json!({"port": 400, "endPort": 443}), true, false),
        (json!({"port": 444, "endPort": 500}), false, false),
        (json!({"port": 400, "endPort": 442}), false, false),
        (
            json!({"protocol": "UDP", "port": 1, "endPort": 65535}),
            false,
            true,
        ),
        (json!({"port": "https"}), false, false),
    ] {
        let rule = json!({"ports": [port]});
        assert_eq!(reaches(&rule, WEB, "142.250.1.95"), web, "{port}");
        assert_eq!(reaches(&rule, DNS, "142.250.1.95"), dns, "{port}");
    }
}

#[test]
fn a_block_has_exceptions_and_a_family() {
    for (block, address, contains) in [
        (json!({"cidr": "0.0.0.0/0"}), "142.250.1.95", true),
        (
            json!({"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}),
            "169.254.169.254",
            false,
        ),
        (
            json!({"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}),
            "142.250.1.95",
            true,
        ),
        (
            json!({"cidr": "169.254.169.252/32"}),
            "169.254.169.252",
            true,
        ),
        (
            json!({"cidr": "169.254.169.252/32"}),
            "169.254.169.254",
            false,
        ),
        (
            json!({"cidr": "169.254.169.252/30"}),
            "169.254.169.254",
            true,
        ),
        (json!({"cidr": "::/0"}), "142.250.1.95", false),
        (
            json!({"cidr": "2607:f8b0::/32"}),
            "2607:f8b0:4005::5f",
            true,
        ),
        (json!({"cidr": "0.0.0.0/0"}), "2607:f8b0:4005::5f", false),
    ] {
        let rule = json!({"to": [{"ipBlock": block}]});
        assert_eq!(reaches(&rule, WEB, address), contains, "{block} {address}");
    }
    for text in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", "10.0.0.0/-1"] {
        assert!(text.parse::<Range>().is_err(), "{text}");
    }
}

#[test]
fn pods_are_reached_by_selectors_of_namespace_and_pod() {
    let (pod, namespace) = (
        labels(&[("k8s-app", "kube-dns")]),
        labels(&[("kubernetes.io/metadata.name", "kube-system")]),
    );
    let target = Target::Pod {
        labels: &pod,
        namespace: &namespace,
    };
    let system = json!({"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}});
    let dns = json!({"matchLabels": {"k8s-app": "kube-dns"}});
    for (peer, reached) in [
        (json!({"namespaceSelector": {}}), true),
        (json!({"namespaceSelector": system}), true),
        (
            json!({"namespaceSelector": system, "podSelector": dns}),
            true,
        ),
        (
            json!({"namespaceSelector": {"matchLabels": {"team": "x"}}, "podSelector": dns}),
            false,
        ),
        // Without a namespace, Pods of the policy's own are meant.
        (json!({"podSelector": dns}), false),
        (json!({"ipBlock": {"cidr": "0.0.0.0/0"}}), true),
        (json!({"ipBlock": {"cidr": "10.0.0.0/8"}}), false),
    ] {
        assert_eq!(
            letting(&json!({"to": [peer]})).lets(DNS, target),
            reached,
            "{peer}"
        );
    }
    let by_name =
        json!({"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "UDP", "port": "dns"}]});
    assert!(letting(&by_name).lets(DNS, target));
}
