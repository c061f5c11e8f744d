//! The path to a value: keys and indices between dots.

use serde_json::Value;

use super::Error;

/// One part of the path to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A key, or an index where there is a sequence.
    Any(String),
    /// A key, whatever it looks like.
    Key(String),
}

impl Part {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Any(text) | Self::Key(text) => text,
        }
    }
}

/// Splits a path at its dots; a backslash escapes, a colon in front of a part makes it a key even if it is a number.
pub(crate) fn parse_key(key: &str) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut forced = false;
    let mut characters = key.chars().peekable();
    let mut at_start = true;
    loop {
        match characters.next() {
            Some('\\') => text.push(characters.next().unwrap_or('\\')),
            Some(':') if at_start => forced = true,
            Some(other) if other != '.' => text.push(other),
            end => {
                if text.is_empty() {
                    return Err(Error::Key(key.to_owned()));
                }
                let text = std::mem::take(&mut text);
                parts.push(if forced {
                    Part::Key(text)
                } else {
                    Part::Any(text)
                });
                forced = false;
                at_start = true;
                if end.is_none() {
                    return Ok(parts);
                }
                continue;
            }
        }
        at_start = false;
    }
}

/// The value at a path.
pub(super) fn look_up<'a>(document: &'a Value, parts: &[Part]) -> Option<&'a Value> {
    parts.iter().try_fold(document, |value, part| match value {
        Value::Array(items) => items.get(part.text().parse::<usize>().ok()?),
        Value::Object(members) => members.get(part.text()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

/// The same, to be changed.
pub(super) fn look_up_mut<'a>(document: &'a mut Value, parts: &[Part]) -> Option<&'a mut Value> {
    parts.iter().try_fold(document, |value, part| match value {
        Value::Array(items) => items.get_mut(part.text().parse::<usize>().ok()?),
        Value::Object(members) => members.get_mut(part.text()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}
