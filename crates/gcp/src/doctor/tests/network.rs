//! Which policies the check of networks lets pass, and that what it advises does what it is for.

use serde_json::{Value, json};

use super::broken::{gke, known};
use super::*;
use crate::facts::whole::network;
use crate::network::{Labels, NetworkPolicy};

const DNS: &str = r#"{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}], "ports": [{"protocol": "UDP", "port": 53}]}"#;
const BEHIND: &str =
    r#"{"to": [{"ipBlock": {"cidr": "169.254.169.254/32"}}], "ports": [{"port": 80}]}"#;
const WITHOUT: &str =
    r#"{"to": [{"ipBlock": {"cidr": "169.254.169.252/32"}}], "ports": [{"port": 988}]}"#;
const NODE: &str = r#"{"to": [{"ipBlock": {"cidr": "10.132.0.0/20"}}], "ports": [{"port": 988}]}"#;
const GOOGLE: &str = r#"{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]}"#;

#[derive(Debug, Clone, Copy)]
enum Plane {
    Two,
    One,
    /// The second, and nobody was heard at the metadata server.
    TwoSilent,
    Unread,
    /// Unread, and nobody was heard at the metadata server either.
    Silent,
}

fn spec(rules: &[&str]) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|it| serde_json::from_str(it).unwrap_or_else(|error| panic!("{error}: {it}")))
        .collect();
    json!({"podSelector": {"matchLabels": {"app": "argosy"}}, "policyTypes": ["Egress"], "egress": rules})
}

fn seen(plane: Plane, specs: &[Value]) -> CheckResult {
    let report = after(|facts| {
        facts.pod.network = known(network(specs));
        match plane {
            Plane::Two => gke(facts, |it| {
                it.network_config.datapath_provider = "ADVANCED_DATAPATH".to_owned();
            }),
            Plane::TwoSilent => {
                gke(facts, |it| {
                    it.network_config.datapath_provider = "ADVANCED_DATAPATH".to_owned();
                });
                facts.pod.metadata.server = Reading::unreachable("GET /", "timed out");
            }
            Plane::One => gke(facts, |_| {}),
            Plane::Unread => facts.cluster = Reading::default(),
            Plane::Silent => {
                facts.cluster = Reading::default();
                facts.pod.metadata.server = Reading::unreachable("GET /", "timed out");
            }
        }
    });
    result(&report, "K8S-NETPOL")
}

fn check(plane: Plane, rules: &[&str], status: Status, says: &str) {
    let it = seen(plane, &[spec(rules)]);
    assert_eq!(it.status, status, "{plane:?} {rules:?}: {}", it.says);
    assert!(it.says.contains(says), "{plane:?} {rules:?}: {}", it.says);
}

#[test]
fn a_pod_that_no_policy_selects_reaches_everything() {
    let others = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"]});
    let incoming = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    let it = seen(Plane::One, &[others, incoming]);
    assert_eq!(it.status, Status::Pass, "{}", it.says);
    assert!(it.says.contains("no policy restricts"), "{}", it.says);
}

#[test]
fn the_metadata_server_is_where_the_data_plane_has_it() {
    for (plane, rule, status) in [
        (Plane::Two, BEHIND, Status::Pass),
        (Plane::Two, NODE, Status::Pass),
        (Plane::TwoSilent, BEHIND, Status::Unknown),
        (Plane::TwoSilent, NODE, Status::Fail),
        (Plane::One, WITHOUT, Status::Pass),
        (Plane::One, BEHIND, Status::Fail),
        (Plane::Unread, BEHIND, Status::Pass),
        (Plane::Silent, BEHIND, Status::Unknown),
        (Plane::Silent, WITHOUT, Status::Unknown),
    ] {
        check(plane, &[DNS, GOOGLE, rule], status, "");
    }
    // What was seen of Dataplane V2 counts where the metadata server is silent, whatever its documentation says.
    check(
        Plane::Silent,
        &[DNS, GOOGLE, BEHIND, WITHOUT],
        Status::Unknown,
        "the node, on TCP 988",
    );
    for (plane, rules) in [
        (Plane::Silent, &[DNS, GOOGLE, BEHIND, WITHOUT, NODE][..]),
        (Plane::TwoSilent, &[DNS, GOOGLE, BEHIND, NODE]),
    ] {
        check(plane, rules, Status::Pass, "what it needs");
    }
    check(
        Plane::Unread,
        &[DNS, GOOGLE],
        Status::Fail,
        "deny-all keeps it from the metadata server",
    );
}

#[test]
fn google_is_reached_openly_or_by_its_private_ranges() {
    let to =
        |block: &str| format!(r#"{{"to": [{{"ipBlock": {block}}}], "ports": [{{"port": 443}}]}}"#);
    for (block, status, says) in [
        (
            r#"{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.0.0/16"]}"#,
            Status::Pass,
            "",
        ),
        (r#"{"cidr": "199.36.153.8/30"}"#, Status::Pass, ""),
        (r#"{"cidr": "199.36.153.4/30"}"#, Status::Pass, ""),
        (
            r#"{"cidr": "199.36.153.8/32"}"#,
            Status::Unknown,
            "to some addresses only",
        ),
        (
            r#"{"cidr": "10.0.0.0/8"}"#,
            Status::Unknown,
            "EGRESS tries them",
        ),
        (
            r#"{"cidr": "0.0.0.0/0", "except": ["142.250.0.0/15"]}"#,
            Status::Unknown,
            "to some addresses only",
        ),
    ] {
        check(Plane::One, &[DNS, WITHOUT, &to(block)], status, says);
    }
    let pods = r#"{"to": [{"podSelector": {}}], "ports": [{"port": 443}]}"#;
    let plain = r#"{"ports": [{"port": 80}]}"#;
    for rule in [pods, plain] {
        check(
            Plane::One,
            &[DNS, WITHOUT, rule],
            Status::Fail,
            "keeps it from Google's APIs and registries (TCP 443)",
        );
    }
}

#[test]
fn names_are_resolved_by_pods_and_perhaps_by_the_node() {
    let udp = r#""ports": [{"protocol": "UDP", "port": 53}]"#;
    let to = |block: &str| format!(r#"{{"to": [{{"ipBlock": {block}}}], {udp}}}"#);
    for (rule, status, says) in [
        (DNS.to_owned(), Status::Pass, ""),
        (DNS.replace("kube-dns", "node-local-dns"), Status::Pass, ""),
        (format!("{{{udp}}}"), Status::Pass, ""),
        (to(r#"{"cidr": "0.0.0.0/0"}"#), Status::Pass, ""),
        (to(r#"{"cidr": "::/0"}"#), Status::Unknown, "UDP 53"),
        (
            to(r#"{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}"#),
            Status::Unknown,
            "not to kube-dns",
        ),
        (
            to(r#"{"cidr": "169.254.20.10/32"}"#),
            Status::Unknown,
            "only some clusters resolve names",
        ),
        (
            to(r#"{"cidr": "169.254.169.254/32"}"#),
            Status::Unknown,
            "only some clusters resolve names",
        ),
        (
            to(r#"{"cidr": "10.0.0.10/32"}"#),
            Status::Unknown,
            "what is known to resolve names",
        ),
        (
            r#"{"ports": [{"protocol": "TCP", "port": 53}]}"#.to_owned(),
            Status::Fail,
            "the resolvers of names",
        ),
    ] {
        check(Plane::One, &[&rule, WITHOUT, GOOGLE], status, says);
    }
}

#[test]
fn policies_add_up() {
    let parts = [spec(&[DNS]), spec(&[WITHOUT]), spec(&[GOOGLE])];
    let it = seen(Plane::One, &parts);
    assert_eq!(it.status, Status::Pass, "{}", it.says);
    let it = seen(Plane::One, &parts[..2]);
    assert_eq!(it.status, Status::Fail, "{}", it.says);
}

#[test]
fn what_does_not_apply_is_skipped_and_says_why() {
    for (says, change) in [
        (
            "serves no Pods, or no NetworkPolicies",
            (|it| {
                it.pod.network = Reading::absent("GET networkpolicies");
            }) as fn(&mut Facts),
        ),
        ("no Pod runs as argosy/controller", |it| {
            it.pod.network = known(crate::network::PodNetwork::default());
        }),
        ("on its node's network", |it| {
            super::broken::fence(it, "[]");
            super::broken::pod(it).host_network = true;
        }),
    ] {
        let report = after(change);
        let it = result(&report, "K8S-NETPOL");
        assert_eq!(it.status, Status::Skip, "{}", it.says);
        assert!(it.says.contains(says), "{}", it.says);
    }
}

#[test]
fn the_advice_opens_every_way_and_selects_every_generation_of_the_pod() -> anyhow::Result<()> {
    for plane in [Plane::One, Plane::Two, Plane::Unread] {
        let closed = seen(plane, &[spec(&[])]);
        let fix = closed.fix.expect("a fix");
        let manifest = fix.commands.strip_prefix("echo '\n").expect("a manifest");
        let manifest = manifest
            .strip_suffix("' | kubectl apply -f -\n")
            .expect("kubectl");
        let indented = format!("      {}", manifest.replace('\n', "\n      "));
        for text in [manifest, &indented] {
            let value: Value = serde_saphyr::from_str(text)?;
            assert_eq!(value["metadata"]["namespace"], "argosy");
            let policy: NetworkPolicy = serde_json::from_value(value.clone())?;
            let labels = &policy.spec.pod_selector.match_labels;
            let app = Labels::from([("app".to_owned(), "argosy".to_owned())]);
            assert_eq!(*labels, app, "the hash of one generation is left out");
            let mended = seen(plane, &[spec(&[]), value["spec"].clone()]);
            assert_eq!(mended.status, Status::Pass, "{}", mended.says);
        }
        loopback_servers::terraform::accepts(fix.terraform.text())?;
    }
    Ok(())
}

#[test]
fn a_silent_metadata_server_is_not_mended_by_the_first_policy_that_restricts() {
    let silent = |specs: &[Value]| {
        let report = after(|facts| {
            facts.pod.network = known(network(specs));
            facts.pod.metadata.server = Reading::unreachable("GET /", "timed out");
        });
        result(&report, "MDS-REACH").fix.expect("a fix")
    };
    let open = silent(&[]);
    assert!(!open.commands.contains("kubectl apply"), "{open:?}");
    assert!(open.advice.contains("169.254.169.252/32 on TCP 988"));
    let closed = silent(&[spec(&[])]);
    assert!(closed.commands.contains("kubectl apply"), "{closed:?}");
}
