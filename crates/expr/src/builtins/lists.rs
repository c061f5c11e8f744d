//! Functions of arrays.

use super::{Context, count};
use crate::error::Error;
use crate::operators::{equal, fetch};
use crate::value::{Array, Value};

type Answer = Result<Value, Error>;

/// The number of elements, keys or characters.
pub(super) fn len(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    match &arguments[0] {
        Value::Array(items) => Ok(count(items.len())),
        Value::Bytes(bytes) => Ok(count(bytes.len())),
        Value::Map(map) => Ok(count(map.len())),
        Value::String(text) => {
            cx.budget.steps(text.len() as u64 / 16)?;
            Ok(count(text.chars().count()))
        }
        other => Err(Error::from(format!("{} has no length", other.type_name()))),
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the functions of the table have one type"
)]
pub(super) fn first(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    Ok(fetch(&arguments[0], &Value::Int(0)).unwrap_or_default())
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the functions of the table have one type"
)]
pub(super) fn last(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    Ok(fetch(&arguments[0], &Value::Int(-1)).unwrap_or_default())
}

pub(super) fn take(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let items = items(&arguments[0], cx)?;
    let Value::Int(wanted) = arguments[1] else {
        return Err(Error::from(format!(
            "cannot take {} elements",
            arguments[1].type_name()
        )));
    };
    if wanted < 0 {
        return Err(Error::from(format!("cannot take {wanted} elements")));
    }
    let taken = usize::try_from(wanted)
        .unwrap_or(usize::MAX)
        .min(items.len());
    Ok(items[..taken].to_vec().into())
}

pub(super) fn reverse(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    Ok(items(&arguments[0], cx)?.iter().rev().cloned().collect())
}

pub(super) fn uniq(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let mut kept: Vec<Value> = Vec::new();
    for item in items(&arguments[0], cx)?.iter() {
        cx.budget.steps(kept.len() as u64 / 4 + item.cost())?;
        if !kept.iter().any(|it| equal(item, it)) {
            kept.push(item.clone());
        }
    }
    Ok(kept.into())
}

/// Puts arrays together; nothing at all makes an absent one.
pub(super) fn concat(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let mut all = Vec::new();
    for argument in arguments {
        all.extend_from_slice(&items(argument, cx)?);
    }
    Ok(if all.is_empty() {
        Value::Array(Array::absent())
    } else {
        all.into()
    })
}

pub(super) fn flatten(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let mut flat = Vec::new();
    flatten_into(&mut flat, &arguments[0], cx)?;
    Ok(flat.into())
}

fn flatten_into(flat: &mut Vec<Value>, array: &Value, cx: &mut Context<'_>) -> Result<(), Error> {
    for item in items(array, cx)?.iter() {
        match item {
            Value::Array(_) | Value::Bytes(_) => flatten_into(flat, item, cx)?,
            plain => flat.push(plain.clone()),
        }
    }
    Ok(())
}

/// The elements of an array, counted against the budget since they are about to be copied.
fn items(value: &Value, cx: &mut Context<'_>) -> Result<Array, Error> {
    let items = match value {
        Value::Array(items) => items.clone(),
        Value::Bytes(bytes) => Array::new(bytes.iter().map(|byte| Value::Byte(*byte)).collect()),
        other => {
            return Err(Error::from(format!(
                "expected an array, not {}",
                other.type_name()
            )));
        }
    };
    cx.budget.elements(items.len())?;
    Ok(items)
}
