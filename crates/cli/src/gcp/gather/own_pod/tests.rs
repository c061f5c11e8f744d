//! What is read of a cluster's API, in the words of a real one, and what doctor makes of it.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use gcp::doctor::{Status, diagnose};
use gcp::facts::Intent;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "fieldSelector", default)]
    fields: String,
}

/// What a cluster has; none is what nobody may see.
#[derive(Clone, Default)]
struct Cluster {
    pods: Option<Vec<Value>>,
    policies: Option<Vec<Value>>,
}

impl Cluster {
    fn with(pods: Vec<Value>, policies: Vec<Value>) -> Self {
        Self {
            pods: Some(pods),
            policies: Some(policies),
        }
    }

    fn client(self) -> Client {
        let Self { pods, policies } = self;
        let named = pods.clone();
        let router = Router::new()
            .route(
                "/api/v1/namespaces/argosy/pods",
                get(|Query(asked): Query<Asked>| async move {
                    assert_eq!(asked.fields, "spec.serviceAccountName=controller");
                    listed("Pod", pods)
                }),
            )
            .route(
                "/api/v1/namespaces/argosy/pods/{name}",
                get(|Path(name): Path<String>| async move {
                    let mut pods = named.into_iter().flatten();
                    let found = pods.find(|it| it["metadata"]["name"] == name.as_str());
                    found.map_or_else(|| refused(404, "NotFound"), |it| Json(it).into_response())
                }),
            )
            .route(
                "/api/v1/nodes/{name}",
                get(|| async { refused(403, "Forbidden") }),
            )
            .route(
                "/apis/networking.k8s.io/v1/namespaces/argosy/networkpolicies",
                get(|| async move { listed("NetworkPolicy", policies) }),
            )
            .fallback(|| async { refused(404, "NotFound") });
        Client::new(router, "argosy")
    }
}

fn listed(kind: &str, items: Option<Vec<Value>>) -> Response {
    match items {
        Some(items) => {
            let list = json!({"kind": format!("{kind}List"), "apiVersion": "v1", "metadata": {}, "items": items});
            Json(list).into_response()
        }
        None => refused(403, "Forbidden"),
    }
}

fn refused(code: u16, reason: &str) -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": "pods is forbidden: User \"ann\" cannot list resource \"pods\" in API group \"\""});
    let code = StatusCode::from_u16(code).expect("a status");
    (code, Json(status)).into_response()
}

fn pod(name: &str, phase: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "argosy", "labels": {"app": "argosy", "pod": name}},
        "spec": {"serviceAccountName": "controller", "nodeName": "node-1", "containers": []},
        "status": {"phase": phase}})
}

fn policy(selector: &Value, egress: &Value) -> Value {
    json!({"metadata": {"name": "fence", "namespace": "argosy"},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress", "Egress"], "egress": egress}})
}

async fn seen(cluster: Cluster) -> Facts {
    let mut facts = Facts {
        intent: Intent {
            controller: KubernetesAccount::new("argosy", "controller"),
            ..Intent::default()
        },
        ..Facts::default()
    };
    gather(&cluster.client(), PodVantage::No, &mut facts).await;
    facts
}

/// What doctor says of one check.
fn told(facts: &Facts, id: &str) -> (Status, String) {
    let report = diagnose(facts);
    let mut results = report.results.into_iter();
    let found = results.find(|it| it.id == id).expect("a result");
    let fix = found.fix.map(|it| it.commands).unwrap_or_default();
    (found.status, format!("{} {fix}", found.says))
}

#[tokio::test]
async fn a_pod_is_found_by_its_account_and_judged_by_the_policies_that_select_it() {
    let pods = || vec![pod("old", "Failed"), pod("new", "Running")];
    for (selector, egress, status, says) in [
        (json!({}), json!([{}]), Status::Pass, "fence lets it reach"),
        (json!({}), json!([]), Status::Fail, "kubectl apply"),
        (
            json!({"matchLabels": {"pod": "new"}}),
            json!([]),
            Status::Fail,
            "from the metadata server",
        ),
        (
            json!({"matchLabels": {"pod": "old"}}),
            json!([]),
            Status::Pass,
            "no policy restricts",
        ),
        (
            json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["argosy"]}]}),
            json!([]),
            Status::Pass,
            "no policy restricts",
        ),
        (
            json!({}),
            json!([{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 1, "endPort": 1024}],
                "to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]),
            Status::Pass,
            "what it needs",
        ),
        (
            json!({}),
            json!([{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 1, "endPort": 1024}],
                "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]}]),
            Status::Unknown,
            "and not to kube-dns",
        ),
    ] {
        let facts = seen(Cluster::with(pods(), vec![policy(&selector, &egress)])).await;
        let (found, text) = told(&facts, "K8S-NETPOL");
        assert_eq!(found, status, "{selector} {egress}: {text}");
        assert!(text.contains(says), "{selector} {egress}: {text}");
        assert_eq!(told(&facts, "K8S-HOSTNET").0, Status::Pass);
        let (found, text) = told(&facts, "K8S-KSA");
        assert_eq!(found, Status::Skip, "it was found by its account: {text}");
        assert_eq!(
            told(&facts, "K8S-NODE").0,
            Status::Unknown,
            "nodes are not to be seen"
        );
    }
}

#[test]
fn the_pods_own_token_says_whom_it_runs_as() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token");
    // {"sub":"system:serviceaccount:argosy:other"}
    let token = "e30.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6YXJnb3N5Om90aGVyIn0.s";
    std::fs::write(&path, token).expect("a file");
    let mut facts = Facts::default();
    facts.pod.account = own_account(&path);
    let (status, text) = told(&facts, "K8S-KSA");
    assert_eq!(status, Status::Fail, "{text}");
    assert!(text.contains("runs as argosy/other"), "{text}");
    std::fs::write(&path, "opaque").expect("a file");
    for path in [&path, &folder.path().join("none")] {
        facts.pod.account = own_account(path);
        let (status, text) = told(&facts, "K8S-KSA");
        assert_eq!(status, Status::Unknown, "{text}");
    }
}

#[tokio::test]
async fn without_the_right_to_look_it_is_unknown() {
    let facts = seen(Cluster {
        pods: Some(vec![pod("one", "Running")]),
        policies: None,
    })
    .await;
    let (status, text) = told(&facts, "K8S-NETPOL");
    assert_eq!(status, Status::Unknown, "{text}");
    assert!(text.contains("forbidden"), "{text}");
    assert_eq!(told(&facts, "K8S-HOSTNET").0, Status::Pass);
    let facts = seen(Cluster::default()).await;
    for id in ["K8S-NETPOL", "K8S-HOSTNET"] {
        assert_eq!(told(&facts, id).0, Status::Unknown, "{id}");
    }
}

#[tokio::test]
async fn where_there_is_no_pod_it_does_not_apply() {
    let facts = seen(Cluster::with(Vec::new(), Vec::new())).await;
    let (status, text) = told(&facts, "K8S-NETPOL");
    assert_eq!(status, Status::Skip, "{text}");
    assert!(text.contains("no Pod runs as argosy/controller"), "{text}");
    assert_eq!(told(&facts, "K8S-KSA").0, Status::Skip);

    let mut facts = Facts::default();
    let nothing = Client::new(
        Router::new().fallback(|| async { refused(404, "NotFound") }),
        "argosy",
    );
    gather(&nothing, PodVantage::No, &mut facts).await;
    let (status, text) = told(&facts, "K8S-NETPOL");
    assert_eq!(status, Status::Skip, "{text}");
    assert!(text.contains("serves no Pods"), "{text}");
}

#[tokio::test]
async fn a_pod_is_found_by_its_name_and_else_by_its_account() {
    let cluster = Cluster::with(
        vec![pod("one", "Running"), pod("two", "Running")],
        Vec::new(),
    );
    let controller = KubernetesAccount::new("argosy", "controller");
    for (name, expected) in [("two", "two"), ("node-1", "one")] {
        let client = cluster.clone().client();
        let found = find(&client, Some(name.to_owned()), &controller).await;
        let found = found.known().expect("a Pod").as_ref().expect("a Pod");
        assert_eq!(found.name_any(), expected, "{name}");
    }
}
