//! Functions of maps.

use std::collections::BTreeMap;

use super::Context;
use crate::error::Error;
use crate::operators;
use crate::value::{Key, Map, MapKind, Value};

type Answer = Result<Value, Error>;

pub(super) fn get(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    Ok(operators::get(&arguments[0], &arguments[1])?)
}

pub(super) fn keys(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    Ok(map(arguments, cx)?
        .iter()
        .map(|(key, _)| key.to_value())
        .collect())
}

pub(super) fn values(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    Ok(map(arguments, cx)?
        .iter()
        .map(|(_, value)| value.clone())
        .collect())
}

pub(super) fn to_pairs(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let pair = |(key, value): (&Key, &Value)| Value::from_iter([key.to_value(), value.clone()]);
    Ok(map(arguments, cx)?.iter().map(pair).collect())
}

pub(super) fn from_pairs(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let Value::Array(pairs) = &arguments[0] else {
        return Err(Error::from(format!(
            "expected pairs, not {}",
            arguments[0].type_name()
        )));
    };
    cx.budget.elements(pairs.len())?;
    let mut entries = BTreeMap::new();
    for pair in pairs.iter() {
        let Value::Array(pair) = pair else {
            return Err(Error::from(format!(
                "expected a pair, not {}",
                pair.type_name()
            )));
        };
        let [key, value] = &**pair else {
            return Err(Error::from(format!(
                "a pair has two elements, not {}",
                pair.len()
            )));
        };
        entries.insert(Key::of(key)?, value.clone());
    }
    Ok(Value::Map(Map::of(MapKind::Pairs, entries)))
}

fn map<'a>(arguments: &'a [Value], cx: &mut Context<'_>) -> Result<&'a Map, Error> {
    match &arguments[0] {
        Value::Map(map) => {
            cx.budget.elements(map.len())?;
            Ok(map)
        }
        other => Err(Error::from(format!(
            "expected a map, not {}",
            other.type_name()
        ))),
    }
}
