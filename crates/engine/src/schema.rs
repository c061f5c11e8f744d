//! Checks the configuration of a step, once its expressions are evaluated, against the schema of its kind.

use std::{collections::BTreeMap, sync::LazyLock};

use jsonschema::Validator;
use serde_json::Value;

use crate::steps::{Entry, STEPS};

/// How many complaints about one configuration are told.
const MOST_COMPLAINTS: usize = 5;

/// The schema of each kind of step, compiled on first use.
static VALIDATORS: LazyLock<BTreeMap<&str, Validator>> = LazyLock::new(|| {
    STEPS
        .iter()
        .map(|entry| (entry.kind, compile(entry)))
        .collect()
});

/// Checks `config`; the message names fields and rules but no values, for those may be secret.
pub(crate) fn check(entry: &Entry, config: &Value) -> Result<(), String> {
    let validator = &VALIDATORS[entry.kind];
    let complaints: Vec<_> = validator
        .iter_errors(config)
        .take(MOST_COMPLAINTS)
        .map(|error| {
            let path = error.instance_path().to_string();
            let path = if path.is_empty() {
                "it".to_owned()
            } else {
                path.trim_start_matches('/').replace('/', ".")
            };
            format!("{path}: {}", error.masked_with("the value"))
        })
        .collect();
    if complaints.is_empty() {
        return Ok(());
    }
    Err(format!(
        "invalid {} config: {}",
        entry.kind,
        complaints.join("; ")
    ))
}

fn compile(entry: &Entry) -> Validator {
    let schema: Value = serde_json::from_str(entry.schema).expect("schemas in the tree are JSON");
    jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("schemas in the tree are schemas")
}
