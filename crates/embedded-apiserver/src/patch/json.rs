//! JSON patch: operations one after the other, each of which may refuse.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::{DEEPEST, PatchError, depth};

/// As many operations as the API server of Kubernetes takes.
const MOST_OPERATIONS: usize = 10_000;

/// As many bytes as all `copy` operations together may add: without a bound, thirty of them make a document of gigabytes.
const MOST_COPIED: usize = 3 * 1024 * 1024;

pub(super) fn apply(object: &Value, patch: &[u8]) -> Result<Value, PatchError> {
    let operations: Vec<Value> = serde_json::from_slice(patch)
        .map_err(|error| PatchError::BadRequest(format!("error decoding patch: {error}")))?;
    if operations.len() > MOST_OPERATIONS {
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {}",
            operations.len()
        )));
    }
    let mut object = object.clone();
    let mut copied = 0;
    for operation in operations {
        let operation: PatchOperation = serde_json::from_value(operation)
            .map_err(|error| PatchError::BadRequest(format!("error decoding patch: {error}")))?;
        let deepens = matches!(
            operation,
            PatchOperation::Add(_) | PatchOperation::Copy(_) | PatchOperation::Move(_)
        );
        if let PatchOperation::Copy(copy) = &operation {
            copied += copy.from.resolve(&object).map_or(0, size);
            if copied > MOST_COPIED {
                return Err(PatchError::TooLarge(format!(
                    "the copies of a JSON patch may add up to {MOST_COPIED} bytes"
                )));
            }
        }
        json_patch::patch(&mut object, &Patch(vec![operation]))
            .map_err(|error| PatchError::Unprocessable(error.to_string()))?;
        if deepens && depth(&object) > DEEPEST {
            return Err(PatchError::Unprocessable(
                "the patched document is nested too deeply".to_owned(),
            ));
        }
    }
    Ok(object)
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields
                .iter()
                .map(|(name, field)| name.len() + 4 + size(field))
                .sum::<usize>()
        }
    }
}
