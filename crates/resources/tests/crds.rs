//! The CustomResourceDefinitions have the structure of upstream's, and say what each field is for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kube_core::{ClusterResourceScope, NamespaceResourceScope, Resource};
use resources::{
    ClusterConfig, ClusterPromotionTask, Freight, Project, ProjectConfig, Promotion,
    PromotionRequest, PromotionTask, Stage, Target, Warehouse,
};
use serde_json::{Value, json};

const UPSTREAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/upstream/crds");

fn parse(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).expect("the manifest is YAML")
}

fn ours() -> BTreeMap<String, Value> {
    let parse_named = |(name, yaml): &(&str, &str)| ((*name).to_owned(), parse(yaml));
    resources::crds().iter().map(parse_named).collect()
}

fn upstream() -> BTreeMap<String, Value> {
    let files = fs::read_dir(Path::new(UPSTREAM)).expect("the folder is readable");
    files
        .map(|it| it.expect("the folder is readable").path())
        .filter(|it| it.extension().is_some_and(|it| it == "yaml"))
        .map(|it| parse(&fs::read_to_string(it).expect("the file is readable")))
        .map(|it| {
            (
                it["metadata"]["name"].as_str().expect("a name").to_owned(),
                it,
            )
        })
        .collect()
}

/// Calls `visit` with every schema in a schema, the outermost first, and where it is.
fn walk(schema: &mut Value, path: &str, visit: &mut impl FnMut(&str, &mut Value)) {
    visit(path, schema);
    if let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, field) in fields {
            walk(field, &format!("{path}.{name}"), visit);
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(inner) = schema.get_mut(key).filter(|it| it.is_object()) {
            walk(inner, &format!("{path}{mark}"), visit);
        }
    }
}

fn schema(crd: &mut Value) -> &mut Value {
    &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

#[test]
fn every_schema_is_structurally_equal_to_upstream() {
    let (mut ours, mut upstream) = (ours(), upstream());
    assert_eq!(upstream.len(), 11);
    for crd in ours.values_mut().chain(upstream.values_mut()) {
        walk(schema(crd), "", &mut |_, it| {
            it.as_object_mut().expect("a schema").remove("description");
        });
    }
    assert_eq!(
        ours.keys().collect::<Vec<_>>(),
        upstream.keys().collect::<Vec<_>>()
    );
    for (name, crd) in &ours {
        assert_eq!(crd["spec"], upstream[name]["spec"], "{name}");
    }
}

#[test]
fn every_field_is_explained() {
    for (name, mut crd) in ours() {
        walk(schema(&mut crd), &name, &mut |path, it| {
            let is_field = !path.ends_with(['[', ']', '{', '}']);
            if path == format!("{name}.metadata") {
                // What Kubernetes explains itself, and lets no schema explain: a kube-apiserver refuses one that does.
                assert_eq!(*it, json!({"type": "object"}), "{path}");
                return;
            }
            let text = it["description"].as_str().unwrap_or_default();
            assert!(!is_field || text.ends_with('.'), "{path} has no sentence");
        });
    }
}

#[test]
fn the_types_are_the_kinds() {
    fn check<K: Resource<DynamicType = ()>>(
        crds: &mut BTreeMap<String, Value>,
        scope: &str,
        has_status: bool,
    ) {
        let name = format!("{}.{}", K::plural(&()), K::group(&()));
        let crd = crds.remove(&name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(crd["spec"]["names"]["kind"], *K::kind(&()));
        assert_eq!(crd["spec"]["names"]["plural"], *K::plural(&()));
        assert_eq!(crd["spec"]["scope"], scope);
        let version = &crd["spec"]["versions"][0];
        assert_eq!(version["name"], *K::version(&()));
        assert_eq!(version["subresources"].get("status").is_some(), has_status);
    }
    fn namespaced<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(
        crds: &mut BTreeMap<String, Value>,
        has_status: bool,
    ) {
        check::<K>(crds, "Namespaced", has_status);
    }
    fn cluster<K: Resource<DynamicType = (), Scope = ClusterResourceScope>>(
        crds: &mut BTreeMap<String, Value>,
        has_status: bool,
    ) {
        check::<K>(crds, "Cluster", has_status);
    }
    let mut crds = ours();
    cluster::<ClusterConfig>(&mut crds, true);
    cluster::<ClusterPromotionTask>(&mut crds, false);
    cluster::<Project>(&mut crds, true);
    namespaced::<Freight>(&mut crds, true);
    namespaced::<ProjectConfig>(&mut crds, true);
    namespaced::<Promotion>(&mut crds, true);
    namespaced::<PromotionRequest>(&mut crds, true);
    namespaced::<PromotionTask>(&mut crds, false);
    namespaced::<Stage>(&mut crds, true);
    namespaced::<Target>(&mut crds, true);
    namespaced::<Warehouse>(&mut crds, true);
    assert!(crds.is_empty());
}
