//! The formats of strings and numbers that are checked; others are allowed to be anything.

use base64::Engine as _;
use serde_json::Value;

/// Says whether `value` has the format; unknown formats always fit.
pub(super) fn fits(format: &str, value: &Value) -> bool {
    match (format, value) {
        ("int32", Value::Number(number)) => number
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        ("int64", Value::Number(number)) => number.is_i64(),
        ("date-time", Value::String(text)) => text.parse::<jiff::Timestamp>().is_ok(),
        ("date", Value::String(text)) => text.parse::<jiff::civil::Date>().is_ok(),
        ("byte", Value::String(text)) => base64::engine::general_purpose::STANDARD
            .decode(text)
            .is_ok(),
        ("email", Value::String(text)) => is_email(text),
        ("ipv4", Value::String(text)) => text.parse::<std::net::Ipv4Addr>().is_ok(),
        ("ipv6", Value::String(text)) => text.parse::<std::net::Ipv6Addr>().is_ok(),
        ("uuid", Value::String(text)) => uuid::Uuid::parse_str(text).is_ok(),
        ("uri", Value::String(text)) => text
            .parse::<http::Uri>()
            .is_ok_and(|uri| uri.scheme().is_some()),
        _ => true,
    }
}

fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !text.contains(char::is_whitespace)
    })
}
