//! Structural schemas: what the objects of a kind may hold, compiled once from `openAPIV3Schema`.
//!
//! [`Structural::prune`] drops what the schema does not know, [`Structural::fill_in`] fills in what it says,
//! [`Structural::validate`] lists all that is wrong at once, in the words of the Kubernetes API server.

mod bounds;
mod causes;
mod cel;
mod compile;
mod default;
mod formats;
mod junctors;
mod lists;
mod prune;
mod rules;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use self::formats::Format;
use self::rules::Rule;

/// One node of a schema and all below it.
#[derive(Debug, Default)]
pub struct Structural {
    /// `None` where any type goes.
    pub(crate) kind: Option<Type>,
    pub(crate) nullable: bool,
    pub(crate) int_or_string: bool,
    /// Members that are not declared are kept.
    pub(crate) preserve_unknown: bool,
    /// The value is an object with `apiVersion`, `kind` and `metadata` of its own.
    pub(crate) embedded_resource: bool,
    pub(crate) properties: BTreeMap<String, Structural>,
    pub(crate) additional: Additional,
    pub(crate) items: Option<Box<Structural>>,
    pub(crate) required: Vec<String>,
    pub(crate) default: Option<Value>,
    pub(crate) list: ListType,
    pub(crate) bounds: Bounds,
    pub(crate) all_of: Vec<Structural>,
    pub(crate) any_of: Vec<Structural>,
    pub(crate) one_of: Vec<Structural>,
    pub(crate) not: Option<Box<Structural>>,
    pub(crate) rules: Vec<Rule>,
    /// Whether this node or one below it has rules; spares walking where there are none.
    pub(crate) has_rules: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

/// What members may be there besides the declared ones.
#[derive(Debug, Default)]
pub(crate) enum Additional {
    #[default]
    Undeclared,
    /// `additionalProperties: true`
    Any,
    Schema(Box<Structural>),
}

/// How the items of a list are told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// What a value must satisfy besides its type.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) allowed: Vec<Value>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) format: Option<Format>,
    pub(crate) minimum: Option<Limit>,
    pub(crate) maximum: Option<Limit>,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) unique_items: bool,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Pattern {
    /// As the schema has it.
    pub(crate) text: String,
    pub(crate) regex: Regex,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) value: f64,
    pub(crate) exclusive: bool,
}

impl Type {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "object" => Self::Object,
            "array" => Self::Array,
            "string" => Self::String,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
        }
    }

    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Object, Value::Object(_))
            | (Self::Array, Value::Array(_))
            | (Self::String, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Integer, Value::Number(number)) => is_integer(number),
            _ => false,
        }
    }
}

/// `1.0` is an integer too, as in JSON.
fn is_integer(number: &serde_json::Number) -> bool {
    number.is_i64()
        || number.is_u64()
        || number
            .as_f64()
            .is_some_and(|it| it.fract() == 0.0 && it.abs() < 9.007_199_254_740_992e15)
}

/// What a value is, as messages call it.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if is_integer(number) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `a.b`, or `b` at the root.
fn member_path(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn item_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

impl Structural {
    /// The schema of a member, declared or additional.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        match (self.properties.get(name), &self.additional) {
            (Some(schema), _) => Some(schema),
            (None, Additional::Schema(schema)) => Some(schema),
            (None, Additional::Any | Additional::Undeclared) => None,
        }
    }
}
