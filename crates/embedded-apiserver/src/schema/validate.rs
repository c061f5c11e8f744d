//! Types, bounds, patterns and list keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Bounds, Cause, Edge, ListType, Node, Type, child, format};

/// Checks `value` and everything below it; all faults are collected.
pub(super) fn node(node: &Node, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && node.nullable {
        return;
    }
    if !has_type(node, value) {
        causes.push(wrong_type(node, value, path));
        return;
    }
    bounds(&node.bounds, value, path, causes);
    match value {
        Value::Object(map) => object(node, map, path, causes),
        Value::Array(list) => array(node, list, path, causes),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    junctors(node, value, path, causes);
}

fn has_type(node: &Node, value: &Value) -> bool {
    if node.int_or_string {
        return value.is_string() || value.is_i64() || value.is_u64();
    }
    match node.kind {
        None => true,
        Some(Type::Array) => value.is_array(),
        Some(Type::Boolean) => value.is_boolean(),
        Some(Type::Integer) => is_whole(value),
        Some(Type::Number) => value.is_number(),
        Some(Type::Object) => value.is_object(),
        Some(Type::String) => value.is_string(),
    }
}

/// `1.0` counts as an integer, as it does for JSON schema.
fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn wrong_type(node: &Node, value: &Value, path: &str) -> Cause {
    let expected = match node.kind {
        _ if node.int_or_string => "integer,string",
        Some(Type::Array) => "array",
        Some(Type::Boolean) => "boolean",
        Some(Type::Integer) => "integer",
        Some(Type::Number) => "number",
        Some(Type::Object) => "object",
        Some(Type::String) => "string",
        None => "any",
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    Cause {
        field: path.to_owned(),
        reason: "FieldValueTypeInvalid",
        message: format!(
            "Invalid value: \"{found}\": {path} in body must be of type {expected}: \"{found}\""
        ),
    }
}

fn object(node: &Node, map: &Map<String, Value>, path: &str, causes: &mut Vec<Cause>) {
    for name in node.required.iter().filter(|name| !map.contains_key(*name)) {
        causes.push(Cause {
            field: child(path, name),
            reason: "FieldValueRequired",
            message: "Required value".to_owned(),
        });
    }
    for (name, field) in map {
        if let Some(property) = node.properties.get(name).or(node.additional.as_deref()) {
            // The metadata of an object has rules of its own.
            if !(path.is_empty() && name == "metadata" && property.properties.is_empty()) {
                self::node(property, field, &child(path, name), causes);
            }
        }
    }
}

fn array(node: &Node, list: &[Value], path: &str, causes: &mut Vec<Cause>) {
    if let Some(items) = &node.items {
        for (index, item) in list.iter().enumerate() {
            self::node(items, item, &format!("{path}[{index}]"), causes);
        }
    }
    let key = |item: &Value| match &node.list_type {
        ListType::Atomic => node.bounds.unique_items.then(|| item.clone()),
        ListType::Set => Some(item.clone()),
        ListType::Map(keys) => {
            let fields = keys
                .iter()
                .map(|key| (key.clone(), item.get(key).cloned().unwrap_or_default()));
            Some(Value::Object(fields.collect()))
        }
    };
    let mut seen = BTreeSet::new();
    for (index, item) in list.iter().enumerate() {
        let Some(key) = key(item) else { continue };
        if !seen.insert(key.to_string()) {
            causes.push(Cause {
                field: format!("{path}[{index}]"),
                reason: "FieldValueDuplicate",
                message: format!("Duplicate value: {key}"),
            });
        }
    }
}

fn bounds(bounds: &Bounds, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    if let Some(allowed) = &bounds.allowed
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        causes.push(Cause {
            field: path.to_owned(),
            reason: "FieldValueNotSupported",
            message: format!(
                "Unsupported value: {value}: supported values: {}",
                allowed.join(", ")
            ),
        });
    }
    if let Some(format) = &bounds.format
        && !format::fits(format, value)
    {
        causes.push(invalid(
            path,
            value,
            &format!("must be of type {format}: {value}"),
        ));
    }
    match value {
        Value::String(text) => string(bounds, text, path, causes),
        Value::Number(_) => number(bounds, value, path, causes),
        Value::Array(list) => {
            size(
                list.len(),
                bounds.min_items,
                bounds.max_items,
                "items",
                path,
                causes,
            );
        }
        Value::Object(map) => {
            size(
                map.len(),
                bounds.min_properties,
                bounds.max_properties,
                "properties",
                path,
                causes,
            );
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn string(bounds: &Bounds, text: &str, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count() as u64;
    if let Some(least) = bounds.min_length.filter(|least| length < *least) {
        causes.push(invalid(
            path,
            &json!(text),
            &format!("should be at least {least} chars long"),
        ));
    }
    if let Some(most) = bounds.max_length.filter(|most| length > *most) {
        causes.push(Cause {
            field: path.to_owned(),
            reason: "FieldValueTooLong",
            message: format!("Too long: may not be more than {most} bytes"),
        });
    }
    if let Some((pattern, regex)) = &bounds.pattern
        && !regex.is_match(text)
    {
        causes.push(invalid(
            path,
            &json!(text),
            &format!("should match '{pattern}'"),
        ));
    }
}

fn number(bounds: &Bounds, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let Some(number) = value.as_f64() else { return };
    let words = |edge, inclusive, exclusive| {
        if edge == Edge::Inclusive {
            inclusive
        } else {
            exclusive
        }
    };
    if let Some((limit, edge)) = bounds.minimum
        && (number < limit || (edge == Edge::Exclusive && number <= limit))
    {
        let words = words(edge, "greater than or equal to", "greater than");
        causes.push(invalid(path, value, &format!("should be {words} {limit}")));
    }
    if let Some((limit, edge)) = bounds.maximum
        && (number > limit || (edge == Edge::Exclusive && number >= limit))
    {
        let words = words(edge, "less than or equal to", "less than");
        causes.push(invalid(path, value, &format!("should be {words} {limit}")));
    }
    if let Some(step) = bounds.multiple_of
        && (number / step).fract() != 0.0
    {
        causes.push(invalid(
            path,
            value,
            &format!("should be a multiple of {step}"),
        ));
    }
}

fn size(
    count: usize,
    least: Option<u64>,
    most: Option<u64>,
    what: &str,
    path: &str,
    causes: &mut Vec<Cause>,
) {
    let count = count as u64;
    if let Some(least) = least.filter(|least| count < *least) {
        causes.push(invalid(
            path,
            &json!(count),
            &format!("should have at least {least} {what}"),
        ));
    }
    if let Some(most) = most.filter(|most| count > *most) {
        causes.push(Cause {
            field: path.to_owned(),
            reason: "FieldValueTooMany",
            message: format!("Too many: {count}: must have at most {most} {what}"),
        });
    }
}

fn junctors(node: &Node, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    for branch in &node.all_of {
        self::node(branch, value, path, causes);
    }
    let fits = |branch: &&Node| {
        let mut found = Vec::new();
        self::node(branch, value, path, &mut found);
        found.is_empty()
    };
    if !node.any_of.is_empty() && !node.any_of.iter().any(|branch| fits(&branch)) {
        causes.push(combination(
            path,
            "must validate at least one schema (anyOf)",
        ));
    }
    if !node.one_of.is_empty() {
        match node.one_of.iter().filter(fits).count() {
            1 => {}
            0 => causes.push(combination(path, "must validate one and only one schema (oneOf). Found none valid")),
            count => causes.push(combination(
                path,
                &format!("must validate one and only one schema (oneOf). Found {count} valid alternatives"),
            )),
        }
    }
    if let Some(branch) = &node.not
        && fits(&branch.as_ref())
    {
        causes.push(combination(path, "must not validate the schema (not)"));
    }
}

fn combination(path: &str, what: &str) -> Cause {
    Cause {
        field: path.to_owned(),
        reason: "FieldValueInvalid",
        message: format!("Invalid value: \"\": \"{path}\" {what}"),
    }
}

fn invalid(path: &str, value: &Value, what: &str) -> Cause {
    Cause {
        field: path.to_owned(),
        reason: "FieldValueInvalid",
        message: format!("Invalid value: {value}: {path} in body {what}"),
    }
}
