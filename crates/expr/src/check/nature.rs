//! What is known of a value before it is there.

use std::fmt;

use crate::value::Value;

/// The type of a value, as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Nature {
    /// From the host: it may be anything.
    Unknown,
    /// From a function of the language that may give anything.
    Any,
    Nil,
    Bool,
    Int,
    Byte,
    Float,
    Text,
    Bytes,
    /// An array of what its elements are known to be.
    Array(Box<Self>),
    /// The strings that splitting gives.
    Texts,
    Map,
    /// What `fromPairs` makes.
    Pairs,
    /// What `groupBy` makes.
    Groups,
    Time,
    Duration,
    Zone,
}

impl Nature {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Nil => Self::Nil,
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Byte(_) => Self::Byte,
            Value::Float(_) => Self::Float,
            Value::String(_) => Self::Text,
            Value::Bytes(_) => Self::Bytes,
            Value::Array(_) => Self::any_array(),
            Value::Map(_) => Self::Map,
            Value::Record(_) => Self::Unknown,
            Value::Time(_) => Self::Time,
            Value::Duration(_) => Self::Duration,
            Value::Zone(_) => Self::Zone,
        }
    }

    pub(super) fn any_array() -> Self {
        Self::Array(Box::new(Self::Any))
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown | Self::Any)
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self, Self::Int | Self::Byte)
    }

    pub(super) fn is_number(&self) -> bool {
        self.is_integer() || *self == Self::Float
    }

    pub(super) fn is_array(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Texts | Self::Bytes)
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map | Self::Pairs | Self::Groups)
    }

    /// The elements of an array, unknown for anything else.
    pub(super) fn element(&self) -> Self {
        match self {
            Self::Array(element) => (**element).clone(),
            Self::Texts => Self::Text,
            Self::Bytes => Self::Byte,
            _ => Self::Unknown,
        }
    }

    /// What a member or an element is, `None` if there is none.
    pub(super) fn member(&self, property: &Self) -> Option<Self> {
        match self {
            Self::Unknown | Self::Any => Some(Self::Unknown),
            Self::Map => (*property == Self::Text || property.is_unknown()).then_some(Self::Any),
            Self::Pairs => Some(Self::Any),
            Self::Groups => Some(Self::any_array()),
            Self::Array(_) | Self::Texts | Self::Bytes => {
                (property.is_integer() || property.is_unknown()).then(|| self.element())
            }
            // A method, which may be called.
            Self::Time | Self::Duration | Self::Zone if *property == Self::Text => {
                Some(Self::Unknown)
            }
            _ => None,
        }
    }

    pub(super) fn may_have_method(&self) -> bool {
        self.is_unknown()
            || self.is_map()
            || matches!(self, Self::Time | Self::Duration | Self::Zone)
    }

    /// Says whether the two have one type, whatever the elements of arrays.
    pub(super) fn is_same_type(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Array(_), Self::Array(_)))
            || !self.is_unknown() && *self != Self::Nil && self == other
    }

    /// What a choice between two gives.
    pub(super) fn either(left: Self, right: Self) -> Self {
        match (&left, &right) {
            (Self::Nil, _) => right,
            (_, Self::Nil) => left,
            (Self::Array(a), Self::Array(b)) if !a.is_same_type(b) => Self::any_array(),
            _ if left.is_same_type(&right) => left,
            _ => Self::Unknown,
        }
    }

    /// An array of these: what the last is, if all are of one kind.
    pub(super) fn array_of(natures: &[Self]) -> Self {
        match natures.last() {
            None => Self::Array(Box::new(Self::Unknown)),
            Some(last)
                if natures
                    .windows(2)
                    .all(|pair| pair[0].kind() == pair[1].kind()) =>
            {
                Self::Array(Box::new(last.clone()))
            }
            Some(_) => Self::any_array(),
        }
    }

    /// What the reference tells apart in a list: it takes nil for one of the unknown.
    fn kind(&self) -> Self {
        match self {
            Self::Nil => Self::Unknown,
            Self::Array(_) | Self::Texts | Self::Bytes => Self::any_array(),
            Self::Pairs | Self::Groups => Self::Map,
            other => other.clone(),
        }
    }
}

impl fmt::Display for Nature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown | Self::Any => "unknown",
            Self::Nil => "nil",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Byte => "uint",
            Self::Float => "float",
            Self::Text => "string",
            Self::Bytes | Self::Array(_) | Self::Texts => "array",
            Self::Map | Self::Pairs | Self::Groups => "map",
            Self::Time => "time.Time",
            Self::Duration => "time.Duration",
            Self::Zone => "time.Location",
        })
    }
}
