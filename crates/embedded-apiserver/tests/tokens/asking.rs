//! Asking for a token, and checking it elsewhere.

use http::Method;
use serde_json::{Value, json};
use testkit::Kubectl;

use crate::cluster::{Cluster, NOON, POOL, TOKENS, request};

#[tokio::test]
async fn another_system_can_check_whose_a_token_is() {
    let it = Cluster::start().await;
    let account = it.create_account().await;
    let spec = json!({"audiences": [POOL], "expirationSeconds": 600});
    let answer = it.ask(Method::POST, TOKENS, &request(&spec)).await;
    assert_eq!(answer.code, 201);
    assert_eq!(answer.warnings, "", "this token opens nothing here");
    assert_eq!(answer.body["spec"], spec);
    assert_eq!(answer.body["metadata"]["name"], "web");
    assert_eq!(
        answer.body["status"]["expirationTimestamp"],
        "2026-01-01T12:10:00Z"
    );
    let token = answer.body["status"]["token"].as_str().unwrap();
    let mut claims = it.verify(token, POOL).await;
    let id = claims["jti"].take();
    assert_eq!(id.as_str().unwrap().len(), 36);
    assert_eq!(
        claims,
        json!({
            "aud": [POOL], "exp": NOON + 600, "iat": NOON, "iss": it.issuer(), "jti": null, "nbf": NOON,
            "kubernetes.io": {
                "namespace": "default",
                "serviceaccount": {"name": "web", "uid": account["metadata"]["uid"]},
            },
            "sub": "system:serviceaccount:default:web",
        })
    );
    let another = it.token(spec).await;
    assert_ne!(it.verify(&another, POOL).await["jti"], id);
}

#[tokio::test]
async fn what_a_request_leaves_out_is_an_hour_for_the_server_itself() {
    let it = Cluster::start().await;
    it.create_account().await;
    for spec in [
        json!({}),
        json!({"audiences": null, "expirationSeconds": null}),
    ] {
        let answer = it.ask(Method::POST, TOKENS, &request(&spec)).await;
        assert_eq!(
            answer.body["spec"],
            json!({"audiences": [it.issuer()], "expirationSeconds": 3600})
        );
        assert!(
            answer.warnings.contains("roles are not evaluated"),
            "{}",
            answer.warnings
        );
    }
}

#[tokio::test]
async fn a_bad_request_is_refused_by_its_fields() {
    let it = Cluster::start().await;
    it.create_account().await;
    let refused = async |body: Value, code: u16, field: &str, message: &str| {
        let answer = it.ask(Method::POST, TOKENS, &body).await;
        let cause = &answer.body["details"]["causes"][0];
        let said = answer.body["message"].as_str().unwrap_or_default();
        assert_eq!(
            (answer.code, cause["field"].as_str().unwrap_or_default()),
            (code, field),
            "{body}: {}",
            answer.body
        );
        assert!(said.contains(message), "{body}: {said}");
    };
    for (seconds, message) in [
        (-1, "less than 10 minutes"),
        (0, "less than 10 minutes"),
        (599, "less than 10 minutes"),
        ((1_i64 << 32) + 1, "larger than 2^32 seconds"),
        (i64::MAX, "larger than 2^32 seconds"),
    ] {
        let body = request(&json!({"expirationSeconds": seconds}));
        refused(body, 422, "spec.expirationSeconds", message).await;
    }
    let bound =
        request(&json!({"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "a"}}));
    refused(bound, 422, "spec.boundObjectRef", "not bound to objects").await;
    for (field, other) in [("name", "other"), ("namespace", "other")] {
        let mut body = request(&json!({}));
        body["metadata"] = json!({field: other});
        refused(body, 422, &format!("metadata.{field}"), "service account").await;
    }
    for body in [
        request(&json!({"audiences": "x"})),
        request(&json!({"expirationSeconds": "600"})),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "spec": {}}),
        json!([]),
    ] {
        refused(body, 400, "", "TokenRequest").await;
    }
    for seconds in [600, 1_i64 << 32] {
        it.token(json!({"expirationSeconds": seconds})).await;
    }
}

#[tokio::test]
async fn there_is_no_token_where_there_is_no_account() {
    let it = Cluster::start().await;
    let nobody = it.ask(Method::POST, TOKENS, &request(&json!({}))).await;
    assert_eq!(nobody.code, 404);
    assert_eq!(nobody.body["message"], "serviceaccounts \"web\" not found");
    it.create_account().await;
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = it.ask(method.clone(), TOKENS, &request(&json!({}))).await;
        assert_eq!(answer.code, 405, "{method}");
    }
    let path = "/api/v1/namespaces/default/configmaps/web/token";
    let elsewhere = it.ask(Method::POST, path, &request(&json!({}))).await;
    assert_eq!(elsewhere.code, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_creates_tokens_and_works_with_them() {
    let it = Cluster::start().await;
    it.create_account().await;
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = directory.path().join("kubeconfig");
    std::fs::write(&kubeconfig, it.listening.kubeconfig()).unwrap();
    let kubectl = Kubectl::new(&kubeconfig).unwrap();
    let run = |words: &[&str]| tokio::task::block_in_place(|| kubectl.run(words)).unwrap();
    let token = run(&[
        "create",
        "token",
        "web",
        "--audience",
        POOL,
        "--duration",
        "1h",
    ]);
    let claims = it.verify(token.trim(), POOL).await;
    assert_eq!(claims["exp"], NOON + 3600);
    let token = run(&["create", "token", "web"]);
    let flag = format!("--token={}", token.trim());
    let who = run(&[
        "auth",
        "whoami",
        "-o",
        "jsonpath={.status.userInfo.username}",
        &flag,
    ]);
    assert_eq!(who, "system:serviceaccount:default:web");
    let refused = tokio::task::block_in_place(|| kubectl.run(&["create", "token", "nobody"]));
    let refused = format!("{:#}", refused.unwrap_err());
    assert!(
        refused.contains("serviceaccounts \"nobody\" not found"),
        "{refused}"
    );
    let resources = run(&["get", "--raw", "/api/v1"]);
    assert!(
        resources.contains("\"serviceaccounts/token\""),
        "{resources}"
    );
}
