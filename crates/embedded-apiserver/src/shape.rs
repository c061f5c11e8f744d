//! How the values of a kind merge: which lists are atomic, sets or maps, which maps are atomic, what is declared at all.
//!
//! Compiled once from the kind's `OpenAPI` schema; read by server-side apply and by strategic merge patches.

mod compile;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// The shape of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Nothing is declared: maps merge field by field, lists are replaced.
    Deduced,
    /// Nothing is declared and everything is replaced as a whole.
    Untyped,
    /// What a schema says.
    Declared {
        scalar: Option<Scalar>,
        list: Option<ListShape>,
        map: Option<MapShape>,
    },
}

/// Which scalars are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    Any,
    Number,
    Text,
    Truth,
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListKind {
    /// Not at all: the list is one value.
    Atomic,
    /// By their value.
    Set,
    /// By these fields of theirs.
    Map(Vec<String>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ListShape {
    pub kind: ListKind,
    pub item: Arc<Shape>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct MapShape {
    pub atomic: bool,
    pub fields: BTreeMap<String, Field>,
    /// The shape of undeclared fields; `None` when there may be none.
    pub other: Option<Arc<Shape>>,
}

/// A declared field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub shape: Arc<Shape>,
    pub default: Option<Value>,
    pub strategy: Strategy,
}

/// How a strategic merge patch treats a field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strategy {
    /// Lists merge, by `merge_key` when their items are maps.
    pub merge: bool,
    pub merge_key: Option<String>,
    /// Maps are replaced.
    pub replace: bool,
}

static DEDUCED: Shape = Shape::Deduced;
static UNTYPED: Shape = Shape::Untyped;

/// What a value of a shape may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Atom<'a> {
    pub(crate) scalar: Option<Scalar>,
    pub(crate) list: Option<List<'a>>,
    pub(crate) map: Option<Map<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct List<'a> {
    pub(crate) kind: &'a ListKind,
    pub(crate) item: &'a Shape,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Map<'a> {
    pub(crate) atomic: bool,
    declared: Option<&'a BTreeMap<String, Field>>,
    other: Option<&'a Shape>,
}

impl Shape {
    /// Compiles the schema of a kind, adding what every object has: `apiVersion`, `kind` and `metadata`.
    pub fn of_kind(schema: &Value) -> Self {
        compile::kind(schema)
    }

    /// Compiles a schema as it is.
    pub fn of_schema(schema: &Value) -> Self {
        compile::value(schema)
    }

    pub(crate) fn atom(&self) -> Atom<'_> {
        match self {
            Self::Deduced => undeclared(&DEDUCED, false),
            Self::Untyped => undeclared(&UNTYPED, true),
            Self::Declared { scalar, list, map } => Atom {
                scalar: *scalar,
                list: list.as_ref().map(|list| List {
                    kind: &list.kind,
                    item: &list.item,
                }),
                map: map.as_ref().map(|map| Map {
                    atomic: map.atomic,
                    declared: Some(&map.fields),
                    other: map.other.as_deref(),
                }),
            },
        }
    }

    /// Finds a declared field.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        match self {
            Self::Declared { map: Some(map), .. } => map.fields.get(name),
            _ => None,
        }
    }
}

fn undeclared(fields: &'static Shape, atomic: bool) -> Atom<'static> {
    Atom {
        scalar: Some(Scalar::Any),
        list: Some(List {
            kind: &ListKind::Atomic,
            item: &UNTYPED,
        }),
        map: Some(Map {
            atomic,
            declared: None,
            other: Some(fields),
        }),
    }
}

impl<'a> Map<'a> {
    /// Says whether a field is declared.
    pub(crate) fn declares(self, name: &str) -> bool {
        self.declared
            .is_some_and(|fields| fields.contains_key(name))
    }

    /// Finds the shape of a field; `None` when it may not be there.
    pub(crate) fn shape_of(self, name: &str) -> Option<&'a Shape> {
        self.declared
            .and_then(|fields| fields.get(name))
            .map(|field| &*field.shape)
            .or(self.other)
    }

    /// The shape of undeclared fields.
    pub(crate) fn other(self) -> Option<&'a Shape> {
        self.other
    }

    /// Says whether nothing is declared and everything allowed.
    pub(crate) fn is_free_form(self) -> bool {
        self.declared.is_none_or(BTreeMap::is_empty)
            && self
                .other
                .is_some_and(|other| matches!(other, Shape::Deduced))
    }
}

impl<'a> Atom<'a> {
    /// Narrows to what a value is, where the shape allows several; a missing, null or wrong value narrows nothing.
    pub(crate) fn narrowed(self, value: Option<&Value>) -> Self {
        const NONE: Atom<'static> = Atom {
            scalar: None,
            list: None,
            map: None,
        };
        match value {
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) if self.scalar.is_some() => {
                Atom {
                    scalar: self.scalar,
                    ..NONE
                }
            }
            Some(Value::Array(_)) if self.list.is_some() => Atom {
                list: self.list,
                ..NONE
            },
            Some(Value::Object(_)) if self.map.is_some() => Atom {
                map: self.map,
                ..NONE
            },
            _ => self,
        }
    }

    /// The one way in which it is walked.
    pub(crate) fn form(self) -> Form<'a> {
        match self {
            Self { map: Some(map), .. } => Form::Map(map),
            Self {
                scalar: Some(scalar),
                ..
            } => Form::Scalar(scalar),
            Self {
                list: Some(list), ..
            } => Form::List(list),
            Self {
                map: None,
                scalar: None,
                list: None,
            } => Form::Scalar(Scalar::Any),
        }
    }

    /// Says whether two narrowings of one atom came out the same.
    pub(crate) fn is_like(self, other: Self) -> bool {
        let flags = |atom: Self| {
            (
                atom.scalar.is_some(),
                atom.list.is_some(),
                atom.map.is_some(),
            )
        };
        flags(self) == flags(other)
    }
}

/// How a value is walked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form<'a> {
    Scalar(Scalar),
    List(List<'a>),
    Map(Map<'a>),
}

impl Scalar {
    /// The word for it in an error.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Any => "any scalar",
            Self::Number => "numeric (int or float)",
            Self::Text => "string",
            Self::Truth => "boolean",
        }
    }

    pub(crate) fn allows(self, value: &Value) -> bool {
        match self {
            _ if value.is_null() => true,
            Self::Any => !value.is_array() && !value.is_object(),
            Self::Number => value.is_number(),
            Self::Text => value.is_string(),
            Self::Truth => value.is_boolean(),
        }
    }
}
