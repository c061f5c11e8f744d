//! The recorded answers of Kubernetes for strategic patches, the bounds of the others, and laws that hold for any input.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::*;

#[derive(Deserialize)]
struct Recording {
    schema: Value,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    original: Value,
    patch: Value,
    result: Option<Value>,
    error: Option<String>,
}

#[test]
fn strategic_patches_end_as_they_do_in_kubernetes() {
    let recording: Recording =
        serde_json::from_str(include_str!("../../tests/fixtures/strategic.json"))
            .expect("the fixture is JSON");
    let shape = Shape::of_schema(&recording.schema);
    // Where items are deleted, Kubernetes then reads an order it has itself overwritten: only what is in the list counts.
    let sorted = |value: &Value| {
        let mut value = value.clone();
        if let Some(Value::Array(items)) = value.get_mut("items") {
            items.sort_by_key(ToString::to_string);
        }
        value
    };
    let mut wrong = Vec::new();
    for row in &recording.rows {
        // Kubernetes cannot order a list that is empty on both sides, nor one whose last item is a directive; we can.
        let error = row.error.as_deref().unwrap_or_default();
        let last_is_directive = error.starts_with("The order in patch list")
            && row.patch.to_string().contains("\"replace\"");
        if error == "no elements in any of the given slices" || last_is_directive {
            continue;
        }
        let answer = strategic(&row.original, row.patch.to_string().as_bytes(), &shape);
        let right = match (&answer, &row.result) {
            (Ok(answer), Some(result)) if row.patch.to_string().contains("\"delete\"") => {
                sorted(answer) == sorted(result)
            }
            (Ok(answer), result) if row.error.is_none() => {
                answer == result.as_ref().unwrap_or(&json!({}))
            }
            (Ok(_), _) => false,
            (Err(_), _) => row.error.is_some(),
        };
        if !right {
            wrong.push(format!(
                "{}\n + {}\n = {answer:?}\n expected {:?} {:?}",
                row.original, row.patch, row.result, row.error
            ));
        }
    }
    assert!(recording.rows.len() >= 500);
    assert!(
        wrong.is_empty(),
        "{} wrong, first: {}",
        wrong.len(),
        wrong[0]
    );
}

fn check_json(object: &Value, patch: &Value, expected: Result<Value, &str>) {
    let answer = json(object, patch.to_string().as_bytes()).map_err(|error| format!("{error:?}"));
    match (answer, expected) {
        (Ok(answer), Ok(expected)) => assert_eq!(answer, expected),
        (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
        (answer, expected) => panic!("{answer:?}, expected {expected:?}"),
    }
}

#[test]
fn json_patches_run_all_operations_or_none() {
    let object = json!({ "a": 1, "list": [1, 2] });
    check_json(
        &object,
        &json!([{ "op": "add", "path": "/list/-", "value": 3 }]),
        Ok(json!({ "a": 1, "list": [1, 2, 3] })),
    );
    check_json(
        &object,
        &json!([{ "op": "move", "from": "/a", "path": "/b" }]),
        Ok(json!({ "b": 1, "list": [1, 2] })),
    );
    check_json(
        &object,
        &json!([{ "op": "test", "path": "/a", "value": 2 }]),
        Err("Unprocessable"),
    );
    check_json(
        &object,
        &json!([{ "op": "remove", "path": "/nope" }]),
        Err("Unprocessable"),
    );
    check_json(
        &object,
        &json!([{ "op": "explode", "path": "/a" }]),
        Err("BadRequest"),
    );
    check_json(&object, &json!({ "op": "add" }), Err("BadRequest"));
}

#[test]
fn json_patches_cannot_grow_without_bound() {
    let many: Vec<Value> = (0..10_001)
        .map(|_| json!({ "op": "test", "path": "/a", "value": 1 }))
        .collect();
    check_json(&json!({ "a": 1 }), &json!(many), Err("TooLarge"));
    let doubling: Vec<Value> = (0..64)
        .map(|index| json!({ "op": "copy", "from": "/a", "path": format!("/a/{index}") }))
        .collect();
    let object = json!({ "a": { "text": "x".repeat(1000) } });
    assert!(json(&object, json!(doubling).to_string().as_bytes()).is_err());
    let path = |depth: usize| "/a".repeat(depth);
    let deepening: Vec<Value> = (1..200)
        .map(|depth| json!({ "op": "add", "path": path(depth), "value": {} }))
        .collect();
    check_json(&json!({}), &json!(deepening), Err("nested too deeply"));
}

#[test]
fn merge_patches_remove_by_null() {
    let object = json!({ "a": { "b": 1, "c": 2 }, "d": [1] });
    let patched = merge(
        &object,
        br#"{"a":{"b":null,"x":{"y":null}},"d":[2],"e":null}"#,
    );
    assert_eq!(patched, Ok(json!({ "a": { "c": 2, "x": {} }, "d": [2] })));
    assert!(matches!(
        merge(&object, b"[]"),
        Err(PatchError::BadRequest(_))
    ));
    assert!(matches!(
        merge(&object, b"{"),
        Err(PatchError::BadRequest(_))
    ));
}

#[test]
fn configurations_are_yaml_or_json_objects() {
    assert_eq!(
        parse_configuration(b"apiVersion: v1\nkind: ConfigMap\n"),
        Ok(json!({ "apiVersion": "v1", "kind": "ConfigMap" }))
    );
    assert_eq!(parse_configuration(br#"{"a": 1}"#), Ok(json!({ "a": 1 })));
    for bad in [
        &b"- a"[..],
        b"a: [",
        b"",
        b"\xff\xfe",
        "[".repeat(5000).as_bytes(),
    ] {
        assert!(parse_configuration(bad).is_err(), "{bad:?}");
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4i64).prop_map(Value::from),
        "[a-d]".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = [
            "name",
            "data",
            "box",
            "kept",
            "merged",
            "items",
            "a",
            "$patch",
            "$retainKeys",
            "$deleteFromPrimitiveList/merged",
            "$setElementOrder/items",
            "$setElementOrder",
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

proptest! {
    #[test]
    fn a_patch_leaves_nothing_to_patch(from in any_value(), to in any_value()) {
        let patch = json_patch::diff(&from, &to);
        let patched = json(&from, &serde_json::to_vec(&patch).expect("a patch is JSON"));
        prop_assert_eq!(patched.as_ref(), Ok(&to));
        prop_assert!(json_patch::diff(&patched.expect("it was patched"), &to).is_empty());
    }

    #[test]
    fn merging_twice_is_merging_once(object in any_value(), patch in any_value()) {
        let patch = patch.to_string();
        if let Ok(once) = merge(&object, patch.as_bytes()) {
            prop_assert_eq!(merge(&once, patch.as_bytes()), Ok(once));
        }
    }

    #[test]
    fn no_input_panics(object in any_value(), patch in any_value(), bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let schema = json!({ "type": "object", "properties": {
            "merged": { "type": "array", "items": { "type": "string" }, "x-kubernetes-patch-strategy": "merge" },
            "items": { "type": "array", "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "name",
                "items": { "type": "object", "properties": { "name": { "type": "string" } } } },
        } });
        let text = patch.to_string();
        for patch in [text.as_bytes(), &bytes] {
            let answers = [json(&object, patch), merge(&object, patch), strategic(&object, patch, &Shape::of_schema(&schema)), parse_configuration(patch)];
            prop_assert_eq!(answers.len(), 4);
        }
    }
}
