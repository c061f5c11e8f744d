//! Cases of structural validation, pruning and defaulting.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Structural;
use crate::failure::FieldCause as Cause;

/// A schema with something of everything, in the manner of a Stage.
fn pipeline() -> Structural {
    Structural::compile(&json!({
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {
                "type": "object",
                "required": ["steps"],
                "properties": {
                    "interval": {"type": "string", "default": "5m0s", "pattern": "^([0-9]+(\\.[0-9]+)?(s|m|h))+$"},
                    "policy": {"type": "string", "enum": ["Automatic", "Manual"], "default": "Automatic"},
                    "limit": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100},
                    "note": {"type": "string", "nullable": true, "maxLength": 5},
                    "config": {"x-kubernetes-preserve-unknown-fields": true},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                    "port": {"x-kubernetes-int-or-string": true},
                    "steps": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 3,
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "properties": {
                                "name": {"type": "string", "minLength": 1},
                                "uses": {"type": "string"},
                                "task": {"type": "string"},
                                "retry": {"type": "object", "default": {}, "properties": {"errorThreshold": {"type": "integer", "default": 1}}}
                            },
                            "x-kubernetes-validations": [
                                {"rule": "has(self.uses) != has(self.task)", "message": "exactly one of uses and task must be set"}
                            ]
                        }
                    }
                },
                "x-kubernetes-validations": [
                    {"rule": "!has(oldSelf.limit) || self.limit >= oldSelf.limit", "message": "limit may not shrink", "reason": "FieldValueForbidden"}
                ]
            }
        }
    }))
    .unwrap()
}

/// What is wrong, without the remark that rules were left out.
fn causes(object: &Value) -> Vec<Cause> {
    let mut found = pipeline().validate(object, None);
    found.retain(|it| it.field != "<nil>");
    found
}

/// Checks that a spec has exactly these faults: field, reason and a part of the message.
#[track_caller]
fn check(spec: &Value, expected: &[(&str, &str, &str)]) {
    let found = causes(
        &json!({"apiVersion": "v1", "kind": "Pipeline", "metadata": {"name": "a"}, "spec": spec}),
    );
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (cause, (field, reason, part)) in found.iter().zip(expected) {
        assert_eq!(
            (cause.field.as_str(), cause.reason.as_str()),
            (*field, *reason),
            "{cause:?}"
        );
        assert!(
            cause.message.contains(part),
            "{cause:?} should contain {part}"
        );
    }
}

fn one_step() -> Value {
    json!([{"name": "a", "uses": "fail"}])
}

#[test]
fn a_sound_object_has_no_causes() {
    check(
        &json!({"steps": one_step(), "port": 80, "labels": {"a": "b"}, "note": null, "tags": ["a"]}),
        &[],
    );
}

#[test]
fn each_fault_is_named_with_its_field() {
    check(
        &json!({}),
        &[("spec.steps", "FieldValueRequired", "Required value")],
    );
    check(
        &json!({"steps": 1}),
        &[(
            "spec.steps",
            "FieldValueTypeInvalid",
            "must be of type array: \"integer\"",
        )],
    );
    check(
        &json!({"steps": []}),
        &[("spec.steps", "FieldValueInvalid", "at least 1 items")],
    );
    check(
        &json!({"steps": one_step(), "policy": "x"}),
        &[(
            "spec.policy",
            "FieldValueNotSupported",
            "supported values: \"Automatic\", \"Manual\"",
        )],
    );
    check(
        &json!({"steps": one_step(), "interval": "5"}),
        &[("spec.interval", "FieldValueInvalid", "should match")],
    );
    check(
        &json!({"steps": one_step(), "limit": 0}),
        &[(
            "spec.limit",
            "FieldValueInvalid",
            "greater than or equal to 1",
        )],
    );
    check(
        &json!({"steps": one_step(), "limit": 1.5}),
        &[("spec.limit", "FieldValueTypeInvalid", "integer")],
    );
    check(
        &json!({"steps": one_step(), "note": "123456"}),
        &[("spec.note", "FieldValueTooLong", "5")],
    );
    check(
        &json!({"steps": one_step(), "labels": {"a": 1}}),
        &[("spec.labels.a", "FieldValueTypeInvalid", "string")],
    );
    check(
        &json!({"steps": one_step(), "tags": ["a", "a"]}),
        &[("spec.tags[1]", "FieldValueDuplicate", "\"a\"")],
    );
    check(
        &json!({"steps": one_step(), "port": true}),
        &[("spec.port", "FieldValueTypeInvalid", "integer,string")],
    );
}

#[test]
fn all_faults_are_named_at_once() {
    check(
        &json!({"steps": [{"name": ""}, {"uses": 1}], "limit": 0}),
        &[
            ("spec.limit", "FieldValueInvalid", ""),
            (
                "spec.steps[0].name",
                "FieldValueInvalid",
                "at least 1 chars",
            ),
            ("spec.steps[1].name", "FieldValueRequired", ""),
            ("spec.steps[1].uses", "FieldValueTypeInvalid", ""),
        ],
    );
}

#[test]
fn a_broken_rule_is_told_in_its_own_words() {
    let found = causes(&json!({"spec": {"steps": [{"name": "a", "uses": "x", "task": "y"}]}}));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].field, "spec.steps[0]");
    assert!(
        found[0]
            .message
            .ends_with("exactly one of uses and task must be set"),
        "{found:?}"
    );
}

#[test]
fn a_transition_rule_compares_with_the_old_object() {
    let old = json!({"spec": {"steps": one_step(), "limit": 5}});
    let new = json!({"spec": {"steps": one_step(), "limit": 4}});
    assert!(pipeline().validate(&new, None).is_empty());
    let found = pipeline().validate(&new, Some(&old));
    assert_eq!(found[0].reason, "FieldValueForbidden", "{found:?}");
}

#[test]
fn unknown_fields_are_pruned_and_named() {
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pipeline", "stray": 1,
        "metadata": {"name": "a", "labels": {"any": "thing"}, "stray": 1},
        "spec": {"config": {"any": {"thing": 1}}, "steps": [{"name": "a", "stray": 1}], "labels": {"free": "x"}}
    });
    let removed = pipeline().prune(&mut object);
    assert_eq!(removed, ["stray", "metadata.stray", "spec.steps[0].stray"]);
    assert_eq!(object["spec"]["config"]["any"]["thing"], 1);
    assert_eq!(object["metadata"]["labels"]["any"], "thing");
}

#[test]
fn absent_fields_get_their_defaults_and_defaults_get_theirs() {
    let mut object = json!({"spec": {"policy": null, "note": null, "limit": null, "steps": [{"name": "a", "uses": "b"}]}});
    pipeline().fill_in(&mut object);
    assert_eq!(
        object,
        json!({"spec": {"interval": "5m0s", "policy": "Automatic", "note": null,
            "steps": [{"name": "a", "uses": "b", "retry": {"errorThreshold": 1}}]}})
    );
}

#[test]
fn a_schema_that_makes_no_sense_is_refused() {
    for schema in [
        json!({"type": "strin"}),
        json!({"properties": {"a": {"pattern": "("}}}),
        json!({"x-kubernetes-validations": [{"rule": "self."}]}),
        json!({"$ref": "#/definitions/a"}),
        json!(1),
    ] {
        assert!(Structural::compile(&schema).is_err(), "{schema}");
    }
}

/// Compiles a schema whose `spec` is this.
fn of_spec(spec: &Value) -> Structural {
    Structural::compile(&json!({"type": "object", "properties": {"spec": spec}})).unwrap()
}

/// Lists `field: message` for a `spec` and the one before it.
fn told(schema: &Structural, spec: &Value, old: Option<&Value>) -> Vec<String> {
    let object = |spec: &Value| json!({"metadata": {"name": "a"}, "spec": spec});
    let found = schema.validate(&object(spec), old.map(object).as_ref());
    found
        .iter()
        .map(|it| format!("{}: {}", it.field, it.message))
        .collect()
}

#[test]
fn rules_see_escaped_names_times_and_numbers() {
    let schema = of_spec(&json!({
        "type": "object",
        "properties": {
            "namespace": {"type": "string"}, "a-b": {"type": "string"}, "my_field": {"type": "string"},
            "at": {"type": "string", "format": "date-time"}, "wait": {"type": "string", "format": "duration"},
            "ratio": {"type": "number"}, "labels": {"type": "object", "additionalProperties": {"type": "string"}}
        },
        "x-kubernetes-validations": [
            {"rule": "self.__namespace__ == 'n' && self.a__dash__b == 'x' && self.my_field == 'y'"},
            {"rule": "self.at < timestamp('2030-01-01T00:00:00Z') && self.wait <= duration('1h')"},
            {"rule": "self.ratio > 0.5 && 'x/y' in self.labels"},
            {"rule": "self.my_field.matches('^\\\\w+$') && !'naïve'.matches('^\\\\w+$')"}
        ]
    }));
    let fits = json!({
        "namespace": "n", "a-b": "x", "my_field": "y", "at": "2025-01-01T00:00:00Z", "wait": "30m", "ratio": 1,
        "labels": {"x/y": "z"}
    });
    assert_eq!(told(&schema, &fits, None), Vec::<String>::new());
}

#[test]
fn rules_speak_by_message_expression_reason_and_path() {
    let schema = of_spec(&json!({
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "x-kubernetes-validations": [
            {"rule": "self.a < 5", "messageExpression": "'a is ' + string(self.a)", "fieldPath": ".a"},
            {"rule": "self.b < 5", "reason": "FieldValueForbidden"},
            {"rule": "self.missing == 1", "message": "never"}
        ]
    }));
    assert_eq!(
        told(&schema, &json!({"a": 7, "b": 7}), None),
        [
            "spec.a: Invalid value: \"object\": a is 7",
            "spec: Forbidden: failed rule: self.b < 5",
            "spec: Invalid value: \"object\": No such key: missing evaluating rule: never",
        ]
    );
}

#[test]
fn transition_rules_find_the_item_of_before_by_its_key() {
    let schema = of_spec(&json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "size": {"type": "integer"}},
            "x-kubernetes-validations": [{"rule": "self.size >= oldSelf.size", "message": "may not shrink"}]
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"]
    }));
    let old = json!([{"name": "a", "size": 1}, {"name": "b", "size": 5}]);
    let swapped =
        json!([{"name": "b", "size": 5}, {"name": "a", "size": 2}, {"name": "c", "size": 0}]);
    assert_eq!(told(&schema, &swapped, Some(&old)), Vec::<String>::new());
    let smaller = json!([{"name": "b", "size": 4}]);
    assert_eq!(
        told(&schema, &smaller, Some(&old)),
        ["spec[0]: Invalid value: \"object\": may not shrink"]
    );
}

#[test]
fn an_optional_old_self_is_there_on_create_too() {
    let rule = "oldSelf.hasValue() ? self >= oldSelf.value() : self == 0";
    let schema = of_spec(
        &json!({"type": "integer", "x-kubernetes-validations": [{"rule": rule, "optionalOldSelf": true, "message": "no"}]}),
    );
    assert_eq!(told(&schema, &json!(0), None), Vec::<String>::new());
    assert_eq!(told(&schema, &json!(1), None).len(), 1);
    assert_eq!(
        told(&schema, &json!(3), Some(&json!(2))),
        Vec::<String>::new()
    );
    assert_eq!(told(&schema, &json!(1), Some(&json!(2))).len(), 1);
}

#[test]
fn what_was_wrong_before_may_stay() {
    let schema = of_spec(&json!({
        "type": "object",
        "properties": {"old": {"type": "string", "maxLength": 1}, "new": {"type": "string", "maxLength": 1}}
    }));
    let old = json!({"old": "long", "new": "a"});
    assert_eq!(
        told(&schema, &json!({"old": "long", "new": "b"}), Some(&old)),
        Vec::<String>::new()
    );
    assert_eq!(
        told(&schema, &json!({"old": "longer"}), Some(&old)).len(),
        1
    );
}

#[test]
fn a_schema_names_all_that_keeps_it_from_being_structural() {
    let schema = json!({
        "type": "object",
        "properties": {
            "a": {},
            "b": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": {"type": "string"}},
            "c": {"type": "array"},
            "d": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}},
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
            "e": {"type": "array", "items": {"type": "string", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]}}
        }
    });
    let found = Structural::compile(&schema).unwrap_err();
    let fields: Vec<&str> = found.iter().map(|it| it.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "schema.properties[a].type",
            "schema.properties[b].additionalProperties",
            "schema.properties[c].items",
            "schema.properties[d].items.properties[k].default",
            "schema.properties[e].items.x-kubernetes-validations[0].rule",
        ]
    );
    let wrong = json!({"type": "object", "properties": {"a": {"type": "string", "default": 1}}});
    let found = Structural::compile(&wrong).unwrap_err();
    assert_eq!(found[0].field, "schema.properties[a].default", "{found:?}");
}

#[test]
fn a_schema_says_of_metadata_how_names_look_and_nothing_else() {
    for (metadata, is_fine) in [
        (json!({"type": "object"}), true),
        (
            json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 20}}}),
            true,
        ),
        (json!({"type": "object", "description": "a name"}), false),
        (json!({"type": "object", "required": ["name"]}), false),
        (
            json!({"type": "object", "properties": {"labels": {"type": "object"}}}),
            false,
        ),
    ] {
        let schema = json!({"type": "object", "properties": {"metadata": metadata}});
        let found = Structural::compile(&schema).err().unwrap_or_default();
        let fields: Vec<_> = found.iter().map(|it| it.field.as_str()).collect();
        let wanted: &[&str] = if is_fine {
            &[]
        } else {
            &["schema.properties[metadata]"]
        };
        assert_eq!(fields, wanted, "{schema}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{0,6}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("spec"),
        Just("steps"),
        Just("name"),
        Just("labels"),
        Just("config"),
        Just("metadata")
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..5).prop_map(|map| map
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_and_pruning_twice_changes_nothing(object in any_json()) {
        let schema = pipeline();
        let mut object = object;
        schema.fill_in(&mut object);
        schema.prune(&mut object);
        let once = object.clone();
        schema.fill_in(&mut object);
        prop_assert!(schema.prune(&mut object).is_empty());
        prop_assert_eq!(&once, &object);
        schema.validate(&object, Some(&once));
    }
}
