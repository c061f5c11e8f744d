//! What paths find.

use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn check(path: &str, expected: &Value) {
    let object = json!({
        "spec": {"shard": "a", "numbers": [1, 2, 3, 4]},
        "metadata": {"labels": {"kargo.akuity.io/alias": "merry"}},
        "status": {"conditions": [
            {"type": "Healthy", "status": "False", "weight": 1}, {"type": "Ready", "status": "True", "weight": 2}
        ]}
    });
    let parsed = JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let found: Vec<Value> = parsed.find(&object).into_iter().cloned().collect();
    assert_eq!(Value::from(found), *expected, "{path}");
}

#[test]
fn paths_find_what_kubernetes_finds() {
    check(".spec.shard", &json!(["a"]));
    check("{.spec.shard}", &json!(["a"]));
    check("$.spec.shard", &json!(["a"]));
    check(".spec.nothing", &json!([]));
    check(".spec.numbers[0]", &json!([1]));
    check(".spec.numbers[-1]", &json!([4]));
    check(".spec.numbers[9]", &json!([]));
    check(".spec.numbers[1:3]", &json!([2, 3]));
    check(".spec.numbers[::2]", &json!([1, 3]));
    check(".spec.numbers[0,2]", &json!([1, 3]));
    check(".spec.numbers[*]", &json!([1, 2, 3, 4]));
    check(
        r".metadata.labels.kargo\.akuity\.io/alias",
        &json!(["merry"]),
    );
    check(
        ".metadata.labels['kargo.akuity.io/alias']",
        &json!(["merry"]),
    );
    check(
        r#".status.conditions[?(@.type=="Ready")].status"#,
        &json!(["True"]),
    );
    check(
        ".status.conditions[?(@.type == 'Ready')].status",
        &json!(["True"]),
    );
    check(
        ".status.conditions[?(@.weight > 1)].type",
        &json!(["Ready"]),
    );
    check(
        ".status.conditions[?(@.type!=\"Ready\")].type",
        &json!(["Healthy"]),
    );
    check(".status.conditions[?(@.nothing)].type", &json!([]));
    check("..weight", &json!([1, 2]));
}

#[test]
fn what_is_no_path_is_refused() {
    for path in [".a[", ".a[?(@.b]", ".a[b]", ".a b", "..", ".a[?(1)]", "."] {
        let parsed = JsonPath::parse(path);
        assert!(parsed.is_err() || path == ".", "{path}: {parsed:?}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(path in r#"[.\[\]?(@)a-c'"=!<>*:,0-9\\{}$ -]{0,40}"#) {
        let value = json!({"a": [{"b": 1, "c": "x"}, {"a": {"b": [1, 2]}}], "b": "y"});
        if let Ok(path) = JsonPath::parse(&path) {
            path.find(&value);
        }
    }
}
