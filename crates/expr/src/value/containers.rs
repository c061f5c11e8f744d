//! Arrays and maps. Both know how deep they nest and how much they hold, so that nothing is ever written, compared or
//! walked that is too deep or, holding the same parts again and again, too large.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Zoned;

use super::Value;

/// How far a value reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// How many containers are nested in the value, itself included; 0 for a plain one.
    pub(crate) depth: u32,
    /// How many bytes the value would take, roughly, if nothing in it were shared.
    pub(crate) weight: u64,
}

impl Extent {
    pub(crate) const PLAIN: Self = Self {
        depth: 0,
        weight: 16,
    };
    pub(crate) const EMPTY: Self = Self {
        depth: 1,
        weight: 16,
    };

    pub(crate) fn of_bytes(count: usize) -> Self {
        Self {
            depth: 0,
            weight: 16 + count as u64,
        }
    }

    /// The extent of a container of these.
    pub(crate) fn around<'a>(values: impl Iterator<Item = &'a Value>) -> Self {
        values.map(Value::extent).fold(Self::EMPTY, Self::holding)
    }

    pub(crate) fn holding(self, inner: Self) -> Self {
        Self {
            depth: self.depth.max(inner.depth + 1),
            weight: self.weight.saturating_add(inner.weight),
        }
    }
}

/// A list of values, or the absence of one: an absent array has no elements and is written as `null`.
#[derive(Debug, Clone, Default)]
pub struct Array(Option<Arc<Items>>);

#[derive(Debug)]
struct Items {
    values: Vec<Value>,
    extent: Extent,
}

impl Array {
    pub fn new(values: Vec<Value>) -> Self {
        let extent = Extent::around(values.iter());
        Self(Some(Arc::new(Items { values, extent })))
    }

    /// What a group that is not there holds, and what joining nothing gives.
    pub fn absent() -> Self {
        Self(None)
    }

    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn extent(&self) -> Extent {
        self.0.as_ref().map_or(Extent::EMPTY, |items| items.extent)
    }
}

impl Deref for Array {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.0.as_ref().map_or(&[], |items| &items.values)
    }
}

impl PartialEq for Array {
    fn eq(&self, other: &Self) -> bool {
        self.is_absent() == other.is_absent() && **self == **other
    }
}

/// A map with sorted keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Map(Arc<Entries>);

#[derive(Debug, PartialEq)]
struct Entries {
    kind: MapKind,
    values: BTreeMap<Key, Value>,
    extent: Extent,
}

/// What keys a map takes, and what a missing key gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// Keys are strings; what is missing is nil.
    Object,
    /// Keys and values are strings; what is missing is the empty string. The data of a Secret is such a map.
    Strings,
    /// Keys are anything; what is missing is nil.
    Pairs,
    /// Keys are anything; what is missing is an absent array.
    Groups,
}

impl Map {
    /// Makes a map of strings to anything.
    pub fn new(entries: impl IntoIterator<Item = (Arc<str>, Value)>) -> Self {
        Self::of(
            MapKind::Object,
            entries
                .into_iter()
                .map(|(key, value)| (Key::String(key), value))
                .collect(),
        )
    }

    /// Makes a map of strings to strings, whose missing keys are empty rather than nil.
    pub fn of_strings(entries: impl IntoIterator<Item = (String, String)>) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| (Key::String(key.into()), value.into()));
        Self::of(MapKind::Strings, entries.collect())
    }

    pub(crate) fn of(kind: MapKind, values: BTreeMap<Key, Value>) -> Self {
        let extent = Extent::around(values.values());
        Self(Arc::new(Entries {
            kind,
            values,
            extent,
        }))
    }

    pub fn kind(&self) -> MapKind {
        self.0.kind
    }

    /// The value of a string key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.values.get(&Key::String(key.into()))
    }

    pub(crate) fn get_key(&self, key: &Key) -> Option<&Value> {
        self.0.values.get(key)
    }

    /// What a key that is not there gives.
    pub(crate) fn missing(&self) -> Value {
        match self.0.kind {
            MapKind::Object | MapKind::Pairs => Value::Nil,
            MapKind::Strings => Value::from(""),
            MapKind::Groups => Value::Array(Array::absent()),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.0.values.iter()
    }

    pub fn len(&self) -> usize {
        self.0.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.values.is_empty()
    }

    pub(crate) fn extent(&self) -> Extent {
        self.0.extent
    }

    /// The key a value stands for in this map, or why it cannot be one.
    pub(crate) fn key(&self, value: &Value) -> Result<Key, String> {
        match (self.0.kind, value) {
            (MapKind::Pairs | MapKind::Groups, any) => Key::of(any),
            (MapKind::Object | MapKind::Strings, Value::Nil) => Ok(Key::String("".into())),
            (MapKind::Object | MapKind::Strings, Value::String(text)) => {
                Ok(Key::String(text.clone()))
            }
            (MapKind::Object | MapKind::Strings, other) => Err(format!(
                "a map with string keys has no key of type {}",
                other.type_name()
            )),
        }
    }
}

/// A key of a map. Numbers of different types are different keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Nil,
    Int(i64),
    Byte(u8),
    Float(FloatKey),
    Bool(bool),
    Duration(i64),
    String(Arc<str>),
    Time(Arc<Zoned>),
}

impl Key {
    pub(crate) fn of(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::Nil => Self::Nil,
            Value::Bool(it) => Self::Bool(*it),
            Value::Int(it) => Self::Int(*it),
            Value::Byte(it) => Self::Byte(*it),
            Value::Float(it) => Self::Float(FloatKey(*it + 0.0)),
            Value::Duration(it) => Self::Duration(*it),
            Value::String(it) => Self::String(it.clone()),
            Value::Time(it) => Self::Time(it.clone()),
            Value::Bytes(_)
            | Value::Array(_)
            | Value::Map(_)
            | Value::Record(_)
            | Value::Zone(_) => {
                return Err(format!("a {} cannot be a key", value.type_name()));
            }
        })
    }

    pub fn to_value(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(it) => Value::Bool(*it),
            Self::Int(it) => Value::Int(*it),
            Self::Byte(it) => Value::Byte(*it),
            Self::Float(it) => Value::Float(it.0),
            Self::Duration(it) => Value::Duration(*it),
            Self::String(it) => Value::String(it.clone()),
            Self::Time(it) => Value::Time(it.clone()),
        }
    }
}

/// A float as a key, in the total order of IEEE 754.
#[derive(Debug, Clone, Copy)]
pub struct FloatKey(f64);

impl Ord for FloatKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for FloatKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for FloatKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for FloatKey {}
