//! Removes what the schema does not know.

use serde_json::{Map, Value};

use super::{Node, child};

/// The fields of every object's metadata.
const METADATA: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Prunes a whole object: `apiVersion`, `kind` and `metadata` stay whatever the schema says.
pub(super) fn object(root: &Node, value: &mut Value, removed: &mut Vec<String>) {
    resource(root, value, "", removed);
}

fn resource(node: &Node, value: &mut Value, path: &str, removed: &mut Vec<String>) {
    let Value::Object(map) = value else { return };
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        keep(metadata, &child(path, "metadata"), removed, |name| {
            METADATA.contains(&name)
        });
    }
    fields(node, map, path, removed, |name| {
        matches!(name, "apiVersion" | "kind" | "metadata")
    });
}

fn value(node: &Node, value: &mut Value, path: &str, removed: &mut Vec<String>) {
    if node.embedded_resource {
        return resource(node, value, path, removed);
    }
    match value {
        Value::Object(map) => fields(node, map, path, removed, |_| false),
        Value::Array(list) => {
            if let Some(items) = &node.items {
                for (index, item) in list.iter_mut().enumerate() {
                    self::value(items, item, &format!("{path}[{index}]"), removed);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fields(
    node: &Node,
    map: &mut Map<String, Value>,
    path: &str,
    removed: &mut Vec<String>,
    always: impl Fn(&str) -> bool,
) {
    if !node.preserve_unknown && node.additional.is_none() {
        keep(map, path, removed, |name| {
            always(name) || node.properties.contains_key(name)
        });
    }
    for (name, field) in map.iter_mut().filter(|(name, _)| !always(name)) {
        if let Some(property) = node.properties.get(name).or(node.additional.as_deref()) {
            value(property, field, &child(path, name), removed);
        }
    }
}

fn keep(
    map: &mut Map<String, Value>,
    path: &str,
    removed: &mut Vec<String>,
    known: impl Fn(&str) -> bool,
) {
    map.retain(|name, _| {
        let keep = known(name);
        if !keep {
            removed.push(child(path, name));
        }
        keep
    });
}
