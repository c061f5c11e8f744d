//! Pruning: what the schema does not know is dropped.

use serde_json::Value;

use super::{Additional, Structural, item_path, member_path};

/// The most unknown fields that are listed.
const LISTED: usize = 100;

/// The members every object has, whatever its schema says.
const OBJECT_FIELDS: [&str; 3] = ["apiVersion", "kind", "metadata"];

impl Structural {
    /// Drops what the schema does not know from a whole object, and lists the paths of what was dropped.
    pub fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut pruned = Pruned { paths: Vec::new() };
        pruned.node(self, object, "", true);
        pruned.paths
    }
}

struct Pruned {
    paths: Vec<String>,
}

impl Pruned {
    fn drop(&mut self, path: &str, name: &str) {
        if self.paths.len() < LISTED {
            self.paths.push(member_path(path, name));
        }
    }

    /// Prunes a value; `resource` says that it has the fields of an object whether they are declared or not.
    fn node(&mut self, schema: &Structural, value: &mut Value, path: &str, resource: bool) {
        match value {
            Value::Array(items) => {
                if let Some(schema) = &schema.items {
                    for (index, item) in items.iter_mut().enumerate() {
                        self.node(
                            schema,
                            item,
                            &item_path(path, index),
                            schema.embedded_resource,
                        );
                    }
                }
            }
            Value::Object(members) => {
                let knows_all =
                    schema.preserve_unknown || matches!(schema.additional, Additional::Any);
                members.retain(|name, _| {
                    let known = knows_all
                        || schema.member(name).is_some()
                        || (resource && OBJECT_FIELDS.contains(&name.as_str()));
                    if !known {
                        self.drop(path, name);
                    }
                    known
                });
                for (name, member) in members.iter_mut() {
                    let path = member_path(path, name);
                    if resource && name == "metadata" {
                        self.metadata(member, &path);
                    } else if let Some(schema) = schema.member(name) {
                        self.node(schema, member, &path, schema.embedded_resource);
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// `metadata` has the same fields everywhere.
    fn metadata(&mut self, value: &mut Value, path: &str) {
        const FIELDS: [&str; 15] = [
            "annotations",
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "finalizers",
            "generateName",
            "generation",
            "labels",
            "managedFields",
            "name",
            "namespace",
            "ownerReferences",
            "resourceVersion",
            "selfLink",
            "uid",
        ];
        const OWNER_FIELDS: [&str; 6] = [
            "apiVersion",
            "blockOwnerDeletion",
            "controller",
            "kind",
            "name",
            "uid",
        ];
        self.only(value, path, &FIELDS);
        let owners = value
            .get_mut("ownerReferences")
            .and_then(Value::as_array_mut);
        for (index, owner) in owners.into_iter().flatten().enumerate() {
            self.only(
                owner,
                &item_path(&member_path(path, "ownerReferences"), index),
                &OWNER_FIELDS,
            );
        }
    }

    fn only(&mut self, value: &mut Value, path: &str, known: &[&str]) {
        if let Some(members) = value.as_object_mut() {
            members.retain(|name, _| {
                let known = known.contains(&name.as_str());
                if !known {
                    self.drop(path, name);
                }
                known
            });
        }
    }
}
