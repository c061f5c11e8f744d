//! Values walked by their shape: checking them, and listing the fields they have.

use std::collections::BTreeSet;

use serde_json::Value;

use super::element::{Element, Path, Plain};
use super::set::Set;
use crate::shape::{Form, List, ListKind, Map, Shape};

/// What is wrong with a value, each mistake with its path in front.
pub(super) type Mistakes = Vec<String>;

/// Names an item of a list that is a set or a map.
pub(super) fn item_element(list: List<'_>, item: &Value) -> Result<Element, String> {
    match list.kind {
        ListKind::Atomic => Err("invalid indexing of non-associative list".to_owned()),
        ListKind::Set => match item {
            Value::Object(_) => {
                Err("associative list without keys has an element that's a map type".to_owned())
            }
            Value::Array(_) => {
                Err("not supported: associative list with lists as elements".to_owned())
            }
            Value::Null => Err(
                "associative list without keys has an element that's an explicit null".to_owned(),
            ),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                Ok(Element::Value(Plain(item.clone())))
            }
        },
        ListKind::Map(keys) => item_by_keys(list.item, keys, item),
    }
}

fn item_by_keys(shape: &Shape, keys: &[String], item: &Value) -> Result<Element, String> {
    let Value::Object(fields) = item else {
        let what = if item.is_null() {
            "a null element"
        } else {
            "non-map elements"
        };
        return Err(format!("associative list with keys may not have {what}"));
    };
    let found = keys.iter().filter_map(|key| {
        let value = fields
            .get(key)
            .or_else(|| shape.field(key)?.default.as_ref())?;
        Some((key.clone(), Plain(value.clone())))
    });
    let mut found: Vec<_> = found.collect();
    if found.is_empty() && !keys.is_empty() {
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            keys.iter()
                .map(|key| format!("{key:?}"))
                .collect::<Vec<_>>()
                .join(" ")
        ));
    }
    found.sort();
    Ok(Element::Key(found))
}

/// Checks a value against its shape; items of a set or a map may be there twice only where `duplicates` says so.
pub(super) fn check(value: &Value, shape: &Shape, duplicates: bool) -> Result<(), Mistakes> {
    let mut mistakes = Vec::new();
    check_at(value, shape, duplicates, "", &mut mistakes);
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(mistakes)
    }
}

/// Enough to understand what is wrong.
const MOST_MISTAKES: usize = 20;

fn check_at(value: &Value, shape: &Shape, duplicates: bool, path: &str, mistakes: &mut Mistakes) {
    if mistakes.len() >= MOST_MISTAKES {
        return;
    }
    let mut wrong = |message: String| {
        mistakes.push(if path.is_empty() {
            message
        } else {
            format!("{path}: {message}")
        });
    };
    match (shape.atom().narrowed(Some(value)).form(), value) {
        (_, Value::Null) => {}
        (Form::Scalar(scalar), _) if scalar.allows(value) => {}
        (Form::Scalar(scalar), _) => wrong(format!("expected {}, got {value}", scalar.name())),
        (Form::List(list), Value::Array(items)) => {
            check_items(list, items, duplicates, path, mistakes);
        }
        (Form::Map(map), Value::Object(fields)) => {
            for (name, field) in fields {
                let path = format!("{path}.{name}");
                match map.shape_of(name) {
                    Some(shape) => check_at(field, shape, duplicates, &path, mistakes),
                    None => mistakes.push(format!("{path}: field not declared in schema")),
                }
            }
        }
        (Form::List(_), _) => wrong(format!("expected list, got {value}")),
        (Form::Map(_), _) => wrong(format!("expected map, got {value}")),
    }
}

fn check_items(
    list: List<'_>,
    items: &[Value],
    duplicates: bool,
    path: &str,
    mistakes: &mut Mistakes,
) {
    let mut seen = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let element = if *list.kind == ListKind::Atomic {
            Element::Index(i64::try_from(index).unwrap_or(i64::MAX))
        } else {
            match item_element(list, item) {
                Ok(element) => element,
                Err(error) => return mistakes.push(format!("{path}: element {index}: {error}")),
            }
        };
        let inner = format!("{path}{element}");
        if !seen.insert(element.clone()) && !duplicates {
            mistakes.push(format!("{path}: duplicate entries for key {element}"));
        }
        check_at(item, list.item, duplicates, &inner, mistakes);
    }
}

/// Lists the fields of a value, as somebody who applies it will own them.
pub(super) fn fields(value: &Value, shape: &Shape) -> Set {
    let mut set = Set::default();
    collect(value, shape, &mut Vec::new(), &mut set);
    set
}

fn collect(value: &Value, shape: &Shape, path: &mut Path, set: &mut Set) {
    match shape.atom().narrowed(Some(value)).form() {
        Form::Scalar(_) => set.insert(path),
        Form::List(list) if *list.kind == ListKind::Atomic => set.insert(path),
        Form::Map(map) if map.atomic => set.insert(path),
        Form::List(list) => {
            if let Value::Array(items) = value {
                collect_items(list, items, path, set);
            }
        }
        Form::Map(map) => {
            if let Value::Object(fields) = value {
                for (name, field) in fields {
                    collect_field(map, name, field, path, set);
                }
            }
        }
    }
}

fn collect_field(map: Map<'_>, name: &str, field: &Value, path: &mut Path, set: &mut Set) {
    path.push(Element::Field(name.to_owned()));
    if let Some(shape) = map.shape_of(name) {
        collect(field, shape, path, set);
    }
    // An empty map has nothing below it to own, and an undeclared field is owned besides what is below it.
    let empty = field.is_null() || field.as_object().is_some_and(serde_json::Map::is_empty);
    if empty || !map.declares(name) {
        set.insert(path);
    }
    path.pop();
}

fn collect_items(list: List<'_>, items: &[Value], path: &mut Path, set: &mut Set) {
    let elements: Vec<(Element, &Value)> = items
        .iter()
        .filter_map(|item| Some((item_element(list, item).ok()?, item)))
        .collect();
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&Element> = elements
        .iter()
        .map(|(element, _)| element)
        .filter(|element| !seen.insert(*element))
        .collect();
    for (element, item) in &elements {
        path.push(element.clone());
        // Items that are there twice are owned as a whole: nothing tells them apart.
        if !twice.contains(element) {
            collect(item, list.item, path, set);
        }
        set.insert(path);
        path.pop();
    }
}
