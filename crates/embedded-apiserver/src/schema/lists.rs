//! Lists whose items are told apart: duplicates, and which item of before an item is.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{ListType, Structural, causes, item_path};
use crate::failure::FieldCause;

/// The items of a list as they were, by their keys; empty for lists whose items have none.
pub(super) struct Earlier<'a> {
    keys: &'a [String],
    items: HashMap<String, &'a Value>,
}

impl<'a> Earlier<'a> {
    pub(super) fn new(list: &'a ListType, old: Option<&'a Value>) -> Self {
        let (ListType::Map(keys), Some(Value::Array(old))) = (list, old) else {
            return Self {
                keys: &[],
                items: HashMap::new(),
            };
        };
        let items = old.iter().map(|it| (key_of(it, keys), it)).collect();
        Self { keys, items }
    }

    pub(super) fn find(&self, item: &Value) -> Option<&'a Value> {
        if self.items.is_empty() {
            return None;
        }
        self.items.get(&key_of(item, self.keys)).copied()
    }
}

/// Lists items that stand twice in a set, or share their keys in a map.
pub(super) fn check_duplicates(
    schema: &Structural,
    items: &[Value],
    path: &str,
    found: &mut Vec<FieldCause>,
) {
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        match &schema.list {
            ListType::Atomic => return,
            ListType::Set => {
                if !seen.insert(item.to_string()) {
                    found.push(causes::duplicate(&item_path(path, index), item));
                }
            }
            ListType::Map(keys) => {
                if !seen.insert(key_of(item, keys)) {
                    let key = keys
                        .iter()
                        .filter_map(|it| Some((it.clone(), item.get(it)?.clone())))
                        .collect();
                    found.push(causes::duplicate(
                        &item_path(path, index),
                        &Value::Object(key),
                    ));
                }
            }
        }
    }
}

fn key_of(item: &Value, keys: &[String]) -> String {
    let mut text = String::new();
    for key in keys {
        let part = item.get(key).unwrap_or(&Value::Null);
        text.push_str(&part.to_string());
        text.push('\n');
    }
    text
}
