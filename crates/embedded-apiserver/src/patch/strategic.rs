//! Strategic merge patch: a merge patch that knows which lists merge, and by which key, with directives for the rest.
//!
//! Directives: `$patch: replace|delete` in a map or in an item of a list, `$retainKeys`, `$deleteFromPrimitiveList/<field>` and
//! `$setElementOrder/<field>`.
//!
//! Source: <https://github.com/kubernetes/community/blob/main/contributors/devel/sig-api-machinery/strategic-merge-patch.md>

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::PatchError;
use crate::apply::element::Plain;
use crate::shape::{Shape, Strategy};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList";
const ELEMENT_ORDER: &str = "$setElementOrder";

/// Merges a patch into a map.
pub(super) fn merge_map(
    mut original: Map<String, Value>,
    mut patch: Map<String, Value>,
    shape: Option<&Shape>,
) -> Result<Map<String, Value>, PatchError> {
    if let Some(directive) = patch.remove(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => Ok(patch),
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(&directive)),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    merge_ordered_lists(&mut original, &mut patch, shape)?;
    for (key, value) in patch {
        if let Some(field) = field_of(&key, DELETE_FROM, "invalid patch format of primitive list")?
        {
            delete_from(&mut original, field, &value)?;
            continue;
        }
        match value {
            Value::Null => {
                original.remove(&key);
            }
            value => merge_field(&mut original, key, value, shape)?,
        }
    }
    Ok(original)
}

fn merge_field(
    original: &mut Map<String, Value>,
    key: String,
    patch: Value,
    shape: Option<&Shape>,
) -> Result<(), PatchError> {
    let strategy = strategy(shape, &key);
    let inner = shape_of(shape, &key);
    let merged = match (original.remove(&key), patch) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            if strategy.replace {
                Value::Object(new)
            } else {
                Value::Object(merge_map(old, new, inner)?)
            }
        }
        (Some(Value::Array(old)), Value::Array(new)) => {
            if strategy.merge {
                Value::Array(merge_list(old, new, item_of(inner), strategy)?)
            } else {
                Value::Array(new)
            }
        }
        (_, new) => match without_directives(without_nulls(new)) {
            Some(new) => new,
            None => return Ok(()),
        },
    };
    original.insert(key, merged);
    Ok(())
}

/// Removes the fields that a list of fields to retain does not name.
fn retain_keys(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
) -> Result<(), PatchError> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    let bad = || PatchError::BadRequest("invalid patch format of retainKeys".to_owned());
    let keys: BTreeSet<&str> = keys
        .as_array()
        .ok_or_else(bad)?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let special = |key: &str| key.starts_with(DELETE_FROM) || key.starts_with(ELEMENT_ORDER);
    if patch
        .iter()
        .any(|(key, value)| !value.is_null() && !special(key) && !keys.contains(key.as_str()))
    {
        return Err(bad());
    }
    original.retain(|key, _| keys.contains(key.as_str()));
    Ok(())
}

/// Merges the lists whose order the patch gives, taking them out of the patch.
fn merge_ordered_lists(
    original: &mut Map<String, Value>,
    patch: &mut Map<String, Value>,
    shape: Option<&Shape>,
) -> Result<(), PatchError> {
    let keys: Vec<String> = patch
        .keys()
        .filter(|key| key.starts_with(ELEMENT_ORDER))
        .cloned()
        .collect();
    for key in keys {
        let bad =
            || PatchError::BadRequest("invalid patch format of setElementOrder list".to_owned());
        let field = field_of(
            &key,
            ELEMENT_ORDER,
            "invalid patch format of setElementOrder list",
        )?
        .ok_or_else(bad)?
        .to_owned();
        let order = patch.remove(&key).and_then(into_list).ok_or_else(bad)?;
        let old = original
            .get(&field)
            .cloned()
            .map(|value| into_list(value).ok_or_else(bad))
            .transpose()?;
        let new = patch
            .get(&field)
            .cloned()
            .map(|value| into_list(value).ok_or_else(bad))
            .transpose()?;
        let strategy = strategy(shape, &field);
        if let Some(new) = &new {
            check_order(new, &order, strategy)?;
        }
        let merged = match (old.clone(), new) {
            (None, None) => continue,
            (Some(old), None) => old,
            (None, Some(new)) => new.into_iter().filter_map(without_directives).collect(),
            (Some(old), Some(new)) if strategy.merge => {
                merge_list(old, new, item_of(shape_of(shape, &field)), strategy)?
            }
            (Some(_), Some(new)) => new,
        };
        let merged = in_order(merged, &order, &old.unwrap_or_default(), strategy)?;
        original.insert(field.clone(), Value::Array(merged));
        patch.remove(&field);
    }
    Ok(())
}

/// Checks that the items of a patch come in the order that it gives.
fn check_order(items: &[Value], order: &[Value], strategy: &Strategy) -> Result<(), PatchError> {
    if order.is_empty() {
        return Ok(());
    }
    let mut rest = order.iter();
    for item in items.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        let identity = identity(item, strategy)?;
        if !rest.any(|other| self::identity(other, strategy).is_ok_and(|other| other == identity)) {
            return Err(PatchError::Unprocessable(format!(
                "The order in patch list doesn't match {ELEMENT_ORDER} list"
            )));
        }
    }
    Ok(())
}

fn merge_list(
    old: Vec<Value>,
    patch: Vec<Value>,
    item_shape: Option<&Shape>,
    strategy: &Strategy,
) -> Result<Vec<Value>, PatchError> {
    if old.is_empty() && patch.is_empty() {
        return Ok(old);
    }
    let maps = check_kinds(old.iter().chain(&patch))?;
    if !maps {
        let mut seen = BTreeSet::new();
        let merged = old
            .iter()
            .chain(&patch)
            .filter(|item| seen.insert(Plain((*item).clone())))
            .cloned()
            .collect();
        return in_order(merged, &patch, &old, strategy);
    }
    if strategy.merge_key.is_none() {
        return Err(PatchError::Unprocessable(
            "cannot merge lists without merge key".to_owned(),
        ));
    }
    let (old, patch) = run_item_directives(old, patch, strategy)?;
    let mut merged = old.clone();
    for item in &patch {
        let wanted = identity(item, strategy)?;
        let found = merged
            .iter_mut()
            .find(|other| identity(other, strategy).is_ok_and(|other| other == wanted));
        match (found, item) {
            (Some(slot), Value::Object(new)) => {
                let old = slot.as_object().cloned().unwrap_or_default();
                *slot = Value::Object(merge_map(old, new.clone(), item_shape)?);
            }
            _ => merged.push(item.clone()),
        }
    }
    in_order(merged, &patch, &old, strategy)
}

/// Deletes or replaces as `$patch` in an item says; gives back the items left on both sides.
fn run_item_directives(
    mut old: Vec<Value>,
    patch: Vec<Value>,
    strategy: &Strategy,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut plain = Vec::new();
    let mut replace = false;
    for item in patch {
        match item
            .get(DIRECTIVE)
            .map(|directive| (directive, directive.as_str()))
        {
            None => plain.push(item),
            Some((_, Some("delete"))) => {
                let gone = identity(&item, strategy)?;
                old.retain(|other| !identity(other, strategy).is_ok_and(|other| other == gone));
            }
            Some((_, Some("replace"))) => replace = true,
            Some((_, Some("merge"))) => {
                return Err(PatchError::Unprocessable(
                    "merging lists cannot yet be specified in the patch".to_owned(),
                ));
            }
            Some((directive, _)) => return Err(unknown_directive(directive)),
        }
    }
    Ok(if replace {
        (plain, Vec::new())
    } else {
        (old, plain)
    })
}

fn delete_from(
    original: &mut Map<String, Value>,
    field: &str,
    gone: &Value,
) -> Result<(), PatchError> {
    let Some(Value::Array(items)) = original.get_mut(field) else {
        return Ok(());
    };
    let gone = gone.as_array().ok_or_else(|| {
        PatchError::BadRequest("invalid patch format of primitive list".to_owned())
    })?;
    let gone: BTreeSet<Plain> = gone.iter().cloned().map(Plain).collect();
    items.retain(|item| !gone.contains(&Plain(item.clone())));
    Ok(())
}

/// Orders a merged list: items of the patch as it has them, the server's own before and between them as they were.
fn in_order(
    merged: Vec<Value>,
    order: &[Value],
    old: &[Value],
    strategy: &Strategy,
) -> Result<Vec<Value>, PatchError> {
    let places = |items: &[Value]| {
        items
            .iter()
            .map(|item| identity(item, strategy))
            .collect::<Result<Vec<Plain>, PatchError>>()
    };
    let (order, old) = (places(order)?, places(old)?);
    let place = |list: &[Plain], item: &Plain| list.iter().position(|other| other == item);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for item in merged {
        let identity = identity(&item, strategy)?;
        match place(&order, &identity) {
            Some(at) => ours.push((at, place(&old, &identity), item)),
            None => theirs.push((place(&old, &identity), item)),
        }
    }
    ours.sort_by_key(|(at, _, _)| *at);
    theirs.sort_by_key(|(at, _)| *at);
    let mut all = Vec::new();
    let mut theirs = theirs.into_iter().peekable();
    for (_, was, item) in ours {
        while let Some((_, item)) =
            theirs.next_if(|(at, _)| matches!((at, was), (Some(at), Some(was)) if *at < was))
        {
            all.push(item);
        }
        all.push(item);
    }
    all.extend(theirs.map(|(_, item)| item));
    Ok(all)
}

/// What tells an item from the others: its merge key, or itself.
fn identity(item: &Value, strategy: &Strategy) -> Result<Plain, PatchError> {
    match &strategy.merge_key {
        None => Ok(Plain(item.clone())),
        Some(key) => item.get(key).cloned().map(Plain).ok_or_else(|| {
            PatchError::Unprocessable(format!(
                "map: {item} does not contain declared merge key: {key}"
            ))
        }),
    }
}

/// Says whether the items are maps; all must be of one kind, and not lists.
fn check_kinds<'a>(items: impl Iterator<Item = &'a Value>) -> Result<bool, PatchError> {
    let mut kinds = items.map(std::mem::discriminant).collect::<Vec<_>>();
    kinds.dedup();
    match kinds.as_slice() {
        [only] if *only == std::mem::discriminant(&Value::Array(Vec::new())) => Err(
            PatchError::Unprocessable("lists of lists are not supported".to_owned()),
        ),
        [only] => Ok(*only == std::mem::discriminant(&Value::Object(Map::new()))),
        _ => Err(PatchError::Unprocessable(
            "list element types are not identical".to_owned(),
        )),
    }
}

/// A value without what only directs a merge; `None` when that is all it does.
fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) if fields.contains_key(DIRECTIVE) => None,
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter_map(|(name, field)| Some((name, without_directives(field)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(
            items.into_iter().filter_map(without_directives).collect(),
        )),
        other => Some(other),
    }
}

/// A value without the fields that a patch would remove.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, field)| !field.is_null());
            Value::Object(
                kept.map(|(name, field)| (name, without_nulls(field)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// Finds the field that a directive is about.
fn field_of<'a>(
    key: &'a str,
    directive: &str,
    message: &str,
) -> Result<Option<&'a str>, PatchError> {
    match key.strip_prefix(directive) {
        None => Ok(None),
        Some(rest) => rest
            .strip_prefix('/')
            .map(Some)
            .ok_or_else(|| PatchError::BadRequest(message.to_owned())),
    }
}

fn unknown_directive(directive: &Value) -> PatchError {
    PatchError::Unprocessable(format!("unknown patch type: {directive}"))
}

fn into_list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

fn strategy<'a>(shape: Option<&'a Shape>, field: &str) -> &'a Strategy {
    static NONE: Strategy = Strategy {
        merge: false,
        replace: false,
        merge_key: None,
    };
    shape
        .and_then(|shape| shape.field(field))
        .map_or(&NONE, |field| &field.strategy)
}

fn shape_of<'a>(shape: Option<&'a Shape>, field: &str) -> Option<&'a Shape> {
    shape?.atom().map?.shape_of(field)
}

fn item_of(shape: Option<&Shape>) -> Option<&Shape> {
    Some(shape?.atom().list?.item)
}
