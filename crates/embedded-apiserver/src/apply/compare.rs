//! Which fields differ between two versions of an object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as JsonMap, Value};

use super::element::{Element, Path, same};
use super::set::Set;
use super::typed::item_element;
use crate::shape::{Form, List, ListKind, Map, Scalar, Shape};

/// What a new version did to the fields of the old one.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) removed: Set,
    pub(super) modified: Set,
    pub(super) added: Set,
}

impl Comparison {
    /// Leaves out fields that are reset anyway, with what is below them.
    pub(super) fn without(self, ignored: &Set) -> Self {
        Self {
            removed: self.removed.without(ignored),
            modified: self.modified.without(ignored),
            added: self.added.without(ignored),
        }
    }
}

/// Compares two values of one shape.
pub(super) fn compare(old: &Value, new: &Value, shape: &Shape) -> Comparison {
    let mut walk = Walk {
        path: Vec::new(),
        found: Comparison::default(),
    };
    walk.values(Some(old), Some(new), shape);
    walk.found
}

struct Walk {
    path: Path,
    found: Comparison,
}

impl Walk {
    fn values(&mut self, old: Option<&Value>, new: Option<&Value>, shape: &Shape) {
        let atom = shape.atom();
        let (old_atom, new_atom) = (atom.narrowed(old), atom.narrowed(new));
        let leaf = if new.is_none() {
            self.form(old, new, old_atom.form())
        } else if old.is_none() || old_atom.is_like(new_atom) {
            self.form(old, new, new_atom.form())
        } else {
            // What was a map is now a scalar, or the like: both ways of looking at it count.
            self.form(old, new, old_atom.form());
            self.form(old, new, new_atom.form())
        };
        if !leaf && old.is_none() {
            self.found.added.insert(&self.path);
        } else if !leaf && new.is_none() {
            self.found.removed.insert(&self.path);
        }
    }

    /// Says whether the values were compared as one.
    fn form(&mut self, old: Option<&Value>, new: Option<&Value>, form: Form<'_>) -> bool {
        match form {
            Form::Scalar(scalar) => self.scalars(old, new, scalar),
            Form::List(list) => {
                let (old_items, new_items) =
                    (old.and_then(Value::as_array), new.and_then(Value::as_array));
                let empty = |items: Option<&Vec<Value>>| items.is_none_or(Vec::is_empty);
                if *list.kind == ListKind::Atomic || (empty(old_items) && empty(new_items)) {
                    return self.leaf(old, new);
                }
                self.items(list, old_items, new_items);
                false
            }
            Form::Map(map) => {
                let (old_fields, new_fields) = (
                    old.and_then(Value::as_object),
                    new.and_then(Value::as_object),
                );
                let empty =
                    |fields: Option<&JsonMap<String, Value>>| fields.is_none_or(JsonMap::is_empty);
                if map.atomic || (empty(old_fields) && empty(new_fields)) {
                    return self.leaf(old, new);
                }
                self.fields(map, old_fields, new_fields);
                false
            }
        }
    }

    fn scalars(&mut self, old: Option<&Value>, new: Option<&Value>, scalar: Scalar) -> bool {
        let wrong = |value: Option<&Value>| value.is_some_and(|value| !scalar.allows(value));
        if wrong(old) && wrong(new) {
            return false;
        }
        self.leaf(old, new)
    }

    fn leaf(&mut self, old: Option<&Value>, new: Option<&Value>) -> bool {
        match (old, new) {
            (None, _) => self.found.added.insert(&self.path),
            (_, None) => self.found.removed.insert(&self.path),
            (Some(old), Some(new)) => {
                if !same(old, new) {
                    self.found.modified.insert(&self.path);
                }
            }
        }
        true
    }

    fn fields(
        &mut self,
        map: Map<'_>,
        old: Option<&JsonMap<String, Value>>,
        new: Option<&JsonMap<String, Value>>,
    ) {
        let names: BTreeSet<&String> = old.into_iter().chain(new).flat_map(JsonMap::keys).collect();
        for name in names {
            if let Some(shape) = map.shape_of(name) {
                self.path.push(Element::Field(name.clone()));
                let old = old.and_then(|fields| fields.get(name));
                self.values(old, new.and_then(|fields| fields.get(name)), shape);
                self.path.pop();
            }
        }
    }

    fn items(&mut self, list: List<'_>, old: Option<&Vec<Value>>, new: Option<&Vec<Value>>) {
        let (old, new) = (by_element(list, old), by_element(list, new));
        let elements: BTreeSet<&Element> = old.keys().chain(new.keys()).collect();
        for element in elements {
            let none = Vec::new();
            let (old, new) = (
                old.get(element).unwrap_or(&none),
                new.get(element).unwrap_or(&none),
            );
            self.path.push(element.clone());
            match (old.as_slice(), new.as_slice()) {
                ([] | [_], [] | [_]) => {
                    self.values(old.first().copied(), new.first().copied(), list.item);
                }
                // Items that are there twice count as one value.
                ([_, _, ..], [_, _, ..]) => {
                    if old.len() != new.len()
                        || old.iter().zip(new).any(|(old, new)| !same(old, new))
                    {
                        self.found.modified.insert(&self.path);
                    }
                }
                ([_, _, ..], single) => {
                    if let [new] = single {
                        self.values(None, Some(new), list.item);
                    }
                    self.found.removed.insert(&self.path);
                }
                (single, [_, _, ..]) => {
                    if let [old] = single {
                        self.values(Some(old), None, list.item);
                    }
                    self.found.added.insert(&self.path);
                }
            }
            self.path.pop();
        }
    }
}

fn by_element<'a>(
    list: List<'_>,
    items: Option<&'a Vec<Value>>,
) -> BTreeMap<Element, Vec<&'a Value>> {
    let mut found: BTreeMap<Element, Vec<&Value>> = BTreeMap::new();
    for item in items.into_iter().flatten() {
        if let Ok(element) = item_element(list, item) {
            found.entry(element).or_default().push(item);
        }
    }
    found
}
