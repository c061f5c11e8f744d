//! The recorded answers of Kubernetes, replayed; and laws that hold for any input.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
struct Recording {
    schemas: serde_json::Map<String, Value>,
    sequences: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Sequence {
    name: String,
    schema: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    op: String,
    manager: String,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    subresource: String,
    object: Value,
    now: Timestamp,
    live: Option<Value>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    causes: Vec<(String, String)>,
    #[serde(default)]
    error: bool,
}

fn recording() -> Recording {
    serde_json::from_str(include_str!("../../tests/fixtures/apply.json"))
        .expect("the fixture is JSON")
}

/// Does what a server does around these functions: the status and the rest do not touch each other, and an object gets its uid.
fn run(shape: &Shape, live: Option<&Value>, step: &Step) -> Result<Value, ApplyError> {
    let author = Author {
        manager: &step.manager,
        api_version: "example.com/v1",
        subresource: &step.subresource,
        reset: reset_fields(true, &step.subresource),
        now: step.now,
    };
    let empty = json!({ "apiVersion": "example.com/v1", "kind": "Thing" });
    let old = live.unwrap_or(&empty);
    let new = if step.op == "apply" {
        apply(shape, old, &step.object, &author, step.force)?
    } else {
        let mut new = step.object.clone();
        track_update(shape, live, &mut new, &author);
        new
    };
    let mut kept = if step.subresource.is_empty() {
        new.clone()
    } else {
        old.clone()
    };
    let status = if step.subresource.is_empty() {
        old
    } else {
        &new
    }
    .get("status");
    set(&mut kept, "status", status.cloned());
    let mut metadata = kept.get("metadata").cloned().unwrap_or_else(|| json!({}));
    set(
        &mut metadata,
        "managedFields",
        new.pointer("/metadata/managedFields").cloned(),
    );
    set(&mut metadata, "uid", Some("u-1".into()));
    set(&mut kept, "metadata", Some(metadata));
    if let Some(live) = live {
        keep_times(live, &mut kept);
    }
    Ok(kept)
}

fn set(object: &mut Value, name: &str, value: Option<Value>) {
    let fields = object.as_object_mut().expect("an object");
    match value {
        Some(value) => fields.insert(name.to_owned(), value),
        None => fields.remove(name),
    };
}

#[test]
fn sequences_end_as_they_do_in_kubernetes() {
    let recording = recording();
    let mut wrong = Vec::new();
    for sequence in &recording.sequences {
        let shape = Shape::of_kind(&recording.schemas[&sequence.schema]);
        let mut live: Option<Value> = None;
        for (index, step) in sequence.steps.iter().enumerate() {
            let place = format!(
                "{} step {index} {} by {}",
                sequence.name, step.op, step.manager
            );
            match run(&shape, live.as_ref(), step) {
                Ok(object) if step.live.as_ref() == Some(&object) => live = Some(object),
                Err(ApplyError::Conflicts(conflicts)) if !step.causes.is_empty() => {
                    let mut expected = step.causes.clone();
                    let mut causes = conflicts.causes();
                    expected.sort();
                    causes.sort();
                    if causes != expected || conflicts.to_string() != step.message {
                        wrong.push(format!("{place}: {conflicts}\n expected {}", step.message));
                    }
                }
                Err(ApplyError::BadRequest(message)) if step.error => {
                    // Go prints values and long lists of mistakes in its own way.
                    let comparable = step.message.starts_with("failed to create typed patch")
                        && ["expected", "errors:", "omits all"]
                            .iter()
                            .all(|word| !step.message.contains(word));
                    if comparable && message != step.message {
                        wrong.push(format!("{place}: {message}\n expected {}", step.message));
                    }
                }
                Err(ApplyError::Live(_)) if step.error => {}
                answer => {
                    let answer = answer
                        .map_or_else(|error| format!("{error:?}"), |object| object.to_string());
                    let expected = step
                        .live
                        .as_ref()
                        .map_or(step.message.clone(), ToString::to_string);
                    wrong.push(format!(
                        "{place}: {answer}\n expected {expected}\n was {live:?}\n sent {}",
                        step.object
                    ));
                    break;
                }
            }
        }
    }
    assert!(recording.sequences.len() >= 200);
    assert!(
        wrong.is_empty(),
        "{} wrong, first: {}",
        wrong.len(),
        wrong[0]
    );
}

#[test]
fn managers_are_named_by_the_request_or_its_program() {
    assert_eq!(manager_or_user_agent("argosy", "kubectl/v1.34"), "argosy");
    assert_eq!(
        manager_or_user_agent("", "kubectl/v1.34 (linux)"),
        "kubectl"
    );
    assert_eq!(
        manager_or_user_agent("", &format!("a\n{}", "b".repeat(200))).len(),
        128
    );
}

/// A shape with every kind of list and map.
fn rich() -> &'static Shape {
    static RICH: std::sync::LazyLock<Shape> =
        std::sync::LazyLock::new(|| Shape::of_kind(&recording().schemas["rich"]));
    &RICH
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof!["[abc]", "k[1-3]", Just("name".to_owned())]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..3i64).prop_map(Value::from),
        word().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = [
            "spec", "name", "items", "tags", "args", "selector", "nested", "groups", "free", "any",
            "metadata", "labels", "status",
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(proptest::sample::select(names.to_vec()), inner, 0..4)
                .prop_map(|map| Value::Object(
                    map.into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect()
                )),
        ]
    })
}

// No empty maps or lists: whether those are there at all is not settled by one apply, in Kubernetes either.
fn spec() -> impl Strategy<Value = Value> {
    let words = || {
        proptest::collection::btree_set(word(), 1..4)
            .prop_map(|words| Value::from(words.into_iter().collect::<Vec<_>>()))
    };
    let items = proptest::collection::btree_map(word(), word(), 1..4).prop_map(|items| {
        items
            .into_iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect::<Value>()
    });
    let map = || proptest::collection::btree_map(word(), word(), 1..3).prop_map(|map| json!(map));
    let fields = (
        proptest::option::of(word()),
        proptest::option::of(words()),
        proptest::option::of(words()),
        proptest::option::of(items),
        proptest::option::of(map()),
        proptest::option::of(map()),
    );
    fields.prop_map(|(name, tags, args, items, labels, selector)| {
        let mut spec = serde_json::Map::from_iter([("on".to_owned(), Value::Bool(true))]);
        let fields = [("name", name.map(Value::from)), ("tags", tags), ("args", args), ("items", items), ("labels", labels), ("selector", selector)];
        for (field, value) in fields {
            spec.extend(value.map(|value| (field.to_owned(), value)));
        }
        json!({ "apiVersion": "example.com/v1", "kind": "Thing", "metadata": { "name": "one" }, "spec": spec })
    })
}

fn some_set() -> impl Strategy<Value = Set> {
    let element = prop_oneof![
        word().prop_map(element::Element::Field),
        (0..3i64).prop_map(|value| element::Element::Value(element::Plain(value.into()))),
        word().prop_map(|name| element::Element::Key(vec![(
            "name".to_owned(),
            element::Plain(name.into())
        )])),
        (0..3i64).prop_map(element::Element::Index),
    ];
    proptest::collection::vec(proptest::collection::vec(element, 1..4), 0..12).prop_map(|paths| {
        let mut set = Set::default();
        for path in paths {
            set.insert(&path);
        }
        set
    })
}

fn by(manager: &str) -> Author<'_> {
    Author {
        manager,
        api_version: "example.com/v1",
        subresource: "",
        reset: &["status"],
        now: Timestamp::UNIX_EPOCH,
    }
}

proptest! {
    #[test]
    fn sets_obey_their_algebra(a in some_set(), b in some_set(), c in some_set()) {
        prop_assert_eq!(a.union(&b), b.union(&a));
        prop_assert_eq!(a.union(&b).union(&c), a.union(&b.union(&c)));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(a.intersection(&b).union(&a.difference(&b)), a.clone());
        prop_assert_eq!(a.difference(&b).union(&b), a.union(&b));
        prop_assert!(a.difference(&b).intersection(&b).is_empty());
        prop_assert!(a.without(&a).is_empty());
        prop_assert_eq!(a.without(&b).difference(&b), a.without(&b));
        prop_assert_eq!(fields::parse(&fields::write(&a)), Ok(a));
    }

    #[test]
    fn applying_twice_is_applying_once(one in spec(), two in spec(), three in spec()) {
        let shape = rich();
        let empty = json!({ "apiVersion": "example.com/v1", "kind": "Thing" });
        let live = apply(shape, &empty, &one, &by("a"), false).expect("a first apply");
        let live = apply(shape, &live, &two, &by("b"), true).expect("a forced apply");
        let once = apply(shape, &live, &three, &by("a"), true).expect("a forced apply");
        let later = Author { now: Timestamp::from_second(100).expect("a time"), ..by("a") };
        prop_assert_eq!(apply(shape, &once, &three, &later, false).expect("the same again"), once.clone());
        // An update that changes nothing writes nothing either.
        let mut same = once.clone();
        track_update(shape, Some(&once), &mut same, &later);
        prop_assert_eq!(same, once);
    }

    #[test]
    fn no_input_panics(live in any_value(), config in any_value(), managed in any_value(), text in ".{0,12}", key in "[fkvix.]?:?.{0,8}") {
        let shape = rich();
        for shape in [shape, &Shape::Deduced, &Shape::Untyped] {
            let mut live = live.clone();
            if let Value::Object(object) = &mut live {
                let entry = json!({
                    "manager": text, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": { key.as_str(): managed },
                });
                object.insert("metadata".to_owned(), json!({ "managedFields": [entry, managed] }));
            }
            let mut new = config.clone();
            let _answer = apply(shape, &live, &config, &by("a"), true);
            track_update(shape, Some(&live), &mut new, &by("b"));
            let _compared = compare::compare(&live, &config, shape);
            if let Ok(set) = fields::parse(&managed) {
                remove::remove(&live, &set, shape);
                reconcile::reconcile(&set, shape);
            }
        }
    }
}
