//! Times, durations and time zones.

pub(crate) mod layout;

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan, Zoned};

use crate::builtins::{Context, text};
use crate::error::Error;
use crate::operators::{Outcome, to_int};
use crate::text as write;
use crate::value::Value;

type Answer = Result<Value, Error>;

/// `now`: the host's present, in a zone if one is given.
pub(crate) fn now(arguments: &[Value], cx: &mut Context<'_>) -> Answer {
    let now = (cx.now)().ok_or_else(|| Error::from("the present is not known here".to_owned()))?;
    match arguments.first() {
        None => Ok(time(now)),
        Some(Value::Zone(zone)) => Ok(time(now.with_time_zone(zone.clone()))),
        Some(other) => Err(Error::from(format!(
            "expected a time zone, not {}",
            other.type_name()
        ))),
    }
}

pub(crate) fn duration(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    let it = text(arguments, 0)?;
    let nanoseconds =
        write::parse_duration(it).ok_or_else(|| "the string is no duration".to_owned())?;
    Ok(Value::Duration(nanoseconds))
}

pub(crate) fn timezone(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    zone(text(arguments, 0)?).map(Value::Zone)
}

fn zone(name: &str) -> Result<TimeZone, Error> {
    match name {
        "" | "UTC" => Ok(TimeZone::UTC),
        _ => TimeZone::get(name)
            .map_err(|_| Error::from("there is no time zone of that name".to_owned())),
    }
}

/// What `date` reads where no layout is given.
const LAYOUTS: [&str; 7] = [
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
];

/// `date`: a zone may come first; then the text, its layout and the name of a zone.
pub(crate) fn date(arguments: &[Value], _cx: &mut Context<'_>) -> Answer {
    let (given, rest) = match arguments {
        [Value::Zone(zone), rest @ ..] => (Some(zone.clone()), rest),
        all => (None, all),
    };
    if !(1..=3).contains(&rest.len()) {
        return Err(Error::from("wrong number of arguments for date".to_owned()));
    }
    let it = text(rest, 0)?;
    let named = if rest.len() == 3 {
        Some(zone(text(rest, 2)?)?)
    } else {
        None
    };
    let zone = named.or(given).unwrap_or(TimeZone::UTC);
    let read = if rest.len() > 1 {
        layout::parse(text(rest, 1)?, it, &zone)
    } else {
        LAYOUTS
            .iter()
            .find_map(|layout| layout::parse(layout, it, &zone))
    };
    read.map(time)
        .ok_or_else(|| Error::from("the string is no date".to_owned()))
}

fn time(zoned: Zoned) -> Value {
    Value::Time(Arc::new(zoned))
}

/// How long it takes from one time to another, as far as 64 bits can tell.
pub(crate) fn between(from: &Zoned, to: &Zoned) -> i64 {
    let nanoseconds = to.timestamp().as_nanosecond() - from.timestamp().as_nanosecond();
    i64::try_from(nanoseconds).unwrap_or(if nanoseconds < 0 { i64::MIN } else { i64::MAX })
}

/// Writes a time as JSON has it: RFC 3339 with the nanoseconds that are needed.
pub(crate) fn to_rfc3339(time: &Zoned) -> String {
    layout::format("2006-01-02T15:04:05.999999999Z07:00", time)
}

/// Writes a time as printing shows it.
pub(crate) fn describe(time: &Zoned) -> String {
    layout::format("2006-01-02 15:04:05.999999999 -0700 MST", time)
}

/// Calls a method of a time.
pub(crate) fn time_method(it: &Zoned, name: &str, arguments: &[Value]) -> Outcome {
    match arguments {
        [] => plain_method(it, name),
        [Value::Time(other)] => Ok(match name {
            "Before" => Value::Bool(*it < **other),
            "After" => Value::Bool(*it > **other),
            "Equal" => Value::Bool(*it == **other),
            "Compare" => Value::Int(it.cmp(other) as i64),
            "Sub" => Value::Duration(between(other, it)),
            _ => return Err(no_method("time.Time", name)),
        }),
        [Value::Duration(by)] => match name {
            "Add" => later(it, i128::from(*by)),
            "Truncate" => later(it, -past_multiple(it, *by)),
            "Round" => {
                let past = past_multiple(it, *by);
                later(
                    it,
                    if 2 * past < i128::from(*by) {
                        -past
                    } else {
                        i128::from(*by) - past
                    },
                )
            }
            _ => Err(no_method("time.Time", name)),
        },
        [Value::String(layout)] if name == "Format" => Ok(Value::from(layout::format(layout, it))),
        [Value::Zone(zone)] if name == "In" => Ok(time(it.with_time_zone(zone.clone()))),
        [years, months, days] if name == "AddDate" => {
            add_date(it, to_int(years)?, to_int(months)?, to_int(days)?)
        }
        _ => Err(no_method("time.Time", name)),
    }
}

fn plain_method(it: &Zoned, name: &str) -> Outcome {
    let timestamp = it.timestamp();
    Ok(match name {
        "Year" => Value::Int(i64::from(it.year())),
        "Month" => Value::Int(i64::from(it.month())),
        "Day" => Value::Int(i64::from(it.day())),
        "Hour" => Value::Int(i64::from(it.hour())),
        "Minute" => Value::Int(i64::from(it.minute())),
        "Second" => Value::Int(i64::from(it.second())),
        "Nanosecond" => Value::Int(i64::from(it.subsec_nanosecond())),
        "YearDay" => Value::Int(i64::from(it.day_of_year())),
        "Weekday" => Value::Int(i64::from(it.weekday().to_sunday_zero_offset())),
        "Unix" => Value::Int(timestamp.as_second()),
        "UnixMilli" => Value::Int(timestamp.as_millisecond()),
        "UnixMicro" => Value::Int(timestamp.as_microsecond()),
        "UnixNano" => Value::Int(wrapped(timestamp.as_nanosecond())),
        "UTC" => time(it.with_time_zone(TimeZone::UTC)),
        "Location" => Value::Zone(it.time_zone().clone()),
        "IsZero" => Value::Bool(timestamp.as_nanosecond() == -ZERO_TO_EPOCH),
        "String" => Value::from(describe(it)),
        _ => return Err(no_method("time.Time", name)),
    })
}

/// The low 64 bits, which is what is left of a count that is too large.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn wrapped(count: i128) -> i64 {
    count as i64
}

/// Nanoseconds from Go's zero time, the start of the year 1, to 1970.
const ZERO_TO_EPOCH: i128 = 62_135_596_800 * 1_000_000_000;

/// How far the time is past a multiple of the duration.
fn past_multiple(it: &Zoned, duration: i64) -> i128 {
    if duration <= 0 {
        0
    } else {
        (it.timestamp().as_nanosecond() + ZERO_TO_EPOCH).rem_euclid(i128::from(duration))
    }
}

fn later(it: &Zoned, nanoseconds: i128) -> Outcome {
    let nanoseconds = it.timestamp().as_nanosecond() + nanoseconds;
    let moved = Timestamp::from_nanosecond(nanoseconds).map_err(|_| out_of_range())?;
    Ok(time(moved.to_zoned(it.time_zone().clone())))
}

fn out_of_range() -> String {
    "the time is out of range".to_owned()
}

/// Moves the date; a day beyond the end of a month runs into the next.
fn add_date(it: &Zoned, years: i64, months: i64, days: i64) -> Outcome {
    let moved = || {
        let month = i64::from(it.month()) - 1 + months;
        let year = i64::from(it.year())
            .checked_add(years)?
            .checked_add(month.div_euclid(12))?;
        let month = i8::try_from(month.rem_euclid(12) + 1).ok()?;
        let first = Date::new(i16::try_from(year).ok()?, month, 1).ok()?;
        let days = i32::try_from(i64::from(it.day()) - 1 + days).ok()?;
        let date = first.checked_add(days.days()).ok()?;
        at(date.to_datetime(it.time()), it.time_zone())
    };
    moved().map(time).ok_or_else(out_of_range)
}

/// A civil time in a zone.
fn at(civil: DateTime, zone: &TimeZone) -> Option<Zoned> {
    civil.to_zoned(zone.clone()).ok()
}

/// A civil time in a zone given by its offset in seconds.
fn at_offset(civil: DateTime, seconds: i32) -> Option<Zoned> {
    at(civil, &Offset::from_seconds(seconds).ok()?.to_time_zone())
}

/// A civil time of its parts.
fn civil(date: Date, hour: i8, minute: i8, second: i8, nanosecond: i32) -> Option<DateTime> {
    Some(date.to_datetime(Time::new(hour, minute, second, nanosecond).ok()?))
}

/// Calls a method of a duration.
pub(crate) fn duration_method(it: i64, name: &str, arguments: &[Value]) -> Outcome {
    Ok(match (name, arguments) {
        ("Hours", []) => Value::Float(in_units(it, 3_600_000_000_000)),
        ("Minutes", []) => Value::Float(in_units(it, 60_000_000_000)),
        ("Seconds", []) => Value::Float(in_units(it, 1_000_000_000)),
        ("Milliseconds", []) => Value::Int(it / 1_000_000),
        ("Microseconds", []) => Value::Int(it / 1_000),
        ("Nanoseconds", []) => Value::Int(it),
        ("Abs", []) => Value::Duration(it.saturating_abs()),
        ("String", []) => Value::from(write::duration(it)),
        ("Truncate" | "Round", [Value::Duration(unit)]) if *unit <= 0 => Value::Duration(it),
        ("Truncate", [Value::Duration(unit)]) => Value::Duration(it - it % unit),
        ("Round", [Value::Duration(unit)]) => {
            let past = it % unit;
            let away = i128::from(past.unsigned_abs()) * 2 >= i128::from(*unit);
            let rounded = (it - past).checked_add(if away {
                unit.saturating_mul(it.signum())
            } else {
                0
            });
            Value::Duration(rounded.unwrap_or(if it < 0 { i64::MIN } else { i64::MAX }))
        }
        _ => return Err(no_method("time.Duration", name)),
    })
}

/// A duration as a fraction, whole units first, which rounds the way the reference does.
#[expect(clippy::cast_precision_loss, reason = "a fraction is asked for")]
fn in_units(nanoseconds: i64, unit: i64) -> f64 {
    (nanoseconds / unit) as f64 + (nanoseconds % unit) as f64 / unit as f64
}

fn no_method(type_name: &str, name: &str) -> String {
    format!("{type_name} has no method {name} for these arguments")
}
