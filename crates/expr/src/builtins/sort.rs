//! Sorting by an order that may fail or contradict itself, which the standard library's sort must not meet.

use super::Context;
use crate::error::Error;
use crate::operators::less;
use crate::value::{Array, Value};

/// `sort`: what is no array gives an absent one.
pub(super) fn sorted(arguments: &[Value], cx: &mut Context<'_>) -> Result<Value, Error> {
    let descending = arguments.get(1).map_or(Ok(false), is_descending)?;
    let Value::Array(items) = &arguments[0] else {
        return Ok(Value::Array(Array::absent()));
    };
    cx.budget.elements(items.len())?;
    cx.budget.steps(items.len() as u64 * 4)?;
    let mut items = items.to_vec();
    sort(&mut items, |left, right| {
        goes_before(left, right, descending)
    })?;
    Ok(items.into())
}

/// Reads an order: `asc` or `desc`.
pub(crate) fn is_descending(order: &Value) -> Result<bool, String> {
    match order.as_str() {
        Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        _ => Err("the order is \"asc\" or \"desc\"".to_owned()),
    }
}

pub(crate) fn goes_before(left: &Value, right: &Value, descending: bool) -> Result<bool, String> {
    if descending {
        less(right, left)
    } else {
        less(left, right)
    }
}

/// How many elements are sorted by insertion.
const FEW: usize = 12;

/// Sorts, keeping the order of equals.
pub(crate) fn sort<T: Clone>(
    items: &mut [T],
    before: impl Fn(&T, &T) -> Result<bool, String> + Copy,
) -> Result<(), String> {
    if items.len() <= FEW {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && before(&items[at], &items[at - 1])? {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return Ok(());
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    sort(left, before)?;
    sort(right, before)?;
    let merged = merge(left, right, before)?;
    items.clone_from_slice(&merged);
    Ok(())
}

fn merge<T: Clone>(
    left: &[T],
    right: &[T],
    before: impl Fn(&T, &T) -> Result<bool, String>,
) -> Result<Vec<T>, String> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    loop {
        let from_right = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => before(b, a)?,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return Ok(merged),
        };
        merged.extend(
            if from_right {
                right.next()
            } else {
                left.next()
            }
            .cloned(),
        );
    }
}
