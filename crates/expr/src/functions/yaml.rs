//! Values as YAML in block style: nested maps and lists indented by four, keys sorted.

use crate::error::{Error, ErrorKind};
use crate::text;
use crate::time;
use crate::value::{Key, Value};

/// Writes a value as a YAML document.
pub(super) fn write(value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    node(&mut text, value, 0, Place::Top)?;
    Ok(text)
}

/// Where a value stands, which decides how a container begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    /// After `key:`.
    Member,
    /// After `- `.
    Item,
}

fn node(text: &mut String, value: &Value, indent: usize, place: Place) -> Result<(), Error> {
    match value {
        Value::Array(items) if !items.is_empty() => {
            list(text, items.iter().cloned(), indent, place)
        }
        Value::Bytes(bytes) if !bytes.is_empty() => {
            list(text, bytes.iter().map(|it| Value::Byte(*it)), indent, place)
        }
        Value::Map(map) if !map.is_empty() => {
            let members = map.iter().map(|(key, value)| (scalar_key(key), value));
            members_of(text, members, indent, place)
        }
        // Without tags of its own, a member's name is written in lower case.
        Value::Record(record) => members_of(
            text,
            record
                .members()
                .map(|(name, value)| (name.to_lowercase(), value)),
            indent,
            place,
        ),
        plain => {
            if place == Place::Member {
                text.push(' ');
            }
            let indent = if place == Place::Item {
                indent
            } else {
                deeper(indent)
            };
            scalar(text, plain, indent)?;
            text.push('\n');
            Ok(())
        }
    }
}

fn list(
    text: &mut String,
    items: impl Iterator<Item = Value>,
    indent: usize,
    place: Place,
) -> Result<(), Error> {
    let indent = begin(text, indent, place);
    for (index, item) in items.enumerate() {
        if index > 0 || place == Place::Member {
            pad(text, indent);
        }
        text.push_str("- ");
        node(text, &item, indent + 2, Place::Item)?;
    }
    Ok(())
}

fn members_of<'a>(
    text: &mut String,
    members: impl Iterator<Item = (String, &'a Value)>,
    indent: usize,
    place: Place,
) -> Result<(), Error> {
    let indent = begin(text, indent, place);
    for (index, (key, value)) in members.enumerate() {
        if index > 0 || place == Place::Member {
            pad(text, indent);
        }
        text.push_str(&key);
        text.push(':');
        node(text, value, indent, Place::Member)?;
    }
    Ok(())
}

fn begin(text: &mut String, indent: usize, place: Place) -> usize {
    if place == Place::Member {
        text.push('\n');
        deeper(indent)
    } else {
        indent
    }
}

/// The next level, a multiple of four.
fn deeper(indent: usize) -> usize {
    (indent + 4) / 4 * 4
}

fn pad(text: &mut String, indent: usize) {
    text.extend(std::iter::repeat_n(' ', indent));
}

fn scalar_key(key: &Key) -> String {
    let mut text = String::new();
    match key.to_value() {
        Value::String(it) if !it.contains('\n') => string(&mut text, &it, 0),
        Value::String(it) => text.push_str(&text::quote(&it)),
        other => text.push_str(&other.to_string()),
    }
    text
}

fn scalar(text: &mut String, value: &Value, indent: usize) -> Result<(), Error> {
    match value {
        Value::Nil => text.push_str("null"),
        Value::Array(_) | Value::Bytes(_) => text.push_str("[]"),
        Value::Map(_) | Value::Record(_) => text.push_str("{}"),
        Value::Float(it) if it.is_nan() => text.push_str(".nan"),
        Value::Float(it) if it.is_infinite() => {
            text.push_str(if *it < 0.0 { "-.inf" } else { ".inf" });
        }
        Value::Bool(_) | Value::Int(_) | Value::Byte(_) | Value::Float(_) | Value::Duration(_) => {
            text.push_str(&value.to_string());
        }
        Value::Time(it) => text.push_str(&time::to_rfc3339(it)),
        Value::String(it) => string(text, it, indent),
        Value::Zone(_) => return Err(Error::new(ErrorKind::Evaluation, "YAML has no time zone")),
    }
    Ok(())
}

fn string(text: &mut String, it: &str, indent: usize) {
    let printable = it.chars().all(|it| !it.is_control() || it == '\n');
    if it.contains('\n') && printable {
        block(text, it, indent);
    } else if is_other_scalar(it) || !printable || it.contains('\n') {
        text.push_str(&text::quote(it));
    } else if is_plain(it) {
        text.push_str(it);
    } else {
        text.push('\'');
        text.push_str(&it.replace('\'', "''"));
        text.push('\'');
    }
}

/// Writes several lines as they are, indented.
fn block(text: &mut String, it: &str, indent: usize) {
    text.push('|');
    if it.starts_with([' ', '\n', '\t']) {
        text.push('4');
    }
    let ending = it.len() - it.trim_end_matches('\n').len();
    match ending {
        0 => text.push('-'),
        1 if it.len() > 1 => {}
        _ => text.push('+'),
    }
    for line in it.strip_suffix('\n').unwrap_or(it).split('\n') {
        text.push('\n');
        if !line.is_empty() {
            pad(text, indent);
            text.push_str(line);
        }
    }
}

/// Says whether the text without quotes would be read as something else than a string.
fn is_other_scalar(it: &str) -> bool {
    const WORDS: [&str; 16] = [
        "", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", "-.inf",
        "+.inf", ".nan", "<<",
    ];
    WORDS.contains(&it.to_ascii_lowercase().as_str())
        || is_number(it)
        || is_date(it)
        || is_base_60(it)
}

fn is_number(it: &str) -> bool {
    let digits = it.replace('_', "");
    let size = digits.trim_start_matches(['+', '-']);
    let radix = |prefix: &str, radix| {
        size.strip_prefix(prefix)
            .is_some_and(|it| i64::from_str_radix(it, radix).is_ok())
    };
    let decimal = size
        .bytes()
        .all(|it| it.is_ascii_digit() || matches!(it, b'.' | b'e' | b'E' | b'+' | b'-'))
        && text::parse_float(&digits).is_some();
    !it.starts_with('_') && (decimal || radix("0x", 16) || radix("0o", 8) || radix("0b", 2))
}

fn is_date(it: &str) -> bool {
    let bytes = it.as_bytes();
    bytes.len() >= 8 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
}

/// Says whether older YAML would read a time of day.
fn is_base_60(it: &str) -> bool {
    let digit = |it: u8| it.is_ascii_digit();
    it.contains(':')
        && it.bytes().any(digit)
        && it
            .bytes()
            .all(|it| digit(it) || matches!(it, b':' | b'.' | b'_' | b'+' | b'-'))
}

/// Says whether the text can stand without quotes.
fn is_plain(it: &str) -> bool {
    const SIGNS: [char; 17] = [
        ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ',
    ];
    let first = it.chars().next();
    let dash = it
        .strip_prefix(['-', '?', ':'])
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    !(first.is_some_and(|it| SIGNS.contains(&it))
        || dash
        || it.ends_with([' ', ':'])
        || it.contains(": ")
        || it.contains(" #")
        || it.contains(['\u{2028}', '\u{2029}'])
        || it.starts_with("---")
        || it.starts_with("..."))
}
