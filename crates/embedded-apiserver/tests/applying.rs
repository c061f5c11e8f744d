//! Server-side apply and strategic patches, as `kube::Client` sends them.

use embedded_apiserver::{EmbeddedApi, Options};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

async fn server() -> EmbeddedApi {
    EmbeddedApi::open_in_memory(Options::default())
        .await
        .expect("an empty server opens")
}

fn things() -> ApiResource {
    ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("example.com", "v1", "Thing"),
        "things",
    )
}

fn definition() -> Value {
    let text = json!({ "type": "string" });
    let item = json!({ "type": "object", "required": ["name"], "properties": { "name": text, "value": text } });
    let condition = json!({ "type": "object", "required": ["type"], "properties": { "type": text, "status": text } });
    let schema = json!({ "type": "object", "properties": {
        "spec": { "type": "object", "properties": {
            "name": text,
            "tags": { "type": "array", "items": text, "x-kubernetes-list-type": "set" },
            "items": { "type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] },
        } },
        "status": { "type": "object", "properties": {
            "phase": text,
            "conditions": { "type": "array", "items": condition, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] },
        } },
    } });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "things.example.com" },
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": { "kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList" },
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": schema },
            }],
        },
    })
}

async fn things_of(server: &EmbeddedApi) -> Api<DynamicObject> {
    server
        .install_crds(&[definition()])
        .await
        .expect("the definition is stored");
    Api::default_namespaced_with(server.client(), &things())
}

fn thing(spec: &Value) -> Value {
    json!({ "apiVersion": "example.com/v1", "kind": "Thing", "metadata": { "name": "one" }, "spec": spec })
}

async fn apply(
    api: &Api<DynamicObject>,
    manager: &str,
    spec: &Value,
) -> Result<DynamicObject, kube::Error> {
    api.patch(
        "one",
        &PatchParams::apply(manager),
        &Patch::Apply(thing(spec)),
    )
    .await
}

/// The fields that a manager owns.
fn owned(object: &DynamicObject, manager: &str) -> Value {
    let entries = object.managed_fields().iter();
    let entry = entries
        .filter(|entry| entry.manager.as_deref() == Some(manager))
        .find_map(|entry| entry.fields_v1.clone());
    entry.map_or(Value::Null, |fields| fields.0)
}

#[tokio::test]
async fn appliers_share_an_object_field_by_field() {
    let server = server().await;
    let api = things_of(&server).await;
    let spec = json!({ "name": "x", "tags": ["a"], "items": [{ "name": "i", "value": "1" }] });
    let created = apply(&api, "one", &spec).await.expect("applying creates");
    assert_eq!(created.data["spec"], spec);
    let fields = json!({ "f:spec": {
        "f:name": {}, "f:tags": { "v:\"a\"": {} },
        "f:items": { "k:{\"name\":\"i\"}": { ".": {}, "f:name": {}, "f:value": {} } },
    } });
    assert_eq!(owned(&created, "one"), fields);

    let same = apply(&api, "one", &spec).await.expect("applying again");
    assert_eq!(same, created, "the same configuration changes nothing");

    apply(
        &api,
        "two",
        &json!({ "tags": ["b"], "items": [{ "name": "j" }] }),
    )
    .await
    .expect("others' items are left alone");
    let left = apply(&api, "one", &json!({ "name": "x" }))
        .await
        .expect("what is not wanted any more is removed");
    assert_eq!(
        left.data["spec"],
        json!({ "name": "x", "tags": ["b"], "items": [{ "name": "j" }] })
    );
}

#[tokio::test]
async fn a_field_stays_as_long_as_one_of_its_owners_wants_it() {
    let server = server().await;
    let api = things_of(&server).await;
    apply(&api, "one", &json!({ "name": "x" }))
        .await
        .expect("applying creates");
    let shared = apply(&api, "two", &json!({ "name": "x" }))
        .await
        .expect("the same value is no conflict");
    assert_eq!(owned(&shared, "two"), json!({ "f:spec": { "f:name": {} } }));
    let left = apply(&api, "one", &json!({})).await.expect("one lets go");
    assert_eq!(
        (left.data["spec"]["name"].as_str(), owned(&left, "one")),
        (Some("x"), json!({ "f:spec": {} }))
    );
    let gone = apply(&api, "two", &json!({})).await.expect("two lets go");
    assert_eq!(gone.data["spec"].get("name"), None);
}

#[tokio::test]
async fn what_others_own_is_taken_only_by_force() {
    let server = server().await;
    let api = things_of(&server).await;
    apply(&api, "one", &json!({ "name": "x" }))
        .await
        .expect("applying creates");
    let refused = apply(&api, "two", &json!({ "name": "y" }))
        .await
        .expect_err("the field is owned");
    let kube::Error::Api(status) = refused else {
        panic!("{refused}")
    };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"one\": .spec.name"
    );
    let causes = status.details.expect("there are details").causes;
    assert_eq!(causes.len(), 1);
    assert_eq!(
        (causes[0].reason.as_str(), causes[0].field.as_str()),
        ("FieldManagerConflict", ".spec.name")
    );

    let forced = PatchParams::apply("two").force();
    let taken = api
        .patch(
            "one",
            &forced,
            &Patch::Apply(thing(&json!({ "name": "y" }))),
        )
        .await
        .expect("by force");
    assert_eq!(
        (taken.data["spec"]["name"].as_str(), owned(&taken, "one")),
        (Some("y"), Value::Null)
    );
}

#[tokio::test]
async fn updates_take_what_they_change() {
    let server = server().await;
    let api = things_of(&server).await;
    let mut object = apply(&api, "one", &json!({ "name": "x" }))
        .await
        .expect("applying creates");
    object.data["spec"]["name"] = "z".into();
    let updater = PostParams {
        field_manager: Some("loop".to_owned()),
        ..PostParams::default()
    };
    let updated = api
        .replace("one", &updater, &object)
        .await
        .expect("an update needs no force");
    assert_eq!(
        owned(&updated, "loop"),
        json!({ "f:spec": { "f:name": {} } })
    );
    assert_eq!(owned(&updated, "one"), Value::Null);
    let refused = apply(&api, "one", &json!({ "name": "x" }))
        .await
        .expect_err("the field has moved");
    assert!(
        refused
            .to_string()
            .contains("conflict with \"loop\" using example.com/v1"),
        "{refused}"
    );
    // A merge patch counts as an update of its sender.
    let patch = Patch::Merge(json!({ "spec": { "tags": ["t"] } }));
    let params = PatchParams {
        field_manager: Some("patcher".to_owned()),
        ..PatchParams::default()
    };
    let patched = api
        .patch("one", &params, &patch)
        .await
        .expect("it is patched");
    assert_eq!(
        owned(&patched, "patcher"),
        json!({ "f:spec": { "f:tags": { ".": {}, "v:\"t\"": {} } } })
    );
}

#[tokio::test]
async fn the_status_has_managers_of_its_own() {
    let server = server().await;
    let api = things_of(&server).await;
    apply(&api, "one", &json!({ "name": "x" }))
        .await
        .expect("applying creates");
    let mut status = thing(&json!({ "name": "not here" }));
    status["status"] =
        json!({ "phase": "Up", "conditions": [{ "type": "Ready", "status": "True" }] });
    let object = api
        .patch_status("one", &PatchParams::apply("one"), &Patch::Apply(status))
        .await
        .expect("a status is applied");
    assert_eq!(
        (
            object.data["spec"]["name"].as_str(),
            object.data["status"]["phase"].as_str()
        ),
        (Some("x"), Some("Up"))
    );
    let subresources: Vec<_> = object
        .managed_fields()
        .iter()
        .map(|entry| entry.subresource.as_deref())
        .collect();
    assert_eq!(
        (subresources.len(), subresources.contains(&Some("status"))),
        (2, true)
    );
    assert_eq!(object.metadata.generation, Some(1));
    // Applying the rest does not touch it.
    let object = apply(&api, "one", &json!({ "name": "y" }))
        .await
        .expect("applying again");
    assert_eq!(object.data["status"]["phase"], "Up");
}

#[tokio::test]
async fn builtin_kinds_merge_by_their_keys_and_custom_ones_have_none() {
    let server = server().await;
    let client: Client = server.client();
    let accounts: Api<ServiceAccount> = Api::default_namespaced(client.clone());
    let account = json!({ "metadata": { "name": "a", "finalizers": ["example.com/a"] }, "secrets": [{ "name": "x" }] });
    let account = serde_json::from_value(account).expect("it is a ServiceAccount");
    accounts
        .create(&PostParams::default(), &account)
        .await
        .expect("it is created");
    let patch = Patch::Strategic(json!({
        "metadata": { "finalizers": ["example.com/b"] },
        "secrets": [{ "name": "y" }, { "name": "x", "$patch": "delete" }],
    }));
    let patched = accounts
        .patch("a", &PatchParams::default(), &patch)
        .await
        .expect("it is patched");
    assert_eq!(patched.finalizers(), ["example.com/b", "example.com/a"]);
    let secrets: Vec<_> = patched
        .secrets
        .into_iter()
        .flatten()
        .filter_map(|it| it.name)
        .collect();
    assert_eq!(secrets, ["y"]);

    let api = things_of(&server).await;
    apply(&api, "one", &json!({ "name": "x" }))
        .await
        .expect("applying creates");
    let patch = Patch::Strategic(thing(&json!({ "name": "y" })));
    let refused = api
        .patch("one", &PatchParams::default(), &patch)
        .await
        .expect_err("there are no keys to merge by");
    assert!(matches!(refused, kube::Error::Api(status) if status.code == 415));
}
