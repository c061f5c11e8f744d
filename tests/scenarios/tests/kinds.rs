//! What passes a schema fits into its type, and what a type writes passes its schema: nothing is lost on the way.
//!
//! The values come from the schemas. Where nothing in them is empty, they come back letter by letter, so a field that a
//! type forgets, renames or reads differently shows. Where things may be empty, the type may leave them out, and the
//! object comes back as the same value of the type.

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

/// Which values are tried.
#[derive(Clone, Copy, PartialEq)]
enum Emptiness {
    /// Nothing is empty, as our types write it.
    Never,
    /// Whatever the schema takes: empty texts, lists and objects, zero and `false` too.
    Allowed,
}

fn check<T: DeserializeOwned + Serialize + PartialEq>(plural: &str, kind: &str) {
    let schema = schema(plural);
    let structural = Structural::compile(&schema).expect("the schema compiles");
    for emptiness in [Emptiness::Never, Emptiness::Allowed] {
        let mut runner = TestRunner::new(Config {
            cases: 64,
            failure_persistence: None,
            ..Config::default()
        });
        let objects = arbitrary(&schema, "", emptiness).prop_map(|mut object| {
            object["apiVersion"] = "kargo.akuity.io/v1alpha1".into();
            object["kind"] = kind.into();
            object["metadata"] = json!({ "name": "one", "annotations": { "a": "b" } });
            object
        });
        let result = runner.run(&objects, |object| {
            comes_back::<T>(&structural, object, emptiness)
        });
        result.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
    }
}

fn comes_back<T: DeserializeOwned + Serialize + PartialEq>(
    structural: &Structural,
    mut object: Value,
    emptiness: Emptiness,
) -> Result<(), TestCaseError> {
    structural.fill_in(&mut object);
    let causes = structural.validate(&object, None);
    prop_assert!(causes.is_empty(), "not a fair question: {:?}", causes);
    let read = |object: &Value| {
        T::deserialize(object)
            .map_err(|error| TestCaseError::fail(format!("cannot be read: {error}: {object}")))
    };

    let typed = read(&object)?;
    let mut written = serde_json::to_value(&typed).expect("the object is written");
    if emptiness == Emptiness::Never {
        prop_assert_eq!(&written, &object);
    }
    let causes = structural.validate(&written, None);
    prop_assert!(causes.is_empty(), "{:?} in {}", causes, written);
    let pruned = structural.prune(&mut written);
    prop_assert!(pruned.is_empty(), "{:?} in {}", pruned, written);
    structural.fill_in(&mut written);
    prop_assert!(read(&written)? == typed, "{} became {}", object, written);
    Ok(())
}

/// Any value a schema takes.
fn arbitrary(schema: &Value, field: &str, emptiness: Emptiness) -> BoxedStrategy<Value> {
    let (least, lowest) = match emptiness {
        Emptiness::Never => (1, 1),
        Emptiness::Allowed => (0, 0),
    };
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return anything();
    }
    match schema["type"].as_str() {
        Some("object") => match &schema["additionalProperties"] {
            Value::Null => object(schema, emptiness),
            values => btree_map("[a-z]{1,8}", arbitrary(values, "", emptiness), least..3)
                .prop_map(|it| it.into_iter().collect::<Map<_, _>>().into())
                .boxed(),
        },
        Some("array") => list(schema, field, emptiness),
        Some("boolean") if emptiness == Emptiness::Allowed => {
            any::<bool>().prop_map(Value::from).boxed()
        }
        Some("boolean") => Just(json!(true)).boxed(),
        Some("integer") if schema["format"] == "int32" => {
            (lowest..i32::MAX).prop_map(Value::from).boxed()
        }
        Some("integer") => (i64::from(lowest)..i64::MAX).prop_map(Value::from).boxed(),
        Some("string") => text(schema, field, emptiness),
        other => panic!("{field} has type {other:?}"),
    }
}

/// One or two elements, none twice where the list is a set or has keys; at times none at all.
fn list(schema: &Value, field: &str, emptiness: Emptiness) -> BoxedStrategy<Value> {
    let least = match (emptiness, &schema["minItems"]) {
        (Emptiness::Allowed, Value::Null) => 0,
        _ => 1,
    };
    let keys = schema["x-kubernetes-list-map-keys"].clone();
    let is_set = schema["x-kubernetes-list-type"] == "set";
    vec(arbitrary(&schema["items"], field, emptiness), least..=2)
        .prop_map(move |mut elements| {
            if is_set {
                elements.dedup();
            } else if let Some(key) = keys[0].as_str() {
                elements.dedup_by(|a, b| a[key] == b[key]);
            }
            elements.into()
        })
        .boxed()
}

/// Fields the schema requires are always there, as are those with a default if nothing may be empty; others half of the
/// time.
fn object(schema: &Value, emptiness: Emptiness) -> BoxedStrategy<Value> {
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
        let value = arbitrary(field, &name, emptiness);
        let is_written = emptiness == Emptiness::Never
            && (field.get("default").is_some() || is_always_written(&name));
        let value = if required(&name) || is_written {
            value.prop_map(Some).boxed()
        } else {
            // Where nothing is empty, an object without fields is absent.
            proptest::option::of(value)
                .prop_map(move |it| {
                    it.filter(|it| emptiness == Emptiness::Allowed || *it != json!({}))
                })
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
    let alternatives = Alternatives::of(schema);
    (object, any::<bool>())
        .prop_map(move |(mut object, coin)| {
            alternatives.choose(&mut object, coin);
            Value::Object(object)
        })
        .boxed()
}

/// Fields of which a rule of the schema wants exactly one.
enum Alternatives {
    None,
    /// A step of a template: a kind of step or a task, which takes no `retry`.
    UsesOrTask,
    /// A step anywhere else.
    Uses,
    FreightOrOrigin,
    StageOrSelector,
}

impl Alternatives {
    fn of(schema: &Value) -> Self {
        let rules = schema["x-kubernetes-validations"].to_string();
        if rules.contains("has(self.uses) && !has(self.task)") {
            Self::Uses
        } else if rules.contains("has(self.uses)") {
            Self::UsesOrTask
        } else if rules.contains("has(self.freight) != has(self.origin)") {
            Self::FreightOrOrigin
        } else if rules.contains("has(self.stage)") {
            Self::StageOrSelector
        } else {
            Self::None
        }
    }

    /// Takes one of the alternatives away and sees to it that the other is there.
    fn choose(&self, object: &mut Map<String, Value>, coin: bool) {
        let (gone, there, otherwise) = match (self, coin) {
            (Self::None, _) => return,
            (Self::Uses, _) | (Self::UsesOrTask, true) => (&["task"][..], "uses", json!("copy")),
            (Self::UsesOrTask, false) => (
                &["uses", "retry", "continueOnError"][..],
                "task",
                json!({ "name": "promote" }),
            ),
            (Self::FreightOrOrigin, true) => (&["origin"][..], "freight", json!("abc")),
            (Self::FreightOrOrigin, false) => (
                &["freight"][..],
                "origin",
                json!({ "kind": "Warehouse", "name": "web" }),
            ),
            (Self::StageOrSelector, true) => (&["stageSelector"][..], "stage", json!("test")),
            (Self::StageOrSelector, false) => {
                (&["stage"][..], "stageSelector", json!({ "name": "x" }))
            }
        };
        for name in gone {
            object.remove(*name);
        }
        object.entry(there).or_insert(otherwise);
    }
}

/// What our types write although the schema does not ask for it.
fn is_always_written(field: &str) -> bool {
    matches!(field, "spec" | "origin")
}

fn text(schema: &Value, field: &str, emptiness: Emptiness) -> BoxedStrategy<Value> {
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<Value> = words
            .iter()
            .filter(|it| emptiness == Emptiness::Allowed || **it != json!(""))
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
        "onPromotion" => proptest::sample::select(vec![json!("Failed"), json!("Errored")]).boxed(),
        "onVerification" => proptest::sample::select(vec![json!("Failed"), json!("Error")]).boxed(),
        "repoURL" if schema.get("pattern").is_some() => proptest::sample::select(vec![
            json!("https://github.com/a/b.git"),
            json!("git@github.com:a/b"),
        ])
        .boxed(),
        _ => match schema["pattern"].as_str() {
            Some(pattern) => matching(pattern, schema["maxLength"].as_u64()),
            None if emptiness == Emptiness::Allowed && schema.get("minLength").is_none() => {
                "[ -~äß✓]{0,3}".prop_map(Value::from).boxed()
            }
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
