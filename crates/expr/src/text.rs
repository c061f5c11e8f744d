//! Numbers, durations and quoted strings as Go writes and reads them: templates splice this text.

use std::fmt::{self, Write};

/// Writes a float the shortest way that reads back as the same, with an exponent below 1e-4 and from 1e6 on (`1e+06`).
pub(crate) fn float(number: f64) -> String {
    if let Some(text) = not_finite(number) {
        return text.to_owned();
    }
    let digits = Digits::of(number);
    if (-4..FIRST_EXPONENT).contains(&digits.exponent) {
        digits.plain()
    } else {
        digits.with_exponent(2)
    }
}

/// From which power of ten on a printed float has an exponent.
const FIRST_EXPONENT: i32 = 6;

/// Writes a float as a JSON number: an exponent only below 1e-6 and from 1e21 on.
pub(crate) fn json_float(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let size = number.abs();
    let digits = Digits::of(number);
    Some(if size != 0.0 && !(1e-6..1e21).contains(&size) {
        digits.with_exponent(1)
    } else {
        digits.plain()
    })
}

fn not_finite(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number == f64::INFINITY {
        Some("+Inf")
    } else if number == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

/// The shortest decimal digits of a number: `d.ddd × 10^exponent`.
struct Digits {
    negative: bool,
    text: String,
    exponent: i32,
}

impl Digits {
    fn of(number: f64) -> Self {
        let scientific = format!("{:e}", number.abs());
        let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        Self {
            negative: number.is_sign_negative(),
            text: mantissa.replace('.', ""),
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    fn plain(&self) -> String {
        let length = i32::try_from(self.text.len()).unwrap_or(i32::MAX);
        let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
        let (sign, text) = (self.sign(), &self.text);
        if self.exponent < 0 {
            format!("{sign}0.{}{text}", zeros(-self.exponent - 1))
        } else if self.exponent + 1 >= length {
            format!("{sign}{text}{}", zeros(self.exponent + 1 - length))
        } else {
            let (whole, fraction) = text.split_at(usize::try_from(self.exponent + 1).unwrap_or(0));
            format!("{sign}{whole}.{fraction}")
        }
    }

    fn with_exponent(&self, width: usize) -> String {
        let (first, rest) = self.text.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let exponent_sign = if self.exponent < 0 { '-' } else { '+' };
        format!(
            "{}{first}{point}{rest}e{exponent_sign}{:0width$}",
            self.sign(),
            self.exponent.unsigned_abs()
        )
    }
}

/// Reads a float in Go's syntax: decimal or hexadecimal, digits separated by underscores, infinities and NaN in any case.
/// A number too large is none.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let size = if rest.eq_ignore_ascii_case("inf") || rest.eq_ignore_ascii_case("infinity") {
        f64::INFINITY
    } else if text.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    } else if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        hexadecimal(&without_underscores(digits, true)?)?
    } else {
        decimal(&without_underscores(rest, false)?)?
    };
    Some(if negative { -size } else { size })
}

/// Drops underscores, each of which must stand between digits; after a base prefix also before the first.
fn without_underscores(text: &str, prefixed: bool) -> Option<String> {
    let mut previous_is_digit = prefixed;
    let mut last_is_underscore = false;
    for it in text.chars() {
        let digit = it.is_ascii_digit() || prefixed && it.is_ascii_hexdigit();
        if it == '_' && !previous_is_digit || last_is_underscore && !digit {
            return None;
        }
        last_is_underscore = it == '_';
        previous_is_digit = digit;
    }
    if last_is_underscore {
        None
    } else {
        Some(text.replace('_', ""))
    }
}

fn decimal(text: &str) -> Option<f64> {
    let plain = text
        .bytes()
        .all(|it| matches!(it, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !plain || text.starts_with(['+', '-']) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Reads `1.8p-3`, what follows `0x`.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() || exponent.trim_start_matches(['+', '-']).is_empty()
    {
        return None;
    }
    let mut value: u64 = 0;
    let mut exponent: i32 = exponent
        .parse::<i64>()
        .ok()?
        .clamp(-100_000, 100_000)
        .try_into()
        .ok()?;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = u64::from(digit.to_digit(16)?);
        if value >> 58 == 0 {
            value = value << 4 | digit;
        } else {
            // What no longer fits only says which way to round.
            value |= u64::from(digit != 0);
            exponent += 4;
        }
    }
    exponent -= 4 * i32::try_from(fraction.len()).ok()?;
    let mut number = precise(value);
    while exponent != 0 && number != 0.0 && number.is_finite() {
        let step = exponent.clamp(-1000, 1000);
        number *= 2f64.powi(step);
        exponent -= step;
    }
    Some(number).filter(|number| number.is_finite())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "rounding to the nearest float is what is asked for"
)]
fn precise(value: u64) -> f64 {
    value as f64
}

/// Writes to the end of a text.
pub(crate) fn append(text: &mut String, arguments: fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("a string takes any text");
}

/// Quotes a string as a Go literal (`%q`).
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for it in text.chars() {
        match it {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\x07' => quoted.push_str("\\a"),
            '\x08' => quoted.push_str("\\b"),
            '\x0C' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\x0B' => quoted.push_str("\\v"),
            it if is_printable(it) => quoted.push(it),
            it if u32::from(it) < 0x80 => {
                append(&mut quoted, format_args!("\\x{:02x}", u32::from(it)));
            }
            it if u32::from(it) < 0x1_0000 => {
                append(&mut quoted, format_args!("\\u{:04x}", u32::from(it)));
            }
            it => append(&mut quoted, format_args!("\\U{:08x}", u32::from(it))),
        }
    }
    quoted.push('"');
    quoted
}

/// Says whether Go shows the character as it is: no control or format character and no space but the plain one.
fn is_printable(it: char) -> bool {
    let format = matches!(it, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{10FFFF}');
    it == ' ' || !(it.is_control() || it.is_whitespace() || format)
}

const SECOND: i64 = 1_000_000_000;

/// Writes a duration: `1h30m0s`, `1.5ms`, `0s`.
pub(crate) fn duration(nanoseconds: i64) -> String {
    let size = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let second = SECOND.unsigned_abs();
    if size == 0 {
        return "0s".to_owned();
    }
    if size < second {
        let (unit, name) = match size {
            0..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            _ => (1_000_000, "ms"),
        };
        return format!("{sign}{}{name}", fraction(size, unit));
    }
    let seconds = format!("{}s", fraction(size % (60 * second), second));
    let minutes = size / (60 * second);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}"),
    }
}

fn fraction(size: u64, unit: u64) -> String {
    let (whole, rest) = (size / unit, size % unit);
    if rest == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let rest = format!("{rest:0width$}");
    format!("{whole}.{}", rest.trim_end_matches('0'))
}

/// Reads a duration: signed decimal numbers, each with a unit, such as `-1.5h` or `1h30m`.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: u64 = 0;
    loop {
        let length = rest
            .find(|it: char| !it.is_ascii_digit() && it != '.')
            .filter(|length| *length > 0)?;
        let (number, unit) = rest.split_at(length);
        let length = unit
            .find(|it: char| it.is_ascii_digit() || it == '.')
            .unwrap_or(unit.len());
        let (unit, after) = unit.split_at(length);
        total = total.checked_add(scaled(number, nanoseconds_of(unit)?)?)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    if negative {
        0i64.checked_sub_unsigned(total)
    } else {
        i64::try_from(total).ok()
    }
}

fn nanoseconds_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut total = whole.checked_mul(unit)?;
    let (mut value, mut scale): (u128, u128) = (0, 1);
    for digit in fraction.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    total = total.checked_add(u64::try_from(value * u128::from(unit) / scale).ok()?)?;
    Some(total)
}
