//! Structural schemas: what a CustomResourceDefinition says about its objects.
//!
//! ```text
//! openAPIV3Schema ─compile→ Structural ─┬ default   fields that are absent
//!                                       ├ prune     fields it does not know
//!                                       └ validate  types, bounds, patterns, list keys, then CEL rules
//! ```
//!
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>

mod compile;
mod default;
mod format;
mod prune;
mod rules;
mod validate;

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

pub use compile::SchemaError;

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The path of the field, such as `spec.subscriptions[0].image`.
    pub field: String,
    /// Kubernetes' word for the kind of fault, such as `FieldValueInvalid`.
    pub reason: &'static str,
    /// What was found and what was expected.
    pub message: String,
}

/// A compiled schema.
#[derive(Debug)]
pub struct Structural {
    root: Node,
    rules: rules::Rules,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Array,
    Boolean,
    Integer,
    Number,
    Object,
    String,
}

/// How the items of a list are told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// What is said about one value.
#[derive(Debug, Default)]
struct Node {
    kind: Option<Type>,
    nullable: bool,
    int_or_string: bool,
    preserve_unknown: bool,
    embedded_resource: bool,
    properties: BTreeMap<String, Node>,
    additional: Option<Box<Node>>,
    items: Option<Box<Node>>,
    required: Vec<String>,
    default: Option<Value>,
    list_type: ListType,
    bounds: Bounds,
    all_of: Vec<Node>,
    any_of: Vec<Node>,
    one_of: Vec<Node>,
    not: Option<Box<Node>>,
}

/// The limits of a value, whatever its type.
#[derive(Debug, Default)]
struct Bounds {
    allowed: Option<Vec<Value>>,
    pattern: Option<(String, Regex)>,
    format: Option<String>,
    minimum: Option<(f64, Edge)>,
    maximum: Option<(f64, Edge)>,
    multiple_of: Option<f64>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    min_items: Option<u64>,
    max_items: Option<u64>,
    min_properties: Option<u64>,
    max_properties: Option<u64>,
    unique_items: bool,
}

/// Whether a limit itself is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Inclusive,
    Exclusive,
}

impl Structural {
    /// Compiles `openAPIV3Schema` with its CEL rules.
    ///
    /// # Errors
    /// The first thing in the schema that cannot be understood, with its path in the schema.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let root = compile::node(schema, "openAPIV3Schema", 0)?;
        let rules = rules::Rules::compile(schema)?;
        Ok(Self { root, rules })
    }

    /// Fills in the defaults of absent fields, and removes nulls that may not be.
    pub fn default(&self, object: &mut Value) {
        default::apply(&self.root, object);
    }

    /// Removes the fields that the schema does not know; gives their paths.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut removed = Vec::new();
        prune::object(&self.root, object, &mut removed);
        removed
    }

    /// Says all that is wrong with `object`; transition rules compare with `old`. Empty when it is fine.
    ///
    /// Rules run only when the structure is sound: they would stumble over wrong types.
    pub fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<Cause> {
        let mut causes = Vec::new();
        validate::node(&self.root, object, "", &mut causes);
        if causes.is_empty() {
            self.rules.check(object, old, &mut causes);
        }
        causes.truncate(CAUSES_BOUND);
        causes
    }
}

/// How many causes one answer holds.
const CAUSES_BOUND: usize = 100;

/// `spec` + `name` → `spec.name`
fn child(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests;
