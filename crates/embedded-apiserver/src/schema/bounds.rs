//! What scalars, lists and maps must satisfy besides their type.

use serde_json::Value;

use super::{Structural, causes};
use crate::failure::FieldCause;

impl Structural {
    pub(super) fn check_bounds(&self, value: &Value, path: &str, found: &mut Vec<FieldCause>) {
        let bounds = &self.bounds;
        if !bounds.allowed.is_empty() && !bounds.allowed.iter().any(|it| equal(it, value)) {
            found.push(causes::not_supported(path, value, &bounds.allowed));
        }
        match value {
            Value::String(text) => self.check_text(text, value, path, found),
            Value::Number(number) => {
                self.check_number(number.as_f64().unwrap_or(f64::NAN), value, path, found);
            }
            Value::Array(items) => self.check_list(items, value, path, found),
            Value::Object(members) => {
                let count = members.len();
                if let Some(limit) = bounds.min_properties.filter(|it| below(count, *it)) {
                    let should = format!("should have at least {limit} properties");
                    found.push(causes::out_of_bounds(path, value, &should));
                }
                if let Some(limit) = bounds.max_properties.filter(|it| above(count, *it)) {
                    found.push(causes::too_many(path, count, limit));
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn check_text(&self, text: &str, value: &Value, path: &str, found: &mut Vec<FieldCause>) {
        let bounds = &self.bounds;
        if bounds.min_length.is_some() || bounds.max_length.is_some() {
            let length = text.chars().count();
            if let Some(limit) = bounds.max_length.filter(|it| above(length, *it)) {
                found.push(causes::too_long(path, limit));
            }
            if let Some(limit) = bounds.min_length.filter(|it| below(length, *it)) {
                let should = format!("should be at least {limit} chars long");
                found.push(causes::out_of_bounds(path, value, &should));
            }
        }
        if let Some(pattern) = bounds
            .pattern
            .as_ref()
            .filter(|it| !it.regex.is_match(text))
        {
            found.push(causes::mismatch(path, value, pattern));
        }
        if let Some(format) = bounds.format.filter(|it| !it.takes_text(text)) {
            found.push(causes::wrong_format(path, value, format.name()));
        }
    }

    fn check_number(&self, number: f64, value: &Value, path: &str, found: &mut Vec<FieldCause>) {
        let bounds = &self.bounds;
        if let Some(limit) = bounds.maximum {
            let shown = causes::show_limit(limit.value);
            if limit.exclusive && number >= limit.value {
                found.push(causes::out_of_bounds(
                    path,
                    value,
                    &format!("should be less than {shown}"),
                ));
            } else if number > limit.value {
                let should = format!("should be less than or equal to {shown}");
                found.push(causes::out_of_bounds(path, value, &should));
            }
        }
        if let Some(limit) = bounds.minimum {
            let shown = causes::show_limit(limit.value);
            if limit.exclusive && number <= limit.value {
                let should = format!("should be greater than {shown}");
                found.push(causes::out_of_bounds(path, value, &should));
            } else if number < limit.value {
                let should = format!("should be greater than or equal to {shown}");
                found.push(causes::out_of_bounds(path, value, &should));
            }
        }
        if let Some(factor) = bounds.multiple_of {
            let times = number / factor;
            if (times - times.round()).abs() > f64::EPSILON * times.abs().max(1.0) {
                let should = format!("should be a multiple of {}", causes::show_limit(factor));
                found.push(causes::out_of_bounds(path, value, &should));
            }
        }
        if let Some(format) = bounds.format.filter(|it| !it.takes_number(number)) {
            found.push(causes::wrong_format(path, value, format.name()));
        }
    }

    fn check_list(&self, items: &[Value], value: &Value, path: &str, found: &mut Vec<FieldCause>) {
        let bounds = &self.bounds;
        if let Some(limit) = bounds.min_items.filter(|it| below(items.len(), *it)) {
            let should = format!("should have at least {limit} items");
            found.push(causes::out_of_bounds(path, value, &should));
        }
        if let Some(limit) = bounds.max_items.filter(|it| above(items.len(), *it)) {
            found.push(causes::too_many(path, items.len(), limit));
        }
        if bounds.unique_items {
            let mut seen = std::collections::HashSet::new();
            if !items.iter().all(|it| seen.insert(it.to_string())) {
                found.push(causes::out_of_bounds(
                    path,
                    value,
                    "shouldn't contain duplicates",
                ));
            }
        }
    }
}

fn below(count: usize, limit: u64) -> bool {
    u64::try_from(count).is_ok_and(|it| it < limit)
}

fn above(count: usize, limit: u64) -> bool {
    u64::try_from(count).is_ok_and(|it| it > limit)
}

/// Equality in which `1` and `1.0` are the same number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        _ => one == other,
    }
}
