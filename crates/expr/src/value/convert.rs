//! Values from what the host has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Array, Map, Record, Value};

/// Every number becomes a float: that is what a number read from JSON is in this language.
impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(it) => Self::Bool(it),
            serde_json::Value::Number(it) => Self::Float(it.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(it) => Self::from(it),
            serde_json::Value::Array(it) => it.into_iter().map(Self::from).collect(),
            serde_json::Value::Object(it) => it
                .into_iter()
                .map(|(key, value)| (key, Self::from(value)))
                .collect(),
        }
    }
}

impl From<&serde_json::Value> for Value {
    fn from(json: &serde_json::Value) -> Self {
        Self::from(json.clone())
    }
}

impl From<bool> for Value {
    fn from(it: bool) -> Self {
        Self::Bool(it)
    }
}

impl From<i64> for Value {
    fn from(it: i64) -> Self {
        Self::Int(it)
    }
}

impl From<f64> for Value {
    fn from(it: f64) -> Self {
        Self::Float(it)
    }
}

impl From<&str> for Value {
    fn from(it: &str) -> Self {
        Self::String(it.into())
    }
}

impl From<String> for Value {
    fn from(it: String) -> Self {
        Self::String(it.into())
    }
}

impl From<Arc<str>> for Value {
    fn from(it: Arc<str>) -> Self {
        Self::String(it)
    }
}

impl From<Vec<Self>> for Value {
    fn from(it: Vec<Self>) -> Self {
        Self::Array(Array::new(it))
    }
}

impl From<Record> for Value {
    fn from(it: Record) -> Self {
        Self::Record(it)
    }
}

impl From<Map> for Value {
    fn from(it: Map) -> Self {
        Self::Map(it)
    }
}

impl From<BTreeMap<String, Self>> for Value {
    fn from(it: BTreeMap<String, Self>) -> Self {
        it.into_iter().collect()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(it: Option<T>) -> Self {
        it.map_or(Self::Nil, Into::into)
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::Array(Array::new(items.into_iter().collect()))
    }
}

impl FromIterator<(String, Self)> for Value {
    fn from_iter<I: IntoIterator<Item = (String, Self)>>(entries: I) -> Self {
        Self::Map(Map::new(
            entries.into_iter().map(|(key, value)| (key.into(), value)),
        ))
    }
}
