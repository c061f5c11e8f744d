//! Validation: all that is wrong with an object, at once.

use serde_json::{Map, Value};

use super::{Structural, causes, item_path, lists, member_path};
use crate::failure::FieldCause;

/// The most causes that are listed.
const LISTED: usize = 100;

impl Structural {
    /// Lists what is wrong with a whole object; what has not changed since `old` is not held against it.
    pub fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldCause> {
        let mut found = Vec::new();
        self.check_shape(object, old, "", &mut found);
        if !self.has_rules {
            return found;
        }
        if found.iter().any(causes::is_blocking) {
            found.push(causes::rules_not_checked());
        } else {
            self.check_rules(object, old, &mut found);
        }
        found
    }

    /// Checks types, bounds and required members of a value and of all in it.
    pub(super) fn check_shape(
        &self,
        value: &Value,
        old: Option<&Value>,
        path: &str,
        found: &mut Vec<FieldCause>,
    ) {
        if found.len() >= LISTED || old == Some(value) || (value.is_null() && self.nullable) {
            return;
        }
        if !self.check_type(value, path, found) {
            return;
        }
        self.check_bounds(value, path, found);
        match value {
            Value::Object(members) => self.check_members(members, old, path, found),
            Value::Array(items) => self.check_items(items, old, path, found),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        self.check_junctors(value, path, found);
    }

    fn check_type(&self, value: &Value, path: &str, found: &mut Vec<FieldCause>) -> bool {
        let expected = match self.kind {
            _ if self.int_or_string => {
                let fits = value.is_string() || super::Type::Integer.takes(value);
                if fits { None } else { Some("integer,string") }
            }
            Some(kind) if !kind.takes(value) => Some(kind.name()),
            Some(_) | None => None,
        };
        if let Some(expected) = expected {
            found.push(causes::wrong_type(path, value, expected));
        }
        expected.is_none()
    }

    fn check_members(
        &self,
        members: &Map<String, Value>,
        old: Option<&Value>,
        path: &str,
        found: &mut Vec<FieldCause>,
    ) {
        for name in self.required.iter().filter(|it| !members.contains_key(*it)) {
            found.push(causes::required(&member_path(path, name)));
        }
        if self.embedded_resource {
            for name in ["apiVersion", "kind"] {
                let text = members
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                if text.is_empty() {
                    found.push(FieldCause::required(
                        &member_path(path, name),
                        "must not be empty",
                    ));
                }
            }
        }
        for (name, member) in members {
            if let Some(schema) = self.member(name) {
                let old = old.and_then(|it| it.get(name));
                schema.check_shape(member, old, &member_path(path, name), found);
            }
        }
    }

    fn check_items(
        &self,
        items: &[Value],
        old: Option<&Value>,
        path: &str,
        found: &mut Vec<FieldCause>,
    ) {
        if let Some(schema) = &self.items {
            let earlier = lists::Earlier::new(&self.list, old);
            for (index, item) in items.iter().enumerate() {
                schema.check_shape(item, earlier.find(item), &item_path(path, index), found);
            }
        }
        lists::check_duplicates(self, items, path, found);
    }
}
