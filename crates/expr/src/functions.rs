//! The functions every template may call to say how a value becomes text.
//!
//! Each wraps its result in double quotes, which [`crate::template`] takes off again: what is quoted stays a string,
//! however much it looks like a number.

mod yaml;

use crate::environment::CallError;
use crate::error::Error;
use crate::json;
use crate::text;
use crate::value::Value;

/// Calls `quote`, `unsafeQuote`, `asJSON` or `asYAML`; `None` for any other function.
pub(crate) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value, CallError>> {
    let function: fn(&Value) -> Result<String, Error> = match name {
        "quote" => quote,
        "unsafeQuote" => unsafe_quote,
        "asJSON" => |it| Ok(format!("\"{}\n\"", json::indented(it)?)),
        "asYAML" => |it| Ok(format!("\"{}\"", yaml::write(it)?)),
        _ => return None,
    };
    let [argument] = arguments else {
        return Some(Err(CallError::Failed(format!("{name} takes one argument"))));
    };
    Some(
        function(argument)
            .map(Value::from)
            .map_err(|error| CallError::Failed(error.message().to_owned())),
    )
}

/// Quotes a string as a Go literal, anything else as [`unsafe_quote`] does.
fn quote(value: &Value) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text::quote(text)),
        other => unsafe_quote(other),
    }
}

/// Puts the JSON of a value in quotes, escaping nothing.
fn unsafe_quote(value: &Value) -> Result<String, Error> {
    Ok(format!("\"{}\"", json::compact(value)?))
}
