//! What an object becomes when a configuration is applied to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Map as JsonMap, Value};

use super::element::Element;
use super::typed::item_element;
use crate::shape::{Atom, Form, List, ListKind, Map, Shape};

/// Merges a configuration into a live value; what the configuration does not name stays.
///
/// # Errors
/// Says which items of a list cannot be told apart.
pub(super) fn merge(live: &Value, config: &Value, shape: &Shape) -> Result<Value, String> {
    Ok(values(Some(live), Some(config), shape)?.unwrap_or(Value::Null))
}

fn values(
    live: Option<&Value>,
    config: Option<&Value>,
    shape: &Shape,
) -> Result<Option<Value>, String> {
    let atom = shape.atom();
    let chosen: Atom<'_> = if config.is_none() {
        atom.narrowed(live)
    } else {
        atom.narrowed(config)
    };
    match chosen.form() {
        Form::Scalar(_) => Ok(leaf(live, config)),
        Form::List(list) => {
            let (live_items, config_items) = (
                live.and_then(Value::as_array),
                config.and_then(Value::as_array),
            );
            let empty = |items: Option<&Vec<Value>>| items.is_none_or(Vec::is_empty);
            if *list.kind == ListKind::Atomic || (empty(live_items) && empty(config_items)) {
                return Ok(leaf(live, config));
            }
            let merged = items(list, live_items, config_items)?;
            Ok((!merged.is_empty()).then_some(Value::Array(merged)))
        }
        Form::Map(map) => {
            let (live_fields, config_fields) = (
                live.and_then(Value::as_object),
                config.and_then(Value::as_object),
            );
            let empty =
                |fields: Option<&JsonMap<String, Value>>| fields.is_none_or(JsonMap::is_empty);
            if map.atomic || (empty(live_fields) && empty(config_fields)) {
                return Ok(leaf(live, config));
            }
            let merged = fields(map, live_fields, config_fields)?;
            Ok((!merged.is_empty()).then_some(Value::Object(merged)))
        }
    }
}

fn leaf(live: Option<&Value>, config: Option<&Value>) -> Option<Value> {
    config.or(live).cloned()
}

fn fields(
    map: Map<'_>,
    live: Option<&JsonMap<String, Value>>,
    config: Option<&JsonMap<String, Value>>,
) -> Result<JsonMap<String, Value>, String> {
    let names: BTreeSet<&String> = live
        .into_iter()
        .chain(config)
        .flat_map(JsonMap::keys)
        .collect();
    let mut merged = JsonMap::new();
    for name in names {
        let shape = map.shape_of(name).unwrap_or(&Shape::Untyped);
        let live = live.and_then(|fields| fields.get(name));
        let config = config.and_then(|fields| fields.get(name));
        if let Some(value) = values(live, config, shape)? {
            merged.insert(name.clone(), value);
        }
    }
    Ok(merged)
}

/// Items of a list in order, and how many of each element there are.
struct Indexed<'a> {
    items: Vec<(Element, &'a Value)>,
    /// `None` for an item that is there twice: such items are not merged.
    single: BTreeMap<Element, Option<&'a Value>>,
}

fn index<'a>(
    list: List<'_>,
    items: Option<&'a Vec<Value>>,
    duplicates: bool,
) -> Result<Indexed<'a>, String> {
    let mut indexed = Indexed {
        items: Vec::new(),
        single: BTreeMap::new(),
    };
    for (index, item) in items.into_iter().flatten().enumerate() {
        let element =
            item_element(list, item).map_err(|error| format!("element {index}: {error}"))?;
        let seen = indexed.single.contains_key(&element);
        if seen && !duplicates {
            return Err(format!("duplicate entries for key {element}"));
        }
        indexed
            .single
            .insert(element.clone(), (!seen).then_some(item));
        indexed.items.push((element, item));
    }
    Ok(indexed)
}

/// Merges two lists whose items can be told apart.
///
/// Shared items come in the order of the configuration; the others keep their place between their neighbours, live ones first.
fn items(
    list: List<'_>,
    live: Option<&Vec<Value>>,
    config: Option<&Vec<Value>>,
) -> Result<Vec<Value>, String> {
    let (live, config) = (index(list, live, true)?, index(list, config, false)?);
    let in_both = config
        .items
        .iter()
        .map(|(element, _)| element)
        .filter(|element| live.single.contains_key(*element));
    let mut merge = ItemMerge {
        list,
        live: &live,
        config: &config,
        merged: BTreeSet::new(),
        shared: in_both.collect(),
        out: Vec::new(),
    };
    let (mut at_live, mut at_config) = (0, 0);
    while at_live < live.items.len() || at_config < config.items.len() {
        let next_live = live.items.get(at_live);
        let next_config = config.items.get(at_config);
        if let (Some((mine, _)), Some((theirs, _))) = (next_live, next_config) {
            if mine == theirs {
                merge.take(theirs)?;
                merge.shared.pop_front();
                at_live += 1;
                at_config += 1;
                continue;
            }
            // A shared item that is not the next one: it comes when the configuration reaches it.
            if config.single.contains_key(mine)
                && merge.shared.front().is_some_and(|next| *next != mine)
            {
                at_live += 1;
                continue;
            }
        }
        if let Some((mine, item)) = next_live {
            if !config.single.contains_key(mine) {
                merge.out.extend(values(Some(item), None, list.item)?);
                at_live += 1;
                continue;
            }
            if merge.merged.contains(mine) {
                at_live += 1;
            }
        }
        if let Some((theirs, _)) = next_config {
            merge.take(theirs)?;
            at_config += 1;
            if merge.shared.front() == Some(&theirs) {
                merge.shared.pop_front();
            }
        }
    }
    Ok(merge.out)
}

struct ItemMerge<'a> {
    list: List<'a>,
    live: &'a Indexed<'a>,
    config: &'a Indexed<'a>,
    merged: BTreeSet<&'a Element>,
    shared: VecDeque<&'a Element>,
    out: Vec<Value>,
}

impl<'a> ItemMerge<'a> {
    fn take(&mut self, element: &'a Element) -> Result<(), String> {
        self.merged.insert(element);
        let live = self.live.single.get(element).copied().flatten();
        let config = self.config.single.get(element).copied().flatten();
        self.out.extend(values(live, config, self.list.item)?);
        Ok(())
    }
}
