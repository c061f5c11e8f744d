//! Which lists are sets or maps, and by which keys.

use serde_json::Value;

use super::{Compiler, texts};
use crate::failure::FieldCause;
use crate::schema::{ListType, Structural, causes, member_path};

impl Compiler {
    pub(super) fn list(&mut self, schema: &Value, path: &str) -> ListType {
        let keys = texts(schema.get("x-kubernetes-list-map-keys"));
        match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
            None | Some("atomic") => ListType::Atomic,
            Some("set") => ListType::Set,
            Some("map") => {
                if keys.is_empty() {
                    let field = member_path(path, "x-kubernetes-list-map-keys");
                    self.found.push(FieldCause::required(
                        &field,
                        "must not be empty if x-kubernetes-list-type is map",
                    ));
                }
                ListType::Map(keys)
            }
            Some(other) => {
                let known = ["atomic", "map", "set"].map(Value::from);
                let field = member_path(path, "x-kubernetes-list-type");
                self.found
                    .push(causes::not_supported(&field, &other.into(), &known));
                ListType::Atomic
            }
        }
    }

    /// The keys of a map-like list are fields of its items that are always there.
    pub(super) fn check_list_keys(&mut self, node: &Structural, path: &str) {
        let (ListType::Map(keys), Some(items)) = (&node.list, &node.items) else {
            return;
        };
        for key in keys {
            let known = items.properties.get(key);
            let always =
                items.required.contains(key) || known.is_some_and(|it| it.default.is_some());
            if known.is_none() {
                let field = member_path(path, "x-kubernetes-list-map-keys");
                self.refuse(
                    &field,
                    &format!("{key:?}: entries must all be names of item properties"),
                );
            } else if !always {
                let field = format!("{path}.items.properties[{key}].default");
                let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
                self.found.push(FieldCause::required(&field, why));
            }
        }
    }
}
