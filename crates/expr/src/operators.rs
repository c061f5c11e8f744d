//! What operators, indexes and slices do to values.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::ast::Binary;
use crate::power::power;
use crate::value::{Array, Value};

/// A message for whoever wrote the expression.
pub(crate) type Outcome<T = Value> = Result<T, String>;

/// A number of either sort.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(it) => Some(Self::Int(*it)),
            Value::Byte(it) => Some(Self::Int(i64::from(*it))),
            Value::Float(it) => Some(Self::Float(*it)),
            _ => None,
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Int(it) => precise(it),
            Self::Float(it) => it,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "large integers become the nearest float, as everywhere"
)]
fn precise(it: i64) -> f64 {
    it as f64
}

/// The float nearest to a number, `None` for what is no number.
pub(crate) fn as_float(value: &Value) -> Option<f64> {
    Number::of(value).map(Number::float)
}

/// The whole part of a number.
pub(crate) fn to_int(value: &Value) -> Outcome<i64> {
    match Number::of(value) {
        Some(Number::Int(it)) => Ok(it),
        Some(Number::Float(it)) => Ok(truncate(it)),
        None => Err(format!("{} is no number", value.type_name())),
    }
}

/// Cuts the fraction off; what does not fit becomes the least integer, as on the reference's usual machine.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
pub(crate) fn truncate(it: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&it) {
        it as i64
    } else {
        i64::MIN
    }
}

pub(crate) fn not(value: &Value) -> Outcome {
    match value {
        Value::Bool(it) => Ok(Value::Bool(!it)),
        other => Err(format!("not needs a bool, not {}", other.type_name())),
    }
}

pub(crate) fn negate(value: &Value) -> Outcome {
    match value {
        Value::Int(it) => Ok(Value::Int(it.wrapping_neg())),
        Value::Byte(it) => Ok(Value::Byte(it.wrapping_neg())),
        Value::Float(it) => Ok(Value::Float(-it)),
        other => Err(format!("- needs a number, not {}", other.type_name())),
    }
}

/// Applies an operator that needs both of its operands.
pub(crate) fn apply(operator: Binary, left: &Value, right: &Value) -> Outcome {
    match operator {
        Binary::Equal => Ok(Value::Bool(equal(left, right))),
        Binary::NotEqual => Ok(Value::Bool(!equal(left, right))),
        Binary::Less => less(left, right).map(Value::Bool),
        Binary::Greater => less(right, left).map(Value::Bool),
        Binary::LessOrEqual => compare(left, right)
            .map(|it| Value::Bool(matches!(it, Some(Ordering::Less | Ordering::Equal)))),
        Binary::GreaterOrEqual => compare(left, right)
            .map(|it| Value::Bool(matches!(it, Some(Ordering::Greater | Ordering::Equal)))),
        Binary::In => contains(right, left).map(Value::Bool),
        Binary::Contains => texts(left, right, |text, part| text.contains(part)),
        Binary::StartsWith => texts(left, right, |text, part| text.starts_with(part)),
        Binary::EndsWith => texts(left, right, |text, part| text.ends_with(part)),
        Binary::Add
        | Binary::Subtract
        | Binary::Multiply
        | Binary::Divide
        | Binary::Modulo
        | Binary::Power => arithmetic(operator, left, right),
        Binary::Or | Binary::And | Binary::Coalesce | Binary::Matches | Binary::Range => {
            Err("this operator does not apply to two values".to_owned())
        }
    }
}

fn texts(left: &Value, right: &Value, test: fn(&str, &str) -> bool) -> Outcome {
    match (left, right) {
        _ if left.is_nil() || right.is_nil() => Ok(Value::Bool(false)),
        (Value::String(text), Value::String(part)) => Ok(Value::Bool(test(text, part))),
        _ => Err(format!(
            "expected two strings, not {} and {}",
            left.type_name(),
            right.type_name()
        )),
    }
}

fn arithmetic(operator: Binary, left: &Value, right: &Value) -> Outcome {
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        return numbers(operator, a, b);
    }
    match (operator, left, right) {
        (Binary::Add, Value::String(a), Value::String(b)) => {
            Ok(Value::String(Arc::from([&**a, &**b].concat())))
        }
        (Binary::Add, Value::Time(time), Value::Duration(it))
        | (Binary::Add, Value::Duration(it), Value::Time(time)) => later(time, *it),
        (Binary::Subtract, Value::Time(time), Value::Duration(it)) => {
            later(time, it.wrapping_neg())
        }
        (Binary::Subtract, Value::Time(a), Value::Time(b)) => {
            Ok(Value::Duration(crate::time::between(b, a)))
        }
        (Binary::Add, Value::Duration(a), Value::Duration(b)) => {
            Ok(Value::Duration(a.wrapping_add(*b)))
        }
        (Binary::Subtract, Value::Duration(a), Value::Duration(b)) => {
            Ok(Value::Duration(a.wrapping_sub(*b)))
        }
        (Binary::Multiply, Value::Duration(a), Value::Duration(b)) => {
            Ok(Value::Duration(a.wrapping_mul(*b)))
        }
        (Binary::Multiply, Value::Duration(it), other)
        | (Binary::Multiply, other, Value::Duration(it)) => match Number::of(other) {
            Some(Number::Int(factor)) => Ok(Value::Duration(it.wrapping_mul(factor))),
            Some(Number::Float(factor)) => Ok(Value::Float(precise(*it) * factor)),
            None => Err(mismatch(left, right)),
        },
        _ => Err(mismatch(left, right)),
    }
}

fn numbers(operator: Binary, left: Number, right: Number) -> Outcome {
    let (a, b) = (left.float(), right.float());
    Ok(match (operator, left, right) {
        (Binary::Add, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_add(b)),
        (Binary::Subtract, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_sub(b)),
        (Binary::Multiply, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_mul(b)),
        (Binary::Modulo, Number::Int(_), Number::Int(0)) => {
            return Err("division by zero".to_owned());
        }
        (Binary::Modulo, Number::Int(a), Number::Int(b)) => Value::Int(a.wrapping_rem(b)),
        (Binary::Modulo, ..) => return Err("% needs two integers".to_owned()),
        (Binary::Add, ..) => Value::Float(a + b),
        (Binary::Subtract, ..) => Value::Float(a - b),
        (Binary::Multiply, ..) => Value::Float(a * b),
        (Binary::Divide, ..) => Value::Float(a / b),
        _ => Value::Float(power(a, b)),
    })
}

fn later(time: &jiff::Zoned, nanoseconds: i64) -> Outcome {
    let time = time
        .checked_add(SignedDuration::from_nanos(nanoseconds))
        .map_err(|_| "the time is out of range".to_owned())?;
    Ok(Value::Time(Arc::new(time)))
}

fn mismatch(left: &Value, right: &Value) -> String {
    format!(
        "this operator does not take {} and {}",
        left.type_name(),
        right.type_name()
    )
}

/// The language's `==`: numbers by size, arrays by element, maps and records only if their types agree too.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        return match (a, b) {
            (Number::Int(a), Number::Int(b)) => a == b,
            #[expect(clippy::float_cmp, reason = "the language compares floats exactly")]
            _ => a.float() == b.float(),
        };
    }
    match (left, right) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b))
        }
        (Value::Time(a), Value::Time(b)) => a == b,
        _ if left.is_nil() && right.is_nil() => true,
        _ => left == right,
    }
}

/// The language's `<`, which knows numbers, strings, times and durations.
pub(crate) fn less(left: &Value, right: &Value) -> Outcome<bool> {
    compare(left, right).map(|it| it == Some(Ordering::Less))
}

/// Orders two values; NaN has no order.
fn compare(left: &Value, right: &Value) -> Outcome<Option<Ordering>> {
    if let (Some(a), Some(b)) = (Number::of(left), Number::of(right)) {
        return Ok(match (a, b) {
            (Number::Int(a), Number::Int(b)) => Some(a.cmp(&b)),
            _ => a.float().partial_cmp(&b.float()),
        });
    }
    match (left, right) {
        (Value::String(a), Value::String(b)) => Ok(Some(a.cmp(b))),
        (Value::Time(a), Value::Time(b)) => Ok(Some(a.cmp(b))),
        (Value::Duration(a), Value::Duration(b)) => Ok(Some(a.cmp(b))),
        _ => Err(format!(
            "cannot compare {} with {}",
            left.type_name(),
            right.type_name()
        )),
    }
}

/// The language's `in`: an element of an array, a key of a map, a member of a record.
fn contains(container: &Value, wanted: &Value) -> Outcome<bool> {
    match container {
        Value::Nil => Ok(false),
        Value::Array(items) => Ok(items.iter().any(|item| equal(item, wanted))),
        Value::Bytes(bytes) => Ok(bytes.iter().any(|byte| equal(&Value::Byte(*byte), wanted))),
        Value::Map(map) => Ok(map.get_key(&map.key(wanted)?).is_some()),
        Value::Record(record) => match wanted {
            Value::String(name) => Ok(record.member(name).is_some()),
            other => Err(format!("a member has a name, not a {}", other.type_name())),
        },
        other => Err(format!("nothing is in a {}", other.type_name())),
    }
}

/// An element, a key's value or a member.
pub(crate) fn fetch(base: &Value, key: &Value) -> Outcome {
    match base {
        Value::Array(items) => Ok(items[position(items.len(), key)?].clone()),
        Value::String(text) => Ok(Value::Byte(text.as_bytes()[position(text.len(), key)?])),
        Value::Bytes(bytes) => Ok(Value::Byte(bytes[position(bytes.len(), key)?])),
        Value::Map(map) => Ok(map
            .get_key(&map.key(key)?)
            .cloned()
            .unwrap_or_else(|| map.missing())),
        Value::Record(record) => {
            let name = key
                .as_str()
                .ok_or_else(|| format!("a member has a name, not a {}", key.type_name()))?;
            record
                .member(name)
                .cloned()
                .ok_or_else(|| format!("{} has no such member", record.type_name()))
        }
        other => Err(format!("{} has no members", other.type_name())),
    }
}

/// As [`fetch`], where what is not there is nil.
pub(crate) fn get(base: &Value, key: &Value) -> Outcome {
    match base {
        Value::Array(_) | Value::String(_) | Value::Bytes(_) => {
            to_int(key)?;
            Ok(fetch(base, key).unwrap_or_default())
        }
        Value::Map(map) => Ok(map.get_key(&map.key(key)?).cloned().unwrap_or_default()),
        Value::Record(record) => {
            let name = key
                .as_str()
                .ok_or_else(|| format!("a member has a name, not a {}", key.type_name()))?;
            Ok(record.member(name).cloned().unwrap_or_default())
        }
        _ => Ok(Value::Nil),
    }
}

/// Where an index points to, counted from the end if negative.
fn position(length: usize, index: &Value) -> Outcome<usize> {
    let index = to_int(index)?;
    let found = usize::try_from(index)
        .ok()
        .or_else(|| length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?));
    found
        .filter(|found| *found < length)
        .ok_or_else(|| format!("index {index} is out of range of {length} elements"))
}

/// A part of an array, a string (by bytes) or bytes. Bounds beyond the ends are moved to them.
pub(crate) fn slice(base: &Value, from: Option<&Value>, to: Option<&Value>) -> Outcome {
    let length = match base {
        Value::Array(items) => items.len(),
        Value::String(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        other => return Err(format!("cannot slice {}", other.type_name())),
    };
    let bound = |index: Option<&Value>, default: usize| -> Outcome<usize> {
        let Some(index) = index else {
            return Ok(default);
        };
        let index = to_int(index)?;
        let size = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        Ok(if index < 0 {
            length.saturating_sub(size)
        } else {
            size.min(length)
        })
    };
    let to = bound(to, length)?;
    let from = bound(from, 0)?.min(to);
    Ok(match base {
        Value::Array(items) if items.is_absent() => Value::Array(Array::absent()),
        Value::Array(items) => items[from..to].iter().cloned().collect(),
        Value::String(text) => from_bytes(&text.as_bytes()[from..to]),
        Value::Bytes(bytes) => Value::Bytes(Arc::from(&bytes[from..to])),
        _ => Value::Nil,
    })
}

/// Bytes as a string; what is not UTF-8 becomes U+FFFD.
pub(crate) fn from_bytes(bytes: &[u8]) -> Value {
    Value::from(String::from_utf8_lossy(bytes).into_owned())
}
