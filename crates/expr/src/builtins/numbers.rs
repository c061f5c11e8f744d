//! Functions of numbers.

use super::Context;
use crate::error::Error;
use crate::operators::{as_float, less, truncate};
use crate::text::parse_float;
use crate::value::Value;

type Answer = Result<Value, Error>;

pub(super) fn abs(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    match &arguments[0] {
        Value::Int(it) => Ok(Value::Int(it.wrapping_abs())),
        Value::Byte(it) => Ok(Value::Byte(*it)),
        Value::Float(it) if *it < 0.0 => Ok(Value::Float(-it)),
        Value::Float(it) => Ok(Value::Float(*it)),
        other => Err(no_number(other)),
    }
}

pub(super) fn ceil(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    rounded(arguments, f64::ceil)
}

pub(super) fn floor(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    rounded(arguments, f64::floor)
}

pub(super) fn round(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    rounded(arguments, f64::round)
}

fn rounded(arguments: &[Value], round: fn(f64) -> f64) -> Answer {
    as_float(&arguments[0])
        .map(|it| Value::Float(round(it)))
        .ok_or_else(|| no_number(&arguments[0]))
}

pub(super) fn int(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    match &arguments[0] {
        Value::Int(it) | Value::Duration(it) => Ok(Value::Int(*it)),
        Value::Byte(it) => Ok(Value::Int(i64::from(*it))),
        Value::Float(it) => Ok(Value::Int(truncate(*it))),
        Value::String(text) => text
            .parse()
            .map(Value::Int)
            .map_err(|_| Error::from("the string is no integer".to_owned())),
        other => Err(no_number(other)),
    }
}

pub(super) fn float(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    match &arguments[0] {
        Value::String(text) => parse_float(text)
            .map(Value::Float)
            .ok_or_else(|| Error::from("the string is no number".to_owned())),
        other => as_float(other)
            .map(Value::Float)
            .ok_or_else(|| no_number(other)),
    }
}

pub(super) fn max(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    extreme(arguments, cx, less)
}

pub(super) fn min(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    extreme(arguments, cx, |best, it| less(it, best))
}

/// Finds the number that beats all others, in the arguments or the arrays among them. An only argument that is neither
/// number nor array is its own extreme.
fn extreme(
    arguments: &[Value],
    cx: &mut Context<'_>,
    beaten: fn(&Value, &Value) -> Result<bool, String>,
) -> Answer {
    if let [only] = arguments
        && !matches!(only, Value::Array(_) | Value::Bytes(_))
    {
        return Ok(only.clone());
    }
    let mut best: Option<Value> = None;
    numbers(arguments, cx, &mut |it| {
        if best.as_ref().map_or(Ok(true), |best| beaten(best, it))? {
            best = Some(it.clone());
        }
        Ok(())
    })?;
    Ok(best.unwrap_or_default())
}

pub(super) fn mean(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let (mut sum, mut count) = (0.0, 0.0);
    numbers(arguments, cx, &mut |it| {
        sum += as_float(it).unwrap_or_default();
        count += 1.0;
        Ok(())
    })?;
    Ok(Value::Float(if count == 0.0 { 0.0 } else { sum / count }))
}

pub(super) fn median(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let mut all = Vec::new();
    numbers(arguments, cx, &mut |it| {
        all.extend(as_float(it));
        Ok(())
    })?;
    // Not-a-numbers go first.
    all.sort_by(|a, b| {
        b.is_nan()
            .cmp(&a.is_nan())
            .then_with(|| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal))
    });
    let middle = all.len() / 2;
    Ok(Value::Float(match all.len() {
        0 => 0.0,
        length if length % 2 == 1 => all[middle],
        _ => f64::midpoint(all[middle - 1], all[middle]),
    }))
}

/// Gives every number in the values, however nested their arrays, to `take`.
fn numbers(
    values: &[Value],
    cx: &mut Context<'_>,
    take: &mut dyn FnMut(&Value) -> Result<(), String>,
) -> Result<(), Error> {
    cx.budget.steps(values.len() as u64)?;
    for value in values {
        match value {
            Value::Int(_) | Value::Byte(_) | Value::Float(_) => take(value)?,
            Value::Array(items) => numbers(items, cx, take)?,
            Value::Bytes(bytes) => bytes
                .iter()
                .try_for_each(|byte| take(&Value::Byte(*byte)))?,
            other => return Err(no_number(other)),
        }
    }
    Ok(())
}

fn no_number(value: &Value) -> Error {
    Error::from(format!("expected a number, not {}", value.type_name()))
}

fn integer(value: &Value) -> Result<i64, Error> {
    match value {
        Value::Int(it) => Ok(*it),
        Value::Byte(it) => Ok(i64::from(*it)),
        other => Err(Error::from(format!(
            "expected an integer, not {}",
            other.type_name()
        ))),
    }
}

fn bits(arguments: &[Value], combine: impl Fn(i64, i64) -> i64) -> Answer {
    Ok(Value::Int(combine(
        integer(&arguments[0])?,
        integer(&arguments[1])?,
    )))
}

pub(super) fn bitand(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    bits(arguments, |a, b| a & b)
}

pub(super) fn bitor(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    bits(arguments, |a, b| a | b)
}

pub(super) fn bitxor(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    bits(arguments, |a, b| a ^ b)
}

/// Clears the bits that the second number has.
pub(super) fn bitnand(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    bits(arguments, |a, b| a & !b)
}

pub(super) fn bitnot(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    Ok(Value::Int(!integer(&arguments[0])?))
}

pub(super) fn bitshl(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    shift(arguments, |it, by| it.checked_shl(by).unwrap_or(0))
}

pub(super) fn bitshr(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    shift(arguments, |it, by| {
        it.checked_shr(by).unwrap_or(if it < 0 { -1 } else { 0 })
    })
}

pub(super) fn bitushr(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    shift(arguments, |it, by| {
        it.cast_unsigned()
            .checked_shr(by)
            .unwrap_or(0)
            .cast_signed()
    })
}

fn shift(arguments: &[Value], shift: fn(i64, u32) -> i64) -> Answer {
    let (it, by) = (integer(&arguments[0])?, integer(&arguments[1])?);
    if by < 0 {
        return Err(Error::from(format!("cannot shift by {by}")));
    }
    Ok(Value::Int(shift(it, u32::try_from(by).unwrap_or(u32::MAX))))
}
