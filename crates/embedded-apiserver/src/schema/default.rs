//! Defaulting: what the schema says where the object says nothing.

use serde_json::Value;

use super::{Additional, Structural};

impl Structural {
    /// Fills in defaults; a null that may not be null counts as nothing said.
    pub fn fill_in(&self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, member| {
                    !member.is_null() || self.member(name).is_none_or(Self::keeps_null)
                });
                for (name, schema) in &self.properties {
                    if let Some(default) = &schema.default
                        && !members.contains_key(name)
                    {
                        members.insert(name.clone(), default.clone());
                    }
                    if let Some(member) = members.get_mut(name) {
                        schema.fill_in(member);
                    }
                }
                if let Additional::Schema(schema) = &self.additional {
                    for (name, member) in members.iter_mut() {
                        if self.properties.contains_key(name) {
                            continue;
                        }
                        if let (true, Some(default)) = (member.is_null(), &schema.default) {
                            *member = default.clone();
                        }
                        schema.fill_in(member);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = &self.items {
                    for item in items {
                        if let (true, false, Some(default)) =
                            (item.is_null(), schema.nullable, &schema.default)
                        {
                            *item = default.clone();
                        }
                        schema.fill_in(item);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn keeps_null(&self) -> bool {
        self.nullable || (self.kind.is_none() && !self.int_or_string)
    }
}
