//! The values of the language.

mod containers;
mod convert;
mod record;

use std::fmt;
use std::sync::Arc;

use jiff::Zoned;
use jiff::tz::TimeZone;

use containers::Extent;
pub use containers::{Array, FloatKey, Key, Map, MapKind};
pub use record::{Method, Record};

use crate::text;

/// A value of an expression.
///
/// Cheap to clone: whatever has a size is shared. `==` compares types too, so that `Int(1)` and `Float(1.0)` differ; the
/// language's own `==` is wider.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value {
    #[default]
    Nil,
    Bool(bool),
    Int(i64),
    /// An element of a string or of bytes. Counts as a number everywhere.
    Byte(u8),
    Float(f64),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    Array(Array),
    Map(Map),
    Record(Record),
    Time(Arc<Zoned>),
    /// Nanoseconds.
    Duration(i64),
    Zone(TimeZone),
}

impl Value {
    /// What the function `type` says of the value.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Byte(_) => "uint",
            Self::Float(_) => "float",
            Self::String(_) => "string",
            Self::Bytes(_) | Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Record(record) => record.type_name(),
            Self::Time(_) => "time.Time",
            Self::Duration(_) => "time.Duration",
            Self::Zone(_) => "time.Location",
        }
    }

    /// Says whether the value is nothing: nil, or an array that never was.
    pub fn is_nil(&self) -> bool {
        match self {
            Self::Nil => true,
            Self::Array(array) => array.is_absent(),
            _ => false,
        }
    }

    /// The text of a string, `None` for any other value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth of a bool, `None` for any other value.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    pub(crate) fn extent(&self) -> Extent {
        match self {
            Self::Array(array) => array.extent(),
            Self::Map(map) => map.extent(),
            Self::Record(record) => record.extent(),
            Self::String(text) => Extent::of_bytes(text.len()),
            Self::Bytes(bytes) => Extent::of_bytes(bytes.len()),
            _ => Extent::PLAIN,
        }
    }

    /// How many steps it takes to look at all of the value.
    pub(crate) fn cost(&self) -> u64 {
        self.extent().weight / 16
    }

    /// The value as one line of JSON, written the way Go writes it: keys sorted, `<`, `>` and `&` escaped.
    pub fn to_json_text(&self) -> Result<String, crate::Error> {
        crate::json::compact(self)
    }

    /// The value as JSON, where whole numbers have no fraction (`1`, not `1.0`).
    pub fn to_json(&self) -> Result<serde_json::Value, crate::Error> {
        crate::json::to_json(self)
    }
}

/// Writes the value as the function `string` does, which is how Go prints values.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("<nil>"),
            Self::Bool(it) => write!(f, "{it}"),
            Self::Int(it) => write!(f, "{it}"),
            Self::Byte(it) => write!(f, "{it}"),
            Self::Float(it) => f.write_str(&text::float(*it)),
            Self::String(it) => f.write_str(it),
            Self::Bytes(it) => spaced(f, '[', it.iter(), ']', |f, byte| write!(f, "{byte}")),
            Self::Array(it) => spaced(f, '[', it.iter(), ']', |f, item| write!(f, "{item}")),
            Self::Map(it) => {
                f.write_str("map")?;
                spaced(f, '[', it.iter(), ']', |f, (key, value)| {
                    write!(f, "{}:{value}", key.to_value())
                })
            }
            Self::Record(it) => spaced(f, '{', it.values(), '}', |f, value| write!(f, "{value}")),
            Self::Time(it) => f.write_str(&crate::time::describe(it)),
            Self::Duration(it) => f.write_str(&text::duration(*it)),
            Self::Zone(it) => f.write_str(it.iana_name().unwrap_or("Local")),
        }
    }
}

fn spaced<T>(
    f: &mut fmt::Formatter<'_>,
    open: char,
    items: impl Iterator<Item = T>,
    close: char,
    write: impl Fn(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    write!(f, "{open}")?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(" ")?;
        }
        write(f, item)?;
    }
    write!(f, "{close}")
}
