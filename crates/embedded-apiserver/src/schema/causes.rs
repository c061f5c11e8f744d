//! What is wrong with a value, worded as the Kubernetes API server words it.

use serde_json::Value;

use super::{Pattern, type_name};
use crate::failure::FieldCause;

/// The most of a value that a message repeats.
const SHOWN: usize = 512;

/// A value as messages show it: texts quoted, all else as JSON.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("{text:?}"),
        Value::Number(number) => show_number(number),
        value => value.to_string(),
    };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

fn show_number(number: &serde_json::Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A bound as messages show it: whole numbers without a fraction.
pub(super) fn show_limit(limit: f64) -> String {
    format!("{limit}")
}

/// The kinds of failure after which rules are not evaluated, since they may not even make sense.
pub(super) fn is_blocking(cause: &FieldCause) -> bool {
    matches!(
        cause.reason.as_str(),
        "FieldValueNotSupported"
            | "FieldValueRequired"
            | "FieldValueTooLong"
            | "FieldValueTooMany"
            | "FieldValueTypeInvalid"
    )
}

/// Says that rules were left out for what is wrong otherwise.
pub(super) fn rules_not_checked() -> FieldCause {
    let why = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
    FieldCause::new(
        "FieldValueInvalid",
        "<nil>",
        format!("Invalid value: null: {why}"),
    )
}

pub(super) fn required(field: &str) -> FieldCause {
    FieldCause::required(field, "")
}

pub(super) fn invalid(field: &str, value: &Value, why: &str) -> FieldCause {
    let message = format!("Invalid value: {}: {why}", shown(value));
    FieldCause::new("FieldValueInvalid", field, message)
}

/// The value has another type than `expected`.
pub(super) fn wrong_type(field: &str, value: &Value, expected: &str) -> FieldCause {
    let actual = type_name(value);
    let place = place(field);
    let message = format!(
        "Invalid value: {actual:?}: {place} in body must be of type {expected}: {actual:?}"
    );
    FieldCause::new("FieldValueTypeInvalid", field, message)
}

pub(super) fn wrong_format(field: &str, value: &Value, format: &str) -> FieldCause {
    let shown = shown(value);
    let place = place(field);
    let message =
        format!("Invalid value: {shown}: {place} in body must be of type {format}: {shown}");
    FieldCause::new("FieldValueTypeInvalid", field, message)
}

/// The value breaks a bound; `should` is the rest of the sentence.
pub(super) fn out_of_bounds(field: &str, value: &Value, should: &str) -> FieldCause {
    invalid(field, value, &format!("{} in body {should}", place(field)))
}

pub(super) fn mismatch(field: &str, value: &Value, pattern: &Pattern) -> FieldCause {
    out_of_bounds(field, value, &format!("should match '{}'", pattern.text))
}

pub(super) fn not_supported(field: &str, value: &Value, allowed: &[Value]) -> FieldCause {
    let allowed: Vec<String> = allowed
        .iter()
        .map(|it| match it {
            Value::String(text) => format!("{text:?}"),
            value => format!("{:?}", value.to_string()),
        })
        .collect();
    let message = format!(
        "Unsupported value: {}: supported values: {}",
        shown(value),
        allowed.join(", ")
    );
    FieldCause::new("FieldValueNotSupported", field, message)
}

pub(super) fn too_long(field: &str, limit: u64) -> FieldCause {
    let message = format!("Too long: may not be more than {limit} bytes");
    FieldCause::new("FieldValueTooLong", field, message)
}

pub(super) fn too_many(field: &str, actual: usize, limit: u64) -> FieldCause {
    let items = if limit == 1 { "item" } else { "items" };
    let message = format!("Too many: {actual}: must have at most {limit} {items}");
    FieldCause::new("FieldValueTooMany", field, message)
}

pub(super) fn duplicate(field: &str, value: &Value) -> FieldCause {
    let message = format!("Duplicate value: {}", shown(value));
    FieldCause::new("FieldValueDuplicate", field, message)
}

/// How a sentence names a field; the root has no name.
pub(super) fn place(field: &str) -> &str {
    if field.is_empty() { "object" } else { field }
}
