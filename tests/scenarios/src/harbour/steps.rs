//! Sources and steps that tests use again and again.

use serde_json::{Value, json};

use super::REPOSITORY;

/// Sources that take Freight straight from the Warehouse.
pub fn direct() -> Value {
    json!({"direct": true})
}

/// Sources that take Freight verified in these Stages.
pub fn upstream(stages: &[&str]) -> Value {
    json!({"stages": stages})
}

/// Steps that do nothing to the outside.
pub fn harmless() -> Value {
    harmless_with(REPOSITORY, "main")
}

/// Steps that only tell the tag of an image.
pub fn harmless_with(repository: &str, warehouse: &str) -> Value {
    let tag = format!("${{{{ imageFrom('{repository}', warehouse('{warehouse}')).Tag }}}}");
    json!([{"uses": "compose-output", "as": "note", "config": {"tag": tag}}])
}

/// A step that fails.
pub fn failing() -> Value {
    json!([{"uses": "fail", "config": {"message": "on purpose"}}])
}
