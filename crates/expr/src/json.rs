//! Values as JSON: as text the way Go writes it, since templates splice it, and as data.

use jiff::Zoned;
use serde_json::Value as Json;

use crate::error::{Error, ErrorKind};
use crate::text::{self, append};
use crate::time;
use crate::value::{Key, Value};

/// Writes a value on one line, keys sorted, `<`, `>` and `&` escaped.
pub(crate) fn compact(value: &Value) -> Result<String, Error> {
    write(value, None)
}

/// Writes a value over several lines, indented by two.
pub(crate) fn indented(value: &Value) -> Result<String, Error> {
    write(value, Some(0))
}

/// Turns a value into data.
pub(crate) fn to_json(value: &Value) -> Result<Json, Error> {
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Bool(it) => Json::Bool(*it),
        Value::Int(it) | Value::Duration(it) => Json::from(*it),
        Value::Byte(it) => Json::from(*it),
        Value::Float(it) => number(*it)?,
        Value::String(it) => Json::String(it.to_string()),
        Value::Bytes(it) => Json::String(crate::builtins::to_base64(it)),
        Value::Array(it) if it.is_absent() => Json::Null,
        Value::Array(it) => Json::Array(it.iter().map(to_json).collect::<Result<_, _>>()?),
        Value::Map(it) => Json::Object(
            it.iter()
                .map(|(key, value)| Ok((member_name(key)?, to_json(value)?)))
                .collect::<Result<_, Error>>()?,
        ),
        Value::Record(it) => Json::Object(
            it.written()
                .map(|(name, value)| Ok((name.to_owned(), to_json(value)?)))
                .collect::<Result<_, Error>>()?,
        ),
        Value::Time(it) => Json::String(moment(it)?),
        Value::Zone(_) => Json::Object(serde_json::Map::new()),
    })
}

/// A float as a JSON number: whole ones as integers, so that they are written without a fraction.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
fn number(it: f64) -> Result<Json, Error> {
    if it.fract() == 0.0
        && it.abs() < 9_007_199_254_740_992.0
        && !(it == 0.0 && it.is_sign_negative())
    {
        return Ok(Json::from(it as i64));
    }
    serde_json::Number::from_f64(it)
        .map(Json::Number)
        .ok_or_else(|| unsupported_number(it))
}

fn unsupported_number(it: f64) -> Error {
    Error::new(
        ErrorKind::Evaluation,
        format!("JSON has no number {}", text::float(it)),
    )
}

/// A time as RFC 3339 has it, which knows no year before 0.
fn moment(it: &Zoned) -> Result<String, Error> {
    if it.year() < 0 {
        return Err(Error::new(
            ErrorKind::Evaluation,
            format!("JSON has no year {}", it.year()),
        ));
    }
    Ok(time::to_rfc3339(it))
}

/// The name a key has in JSON; keys that are neither text nor whole numbers have none.
fn member_name(key: &Key) -> Result<String, Error> {
    match key {
        Key::String(it) => Ok(it.to_string()),
        Key::Int(it) => Ok(it.to_string()),
        Key::Byte(it) => Ok(it.to_string()),
        Key::Nil | Key::Bool(_) | Key::Float(_) | Key::Duration(_) | Key::Time(_) => {
            Err(Error::new(
                ErrorKind::Evaluation,
                format!(
                    "JSON has no map with keys of type {}",
                    key.to_value().type_name()
                ),
            ))
        }
    }
}

fn write(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let mut writer = Writer {
        text: String::new(),
        indent,
    };
    writer.value(value)?;
    Ok(writer.text)
}

struct Writer {
    text: String,
    /// How deep the current line is indented; `None` on one line.
    indent: Option<usize>,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        match value {
            Value::Float(it) => self
                .text
                .push_str(&text::json_float(*it).ok_or_else(|| unsupported_number(*it))?),
            Value::String(it) => self.string(it),
            Value::Array(it) if it.is_absent() => self.text.push_str("null"),
            Value::Array(it) => return self.list(('[', ']'), it.iter(), Self::value),
            Value::Map(it) => {
                let mut members = it
                    .iter()
                    .map(|(key, value)| Ok((member_name(key)?, value)))
                    .collect::<Result<Vec<_>, Error>>()?;
                members.sort_by(|left, right| left.0.cmp(&right.0));
                return self.list(('{', '}'), members.into_iter(), |writer, (name, value)| {
                    writer.member(&name, value)
                });
            }
            Value::Record(it) => {
                return self.list(('{', '}'), it.written(), |writer, (name, value)| {
                    writer.member(name, value)
                });
            }
            Value::Bytes(it) => self.string(&crate::builtins::to_base64(it)),
            Value::Time(it) => self.string(&moment(it)?),
            Value::Nil
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Byte(_)
            | Value::Duration(_)
            | Value::Zone(_) => {
                self.text.push_str(&to_json(value)?.to_string());
            }
        }
        Ok(())
    }

    fn member(&mut self, name: &str, value: &Value) -> Result<(), Error> {
        self.string(name);
        self.text
            .push_str(if self.indent.is_some() { ": " } else { ":" });
        self.value(value)
    }

    fn list<T>(
        &mut self,
        (open, close): (char, char),
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.text.push(open);
        self.indent = self.indent.map(|indent| indent + 2);
        let mut empty = true;
        for item in items {
            if !empty {
                self.text.push(',');
            }
            empty = false;
            self.line();
            write(self, item)?;
        }
        self.indent = self.indent.map(|indent| indent - 2);
        if !empty {
            self.line();
        }
        self.text.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if let Some(indent) = self.indent {
            self.text.push('\n');
            self.text.extend(std::iter::repeat_n(' ', indent));
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for it in text.chars() {
            match it {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\x08' => self.text.push_str("\\b"),
                '\x0C' => self.text.push_str("\\f"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\0'..='\x1F' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    append(&mut self.text, format_args!("\\u{:04x}", u32::from(it)));
                }
                it => self.text.push(it),
            }
        }
        self.text.push('"');
    }
}
