//! `FieldsV1`, the JSON form of a set of paths.

use serde_json::{Map, Value};

use super::element::{Element, ElementError};
use super::set::Set;

/// Reads a `fieldsV1` value.
pub(crate) fn parse(fields: &Value) -> Result<Set, ElementError> {
    Ok(read(fields)?.unwrap_or_default())
}

/// Writes a `fieldsV1` value.
pub(crate) fn write(set: &Set) -> Value {
    let entries = set.top().map(|(element, member, below)| {
        let mut value = write(below);
        if let Value::Object(map) = &mut value
            && member
            && !map.is_empty()
        {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        (element.serialize(), value)
    });
    Value::Object(entries.collect())
}

/// Reads what is below an element; `None` stands for nothing, which makes the element itself a member.
fn read(fields: &Value) -> Result<Option<Set>, ElementError> {
    let map = match fields {
        Value::Null => return Ok(None),
        Value::Object(map) => map,
        other => return Err(ElementError::Malformed(other.to_string())),
    };
    let mut set = None;
    for (key, value) in map.iter().filter(|(key, _)| *key != ".") {
        let element = match Element::parse(key) {
            Ok(element) => element,
            Err(ElementError::Unknown) => continue,
            Err(error) => return Err(error),
        };
        let below = read(value)?;
        let member = below.is_none() || value.get(".").is_some();
        set.get_or_insert_with(Set::default)
            .put(element, member, &below.unwrap_or_default());
    }
    Ok(set)
}
