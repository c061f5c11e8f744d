//! One step of a path into an object: a field, an item of a list by its keys or by its value, or an index.

use std::cmp::Ordering;
use std::fmt;

use serde_json::{Number, Value};

/// One step of a path, ordered as fields, keyed items, items by value, indexes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// A field of a map: `f:spec`.
    Field(String),
    /// An item of a list of maps, by its keys in the order of their names: `k:{"type":"Ready"}`.
    Key(Vec<(String, Plain)>),
    /// An item of a set: `v:"a"`.
    Value(Plain),
    /// An item by its place: `i:3`.
    Index(i64),
}

/// A path from the top of an object.
pub(crate) type Path = Vec<Element>;

/// A JSON value with a total order in which equal numbers are equal, whole or not.
#[derive(Debug, Clone)]
pub(crate) struct Plain(pub(crate) Value);

/// Why the key of a `FieldsV1` entry is not a step of a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ElementError {
    /// Kinds of steps a later version may know; to be skipped.
    #[error("unknown path element type")]
    Unknown,
    /// Everything else.
    #[error("malformed path element {0:?}")]
    Malformed(String),
}

impl Element {
    /// Reads the key of a `FieldsV1` entry.
    pub(crate) fn parse(text: &str) -> Result<Self, ElementError> {
        let malformed = || ElementError::Malformed(text.to_owned());
        let bytes = text.as_bytes();
        if bytes.get(1) != Some(&b':') {
            return Err(malformed());
        }
        let rest = &text[2..];
        match bytes[0] {
            b'f' => Ok(Self::Field(rest.to_owned())),
            b'v' => serde_json::from_str(rest)
                .map(|value| Self::Value(Plain(value)))
                .map_err(|_| malformed()),
            b'k' => {
                let keys: serde_json::Map<String, Value> =
                    serde_json::from_str(rest).map_err(|_| malformed())?;
                Ok(Self::Key(
                    keys.into_iter()
                        .map(|(name, value)| (name, Plain(value)))
                        .collect(),
                ))
            }
            b'i' => rest.parse().map(Self::Index).map_err(|_| malformed()),
            _ => Err(ElementError::Unknown),
        }
    }

    /// Writes the key of a `FieldsV1` entry.
    pub(crate) fn serialize(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(keys) => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(name, value)| {
                        format!("{}:{}", json(&Value::String(name.clone())), json(&value.0))
                    })
                    .collect();
                format!("k:{{{}}}", keys.join(","))
            }
            Self::Value(value) => format!("v:{}", json(&value.0)),
            Self::Index(index) => format!("i:{index}"),
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(out, ".{name}"),
            Self::Key(keys) => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.0))
                    .collect();
                write!(out, "[{}]", keys.join(","))
            }
            Self::Value(value) => write!(out, "[={}]", value.0),
            Self::Index(index) => write!(out, "[{index}]"),
        }
    }
}

/// Writes a path as people read it: `.spec.list[name="a"].value`.
pub(crate) fn path_text(path: &[Element]) -> String {
    path.iter().map(ToString::to_string).collect()
}

/// Go's JSON escapes what HTML would misread; stored sets must be the same text.
fn json(value: &Value) -> String {
    let text = value.to_string();
    if !text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']) {
        return text;
    }
    let escaped = text.chars().map(|letter| match letter {
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(letter)),
        other => other.to_string(),
    });
    escaped.collect()
}

impl PartialEq for Plain {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Plain {}

impl PartialOrd for Plain {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Plain {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

/// Says whether two values are the same, numbers by what they count rather than how they are written.
pub(crate) fn same(left: &Value, right: &Value) -> bool {
    compare(left, right) == Ordering::Equal
}

fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => {
            let different = left
                .iter()
                .zip(right)
                .map(|(left, right)| compare(left, right))
                .find(|it| it.is_ne());
            different.unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Value::Object(left), Value::Object(right)) => {
            let pairs = left.iter().zip(right);
            let different = pairs
                .map(|(left, right)| left.0.cmp(right.0).then_with(|| compare(left.1, right.1)))
                .find(|it| it.is_ne());
            different.unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Number(_) => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Array(_) => 3,
        Value::Object(_) => 4,
        Value::Null => 5,
    }
}

fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        return left.cmp(&right);
    }
    let (left, right) = (
        left.as_f64().unwrap_or_default(),
        right.as_f64().unwrap_or_default(),
    );
    left.total_cmp(&right)
}

/// A total order needs one way of reading a number: a float without a fraction counts as whole.
fn whole(number: &Number) -> Option<i128> {
    if let Some(number) = number.as_i64() {
        return Some(number.into());
    }
    if let Some(number) = number.as_u64() {
        return Some(number.into());
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the bound makes the conversion exact"
    )]
    number
        .as_f64()
        .filter(|float| float.fract() == 0.0 && float.abs() < 1e30)
        .map(|float| float as i128)
}
