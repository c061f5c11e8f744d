//! Changes values in YAML text and leaves everything else as it is: comments, quotes, indentation, line ends.
//!
//! Every change is checked by reading the text again: unless exactly the value asked for changed, the edit is an error
//! and nothing is written.

mod key;
mod place;

use std::str::FromStr;

use serde_json::Value;
use yaml_edit::{Document, ScalarStyle, ScalarValue, YamlFile, YamlNode};

pub(crate) use self::key::parse_key;
use self::key::{Part, look_up, look_up_mut};
use self::place::Place;
pub(crate) use self::place::string_like;

/// The largest file that is edited.
const MOST_BYTES: usize = 16 << 20;

/// Why YAML text could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("not valid YAML: {0}")]
    Syntax(String),
    #[error("too large to be edited: {0} bytes")]
    TooLarge(usize),
    #[error("key {0:?} is empty or has an empty part")]
    Key(String),
    #[error("key {key:?} was not found: there is no {part:?}")]
    NotFound { key: String, part: String },
    #[error("key {key:?} holds a mapping or a list, not a single value")]
    NotScalar { key: String },
    #[error("value of key {key:?} must be a string, a number, a boolean or null")]
    Value { key: String },
    #[error("{0}")]
    Shape(String),
    #[error("setting {0:?} would change something else too, so nothing was changed")]
    Unsafe(String),
}

impl Error {
    /// Names the next thing to try.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Syntax(_) | Self::Shape(_) => "correct the file in the repository",
            Self::TooLarge(_) => "split the file",
            Self::Key(_) => "write a key such as image.tag",
            Self::NotFound { .. } => "correct the key, or add it to the file in the repository",
            Self::NotScalar { .. } => "name a single value below it",
            Self::Value { .. } => {
                "write the list or mapping in the repository, and update its values"
            }
            Self::Unsafe(_) => "write the value out in the file, without anchors and aliases",
        }
    }
}

/// Sets scalars of the first document: each must be there already.
///
/// A path through an alias changes what the alias names. Integral numbers are written without a fraction.
pub(crate) fn set_scalars(text: &str, updates: &[(String, Value)]) -> Result<String, Error> {
    let mut text = text.to_owned();
    for (key, value) in updates {
        let parts = parse_key(key)?;
        let value = whole(value);
        if value.is_array() || value.is_object() {
            return Err(Error::Value { key: key.clone() });
        }
        let before = read(&text)?;
        let at = Place::find(&text, key, &parts)?;
        // The style that is there is kept where it can say the new value; double quotes can say everything.
        let mut attempts = at
            .style()
            .into_iter()
            .chain([ScalarStyle::Plain, ScalarStyle::DoubleQuoted]);
        text = attempts
            .find_map(|style| {
                let at = Place::find(&text, key, &parts).ok()?;
                let length = at.old_length();
                at.set(render(&value, style)?);
                let changed = at.text();
                let is_only_change = if at.is_shared || text.contains('&') {
                    // Other places may show the anchored value too, so the text is compared rather than what it says.
                    is_confined(&text, &changed, length) && shows(&before, &changed, &parts, &value)
                } else {
                    is_only_change(&before, &changed, &parts, &value)
                };
                is_only_change.then_some(changed)
            })
            .ok_or_else(|| Error::Unsafe(key.clone()))?;
    }
    Ok(text)
}

/// Parses text as a file of documents.
pub(crate) fn parse(text: &str) -> Result<YamlFile, Error> {
    if text.len() > MOST_BYTES {
        return Err(Error::TooLarge(text.len()));
    }
    YamlFile::from_str(text).map_err(|error| Error::Syntax(error.to_string()))
}

pub(crate) fn root(document: &Document) -> Option<YamlNode> {
    let mapping = document.as_mapping().map(YamlNode::Mapping);
    mapping.or_else(|| document.as_sequence().map(YamlNode::Sequence))
}

/// Reads all documents as values.
pub(crate) fn read(text: &str) -> Result<Vec<Value>, Error> {
    serde_saphyr::from_multiple(text).map_err(|error| Error::Syntax(error.to_string()))
}

/// Writes a value in a style; none where the style cannot say it.
fn render(value: &Value, style: ScalarStyle) -> Option<ScalarValue> {
    match value {
        Value::String(text) => match style {
            ScalarStyle::Literal if !text.ends_with('\n') => None,
            ScalarStyle::Plain => Some(ScalarValue::string(text)),
            style => Some(ScalarValue::with_style(text, style)),
        },
        Value::Null => Some(ScalarValue::null()),
        Value::Bool(_) | Value::Number(_) => Some(ScalarValue::parse(value.to_string())),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// A number without a fraction as an integer.
fn whole(value: &Value) -> Value {
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 9e15 => {
            Value::from(number as i64)
        }
        _ => value.clone(),
    }
}

/// Says whether the text now reads as before, but for the one value.
fn is_only_change(before: &[Value], text: &str, parts: &[Part], value: &Value) -> bool {
    let Ok(after) = read(text) else { return false };
    let mut expected = before.to_vec();
    let place = expected.first_mut().and_then(|it| look_up_mut(it, parts));
    if let Some(place) = place {
        *place = value.clone();
    }
    shown(&after, parts) == Some(value) && expected == after
}

/// Says whether the text now shows the value at the path, in as many documents as before.
fn shows(before: &[Value], text: &str, parts: &[Part], value: &Value) -> bool {
    read(text).is_ok_and(|after| shown(&after, parts) == Some(value) && after.len() == before.len())
}

fn shown<'a>(documents: &'a [Value], parts: &[Part]) -> Option<&'a Value> {
    documents.first().and_then(|it| look_up(it, parts))
}

/// Says whether all but `length` bytes in one place are as they were.
fn is_confined(before: &str, after: &str, length: usize) -> bool {
    let same = |(a, b): &(u8, u8)| a == b;
    let in_front = before.bytes().zip(after.bytes()).take_while(same).count();
    let left = before.len().min(after.len()) - in_front;
    let behind = before
        .bytes()
        .rev()
        .zip(after.bytes().rev())
        .take(left)
        .take_while(same)
        .count();
    in_front + behind + length >= before.len()
}

#[cfg(test)]
mod tests;
