//! Whatever is sent, the server answers, and never that the fault is its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use embedded_apiserver::{EmbeddedApi, Options};
use http::{Method, Request};
use http_body_util::BodyExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tower::ServiceExt;

const REQUESTS: u64 = 4_000;

/// A path of a collection, and an object that fits into it.
fn collections() -> Vec<(&'static str, Value)> {
    let core = |kind: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "it", "labels": {"a": "b"}}});
    let widget = json!({
        "apiVersion": "example.com/v1", "kind": "Widget",
        "metadata": {"name": "it", "finalizers": ["example.com/x"], "annotations": {"a": "b"}},
        "spec": {"size": 1, "parts": [{"name": "a", "count": "1"}]}, "status": {"ready": true},
    });
    vec![
        ("/api/v1/namespaces", core("Namespace")),
        ("/api/v1/namespaces/default/configmaps", core("ConfigMap")),
        ("/api/v1/namespaces/default/secrets", core("Secret")),
        ("/api/v1/namespaces/default/events", core("Event")),
        (
            "/api/v1/namespaces/default/serviceaccounts",
            core("ServiceAccount"),
        ),
        ("/apis/example.com/v1/namespaces/default/widgets", widget),
        (
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            definition(),
        ),
    ]
}

fn definition() -> Value {
    let part = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "count": {"x-kubernetes-int-or-string": true}}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "properties": {
                        "size": {"type": "integer", "minimum": 1},
                        "parts": {"type": "array", "items": part, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
                    }, "x-kubernetes-validations": [{"rule": "self.size < 10"}]},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    })
}

/// Something that may be anywhere in JSON.
fn anything(random: &mut StdRng, depth: usize) -> Value {
    let texts = [
        "",
        "a",
        "it",
        "/",
        "../..",
        "-1",
        "\u{0}",
        "é\u{202e}",
        "9999999999999999999999",
        "2026-01-01T00:00:00Z",
        "metadata",
    ];
    match random.random_range(0..if depth > 3 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => random.random_bool(0.5).into(),
        2 => random.random_range(-3..3).into(),
        3 => json!(random.random_range(-1e300..1e300)),
        4 => u64::MAX.into(),
        5 => (*texts.choose(random).unwrap()).into(),
        6 => (0..random.random_range(0..4))
            .map(|_| anything(random, depth + 1))
            .collect::<Vec<_>>()
            .into(),
        _ => {
            let members = [
                "a",
                "name",
                "uid",
                "metadata",
                "spec",
                "$patch",
                "managedFields",
                "type",
                "",
            ];
            let member = |random: &mut StdRng| {
                (
                    (*members.choose(random).unwrap()).to_owned(),
                    anything(random, depth + 1),
                )
            };
            (0..random.random_range(0..4))
                .map(|_| member(random))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
    }
}

/// Puts something somewhere into a value.
fn spoil(value: &mut Value, random: &mut StdRng) {
    let known = [
        "metadata",
        "spec",
        "status",
        "data",
        "kind",
        "ownerReferences",
        "managedFields",
        "resourceVersion",
        "finalizers",
        "generateName",
    ];
    match value {
        Value::Object(members) if !members.is_empty() && random.random_bool(0.8) => {
            let names: Vec<String> = members.keys().cloned().collect();
            spoil(&mut members[names.choose(random).unwrap()], random);
        }
        Value::Object(members) => {
            members.insert(
                (*known.choose(random).unwrap()).to_owned(),
                anything(random, 0),
            );
        }
        Value::Array(items) if !items.is_empty() && random.random_bool(0.8) => {
            let index = random.random_range(0..items.len());
            spoil(&mut items[index], random);
        }
        other => *other = anything(random, 0),
    }
}

fn request(random: &mut StdRng) -> Request<String> {
    let collections = collections();
    let (collection, mut body) = collections.choose(random).unwrap().clone();
    for _ in 0..random.random_range(0..3) {
        spoil(&mut body, random);
    }
    let object = format!("{collection}/it");
    let json = ["application/json"].as_slice();
    let patches = [
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
        "application/json-patch+json",
    ];
    let (method, path, types) = match random.random_range(0..10) {
        0..=2 => (Method::POST, collection.to_owned(), json),
        3 => (Method::PUT, object, json),
        4 => (Method::DELETE, object, json),
        5 => (
            Method::PATCH,
            format!("{object}/status"),
            patches.as_slice(),
        ),
        6 => (Method::PUT, format!("{object}/status"), json),
        7 => (
            Method::GET,
            format!("{collection}?limit=2&fieldSelector=metadata.name%3Dit"),
            json,
        ),
        _ => (Method::PATCH, object, patches.as_slice()),
    };
    let media_type = *types.choose(random).unwrap();
    if media_type == "application/json-patch+json" {
        let paths = [
            "",
            "/metadata",
            "/spec/parts/0",
            "/spec/parts/-",
            "/nothing/there",
            "/metadata/labels/a~1b",
            "x",
        ];
        let kinds = ["add", "remove", "replace", "move", "copy", "test"];
        let (kind, path) = (
            *kinds.choose(random).unwrap(),
            *paths.choose(random).unwrap(),
        );
        body =
            json!([{"op": kind, "path": path, "from": "/metadata", "value": anything(random, 0)}]);
    }
    let joint = if path.contains('?') { '&' } else { '?' };
    let path = format!(
        "{path}{joint}fieldManager=it&force={}",
        random.random_bool(0.5)
    );
    let path = if media_type == "application/apply-patch+yaml" {
        path
    } else {
        path.replace("&force=true", "").replace("&force=false", "")
    };
    Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media_type)
        .body(body.to_string())
        .unwrap()
}

#[tokio::test]
async fn no_request_is_more_than_the_server_can_bear() {
    let mut random = StdRng::seed_from_u64(42);
    let server = EmbeddedApi::open_in_memory(Options::default())
        .await
        .unwrap();
    let mut codes = std::collections::BTreeMap::new();
    for number in 0..REQUESTS {
        if number % 50 == 0 {
            // The kind comes back in case one of them deleted it.
            drop(server.install_crds(&[definition()]).await);
        }
        let request = request(&mut random);
        let shown = format!("{} {}\n{}", request.method(), request.uri(), request.body());
        let response = server.service().oneshot(request).await.unwrap();
        let code = response.status().as_u16();
        *codes.entry(code).or_insert(0) += 1;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(code < 500, "{code} for {shown}\n{body}");
        assert!(code < 400 || body["kind"] == "Status", "{shown}\n{body}");
    }
    for code in [200, 201, 400, 404, 422] {
        assert!(
            codes.contains_key(&code),
            "no request was answered with {code}: {codes:?}"
        );
    }
}
