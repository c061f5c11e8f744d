//! What passes a schema fits into its type, and what a type writes passes its schema: nothing is lost on the way.
//!
//! The values come from the schemas: every field is there at times, never empty, and written the way we write it. So a
//! field that a type forgets, renames or reads differently makes the object come back changed.

use embedded_apiserver::schema::Structural;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::string::string_regex;
use proptest::test_runner::{Config, TestRunner};
use resources::{
    ClusterConfig, ClusterPromotionTask, Freight, Project, ProjectConfig, Promotion,
    PromotionRequest, PromotionTask, Stage, Target, Warehouse,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

fn schema(plural: &str) -> Value {
    let name = format!("{plural}.kargo.akuity.io");
    let (_, yaml) = resources::crds()
        .iter()
        .find(|(it, _)| *it == name)
        .expect("the kind exists");
    let mut crd: Value = serde_saphyr::from_str(yaml).expect("the manifest is YAML");
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].take()
}

fn check<T: DeserializeOwned + Serialize + PartialEq>(plural: &str, kind: &str) {
    let schema = schema(plural);
    let structural = Structural::compile(&schema).expect("the schema compiles");
    let mut runner = TestRunner::new(Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    });
    let objects = arbitrary(&schema, "").prop_map(|mut object| {
        object["apiVersion"] = "kargo.akuity.io/v1alpha1".into();
        object["kind"] = kind.into();
        object["metadata"] = json!({ "name": "one", "annotations": { "a": "b" } });
        repair(&mut object);
        object
    });
    let result = runner.run(&objects, |object| {
        let typed = T::deserialize(&object)
            .map_err(|error| TestCaseError::fail(format!("{error}: {object}")))?;
        let mut written = serde_json::to_value(&typed).expect("the object is written");
        prop_assert_eq!(&written, &object);
        let causes = structural.validate(&written, None);
        prop_assert!(causes.is_empty(), "{:?}", causes);
        let pruned = structural.prune(&mut written);
        prop_assert!(pruned.is_empty(), "{:?}", pruned);
        structural.fill_in(&mut written);
        prop_assert!(T::deserialize(&written).expect("the object is read") == typed);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
}

/// Any value a schema takes, never empty.
fn arbitrary(schema: &Value, field: &str) -> BoxedStrategy<Value> {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return anything();
    }
    match schema["type"].as_str() {
        Some("object") => match &schema["additionalProperties"] {
            Value::Null => object(schema),
            values => btree_map("[a-z]{1,8}", arbitrary(values, ""), 1..3)
                .prop_map(|it| it.into_iter().collect::<Map<_, _>>().into())
                .boxed(),
        },
        Some("array") => {
            let longest = schema["maxItems"].as_u64().map_or(2, |_| 1);
            vec(arbitrary(&schema["items"], field), 1..=longest)
                .prop_map(Value::from)
                .boxed()
        }
        Some("boolean") => Just(json!(true)).boxed(),
        Some("integer") if schema["format"] == "int32" => {
            (1..i32::MAX).prop_map(Value::from).boxed()
        }
        Some("integer") => (1..i64::MAX).prop_map(Value::from).boxed(),
        Some("string") => text(schema, field),
        other => panic!("{field} has type {other:?}"),
    }
}

/// Fields the schema requires, or gives a default to, are always there, others half of the time.
fn object(schema: &Value) -> BoxedStrategy<Value> {
    let Some(fields) = schema["properties"].as_object() else {
        return Just(json!({})).boxed();
    };
    let required = |name: &String| {
        schema["required"]
            .as_array()
            .is_some_and(|it| it.contains(&json!(name)))
    };
    let mut object = Just(Map::new()).boxed();
    for (name, field) in fields {
        let name = name.clone();
        let value = arbitrary(field, &name);
        let is_always =
            required(&name) || field.get("default").is_some() || is_always_written(&name);
        let value = if is_always {
            value.prop_map(Some).boxed()
        } else {
            // An object that may be absent is, rather than empty.
            proptest::option::of(value)
                .prop_map(|it| it.filter(|it| *it != json!({})))
                .boxed()
        };
        object = (object, value)
            .prop_map(move |(mut object, value)| {
                if let Some(value) = value {
                    object.insert(name.clone(), value);
                }
                object
            })
            .boxed();
    }
    object.prop_map(Value::Object).boxed()
}

/// What our types write although the schema does not ask for it.
fn is_always_written(field: &str) -> bool {
    matches!(field, "spec" | "origin")
}

fn text(schema: &Value, field: &str) -> BoxedStrategy<Value> {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<Value> = words
            .iter()
            .filter(|it| **it != json!(""))
            .cloned()
            .collect();
        return proptest::sample::select(words).boxed();
    }
    if schema["format"] == "date-time" {
        return (0..4_000_000_000_i64)
            .prop_map(|second| {
                let time = jiff::Timestamp::from_second(second).expect("the second exists");
                Value::from(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
            })
            .boxed();
    }
    if schema["format"] == "email" {
        return "[a-z]{1,9}@[a-z]{1,9}\\.com".prop_map(Value::from).boxed();
    }
    match field {
        "interval" | "requiredSoakTime" | "timeout" | "longestSoak" => (1..10_000_000_i64)
            .prop_map(|it| resources::Duration::from_secs(it).to_string().into())
            .boxed(),
        "onPromotion" | "onVerification" => Just(json!("Failed")).boxed(),
        "repoURL" if schema.get("pattern").is_some() => proptest::sample::select(vec![
            json!("https://github.com/a/b.git"),
            json!("git@github.com:a/b"),
        ])
        .boxed(),
        _ => match schema["pattern"].as_str() {
            Some(pattern) => matching(pattern, schema["maxLength"].as_u64()),
            None => "[ -~äß✓]{1,12}".prop_map(Value::from).boxed(),
        },
    }
}

/// A text that matches an anchored pattern.
fn matching(pattern: &str, longest: Option<u64>) -> BoxedStrategy<Value> {
    let inner = pattern
        .trim_start_matches('^')
        .trim_end_matches('$')
        .replace("\\w", "[A-Za-z0-9_]");
    let inner = inner.replace("[[A-Za-z0-9_].\\-\\_]", "[A-Za-z0-9_.\\-]");
    let longest = longest.map_or(100, |it| usize::try_from(it).unwrap_or(100));
    string_regex(&inner)
        .expect("the pattern can be turned round")
        .prop_filter("too long", move |it| it.len() <= longest)
        .prop_map(Value::from)
        .boxed()
}

/// Any JSON but `null` at the top, which stands for absence.
fn anything() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
    ];
    let tree = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(prop_oneof![Just(Value::Null), inner.clone()], 0..3).prop_map(Value::from),
            btree_map("[a-z]{1,4}", prop_oneof![Just(Value::Null), inner], 0..3)
                .prop_map(|it| it.into_iter().collect::<Map<_, _>>().into()),
        ]
    });
    tree.boxed()
}

/// Makes what rules between fields ask for true.
fn repair(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::Array(steps)) = fields.get_mut("steps") {
                for step in steps.iter_mut().filter_map(Value::as_object_mut) {
                    step.remove("task");
                    step.entry("uses").or_insert(json!("copy"));
                }
            }
            if fields.contains_key("stage")
                && fields.contains_key("steps")
                && fields.contains_key("freight")
            {
                fields.remove("origin");
            } else if fields.contains_key("stage") && fields.contains_key("steps") {
                fields.remove("freight");
                fields
                    .entry("origin")
                    .or_insert(json!({ "kind": "Warehouse", "name": "web" }));
            }
            if let Some(Value::Array(policies)) = fields.get_mut("promotionPolicies") {
                for policy in policies.iter_mut().filter_map(Value::as_object_mut) {
                    policy.remove("stage");
                    policy
                        .entry("stageSelector")
                        .or_insert(json!({ "name": "x" }));
                }
            }
            for (key, list_key) in [("conditions", "type"), ("promotionWindows", "name")] {
                if let Some(Value::Array(list)) = fields.get_mut(key) {
                    list.dedup_by(|a, b| a[list_key] == b[list_key]);
                }
            }
            fields.values_mut().for_each(repair);
        }
        Value::Array(elements) => elements.iter_mut().for_each(repair),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn a_project_comes_back_unchanged() {
    check::<Project>("projects", "Project");
}

#[test]
fn a_project_config_comes_back_unchanged() {
    check::<ProjectConfig>("projectconfigs", "ProjectConfig");
}

#[test]
fn a_cluster_config_comes_back_unchanged() {
    check::<ClusterConfig>("clusterconfigs", "ClusterConfig");
}

#[test]
fn a_warehouse_comes_back_unchanged() {
    check::<Warehouse>("warehouses", "Warehouse");
}

#[test]
fn freight_comes_back_unchanged() {
    check::<Freight>("freights", "Freight");
}

#[test]
fn a_stage_comes_back_unchanged() {
    check::<Stage>("stages", "Stage");
}

#[test]
fn a_promotion_comes_back_unchanged() {
    check::<Promotion>("promotions", "Promotion");
}

#[test]
fn a_promotion_request_comes_back_unchanged() {
    check::<PromotionRequest>("promotionrequests", "PromotionRequest");
}

#[test]
fn a_promotion_task_comes_back_unchanged() {
    check::<PromotionTask>("promotiontasks", "PromotionTask");
}

#[test]
fn a_cluster_promotion_task_comes_back_unchanged() {
    check::<ClusterPromotionTask>("clusterpromotiontasks", "ClusterPromotionTask");
}

#[test]
fn a_target_comes_back_unchanged() {
    check::<Target>("targets", "Target");
}
