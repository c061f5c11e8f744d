//! The patches of a `PATCH` request: JSON patch, JSON merge patch, strategic merge patch; what to apply is only read here.

mod json;
mod strategic;

use serde_json::{Map, Value};

use crate::shape::Shape;

/// The deepest nesting of any document.
const DEEPEST: usize = 120;

/// Why a patch was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// `400 BadRequest`: it is not a patch.
    #[error("{0}")]
    BadRequest(String),
    /// `422`: it is a patch, but not one of this object.
    #[error("{0}")]
    Unprocessable(String),
    /// `413 RequestEntityTooLarge`: it would do too much.
    #[error("{0}")]
    TooLarge(String),
}

/// Applies a JSON patch (RFC 6902).
pub fn json(object: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    json::apply(object, patch)
}

/// Applies a JSON merge patch (RFC 7386).
pub fn merge(object: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let patch = Value::Object(parse_object(patch)?);
    let mut object = object.clone();
    json_patch::merge(&mut object, &patch);
    Ok(object)
}

/// Applies a strategic merge patch, which builtin kinds have and custom resources have not.
pub fn strategic(object: &Value, patch: &[u8], shape: &Shape) -> Result<Value, PatchError> {
    let patch = parse_object(patch)?;
    let original = object.as_object().cloned().unwrap_or_default();
    strategic::merge_map(original, patch, Some(shape)).map(Value::Object)
}

/// Reads the body of an apply, which is YAML or JSON.
pub fn parse_configuration(body: &[u8]) -> Result<Value, PatchError> {
    let value = match serde_json::from_slice::<Value>(body) {
        Ok(value) => value,
        Err(_) => serde_saphyr::from_slice(body)
            .map_err(|error| PatchError::BadRequest(format!("error decoding YAML: {error}")))?,
    };
    if depth(&value) > DEEPEST {
        return Err(PatchError::BadRequest(
            "error decoding YAML: nested too deeply".to_owned(),
        ));
    }
    if value.is_object() {
        Ok(value)
    } else {
        Err(PatchError::BadRequest(
            "error decoding YAML: what is applied must be an object".to_owned(),
        ))
    }
}

fn parse_object(patch: &[u8]) -> Result<Map<String, Value>, PatchError> {
    serde_json::from_slice(patch)
        .map_err(|error| PatchError::BadRequest(format!("error decoding patch: {error}")))
}

/// How deeply a value is nested, counted only as far as matters.
fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut rest = vec![(value, 1)];
    while let Some((value, level)) = rest.pop() {
        deepest = deepest.max(level);
        if deepest > DEEPEST {
            break;
        }
        match value {
            Value::Array(items) => rest.extend(items.iter().map(|item| (item, level + 1))),
            Value::Object(fields) => rest.extend(fields.values().map(|field| (field, level + 1))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests;
