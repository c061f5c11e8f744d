//! What goes by itself: dependents without owners, owners after their dependents, the contents of namespaces and kinds.

use std::fmt::Debug;
use std::time::Duration;

use embedded_apiserver::{EmbeddedApi, Options};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

async fn client() -> Client {
    EmbeddedApi::open_in_memory(Options::default())
        .await
        .expect("an empty server opens")
        .client()
}

/// Waits until an object is as `wanted` says, and fails where it never is.
async fn until<K>(api: &Api<K>, name: &str, wanted: impl Fn(Option<&K>) -> bool)
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    let waited = tokio::time::timeout(
        Duration::from_secs(20),
        await_condition(api.clone(), name, wanted),
    )
    .await;
    waited
        .unwrap_or_else(|_| panic!("{name} is not as it should be"))
        .expect("the watch works");
}

async fn gone<K>(api: &Api<K>, name: &str)
where
    K: Resource + Clone + Debug + Send + DeserializeOwned + 'static,
{
    until(api, name, |it: Option<&K>| it.is_none()).await;
}

fn config_map(name: &str, owners: &[Value], finalizers: &[&str]) -> ConfigMap {
    let map = json!({ "metadata": { "name": name, "ownerReferences": owners, "finalizers": finalizers } });
    serde_json::from_value(map).expect("it is a ConfigMap")
}

fn owned_by(owner: &ConfigMap) -> Value {
    let (name, uid) = (owner.name_any(), owner.uid());
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": true })
}

async fn create(
    api: &Api<ConfigMap>,
    name: &str,
    owners: &[&ConfigMap],
    finalizers: &[&str],
) -> ConfigMap {
    let owners: Vec<Value> = owners.iter().map(|owner| owned_by(owner)).collect();
    api.create(
        &PostParams::default(),
        &config_map(name, &owners, finalizers),
    )
    .await
    .expect("it is created")
}

async fn remove_finalizers(api: &Api<ConfigMap>, name: &str) {
    let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    api.patch(name, &PatchParams::default(), &patch)
        .await
        .expect("finalizers can be removed");
}

#[tokio::test]
async fn dependents_go_after_their_owner_in_the_background() {
    let api: Api<ConfigMap> = Api::default_namespaced(client().await);
    let owner = create(&api, "owner", &[], &[]).await;
    let child = create(&api, "child", &[&owner], &[]).await;
    create(&api, "grandchild", &[&child], &[]).await;
    create(&api, "other", &[], &[]).await;
    api.delete("owner", &DeleteParams::background())
        .await
        .expect("the owner is deleted");
    gone(&api, "child").await;
    gone(&api, "grandchild").await;
    assert!(
        api.get_opt("other")
            .await
            .expect("it can be read")
            .is_some()
    );
}

#[tokio::test]
async fn an_owner_waits_in_the_foreground_for_what_blocks_it() {
    let api: Api<ConfigMap> = Api::default_namespaced(client().await);
    let owner = create(&api, "owner", &[], &[]).await;
    let child = create(&api, "child", &[&owner], &["example.com/held"]).await;
    create(&api, "grandchild", &[&child], &[]).await;
    api.delete("owner", &DeleteParams::foreground())
        .await
        .expect("the owner is marked");
    gone(&api, "grandchild").await;
    until(&api, "child", |it| {
        it.is_some_and(|it| it.metadata.deletion_timestamp.is_some())
    })
    .await;
    let waiting = api.get("owner").await.expect("the owner waits");
    assert_eq!(waiting.finalizers(), ["foregroundDeletion"]);
    remove_finalizers(&api, "child").await;
    gone(&api, "child").await;
    gone(&api, "owner").await;
}

#[tokio::test]
async fn orphans_stay_without_the_reference() {
    let api: Api<ConfigMap> = Api::default_namespaced(client().await);
    let owner = create(&api, "owner", &[], &[]).await;
    create(&api, "child", &[&owner], &[]).await;
    api.delete("owner", &DeleteParams::orphan())
        .await
        .expect("the owner is marked");
    gone(&api, "owner").await;
    let child = api.get("child").await.expect("the child stays");
    assert!(child.owner_references().is_empty());
}

#[tokio::test]
async fn a_circle_of_owners_does_not_wait_for_ever() {
    let api: Api<ConfigMap> = Api::default_namespaced(client().await);
    let one = create(&api, "one", &[], &[]).await;
    let two = create(&api, "two", &[&one], &[]).await;
    let patch = Patch::Merge(json!({ "metadata": { "ownerReferences": [owned_by(&two)] } }));
    api.patch("one", &PatchParams::default(), &patch)
        .await
        .expect("an owner may be owned");
    api.delete("one", &DeleteParams::foreground())
        .await
        .expect("the first is marked");
    gone(&api, "one").await;
    gone(&api, "two").await;
}

#[tokio::test]
async fn references_to_owners_that_are_not_there_count_for_nothing() {
    let client = client().await;
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let other = serde_json::from_value(json!({ "metadata": { "name": "other" } }))
        .expect("it is a Namespace");
    namespaces
        .create(&PostParams::default(), &other)
        .await
        .expect("a namespace is created");
    let owner = create(&api, "owner", &[], &[]).await;
    let mut imposter = owner.clone();
    imposter.metadata.uid = Some("11111111-1111-1111-1111-111111111111".to_owned());

    // An object of the same name is not the owner that was meant.
    create(&api, "of-imposter", &[&imposter], &[]).await;
    gone(&api, "of-imposter").await;
    // Nor is one in another namespace.
    let elsewhere: Api<ConfigMap> = Api::namespaced(client.clone(), "other");
    create(&elsewhere, "of-stranger", &[&owner], &[]).await;
    gone(&elsewhere, "of-stranger").await;
    // One owner is enough to stay.
    create(&api, "of-both", &[&owner, &imposter], &[]).await;
    until(&api, "of-both", |it| {
        it.is_some_and(|it| it.owner_references().len() == 1)
    })
    .await;
    let both = api.get("of-both").await.expect("it stays");
    assert_eq!(
        both.owner_references()[0].uid,
        owner.uid().expect("it has a uid")
    );
    // What is in no namespace cannot be owned by what is in one: nothing follows from that.
    let roles: Api<ClusterRole> = Api::all(client.clone());
    let role = json!({ "metadata": { "name": "role", "ownerReferences": [owned_by(&imposter)] } });
    let role = serde_json::from_value(role).expect("it is a ClusterRole");
    roles
        .create(&PostParams::default(), &role)
        .await
        .expect("it is created");
    create(&api, "last", &[&imposter], &[]).await;
    gone(&api, "last").await;
    assert!(
        roles
            .get_opt("role")
            .await
            .expect("it can be read")
            .is_some()
    );
}

#[tokio::test]
async fn a_namespace_goes_when_it_is_empty() {
    let client = client().await;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let acme = serde_json::from_value(json!({ "metadata": { "name": "acme" } }))
        .expect("it is a Namespace");
    namespaces
        .create(&PostParams::default(), &acme)
        .await
        .expect("a namespace is created");
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "acme");
    let secrets: Api<Secret> = Api::namespaced(client, "acme");
    for index in 0..40 {
        create(&api, &format!("it-{index}"), &[], &[]).await;
    }
    create(&api, "held", &[], &["example.com/held"]).await;
    let secret =
        serde_json::from_value(json!({ "metadata": { "name": "s" } })).expect("it is a Secret");
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .expect("a secret is created");

    namespaces
        .delete("acme", &DeleteParams::default())
        .await
        .expect("the namespace is marked");
    gone(&secrets, "s").await;
    gone(&api, "it-39").await;
    until(&namespaces, "acme", |it| {
        let conditions = it.and_then(|it| it.status.as_ref()?.conditions.as_ref());
        conditions.into_iter().flatten().any(|it| {
            it.type_ == "NamespaceFinalizersRemaining"
                && it.status == "True"
                && it
                    .message
                    .as_deref()
                    .is_some_and(|it| it.contains("example.com/held: 1"))
        })
    })
    .await;
    let refused = api
        .create(&PostParams::default(), &config_map("late", &[], &[]))
        .await
        .expect_err("it is terminating");
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 403));
    remove_finalizers(&api, "held").await;
    gone(&namespaces, "acme").await;
}

#[tokio::test]
async fn the_objects_of_a_kind_go_with_its_definition() {
    let server = EmbeddedApi::open_in_memory(Options::default())
        .await
        .expect("an empty server opens");
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "widgets.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": { "kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
            }],
        },
    });
    server
        .install_crds(std::slice::from_ref(&crd))
        .await
        .expect("the definition is stored");
    let resource = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("example.com", "v1", "Widget"),
        "widgets",
    );
    let widgets: Api<DynamicObject> = Api::default_namespaced_with(server.client(), &resource);
    widgets
        .create(&PostParams::default(), &DynamicObject::new("w", &resource))
        .await
        .expect("a widget is created");
    let mut held = DynamicObject::new("held", &resource);
    held.metadata.finalizers = Some(vec!["example.com/held".to_owned()]);
    widgets
        .create(&PostParams::default(), &held)
        .await
        .expect("another is created");
    let definitions: Api<CustomResourceDefinition> = Api::all(server.client());
    until(&definitions, "widgets.example.com", |it| {
        it.is_some_and(|it| !it.finalizers().is_empty())
    })
    .await;
    definitions
        .delete("widgets.example.com", &DeleteParams::default())
        .await
        .expect("the definition is marked");
    gone(&widgets, "w").await;
    let late = DynamicObject::new("late", &resource);
    let refused = widgets
        .create(&PostParams::default(), &late)
        .await
        .expect_err("the kind is going");
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 405));
    let free = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    widgets
        .patch("held", &PatchParams::default(), &free)
        .await
        .expect("finalizers can be removed");
    gone(&definitions, "widgets.example.com").await;
    server
        .install_crds(&[crd])
        .await
        .expect("the definition is stored again");
    assert!(
        widgets
            .list(&kube::api::ListParams::default())
            .await
            .expect("they can be listed")
            .items
            .is_empty()
    );
}

#[tokio::test]
async fn unfinished_work_is_found_again_after_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let server = EmbeddedApi::open(directory.path(), Options::default())
        .await
        .expect("the server opens");
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let owner = create(&api, "owner", &[], &[]).await;
    let names: Vec<String> = (0..300).map(|index| format!("child-{index}")).collect();
    let owners = [&owner];
    let creations = names.iter().map(|name| create(&api, name, &owners, &[]));
    futures::future::join_all(creations).await;
    api.delete("owner", &DeleteParams::background())
        .await
        .expect("the owner is deleted");
    server.shutdown().await;
    drop((api, server));

    let server = EmbeddedApi::open(directory.path(), Options::default())
        .await
        .expect("the server opens again");
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    for name in &names {
        gone(&api, name).await;
    }
}
