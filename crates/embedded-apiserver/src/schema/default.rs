//! Fills in what is absent.

use serde_json::Value;

use super::Node;

/// Fills `value` and everything below it; a default is itself filled in turn.
pub(super) fn apply(node: &Node, value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, property) in &node.properties {
                let replace = match map.get(name) {
                    None => true,
                    Some(Value::Null) => !property.nullable,
                    Some(_) => false,
                };
                if let (true, Some(default)) = (replace, &property.default) {
                    map.insert(name.clone(), default.clone());
                } else if replace && map.contains_key(name) {
                    // A null that the schema does not allow is the same as nothing.
                    map.remove(name);
                }
            }
            for (name, field) in map.iter_mut() {
                if let Some(property) = node.properties.get(name).or(node.additional.as_deref()) {
                    if let (true, Some(default)) =
                        (field.is_null() && !property.nullable, &property.default)
                    {
                        *field = default.clone();
                    }
                    apply(property, field);
                }
            }
        }
        Value::Array(list) => {
            if let Some(items) = &node.items {
                for item in list {
                    apply(items, item);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
