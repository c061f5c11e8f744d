//! The server as its clients see it: kube's client and watcher, in process.

use embedded_apiserver::{EmbeddedApi, Options, UserInfo};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher;
use serde_json::{Value, json};

async fn server() -> EmbeddedApi {
    EmbeddedApi::open_in_memory(Options::default())
        .await
        .expect("an empty server opens")
}

fn config_map(name: &str, data: &str) -> ConfigMap {
    serde_json::from_value(
        json!({"metadata": {"name": name, "labels": {"data": data}}, "data": {"it": data}}),
    )
    .expect("it is a ConfigMap")
}

fn widgets(client: kube::Client, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("example.com", "v1", "Widget"),
        "widgets",
    );
    Api::namespaced_with(client, namespace, &resource)
}

fn widget_crd() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    },
                }},
            }],
        },
    })
}

fn widget(spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec,
    }))
    .expect("it is an object")
}

#[tokio::test]
async fn objects_are_created_read_updated_and_deleted() {
    let api: Api<ConfigMap> = Api::default_namespaced(server().await.client());
    let created = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    assert!(created.metadata.uid.is_some() && created.metadata.creation_timestamp.is_some());
    let mut read = api.get("a").await.unwrap();
    assert_eq!(read, created);
    read.data
        .as_mut()
        .unwrap()
        .insert("more".to_owned(), "2".to_owned());
    let updated = api
        .replace("a", &PostParams::default(), &read)
        .await
        .unwrap();
    assert_ne!(
        updated.metadata.resource_version,
        created.metadata.resource_version
    );
    let stale = api
        .replace("a", &PostParams::default(), &created)
        .await
        .unwrap_err();
    assert!(
        matches!(&stale, kube::Error::Api(it) if it.code == 409 && it.reason == "Conflict"),
        "{stale}"
    );
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(api.get_opt("a").await.unwrap().is_none());
}

#[tokio::test]
async fn what_changes_nothing_is_not_written() {
    let api: Api<ConfigMap> = Api::default_namespaced(server().await.client());
    let created = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"data": {"it": "1"}}));
    let patched = api
        .patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(
        patched.metadata.resource_version,
        created.metadata.resource_version
    );
}

#[tokio::test]
async fn status_and_specification_are_written_apart() {
    let server = server().await;
    server.install_crds(&[widget_crd()]).await.unwrap();
    let api = widgets(server.client(), "default");
    let created = api
        .create(&PostParams::default(), &widget(&json!({"size": 1})))
        .await
        .unwrap();
    assert_eq!(created.metadata.generation, Some(1));
    let both = json!({"spec": {"size": 2}, "status": {"ready": true}});
    let patched = api
        .patch("w", &PatchParams::default(), &Patch::Merge(&both))
        .await
        .unwrap();
    assert_eq!(
        (patched.data.get("status"), patched.metadata.generation),
        (None, Some(2))
    );
    let patched = api
        .patch_status(
            "w",
            &PatchParams::default(),
            &Patch::Merge(&json!({"spec": {"size": 3}, "status": {"ready": true}})),
        )
        .await
        .unwrap();
    assert_eq!(patched.data["spec"]["size"], 2);
    assert_eq!(
        (
            patched.data["status"]["ready"].as_bool(),
            patched.metadata.generation
        ),
        (Some(true), Some(2))
    );
}

#[tokio::test]
async fn a_watch_goes_on_from_a_held_revision() {
    let api: Api<ConfigMap> = Api::default_namespaced(server().await.client());
    let first = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    api.create(&PostParams::default(), &config_map("b", "1"))
        .await
        .unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let revision = first.metadata.resource_version.unwrap();
    let events = api
        .watch(&WatchParams::default().timeout(5), &revision)
        .await
        .unwrap();
    let seen: Vec<String> = events
        .take(2)
        .map_ok(|event| match event {
            WatchEvent::Added(it) => format!("added {}", it.metadata.name.unwrap()),
            WatchEvent::Deleted(it) => format!("deleted {}", it.metadata.name.unwrap()),
            other => format!("{other:?}"),
        })
        .try_collect()
        .await
        .unwrap();
    assert_eq!(seen, ["added b", "deleted a"]);
}

#[tokio::test]
async fn entering_and_leaving_a_selection_are_additions_and_deletions() {
    let api: Api<ConfigMap> = Api::default_namespaced(server().await.client());
    let watched = api
        .watch(&WatchParams::default().labels("data=1").timeout(5), "0")
        .await
        .unwrap();
    api.create(&PostParams::default(), &config_map("a", "0"))
        .await
        .unwrap();
    for data in ["1", "1", "2"] {
        let patch = json!({"metadata": {"labels": {"data": data}}, "data": {"at": uuid(data)}});
        api.patch("a", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();
        api.patch(
            "a",
            &PatchParams::default(),
            &Patch::Merge(json!({"data": {"more": data}})),
        )
        .await
        .unwrap();
    }
    let seen: Vec<&str> = watched
        .take(3)
        .map_ok(|event| match event {
            WatchEvent::Added(_) => "added",
            WatchEvent::Modified(_) => "modified",
            WatchEvent::Deleted(_) => "deleted",
            WatchEvent::Bookmark(_) | WatchEvent::Error(_) => "other",
        })
        .try_collect()
        .await
        .unwrap();
    assert_eq!(seen, ["added", "modified", "deleted"]);
}

fn uuid(data: &str) -> String {
    format!("at {data}")
}

#[tokio::test]
async fn kubes_watcher_follows_in_both_of_its_modes() {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        let api: Api<Secret> = Api::default_namespaced(server().await.client());
        let secret = |name: &str| Secret {
            metadata: kube::core::ObjectMeta {
                name: Some(name.to_owned()),
                ..Default::default()
            },
            ..Default::default()
        };
        api.create(&PostParams::default(), &secret("a"))
            .await
            .unwrap();
        let mut events = std::pin::pin!(watcher(api.clone(), config));
        let mut seen = Vec::new();
        while seen.len() < 4 {
            match events.next().await.unwrap().unwrap() {
                watcher::Event::Init => seen.push("init".to_owned()),
                watcher::Event::InitApply(it) | watcher::Event::Apply(it) => {
                    seen.push(it.metadata.name.unwrap());
                }
                watcher::Event::InitDone => {
                    seen.push("done".to_owned());
                    api.create(&PostParams::default(), &secret("b"))
                        .await
                        .unwrap();
                }
                watcher::Event::Delete(_) => seen.push("deleted".to_owned()),
            }
        }
        assert_eq!(seen, ["init", "a", "done", "b"]);
    }
}

#[tokio::test]
async fn a_list_goes_on_as_of_the_revision_it_began_with() {
    let api: Api<ConfigMap> = Api::default_namespaced(server().await.client());
    for name in ["a", "b", "c", "d"] {
        api.create(&PostParams::default(), &config_map(name, "1"))
            .await
            .unwrap();
    }
    let first = api.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(2));
    api.delete("c", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &config_map("e", "1"))
        .await
        .unwrap();
    let token = first.metadata.continue_.unwrap();
    let rest = api
        .list(&ListParams::default().limit(5).continue_token(&token))
        .await
        .unwrap();
    let names: Vec<String> = rest
        .items
        .into_iter()
        .filter_map(|it| it.metadata.name)
        .collect();
    assert_eq!(names, ["c", "d"]);
}

#[tokio::test]
async fn nothing_is_created_in_a_namespace_that_is_not_there() {
    let server = server().await;
    let api: Api<ConfigMap> = Api::namespaced(server.client(), "missing");
    let refused = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(it) if it.code == 404),
        "{refused}"
    );
    let namespaces: Api<Namespace> = Api::all(server.client_as(UserInfo::default()));
    let namespace = Namespace {
        metadata: kube::core::ObjectMeta {
            name: Some("missing".to_owned()),
            ..Default::default()
        },
        ..Default::default()
    };
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_written_is_there_after_opening_again() {
    let directory = tempfile::tempdir().unwrap();
    let open = || EmbeddedApi::open(directory.path(), Options::default());
    let server = open().await.unwrap();
    server.install_crds(&[widget_crd()]).await.unwrap();
    widgets(server.client(), "default")
        .create(&PostParams::default(), &widget(&json!({"size": 1})))
        .await
        .unwrap();
    let refused = open().await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains(&format!("in use by process {}", std::process::id())),
        "{refused}"
    );
    server.shutdown().await;
    let server = open().await.unwrap();
    assert_eq!(
        widgets(server.client(), "default")
            .get("w")
            .await
            .unwrap()
            .data["spec"]["size"],
        1
    );
}
