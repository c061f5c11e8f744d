//! From an `OpenAPI` schema to a shape.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::{Field, ListKind, ListShape, MapShape, Scalar, Shape, Strategy};

/// What every object carries besides its kind's own fields.
static METADATA: LazyLock<Arc<Shape>> = LazyLock::new(|| {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "integer" });
    let time = json!({ "type": "string", "format": "date-time" });
    let texts = json!({ "type": "object", "additionalProperties": text });
    Arc::new(value(&json!({
        "type": "object",
        "properties": {
            "annotations": texts,
            "creationTimestamp": time,
            "deletionGracePeriodSeconds": number,
            "deletionTimestamp": time,
            "finalizers": {
                "type": "array", "items": text, "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"
            },
            "generateName": text,
            "generation": number,
            "labels": texts,
            "managedFields": { "type": "array", "items": {}, "x-kubernetes-list-type": "atomic" },
            "name": text,
            "namespace": text,
            "ownerReferences": {
                "type": "array",
                "items": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "properties": {
                        "apiVersion": text, "blockOwnerDeletion": { "type": "boolean" }, "controller": { "type": "boolean" },
                        "kind": text, "name": text, "uid": text
                    }
                },
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "uid"
            },
            "resourceVersion": text,
            "selfLink": text,
            "uid": text
        }
    })))
});

pub(super) fn kind(schema: &Value) -> Shape {
    let mut shape = compile(schema, false);
    if let Shape::Declared { map: Some(map), .. } = &mut shape {
        add_object_fields(map);
    }
    shape
}

pub(super) fn value(schema: &Value) -> Shape {
    compile(schema, false)
}

fn add_object_fields(map: &mut MapShape) {
    let text = Arc::new(Shape::Declared {
        scalar: Some(Scalar::Text),
        list: None,
        map: None,
    });
    let fields = [
        ("apiVersion", Arc::clone(&text)),
        ("kind", text),
        ("metadata", Arc::clone(&METADATA)),
    ];
    for (name, shape) in fields {
        map.fields.insert(
            name.to_owned(),
            Field {
                shape,
                default: None,
                strategy: Strategy::default(),
            },
        );
    }
}

fn flag(schema: &Value, name: &str) -> bool {
    schema
        .get(name)
        .and_then(Value::as_bool)
        .unwrap_or_default()
}

/// Compiles one level; unknown fields kept by a level are kept by all below it.
fn compile(schema: &Value, preserve: bool) -> Shape {
    let preserve = preserve || flag(schema, "x-kubernetes-preserve-unknown-fields");
    let declared = |scalar, list, map| Shape::Declared { scalar, list, map };
    match schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
    {
        "object" => declared(None, None, Some(map(schema, preserve))),
        "array" => declared(None, Some(list(schema, preserve)), None),
        "integer" | "number" => declared(Some(Scalar::Number), None, None),
        "boolean" => declared(Some(Scalar::Truth), None, None),
        "string" => {
            let plain = matches!(
                schema.get("format").and_then(Value::as_str),
                None | Some("" | "byte")
            );
            declared(
                Some(if plain { Scalar::Text } else { Scalar::Any }),
                None,
                None,
            )
        }
        _ => declared(
            Some(Scalar::Any),
            Some(list(schema, preserve)),
            Some(map(schema, preserve)),
        ),
    }
}

fn map(schema: &Value, preserve: bool) -> MapShape {
    let properties = schema.get("properties").and_then(Value::as_object);
    let declared = properties.into_iter().flatten().map(|(name, schema)| {
        let field = Field {
            shape: Arc::new(compile(schema, preserve)),
            default: schema.get("default").cloned(),
            strategy: strategy(schema),
        };
        (name.clone(), field)
    });
    let fields: BTreeMap<String, Field> = declared.collect();
    let other = match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => None,
        Some(schema @ Value::Object(_)) => Some(Arc::new(compile(schema, preserve))),
        None if !preserve && !fields.is_empty() => None,
        _ => Some(Arc::new(Shape::Deduced)),
    };
    let atomic = schema.get("x-kubernetes-map-type").and_then(Value::as_str) == Some("atomic");
    let mut map = MapShape {
        atomic,
        fields,
        other,
    };
    if flag(schema, "x-kubernetes-embedded-resource") {
        add_object_fields(&mut map);
    }
    map
}

fn list(schema: &Value, preserve: bool) -> ListShape {
    let item = schema
        .get("items")
        .map_or(Shape::Untyped, |items| compile(items, preserve));
    let merges = strategy(schema);
    let kind = match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
        Some("set") => ListKind::Set,
        Some("map") => ListKind::Map(names(schema.get("x-kubernetes-list-map-keys"))),
        None if merges.merge => merges
            .merge_key
            .map_or(ListKind::Set, |key| ListKind::Map(vec![key])),
        _ => ListKind::Atomic,
    };
    ListShape {
        kind,
        item: Arc::new(item),
    }
}

fn strategy(schema: &Value) -> Strategy {
    let text = |name| schema.get(name).and_then(Value::as_str);
    let mut strategy = Strategy {
        merge_key: text("x-kubernetes-patch-merge-key").map(ToOwned::to_owned),
        ..Strategy::default()
    };
    for word in text("x-kubernetes-patch-strategy")
        .unwrap_or_default()
        .split(',')
    {
        match word {
            "merge" => strategy.merge = true,
            "replace" => strategy.replace = true,
            _ => {}
        }
    }
    strategy
}

fn names(value: Option<&Value>) -> Vec<String> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(ToOwned::to_owned)
        .collect()
}
