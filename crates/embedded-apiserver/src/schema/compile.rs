//! From the JSON of a schema to nodes.

use serde_json::{Map, Value};

use super::{Bounds, Edge, ListType, Node, Type};
use crate::pattern;

/// The deepest nesting of a schema.
const DEPTH_BOUND: usize = 60;

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct SchemaError {
    /// Where in the schema.
    pub path: String,
    /// What is wrong there.
    pub problem: String,
}

impl SchemaError {
    pub(super) fn new(path: &str, problem: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            problem: problem.into(),
        }
    }
}

pub(super) fn node(schema: &Value, path: &str, depth: usize) -> Result<Node, SchemaError> {
    if depth > DEPTH_BOUND {
        return Err(SchemaError::new(
            path,
            format!("nests deeper than {DEPTH_BOUND} levels"),
        ));
    }
    let map = schema
        .as_object()
        .ok_or_else(|| SchemaError::new(path, "must be an object"))?;
    if map.contains_key("$ref") {
        return Err(SchemaError::new(
            path,
            "$ref is not supported in a structural schema",
        ));
    }
    let below = |name: &str| format!("{path}.{name}");
    let mut properties = std::collections::BTreeMap::new();
    for (name, property) in object_of(map, "properties") {
        properties.insert(name.clone(), node(property, &below(name), depth + 1)?);
    }
    Ok(Node {
        kind: kind(map, path)?,
        nullable: truth(map, "nullable"),
        int_or_string: truth(map, "x-kubernetes-int-or-string"),
        preserve_unknown: truth(map, "x-kubernetes-preserve-unknown-fields"),
        embedded_resource: truth(map, "x-kubernetes-embedded-resource"),
        properties,
        additional: additional(map, path, depth)?,
        items: boxed(map, "items", path, depth)?,
        required: strings(map, "required"),
        default: map.get("default").cloned(),
        list_type: list_type(map, path)?,
        bounds: bounds(map, path)?,
        all_of: branches(map, "allOf", path, depth)?,
        any_of: branches(map, "anyOf", path, depth)?,
        one_of: branches(map, "oneOf", path, depth)?,
        not: boxed(map, "not", path, depth)?,
    })
}

fn kind(map: &Map<String, Value>, path: &str) -> Result<Option<Type>, SchemaError> {
    match map.get("type").and_then(Value::as_str) {
        None | Some("") => Ok(None),
        Some("array") => Ok(Some(Type::Array)),
        Some("boolean") => Ok(Some(Type::Boolean)),
        Some("integer") => Ok(Some(Type::Integer)),
        Some("number") => Ok(Some(Type::Number)),
        Some("object") => Ok(Some(Type::Object)),
        Some("string") => Ok(Some(Type::String)),
        Some(other) => Err(SchemaError::new(path, format!("unknown type {other:?}"))),
    }
}

/// `additionalProperties: true` allows anything, `false` and absence allow nothing more.
fn additional(
    map: &Map<String, Value>,
    path: &str,
    depth: usize,
) -> Result<Option<Box<Node>>, SchemaError> {
    match map.get("additionalProperties") {
        None | Some(Value::Bool(false)) => Ok(None),
        Some(Value::Bool(true)) => Ok(Some(Box::new(Node {
            preserve_unknown: true,
            ..Node::default()
        }))),
        Some(schema) => Ok(Some(Box::new(node(
            schema,
            &format!("{path}.additionalProperties"),
            depth + 1,
        )?))),
    }
}

fn boxed(
    map: &Map<String, Value>,
    name: &str,
    path: &str,
    depth: usize,
) -> Result<Option<Box<Node>>, SchemaError> {
    map.get(name)
        .map(|schema| node(schema, &format!("{path}.{name}"), depth + 1).map(Box::new))
        .transpose()
}

fn branches(
    map: &Map<String, Value>,
    name: &str,
    path: &str,
    depth: usize,
) -> Result<Vec<Node>, SchemaError> {
    let list = map.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|schema| node(schema, &format!("{path}.{name}"), depth + 1))
        .collect()
}

fn list_type(map: &Map<String, Value>, path: &str) -> Result<ListType, SchemaError> {
    match map.get("x-kubernetes-list-type").and_then(Value::as_str) {
        None | Some("atomic") => Ok(ListType::Atomic),
        Some("set") => Ok(ListType::Set),
        Some("map") => Ok(ListType::Map(strings(map, "x-kubernetes-list-map-keys"))),
        Some(other) => Err(SchemaError::new(
            path,
            format!("unknown x-kubernetes-list-type {other:?}"),
        )),
    }
}

fn bounds(map: &Map<String, Value>, path: &str) -> Result<Bounds, SchemaError> {
    let pattern = match map.get("pattern").and_then(Value::as_str) {
        None => None,
        Some(text) => {
            let regex = pattern::compile(text)
                .map_err(|error| SchemaError::new(path, format!("pattern {text:?}: {error}")))?;
            Some((text.to_owned(), regex))
        }
    };
    let count = |name: &str| map.get(name).and_then(Value::as_u64);
    let number = |name: &str| map.get(name).and_then(Value::as_f64);
    let edge = |name: &str| {
        if truth(map, name) {
            Edge::Exclusive
        } else {
            Edge::Inclusive
        }
    };
    Ok(Bounds {
        allowed: map.get("enum").and_then(Value::as_array).cloned(),
        pattern,
        format: map.get("format").and_then(Value::as_str).map(str::to_owned),
        minimum: number("minimum").map(|limit| (limit, edge("exclusiveMinimum"))),
        maximum: number("maximum").map(|limit| (limit, edge("exclusiveMaximum"))),
        multiple_of: number("multipleOf"),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        unique_items: truth(map, "uniqueItems"),
    })
}

fn truth(map: &Map<String, Value>, name: &str) -> bool {
    map.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn strings(map: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = map.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn object_of<'a>(
    map: &'a Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    map.get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}
