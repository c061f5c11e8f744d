//! CEL rules (`x-kubernetes-validations`), by the `kube-cel` crate.

use std::fmt;

use kube_cel::{CompiledSchema, ErrorKind, ValidationError, Validator, compile_schema};
use serde_json::Value;

use super::{Cause, SchemaError};

/// The longest rule, in bytes, and how many a schema may have.
const RULE_BOUND: usize = 4096;
const RULES_BOUND: usize = 500;

/// The compiled rules of a schema.
pub(super) struct Rules {
    /// `None` when the schema has no rule, which saves walking the object.
    compiled: Option<CompiledSchema>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Rules")
            .field("any", &self.compiled.is_some())
            .finish()
    }
}

impl Rules {
    pub(super) fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let mut count = 0;
        inspect(schema, "openAPIV3Schema", &mut count)?;
        if count == 0 {
            return Ok(Self { compiled: None });
        }
        let compiled = compile_schema(schema);
        if let Some(error) = first_error(&compiled) {
            return Err(SchemaError::new("x-kubernetes-validations", error));
        }
        Ok(Self {
            compiled: Some(compiled),
        })
    }

    pub(super) fn check(&self, object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
        let Some(compiled) = &self.compiled else {
            return;
        };
        let Err(errors) = Validator::new().validate_compiled(compiled, object, old) else {
            return;
        };
        causes.extend(errors.into_vec().into_iter().map(cause));
    }
}

/// Counts the rules and refuses those that are too long.
fn inspect(schema: &Value, path: &str, count: &mut usize) -> Result<(), SchemaError> {
    match schema {
        Value::Object(map) => {
            for rule in map
                .get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                *count += 1;
                let text = rule.get("rule").and_then(Value::as_str).unwrap_or_default();
                if text.is_empty() || text.len() > RULE_BOUND || *count > RULES_BOUND {
                    return Err(SchemaError::new(
                        path,
                        format!(
                            "a rule has 1 to {RULE_BOUND} bytes, and a schema at most {RULES_BOUND} rules"
                        ),
                    ));
                }
            }
            map.iter()
                .try_for_each(|(name, value)| inspect(value, &format!("{path}.{name}"), count))
        }
        Value::Array(list) => list
            .iter()
            .try_for_each(|value| inspect(value, path, count)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn first_error(schema: &CompiledSchema) -> Option<String> {
    let own = schema.compilation_errors().first().map(ToString::to_string);
    own.or_else(|| schema.properties.values().find_map(first_error))
        .or_else(|| schema.items.as_deref().and_then(first_error))
        .or_else(|| {
            schema
                .additional_properties
                .as_deref()
                .and_then(first_error)
        })
}

fn cause(error: ValidationError) -> Cause {
    let reason = match error.reason.as_deref() {
        Some("FieldValueForbidden") => "FieldValueForbidden",
        Some("FieldValueRequired") => "FieldValueRequired",
        Some("FieldValueDuplicate") => "FieldValueDuplicate",
        _ => "FieldValueInvalid",
    };
    let text = match error.kind {
        ErrorKind::ValidationFailure => error.message,
        _ => format!(
            "rule {:?} could not be evaluated: {}",
            error.rule, error.message
        ),
    };
    let message = match reason {
        "FieldValueForbidden" => format!("Forbidden: {text}"),
        "FieldValueRequired" => format!("Required value: {text}"),
        _ => format!("Invalid value: \"object\": {text}"),
    };
    Cause {
        field: error.field_path,
        reason,
        message,
    }
}
