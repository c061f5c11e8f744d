//! A value without some of its fields.

use serde_json::{Map as JsonMap, Value};

use super::element::Element;
use super::set::Set;
use super::typed::item_element;
use crate::shape::{Form, ListKind, Shape};

/// Removes what is in the set; a map or list with nothing left becomes null.
pub(super) fn remove(value: &Value, set: &Set, shape: &Shape) -> Value {
    match (shape.atom().narrowed(Some(value)).form(), value) {
        (Form::List(list), Value::Array(items)) if *list.kind != ListKind::Atomic => {
            let kept = items
                .iter()
                .filter_map(|item| match item_element(list, item) {
                    Ok(element) => keep(item, &element, set, list.item),
                    Err(_) => Some(item.clone()),
                });
            let kept: Vec<Value> = kept.collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Array(kept)
            }
        }
        (Form::Map(map), Value::Object(fields)) if !map.atomic => {
            let kept = fields.iter().filter_map(|(name, field)| {
                let shape = map.shape_of(name).unwrap_or(&Shape::Untyped);
                Some((
                    name.clone(),
                    keep(field, &Element::Field(name.clone()), set, shape)?,
                ))
            });
            let kept: JsonMap<String, Value> = kept.collect();
            if kept.is_empty() {
                Value::Null
            } else {
                Value::Object(kept)
            }
        }
        (Form::Scalar(_), _) => value.clone(),
        (Form::List(_) | Form::Map(_), _) => Value::Null,
    }
}

fn keep(value: &Value, element: &Element, set: &Set, shape: &Shape) -> Option<Value> {
    if set.has(element) {
        return None;
    }
    Some(match set.below(element) {
        Some(below) => remove(value, below, shape),
        None => value.clone(),
    })
}
