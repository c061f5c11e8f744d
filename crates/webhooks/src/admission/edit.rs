//! Edits of objects as they were written, so that only what is meant changes.

use serde_json::{Map, Value, json};

/// Sets a label, or removes it.
pub(super) fn label(object: &mut Value, key: &str, value: Option<&str>) {
    entry(object, "labels", key, value);
}

/// Sets an annotation, or removes it.
pub(super) fn annotation(object: &mut Value, key: &str, value: Option<&str>) {
    entry(object, "annotations", key, value);
}

fn entry(object: &mut Value, map: &str, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        member(member(object, "metadata"), map)[key] = json!(value);
    } else if let Some(entries) = object.pointer_mut(&format!("/metadata/{map}")) {
        remove(entries, key);
    }
}

/// The object at a key, made if there is none.
pub(super) fn member<'a>(object: &'a mut Value, key: &str) -> &'a mut Value {
    if !object[key].is_object() {
        object[key] = Value::Object(Map::new());
    }
    &mut object[key]
}

/// Removes a key.
pub(super) fn remove(object: &mut Value, key: &str) {
    if let Some(members) = object.as_object_mut() {
        members.remove(key);
    }
}
