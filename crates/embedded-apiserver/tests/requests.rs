//! Requests as they come over the wire, and the answers in Kubernetes' own shapes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use embedded_apiserver::{AdmissionHook, EmbeddedApi, Options, UserInfo, all_operations};
use futures::FutureExt;
use http::{Method, Request};
use http_body_util::BodyExt;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation};
use serde_json::{Value, json};
use tower::ServiceExt;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";

/// A server with what was answered last.
struct Asked {
    server: EmbeddedApi,
    code: u16,
    warnings: Vec<String>,
    body: Value,
}

impl Asked {
    async fn start() -> Self {
        let server = EmbeddedApi::open_in_memory(Options::default())
            .await
            .unwrap();
        Self {
            server,
            code: 0,
            warnings: Vec::new(),
            body: Value::Null,
        }
    }

    async fn send(&mut self, request: Request<String>) -> &Value {
        let response = self.server.service().oneshot(request).await.unwrap();
        self.code = response.status().as_u16();
        let warnings = response.headers().get_all("warning").iter();
        self.warnings = warnings.map(|it| it.to_str().unwrap().to_owned()).collect();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        self.body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        &self.body
    }

    async fn ask(&mut self, method: Method, path: &str, body: &Value) -> &Value {
        let media_type = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        self.ask_as(method, path, media_type, &body.to_string())
            .await
    }

    async fn ask_as(&mut self, method: Method, path: &str, media_type: &str, body: &str) -> &Value {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media_type);
        self.send(request.body(body.to_owned()).unwrap()).await
    }

    async fn get(&mut self, path: &str) -> &Value {
        self.send(Request::get(path).body(String::new()).unwrap())
            .await
    }

    /// Checks code and reason of the last answer, and that its message says something.
    #[track_caller]
    fn refused(&self, code: u16, reason: &str, message: &str) {
        assert_eq!(
            (self.code, &self.body["reason"]),
            (code, &reason.into()),
            "{}",
            self.body
        );
        assert_eq!(self.body["code"], code);
        let text = self.body["message"].as_str().unwrap();
        assert!(text.contains(message), "{text}");
    }
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}})
}

fn widget_definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object", "required": ["size"],
                            "properties": {"size": {"type": "integer", "minimum": 1}, "color": {"type": "string", "default": "red"}},
                        },
                        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
                    },
                }},
            }],
        },
    })
}

fn widget(spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec})
}

#[tokio::test]
async fn bad_input_is_refused_with_the_right_status_and_nothing_is_stored() {
    let mut it = Asked::start().await;
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for text in [
        "",
        "{",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{\"a\": tru}",
        &deep,
        "\u{0}",
    ] {
        it.ask_as(Method::POST, CONFIG_MAPS, "application/json", text)
            .await;
        it.refused(400, "BadRequest", "");
    }
    for text in ["a: b: c", "- 1", &format!("a: {deep}"), "a: &a [*a, *a]"] {
        it.ask_as(Method::POST, CONFIG_MAPS, "application/yaml", text)
            .await;
        it.refused(400, "BadRequest", "");
    }
    it.ask_as(
        Method::POST,
        CONFIG_MAPS,
        "application/json",
        &format!("\"{}\"", "x".repeat(4 << 20)),
    )
    .await;
    it.refused(413, "RequestEntityTooLarge", "limit is 3145728");
    it.ask_as(Method::POST, CONFIG_MAPS, "application/cbor", "k8s")
        .await;
    it.refused(415, "UnsupportedMediaType", "application/json");
    for (metadata, message) in [
        (json!("x"), "metadata"),
        (json!({"name": 1}), "metadata.name"),
        (json!({"name": "a", "labels": {"a": 1}}), "metadata.labels"),
        (json!({"name": "a", "labels": []}), "metadata.labels"),
        (
            json!({"name": "a", "finalizers": "x"}),
            "metadata.finalizers",
        ),
        (
            json!({"name": "a", "ownerReferences": [{"uid": 1}]}),
            "metadata.ownerReferences",
        ),
        (
            json!({"name": "a", "namespace": "other"}),
            "does not match the namespace",
        ),
        (
            json!({"name": "a", "resourceVersion": "5"}),
            "resourceVersion",
        ),
    ] {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        it.ask(Method::POST, CONFIG_MAPS, &body).await;
        it.refused(400, "BadRequest", message);
    }
    for (metadata, field) in [
        (json!({}), "metadata.name"),
        (json!({"name": "A"}), "metadata.name"),
        (json!({"name": "a/b"}), "metadata.name"),
        (json!({"name": "x".repeat(254)}), "metadata.name"),
        (
            json!({"name": "a", "labels": {"-": "x"}}),
            "metadata.labels",
        ),
        (
            json!({"name": "a", "labels": {"a": "no spaces"}}),
            "metadata.labels",
        ),
        (
            json!({"name": "a", "annotations": {"a": "x".repeat(300_000)}}),
            "metadata.annotations",
        ),
        (
            json!({"name": "a", "finalizers": ["no spaces"]}),
            "metadata.finalizers",
        ),
        (
            json!({"name": "a", "ownerReferences": [{"name": "x"}]}),
            "metadata.ownerReferences[0].apiVersion",
        ),
    ] {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        it.ask(Method::POST, CONFIG_MAPS, &body).await;
        it.refused(422, "Invalid", field);
        assert_eq!(
            it.body["details"]["causes"][0]["field"], field,
            "{}",
            it.body
        );
        assert_eq!(it.body["details"]["kind"], "ConfigMap");
    }
    it.ask(
        Method::POST,
        CONFIG_MAPS,
        &json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}),
    )
    .await;
    it.refused(400, "BadRequest", "kind in the data");
    assert_eq!(it.get(CONFIG_MAPS).await["items"], json!([]));
}

#[tokio::test]
async fn paths_and_methods_that_are_not_there_are_refused() {
    let mut it = Asked::start().await;
    for path in [
        "/api/v1/namespaces/default/pods",
        "/apis/none/v1/things",
        "/api/v2/secrets",
        "/nothing",
    ] {
        it.get(path).await;
        it.refused(404, "NotFound", "could not find the requested resource");
    }
    it.get(&format!("{CONFIG_MAPS}/x")).await;
    it.refused(404, "NotFound", "configmaps \"x\" not found");
    it.get(&format!("{CONFIG_MAPS}/x/status")).await;
    it.refused(404, "NotFound", "could not find");
    for (method, path) in [
        (Method::POST, "/api/v1/configmaps"),
        (Method::PUT, CONFIG_MAPS),
        (Method::POST, "/version"),
        (Method::OPTIONS, CONFIG_MAPS),
    ] {
        it.ask(method, path, &config_map("a")).await;
        it.refused(405, "MethodNotAllowed", "does not allow this method");
    }
    for (query, message) in [
        ("labelSelector=a%20b%20c", "parse"),
        ("fieldSelector=spec.x=1", "field label not supported"),
        ("limit=many", "limit"),
        ("continue=nonsense", "continue key is not valid"),
        ("resourceVersion=x", "resourceVersion"),
        ("watch=perhaps", "watch"),
    ] {
        it.get(&format!("{CONFIG_MAPS}?{query}")).await;
        it.refused(400, "BadRequest", message);
    }
    it.get(&format!("{CONFIG_MAPS}?resourceVersionMatch=Exact"))
        .await;
    it.refused(422, "Invalid", "resourceVersionMatch");
    it.get(&format!("{CONFIG_MAPS}?resourceVersion=999999"))
        .await;
    it.refused(504, "Timeout", "Too large resource version");
}

#[tokio::test]
async fn names_are_generated_until_one_is_free() {
    let mut it = Asked::start().await;
    let body =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "thing-"}});
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let name = it.ask(Method::POST, CONFIG_MAPS, &body).await["metadata"]["name"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(name.starts_with("thing-") && name.len() == 11, "{name}");
        names.insert(name);
    }
    assert_eq!(names.len(), 50);
    it.ask(Method::POST, CONFIG_MAPS, &config_map("a")).await;
    it.ask(Method::POST, CONFIG_MAPS, &config_map("a")).await;
    it.refused(409, "AlreadyExists", "configmaps \"a\" already exists");
    assert_eq!(
        it.body["details"],
        json!({"name": "a", "kind": "configmaps"})
    );
}

#[tokio::test]
async fn an_update_of_what_has_changed_is_a_conflict() {
    let mut it = Asked::start().await;
    let path = format!("{CONFIG_MAPS}/a");
    let created = it
        .ask(Method::POST, CONFIG_MAPS, &config_map("a"))
        .await
        .clone();
    it.ask(Method::PATCH, &path, &json!({"data": {"a": "2"}}))
        .await;
    it.ask(Method::PUT, &path, &created).await;
    it.refused(409, "Conflict", "the object has been modified; please apply your changes to the latest version and try again");
    it.ask(
        Method::PATCH,
        &path,
        &json!({"metadata": {"resourceVersion": "1"}, "data": {"a": "3"}}),
    )
    .await;
    it.refused(409, "Conflict", "the object has been modified");
    it.ask(Method::PUT, &path, &config_map("a")).await;
    assert_eq!(
        (it.code, &it.body["data"]["a"]),
        (200, &"1".into()),
        "a builtin kind may be updated unconditionally"
    );
    let mut other = created.clone();
    other["metadata"]["uid"] = "another".into();
    other["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("resourceVersion");
    it.ask(Method::PUT, &path, &other).await;
    it.refused(409, "Conflict", "UID in precondition: another");
    it.ask(Method::PUT, &path, &config_map("b")).await;
    it.refused(400, "BadRequest", "does not match the name on the URL");
}

#[tokio::test]
async fn a_dry_run_answers_and_stores_nothing() {
    let mut it = Asked::start().await;
    it.ask(
        Method::POST,
        &format!("{CONFIG_MAPS}?dryRun=All"),
        &config_map("a"),
    )
    .await;
    assert_eq!((it.code, &it.body["data"]["a"]), (201, &"1".into()));
    it.get(&format!("{CONFIG_MAPS}/a")).await;
    assert_eq!(it.code, 404);
    it.ask(Method::POST, CONFIG_MAPS, &config_map("a")).await;
    it.ask(
        Method::PATCH,
        &format!("{CONFIG_MAPS}/a?dryRun=All"),
        &json!({"data": {"a": "2"}}),
    )
    .await;
    assert_eq!(it.body["data"]["a"], "2");
    it.ask(
        Method::DELETE,
        &format!("{CONFIG_MAPS}/a"),
        &json!({"dryRun": ["All"]}),
    )
    .await;
    assert_eq!(it.get(&format!("{CONFIG_MAPS}/a")).await["data"]["a"], "1");
    it.ask(
        Method::POST,
        &format!("{CONFIG_MAPS}?dryRun=Some"),
        &config_map("b"),
    )
    .await;
    it.refused(400, "BadRequest", "dryRun");
}

#[tokio::test]
async fn a_delete_keeps_to_its_preconditions_and_waits_for_finalizers() {
    let mut it = Asked::start().await;
    let path = format!("{CONFIG_MAPS}/a");
    let mut body = config_map("a");
    body["metadata"]["finalizers"] = json!(["example.com/wait"]);
    let uid = it.ask(Method::POST, CONFIG_MAPS, &body).await["metadata"]["uid"].clone();
    it.ask(
        Method::DELETE,
        &path,
        &json!({"preconditions": {"uid": "another"}}),
    )
    .await;
    it.refused(
        409,
        "Conflict",
        "the UID in the precondition (another) does not match",
    );
    it.ask(
        Method::DELETE,
        &path,
        &json!({"propagationPolicy": "Sideways"}),
    )
    .await;
    it.refused(400, "BadRequest", "propagationPolicy");
    it.ask(
        Method::DELETE,
        &path,
        &json!({"preconditions": {"uid": uid}}),
    )
    .await;
    assert!(
        it.body["metadata"]["deletionTimestamp"].is_string(),
        "{}",
        it.body
    );
    it.ask(
        Method::PATCH,
        &path,
        &json!({"metadata": {"finalizers": ["example.com/wait", "example.com/more"]}}),
    )
    .await;
    it.refused(422, "Invalid", "no new finalizers can be added");
    it.ask(
        Method::PATCH,
        &path,
        &json!({"metadata": {"deletionTimestamp": null, "finalizers": null}}),
    )
    .await;
    assert_eq!(it.code, 200);
    it.get(&path).await;
    it.refused(404, "NotFound", "");
    it.ask(Method::POST, CONFIG_MAPS, &config_map("b")).await;
    it.ask(Method::DELETE, &format!("{CONFIG_MAPS}/b"), &json!({}))
        .await;
    assert_eq!(
        (&it.body["kind"], &it.body["status"]),
        (&"Status".into(), &"Success".into())
    );
}

#[tokio::test]
async fn a_collection_is_deleted_by_selection() {
    let mut it = Asked::start().await;
    for (name, team) in [("a", "x"), ("b", "y"), ("c", "x")] {
        let mut body = config_map(name);
        body["metadata"]["labels"] = json!({"team": team});
        it.ask(Method::POST, CONFIG_MAPS, &body).await;
    }
    it.ask(
        Method::DELETE,
        &format!("{CONFIG_MAPS}?labelSelector=team%3Dx"),
        &json!({}),
    )
    .await;
    assert_eq!(it.code, 200);
    let left = it.get(CONFIG_MAPS).await["items"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(
        left.iter()
            .map(|it| it["metadata"]["name"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["b"]
    );
}

#[tokio::test]
async fn custom_resources_are_held_to_their_schema() {
    let mut it = Asked::start().await;
    it.ask(Method::POST, DEFINITIONS, &widget_definition())
        .await;
    let conditions = &it.body["status"]["conditions"];
    for (index, kind) in ["NamesAccepted", "Established"].iter().enumerate() {
        assert_eq!(
            (&conditions[index]["type"], &conditions[index]["status"]),
            (&(*kind).into(), &"True".into())
        );
    }
    assert_eq!(it.body["status"]["acceptedNames"]["listKind"], "WidgetList");
    it.ask(Method::POST, WIDGETS, &widget(&json!({}))).await;
    it.refused(
        422,
        "Invalid",
        "Widget.example.com \"w\" is invalid: spec.size: Required value",
    );
    it.ask(Method::POST, WIDGETS, &widget(&json!({"size": 0})))
        .await;
    it.refused(422, "Invalid", "spec.size: Invalid value: 0");
    let unknown = widget(&json!({"size": 1, "weight": 2}));
    it.ask(
        Method::POST,
        &format!("{WIDGETS}?fieldValidation=Strict"),
        &unknown,
    )
    .await;
    it.refused(400, "BadRequest", "unknown field \"spec.weight\"");
    it.ask(Method::POST, WIDGETS, &unknown).await;
    assert_eq!(
        (it.code, &it.body["spec"]),
        (201, &json!({"size": 1, "color": "red"}))
    );
    assert_eq!(it.warnings, ["299 - \"unknown field \\\"spec.weight\\\"\""]);
    it.ask(
        Method::PUT,
        &format!("{WIDGETS}/w"),
        &widget(&json!({"size": 2})),
    )
    .await;
    it.refused(422, "Invalid", "metadata.resourceVersion: Invalid value");
    it.ask_as(
        Method::PATCH,
        &format!("{WIDGETS}/w"),
        "application/strategic-merge-patch+json",
        "{}",
    )
    .await;
    it.refused(415, "UnsupportedMediaType", "application/merge-patch+json");
    let patch = json!([{"op": "replace", "path": "/spec/size", "value": 5}]).to_string();
    it.ask_as(
        Method::PATCH,
        &format!("{WIDGETS}/w"),
        "application/json-patch+json",
        &patch,
    )
    .await;
    assert_eq!(
        (&it.body["spec"]["size"], &it.body["metadata"]["generation"]),
        (&5.into(), &2.into())
    );
    it.ask(
        Method::DELETE,
        &format!("{DEFINITIONS}/widgets.example.com"),
        &json!({}),
    )
    .await;
    assert_eq!(it.code, 200);
}

#[tokio::test]
async fn a_definition_that_cannot_be_is_refused() {
    let mut it = Asked::start().await;
    let mut misnamed = widget_definition();
    misnamed["metadata"]["name"] = "things.example.com".into();
    it.ask(Method::POST, DEFINITIONS, &misnamed).await;
    it.refused(422, "Invalid", "must be spec.names.plural");
    it.ask(Method::POST, DEFINITIONS, &widget_definition())
        .await;
    let mut rival = widget_definition();
    rival["metadata"]["name"] = "gadgets.example.com".into();
    rival["spec"]["names"]["plural"] = "gadgets".into();
    it.ask(Method::POST, DEFINITIONS, &rival).await;
    assert_eq!(
        it.body["status"]["conditions"][0]["status"], "False",
        "{}",
        it.body
    );
    it.get("/apis/example.com/v1/namespaces/default/gadgets")
        .await;
    it.refused(404, "NotFound", "");
}

#[tokio::test]
async fn a_secrets_texts_are_folded_into_its_data() {
    let mut it = Asked::start().await;
    let path = "/api/v1/namespaces/default/secrets";
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
        "data": {"a": "MQ=="}, "stringData": {"b": "2"},
    });
    it.ask(Method::POST, path, &secret).await;
    assert_eq!(
        (&it.body["data"], &it.body["type"]),
        (&json!({"a": "MQ==", "b": "Mg=="}), &"Opaque".into())
    );
    assert_eq!(it.body.get("stringData"), None);
    it.ask(
        Method::PATCH,
        &format!("{path}/s"),
        &json!({"type": "other"}),
    )
    .await;
    it.refused(
        422,
        "Invalid",
        "type: Invalid value: \"other\": field is immutable",
    );
    it.ask(
        Method::PATCH,
        &format!("{path}/s"),
        &json!({"data": {"a": "not base64!"}}),
    )
    .await;
    it.refused(422, "Invalid", "data[a]");
    it.ask(
        Method::PATCH,
        &format!("{path}/s"),
        &json!({"immutable": true}),
    )
    .await;
    it.ask(
        Method::PATCH,
        &format!("{path}/s"),
        &json!({"stringData": {"b": "3"}}),
    )
    .await;
    it.refused(422, "Invalid", "immutable");
}

#[tokio::test]
async fn yaml_is_as_good_as_json() {
    let mut it = Asked::start().await;
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  on: \"yes\"\n";
    it.ask_as(Method::POST, CONFIG_MAPS, "application/yaml", text)
        .await;
    assert_eq!((it.code, &it.body["data"]), (201, &json!({"on": "yes"})));
    let text = "apiVersion: v1\nkind: ConfigMap\ndata:\n  on: \"no\"\n";
    let path = format!("{CONFIG_MAPS}/a?fieldManager=me&force=true");
    it.ask_as(Method::PATCH, &path, "application/apply-patch+yaml", text)
        .await;
    assert_eq!((it.code, &it.body["data"]), (200, &json!({"on": "no"})));
    it.ask_as(
        Method::PATCH,
        &format!("{CONFIG_MAPS}/a"),
        "application/apply-patch+yaml",
        text,
    )
    .await;
    it.refused(422, "Invalid", "fieldManager: Required value");
}

#[tokio::test]
async fn what_others_own_is_not_applied_over_them() {
    let mut it = Asked::start().await;
    let apply = |value: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": value}}).to_string()
    };
    let path = |more: &str| format!("{CONFIG_MAPS}/a?{more}");
    it.ask_as(
        Method::PATCH,
        &path("fieldManager=one"),
        "application/apply-patch+yaml",
        &apply("1"),
    )
    .await;
    assert_eq!(it.code, 201);
    let revision = it.body["metadata"]["resourceVersion"].clone();
    it.ask_as(
        Method::PATCH,
        &path("fieldManager=one"),
        "application/apply-patch+yaml",
        &apply("1"),
    )
    .await;
    assert_eq!(
        (it.code, &it.body["metadata"]["resourceVersion"]),
        (200, &revision),
        "nothing changed"
    );
    it.ask_as(
        Method::PATCH,
        &path("fieldManager=two"),
        "application/apply-patch+yaml",
        &apply("2"),
    )
    .await;
    it.refused(409, "Conflict", "conflict with \"one\"");
    assert_eq!(
        it.body["details"]["causes"][0]["reason"],
        "FieldManagerConflict"
    );
    assert_eq!(it.body["details"]["causes"][0]["field"], ".data.a");
    it.ask_as(
        Method::PATCH,
        &path("fieldManager=two&force=true"),
        "application/apply-patch+yaml",
        &apply("2"),
    )
    .await;
    assert_eq!((it.code, &it.body["data"]["a"]), (200, &"2".into()));
}

#[tokio::test]
async fn metadata_alone_can_be_asked_for() {
    let mut it = Asked::start().await;
    it.ask(Method::POST, CONFIG_MAPS, &config_map("a")).await;
    let accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
    it.send(
        Request::get(CONFIG_MAPS)
            .header("accept", accept)
            .body(String::new())
            .unwrap(),
    )
    .await;
    assert_eq!(it.body["kind"], "PartialObjectMetadataList");
    let item = &it.body["items"][0];
    assert_eq!(
        (&item["kind"], &item["metadata"]["name"], item.get("data")),
        (&"PartialObjectMetadata".into(), &"a".into(), None)
    );
    it.send(
        Request::get(CONFIG_MAPS)
            .header("accept", "text/csv")
            .body(String::new())
            .unwrap(),
    )
    .await;
    it.refused(406, "NotAcceptable", "application/json");
}

/// A hook that answers by a plain function.
fn hook(
    name: &str,
    mutating: bool,
    review: fn(&AdmissionRequest<DynamicObject>) -> AdmissionResponse,
) -> AdmissionHook {
    AdmissionHook {
        name: name.to_owned(),
        group: String::new(),
        resources: vec!["configmaps".to_owned()],
        operations: all_operations(),
        mutating,
        review: Arc::new(move |request| {
            let response = review(&request);
            async move { response }.boxed()
        }),
    }
}

#[tokio::test]
async fn hooks_change_refuse_and_warn() {
    let mut it = Asked::start().await;
    it.server.add_admission(hook("stamp", true, |request| {
        let user = request.user_info.username.clone().unwrap_or_default();
        let patch = json!([{"op": "add", "path": "/data/by", "value": user}]);
        let response = AdmissionResponse::from(request);
        if request.operation == Operation::Delete {
            return response;
        }
        response
            .with_patch(serde_json::from_value(patch).unwrap())
            .unwrap()
    }));
    it.server.add_admission(hook("guard", false, |request| {
        let mut response = AdmissionResponse::from(request);
        let by = |it: &Option<DynamicObject>| it.as_ref().map(|it| it.data["data"]["by"].clone());
        assert_eq!(request.dry_run, request.name == "dry");
        match (
            &request.operation,
            &by(&request.object),
            &by(&request.old_object),
        ) {
            (Operation::Create, Some(by), None) if by == "nobody" => {
                response.deny("nobody may create")
            }
            (Operation::Delete, None, Some(_)) if request.name == "kept" => {
                response.deny("it is kept")
            }
            (Operation::Update, Some(_), Some(_)) => {
                response.warnings = Some(vec!["it was fine as it was".to_owned()]);
                response
            }
            _ => response,
        }
    }));
    it.ask(Method::POST, CONFIG_MAPS, &config_map("kept")).await;
    assert_eq!((it.code, &it.body["data"]["by"]), (201, &"admin".into()));
    it.ask(
        Method::PATCH,
        &format!("{CONFIG_MAPS}/kept"),
        &json!({"data": {"a": "2"}}),
    )
    .await;
    assert_eq!(it.warnings, ["299 - \"it was fine as it was\""]);
    it.ask(Method::DELETE, &format!("{CONFIG_MAPS}/kept"), &json!({}))
        .await;
    it.refused(
        403,
        "Forbidden",
        "admission webhook \"guard\" denied the request: it is kept",
    );
    it.ask(
        Method::POST,
        &format!("{CONFIG_MAPS}?dryRun=All"),
        &config_map("dry"),
    )
    .await;
    assert_eq!(it.code, 201);
    let nobody = UserInfo {
        username: Some("nobody".to_owned()),
        ..UserInfo::default()
    };
    let request = Request::post(CONFIG_MAPS)
        .header("content-type", "application/json")
        .extension(nobody);
    it.send(request.body(config_map("a").to_string()).unwrap())
        .await;
    it.refused(403, "Forbidden", "nobody may create");
}

#[tokio::test]
async fn a_refusal_by_a_hook_names_the_object_and_its_fields() {
    let mut it = Asked::start().await;
    it.server.add_admission(hook("guard", false, |request| {
        let mut response = AdmissionResponse::from(request).deny("no");
        let details = json!({"causes": [{"reason": "FieldValueInvalid", "field": "data.a", "message": "wrong"}]});
        response.result.code = 422;
        response.result.details = serde_json::from_value(details).unwrap();
        response
    }));
    it.ask(Method::POST, CONFIG_MAPS, &config_map("a")).await;
    it.refused(422, "Invalid", "\"guard\" denied the request: no");
    let details = &it.body["details"];
    assert_eq!(
        (&details["kind"], &details["name"]),
        (&"ConfigMap".into(), &"a".into())
    );
    assert_eq!(details["causes"][0]["field"], "data.a");
}

#[tokio::test]
async fn a_hook_that_fails_has_refused() {
    let mut it = Asked::start().await;
    it.server
        .add_admission(hook("broken", false, |_| panic!("it is broken")));
    it.ask(Method::POST, CONFIG_MAPS, &config_map("a")).await;
    it.refused(500, "InternalError", "\"broken\" failed");
    it.get(&format!("{CONFIG_MAPS}/a")).await;
    assert_eq!(it.code, 404);
}

#[tokio::test]
async fn readiness_can_be_held() {
    let mut it = Asked::start().await;
    it.server.hold_ready("loops are starting");
    it.get("/readyz").await;
    assert_eq!(it.code, 503);
    it.get("/livez").await;
    assert_eq!(it.code, 200);
    it.server.ready();
    it.get("/readyz").await;
    assert_eq!(it.code, 200);
}

#[tokio::test]
async fn callers_are_told_who_they_are_and_what_they_may() {
    let mut it = Asked::start().await;
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let spec = json!({"resourceAttributes": {"verb": "create", "resource": "secrets"}});
    it.ask(Method::POST, path, &json!({"spec": spec})).await;
    assert_eq!(
        (it.code, &it.body["status"]["allowed"], &it.body["spec"]),
        (201, &true.into(), &spec)
    );
    it.ask(
        Method::POST,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        &json!({}),
    )
    .await;
    assert_eq!(it.body["status"]["userInfo"]["username"], "admin");
    it.get(path).await;
    it.refused(405, "MethodNotAllowed", "");
}
