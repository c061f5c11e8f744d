//! What the server says about itself, and in which forms it answers.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use embedded_apiserver::{EmbeddedApi, Options};
use futures::StreamExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn server() -> EmbeddedApi {
    EmbeddedApi::open_in_memory(Options::default())
        .await
        .unwrap()
}

async fn send(server: &EmbeddedApi, request: Request<String>) -> Response<axum::body::Body> {
    server.service().oneshot(request).await.unwrap()
}

async fn read(response: Response<axum::body::Body>) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

async fn get(server: &EmbeddedApi, path: &str, accept: &str) -> (u16, String, Value) {
    let request = Request::get(path)
        .header("accept", accept)
        .body(String::new());
    let response = send(server, request.unwrap()).await;
    let (code, headers) = (response.status().as_u16(), response.headers().clone());
    let media_type = headers["content-type"].to_str().unwrap().to_owned();
    (code, media_type, read(response).await)
}

async fn post(server: &EmbeddedApi, path: &str, body: &str) -> (u16, Vec<String>, Value) {
    let request = Request::post(path).header("content-type", "application/json");
    let response = send(server, request.body(body.to_owned()).unwrap()).await;
    let warnings = response.headers().get_all("warning").iter();
    let warnings = warnings.map(|it| it.to_str().unwrap().to_owned()).collect();
    (response.status().as_u16(), warnings, read(response).await)
}

fn config_map(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
        .to_string()
}

fn definition() -> Value {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"a": {"type": "string"}}}}});
    let version = |name: &str, storage: bool| json!({"name": name, "served": true, "storage": storage, "deprecated": !storage, "schema": {"openAPIV3Schema": schema}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com", "scope": "Cluster", "names": {"kind": "Thing", "plural": "things", "categories": ["all"]},
            "versions": [version("v1beta1", false), version("v1", true)],
        },
    })
}

#[tokio::test]
async fn discovery_comes_in_every_form() {
    let server = server().await;
    server.install_crds(&[definition()]).await.unwrap();
    let (_, _, groups) = get(&server, "/apis", "application/json").await;
    let group = groups["groups"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "example.com");
    assert_eq!(group.unwrap()["preferredVersion"]["version"], "v1");
    let (_, _, group) = get(&server, "/apis/example.com", "*/*").await;
    assert_eq!(
        (&group["kind"], &group["versions"][1]["version"]),
        (&"APIGroup".into(), &"v1beta1".into())
    );
    let (_, _, list) = get(&server, "/apis/example.com/v1", "application/json").await;
    assert_eq!(list["resources"][0]["categories"], json!(["all"]));
    for version in ["v2", "v2beta1"] {
        let accept = format!(
            "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,application/json"
        );
        let (_, media_type, all) = get(&server, "/apis", &accept).await;
        assert!(media_type.contains(&format!("v={version}")), "{media_type}");
        let group = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["metadata"]["name"] == "example.com");
        assert_eq!(
            group.unwrap()["versions"][0]["resources"][0]["responseKind"]["kind"],
            "Thing"
        );
        let (_, _, core) = get(&server, "/api", &accept).await;
        assert_eq!(core["items"][0]["versions"][0]["version"], "v1");
    }
    for path in [
        "/apis/nothing.example.com",
        "/apis/example.com/v9",
        "/api/v2",
        "/openapi/v3/apis/none/v1",
    ] {
        assert_eq!(get(&server, path, "*/*").await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn open_api_documents_follow_their_index() {
    let server = server().await;
    server.install_crds(&[definition()]).await.unwrap();
    let (_, _, index) = get(&server, "/openapi/v3", "application/json").await;
    let url = index["paths"]["apis/example.com/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let (code, _, document) = get(&server, url, "application/json").await;
    assert_eq!(code, 200);
    let thing = &document["components"]["schemas"]["com.example.v1.Thing"];
    assert_eq!(
        thing["properties"]["spec"]["properties"]["a"]["type"],
        "string"
    );
    let (code, _, everything) = get(&server, "/openapi/v2", "application/json").await;
    assert_eq!(code, 200);
    assert!(everything["definitions"]["com.example.v1.Thing"].is_object());
    let protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    assert_eq!(get(&server, "/openapi/v2", protobuf).await.0, 406);
}

#[tokio::test]
async fn tables_are_made_of_lists_objects_and_events() {
    let server = server().await;
    for name in ["a", "b", "c"] {
        assert_eq!(post(&server, CONFIG_MAPS, &config_map(name)).await.0, 201);
    }
    let (_, _, table) = get(&server, &format!("{CONFIG_MAPS}?limit=2"), TABLE).await;
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["rows"][1]["cells"][0], "b");
    assert_eq!(table["rows"][1]["object"]["metadata"]["name"], "b");
    assert!(table["metadata"]["continue"].is_string());
    let (_, _, table) = get(
        &server,
        &format!("{CONFIG_MAPS}/c?includeObject=Object"),
        TABLE,
    )
    .await;
    assert_eq!(table["rows"][0]["object"]["data"]["a"], "1");
    let (_, _, table) = get(&server, &format!("{CONFIG_MAPS}?includeObject=None"), TABLE).await;
    assert!(table["rows"][0].get("object").is_none());
    assert_eq!(
        get(&server, &format!("{CONFIG_MAPS}?includeObject=Some"), TABLE)
            .await
            .0,
        400
    );
    let (code, _, status) = get(&server, &format!("{CONFIG_MAPS}/none"), TABLE).await;
    assert_eq!((code, &status["kind"]), (404, &"Status".into()));

    let request = Request::get(format!("{CONFIG_MAPS}?watch=true"))
        .header("accept", TABLE)
        .body(String::new());
    let mut events = send(&server, request.unwrap())
        .await
        .into_body()
        .into_data_stream();
    let bytes = events.next().await.unwrap().unwrap();
    let first = bytes.split(|it| *it == b'\n').next().unwrap();
    let event: Value = serde_json::from_slice(first).unwrap();
    assert_eq!(
        (&event["type"], &event["object"]["kind"]),
        (&"ADDED".into(), &"Table".into())
    );
}

#[tokio::test]
async fn fields_that_stand_twice_and_old_versions_are_told() {
    let server = server().await;
    server.install_crds(&[definition()]).await.unwrap();
    let twice = config_map("a").replace("\"data\":", "\"data\":{},\"data\":");
    let (code, warnings, _) = post(&server, &format!("{CONFIG_MAPS}?dryRun=All"), &twice).await;
    assert_eq!(code, 201);
    assert!(warnings[0].contains("duplicate field"), "{warnings:?}");
    let (code, _, status) = post(
        &server,
        &format!("{CONFIG_MAPS}?fieldValidation=Strict"),
        &twice,
    )
    .await;
    assert_eq!(code, 400);
    assert_eq!(
        status["message"],
        "strict decoding error: duplicate field \"data\""
    );
    let (code, warnings, _) = post(
        &server,
        &format!("{CONFIG_MAPS}?fieldValidation=Ignore"),
        &twice,
    )
    .await;
    assert_eq!((code, warnings.len()), (201, 0));

    let thing =
        json!({"apiVersion": "example.com/v1beta1", "kind": "Thing", "metadata": {"name": "t"}})
            .to_string();
    let (code, warnings, _) = post(&server, "/apis/example.com/v1beta1/things", &thing).await;
    assert_eq!(code, 201);
    assert!(
        warnings[0].contains("example.com/v1beta1 Thing is deprecated"),
        "{warnings:?}"
    );
}
