//! Lengths of time as Go writes them: `5m0s`, `1h30m`, `1.5h`, `100ms`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time in nanoseconds, up to 292 years either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    nanoseconds: i64,
}

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("invalid duration {text:?}")]
    Invalid { text: String },
    #[error("missing unit in duration {text:?}")]
    MissingUnit { text: String },
    #[error("unknown unit {unit:?} in duration {text:?}")]
    UnknownUnit { unit: String, text: String },
}

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

impl Duration {
    /// A whole number of seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self::from_nanos(seconds.saturating_mul(1_000_000_000))
    }

    /// A number of nanoseconds.
    pub const fn from_nanos(nanoseconds: i64) -> Self {
        Self { nanoseconds }
    }

    /// The number of nanoseconds.
    pub const fn as_nanos(self) -> i64 {
        self.nanoseconds
    }

    /// The same as the standard library's type; a negative length is none.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(u64::try_from(self.nanoseconds).unwrap_or(0))
    }
}

impl From<std::time::Duration> for Duration {
    /// Lengths beyond 292 years become 292 years.
    fn from(length: std::time::Duration) -> Self {
        Self::from_nanos(i64::try_from(length.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// Parses a length of time as Go's `time.ParseDuration` does.
pub fn parse(text: &str) -> Result<Duration, ParseError> {
    let invalid = || ParseError::Invalid {
        text: text.to_owned(),
    };
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration::default());
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (part, tail) = part(rest, text)?;
        rest = tail;
        total = total
            .checked_add(part)
            .filter(|sum| *sum <= 1 << 63)
            .ok_or_else(invalid)?;
    }
    let nanoseconds = match (negative, i64::try_from(total)) {
        (true, Ok(length)) => -length,
        (true, Err(_)) => i64::MIN,
        (false, Ok(length)) => length,
        (false, Err(_)) => return Err(invalid()),
    };
    Ok(Duration { nanoseconds })
}

/// Reads one number with its unit; `whole` is for messages.
fn part<'a>(rest: &'a str, whole: &str) -> Result<(u64, &'a str), ParseError> {
    let invalid = || ParseError::Invalid {
        text: whole.to_owned(),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = &rest[..digits];
    let mut tail = &rest[digits..];
    let mut fraction = "";
    if let Some(after) = tail.strip_prefix('.') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        (fraction, tail) = after.split_at(digits);
    }
    if number.is_empty() && fraction.is_empty() {
        return Err(invalid());
    }
    let end = tail
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(tail.len());
    let (unit, tail) = tail.split_at(end);
    let unit = match unit {
        "" => {
            return Err(ParseError::MissingUnit {
                text: whole.to_owned(),
            });
        }
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        unknown => {
            return Err(ParseError::UnknownUnit {
                unit: unknown.to_owned(),
                text: whole.to_owned(),
            });
        }
    };
    let number = match number {
        "" => 0,
        digits => digits.parse::<u64>().map_err(|_| invalid())?,
    };
    number
        .checked_mul(unit)
        .and_then(|length| length.checked_add(fraction_of(unit, fraction)))
        .filter(|length| *length <= 1 << 63)
        .map(|length| (length, tail))
        .ok_or_else(invalid)
}

/// The fraction of a unit, in nanoseconds, rounded towards zero. Digits beyond what 63 bits hold do not count.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the reference computes this in floating point, and the last nanosecond must agree"
)]
fn fraction_of(unit: u64, digits: &str) -> u64 {
    let mut value: u64 = 0;
    let mut scale = 1.0;
    for digit in digits.bytes() {
        let next = value
            .checked_mul(10)
            .map(|tens| tens + u64::from(digit - b'0'))
            .filter(|next| value <= ((1 << 63) - 1) / 10 && *next <= 1 << 63);
        let Some(next) = next else { break };
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

impl FromStr for Duration {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
    }
}

impl fmt::Display for Duration {
    /// Writes the length as Go's `Duration.String` does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanoseconds < 0 {
            f.write_str("-")?;
        }
        let length = self.nanoseconds.unsigned_abs();
        match length {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{length}ns"),
            1_000..1_000_000 => write!(
                f,
                "{}\u{b5}s",
                Decimal {
                    value: length,
                    unit: 1_000
                }
            ),
            1_000_000..SECOND => write!(
                f,
                "{}ms",
                Decimal {
                    value: length,
                    unit: 1_000_000
                }
            ),
            _ => {
                let (hours, minutes) = (length / HOUR, length % HOUR / MINUTE);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if hours > 0 || minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                write!(
                    f,
                    "{}s",
                    Decimal {
                        value: length % MINUTE,
                        unit: SECOND
                    }
                )
            }
        }
    }
}

/// `value` divided by `unit`, a power of ten, without trailing zeros.
struct Decimal {
    value: u64,
    unit: u64,
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.value / self.unit)?;
        let fraction = self.value % self.unit;
        if fraction == 0 {
            return Ok(());
        }
        let width = self.unit.ilog10() as usize;
        let digits = format!("{fraction:0width$}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map_err(serde::de::Error::custom)
    }
}

/// How fields are read and written whose schema takes hours, minutes and seconds only.
///
/// A length under a second is written as a fraction of one, and a length too long to count is the longest one: whatever
/// passes the schema can be read, so that one object never hides a list.
pub(crate) mod clock {
    use super::{Decimal, Deserialize, Deserializer, Duration, SECOND, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(
        length: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match u64::try_from(length.nanoseconds) {
            Ok(value @ 1..SECOND) => serializer.collect_str(&format_args!(
                "{}s",
                Decimal {
                    value,
                    unit: SECOND
                }
            )),
            _ => serializer.collect_str(length),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        match super::parse(&text) {
            Ok(length) => Ok(length),
            Err(_) if is_clock(&text) => Ok(Duration::from_nanos(i64::MAX)),
            Err(error) => Err(serde::de::Error::custom(error)),
        }
    }

    fn is_clock(text: &str) -> bool {
        text.ends_with(['s', 'm', 'h'])
            && text
                .bytes()
                .all(|it| it.is_ascii_digit() || b".smh".contains(&it))
    }

    /// The same for a field that may be absent.
    pub(crate) mod option {
        use super::{Deserializer, Duration, Serializer};

        #[expect(clippy::ref_option, reason = "serde calls it so")]
        pub(crate) fn serialize<S: Serializer>(
            length: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match length {
                Some(length) => super::serialize(length, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            super::deserialize(deserializer).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, written: &str) {
        let length = parse(text).unwrap();
        assert_eq!(length.to_string(), written, "for {text:?}");
    }

    #[test]
    fn lengths_are_written_as_go_writes_them() {
        check("5m", "5m0s");
        check("90m", "1h30m0s");
        check("1.5h", "1h30m0s");
        check("100ms", "100ms");
        check("1.5us", "1.5\u{b5}s");
        check("1\u{3bc}s", "1\u{b5}s");
        check("0", "0s");
        check("-1m3.25s", "-1m3.25s");
        check(".5s", "500ms");
        check("2562047h47m16.854775807s", "2562047h47m16.854775807s");
        check("-2562047h47m16.854775808s", "-2562047h47m16.854775808s");
        check("0.100000000000000000000h", "6m0s");
        check("0.3333333333333333333h", "20m0s");
        check("9007199254.740993ms", "2501h59m59.254740993s");
    }

    #[test]
    fn what_is_no_length_is_refused() {
        for text in [
            "",
            "3",
            "-",
            "s",
            ".",
            "-.",
            ".s",
            "1d",
            "3000000h",
            "5m ",
            "9223372036854775808ns",
            "1e3s",
        ] {
            assert!(parse(text).is_err(), "for {text:?}");
        }
    }
}
