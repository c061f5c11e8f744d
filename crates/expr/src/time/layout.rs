//! Go's layouts, which show how a reference time would look: `Mon Jan 2 15:04:05 MST 2006`.

mod parse;

use jiff::Zoned;

pub(super) use parse::parse;

/// A part of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    Literal(&'a str),
    LongMonth,
    Month,
    NumMonth,
    ZeroMonth,
    LongWeekDay,
    WeekDay,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperHalf,
    LowerHalf,
    ZoneName,
    /// `Z` for UTC where `letter`, else a sign; a colon between; hours, minutes, seconds.
    Offset {
        letter: bool,
        colon: bool,
        fields: usize,
    },
    /// A fraction of a second: a separator and digits, trailing zeros dropped where `trim`.
    Fraction {
        separator: char,
        digits: usize,
        trim: bool,
    },
}

/// What stands for what. Where one text begins another, the longer comes first.
const PARTS: [(&str, Part<'static>); 34] = [
    ("January", Part::LongMonth),
    ("Jan", Part::Month),
    ("Monday", Part::LongWeekDay),
    ("Mon", Part::WeekDay),
    ("MST", Part::ZoneName),
    ("002", Part::ZeroYearDay),
    ("01", Part::ZeroMonth),
    ("02", Part::ZeroDay),
    ("03", Part::ZeroHour12),
    ("04", Part::ZeroMinute),
    ("05", Part::ZeroSecond),
    ("06", Part::Year),
    ("15", Part::Hour),
    ("1", Part::NumMonth),
    ("2006", Part::LongYear),
    ("2", Part::Day),
    ("__2", Part::UnderYearDay),
    ("_2006", Part::Literal("_")),
    ("_2", Part::UnderDay),
    ("3", Part::Hour12),
    ("4", Part::Minute),
    ("5", Part::Second),
    ("PM", Part::UpperHalf),
    ("pm", Part::LowerHalf),
    (
        "Z07:00:00",
        Part::Offset {
            letter: true,
            colon: true,
            fields: 3,
        },
    ),
    (
        "Z07:00",
        Part::Offset {
            letter: true,
            colon: true,
            fields: 2,
        },
    ),
    (
        "Z070000",
        Part::Offset {
            letter: true,
            colon: false,
            fields: 3,
        },
    ),
    (
        "Z0700",
        Part::Offset {
            letter: true,
            colon: false,
            fields: 2,
        },
    ),
    (
        "Z07",
        Part::Offset {
            letter: true,
            colon: false,
            fields: 1,
        },
    ),
    (
        "-07:00:00",
        Part::Offset {
            letter: false,
            colon: true,
            fields: 3,
        },
    ),
    (
        "-07:00",
        Part::Offset {
            letter: false,
            colon: true,
            fields: 2,
        },
    ),
    (
        "-070000",
        Part::Offset {
            letter: false,
            colon: false,
            fields: 3,
        },
    ),
    (
        "-0700",
        Part::Offset {
            letter: false,
            colon: false,
            fields: 2,
        },
    ),
    (
        "-07",
        Part::Offset {
            letter: false,
            colon: false,
            fields: 1,
        },
    ),
];

/// Cuts the next part off a layout.
fn next_part(layout: &str) -> Option<(Part<'_>, &str)> {
    let literal = layout
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| special(&layout[*at..]).is_some());
    match literal {
        Some(0) => special(layout).map(|(part, length)| (part, &layout[length..])),
        Some(at) => Some((Part::Literal(&layout[..at]), &layout[at..])),
        None if layout.is_empty() => None,
        None => Some((Part::Literal(layout), "")),
    }
}

/// The part the text begins with and its length, unless it is literal.
fn special(text: &str) -> Option<(Part<'static>, usize)> {
    if let Some(fraction) = fraction(text) {
        return Some(fraction);
    }
    let (sign, part) = PARTS.iter().find(|(sign, _)| text.starts_with(sign))?;
    let rest = &text[sign.len()..];
    let word = matches!(part, Part::Month | Part::WeekDay)
        && rest.starts_with(|it: char| it.is_ascii_lowercase());
    if word {
        return None;
    }
    let length = if *part == Part::Literal("_") {
        1
    } else {
        sign.len()
    };
    Some((*part, length))
}

fn fraction(text: &str) -> Option<(Part<'static>, usize)> {
    let separator = text.chars().next().filter(|it| matches!(it, '.' | ','))?;
    let digit = text[1..]
        .chars()
        .next()
        .filter(|it| matches!(it, '0' | '9'))?;
    let digits = text[1..].chars().take_while(|it| *it == digit).count();
    let ends = !text[1 + digits..].starts_with(|it: char| it.is_ascii_digit());
    ends.then_some((
        Part::Fraction {
            separator,
            digits,
            trim: digit == '9',
        },
        1 + digits,
    ))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// Writes a time in a layout.
pub(crate) fn format(layout: &str, time: &Zoned) -> String {
    let mut text = String::new();
    let mut rest = layout;
    while let Some((part, after)) = next_part(rest) {
        rest = after;
        text.push_str(&shown(part, time));
    }
    text
}

fn shown(part: Part<'_>, time: &Zoned) -> String {
    let month = MONTHS[usize::try_from(time.month() - 1).unwrap_or(0) % 12];
    let day = DAYS[usize::try_from(time.weekday().to_sunday_zero_offset()).unwrap_or(0) % 7];
    let hour12 = (time.hour() + 11) % 12 + 1;
    match part {
        Part::Literal(text) => text.to_owned(),
        Part::LongMonth => month.to_owned(),
        Part::Month => month[..3].to_owned(),
        Part::NumMonth => time.month().to_string(),
        Part::ZeroMonth => format!("{:02}", time.month()),
        Part::LongWeekDay => day.to_owned(),
        Part::WeekDay => day[..3].to_owned(),
        Part::Day => time.day().to_string(),
        Part::UnderDay => format!("{:2}", time.day()),
        Part::ZeroDay => format!("{:02}", time.day()),
        Part::UnderYearDay => format!("{:3}", time.day_of_year()),
        Part::ZeroYearDay => format!("{:03}", time.day_of_year()),
        Part::Hour => format!("{:02}", time.hour()),
        Part::Hour12 => hour12.to_string(),
        Part::ZeroHour12 => format!("{hour12:02}"),
        Part::Minute => time.minute().to_string(),
        Part::ZeroMinute => format!("{:02}", time.minute()),
        Part::Second => time.second().to_string(),
        Part::ZeroSecond => format!("{:02}", time.second()),
        Part::LongYear if time.year() < 0 => format!("-{:04}", time.year().unsigned_abs()),
        Part::LongYear => format!("{:04}", time.year()),
        Part::Year => format!("{:02}", time.year().rem_euclid(100)),
        Part::UpperHalf => if time.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        Part::LowerHalf => if time.hour() < 12 { "am" } else { "pm" }.to_owned(),
        Part::ZoneName => zone_name(time),
        Part::Offset {
            letter,
            colon,
            fields,
        } => offset(time.offset().seconds(), letter, colon, fields),
        Part::Fraction {
            separator,
            digits,
            trim,
        } => {
            let all = format!("{:09}", time.subsec_nanosecond());
            let shown = &all[..digits.min(9)];
            let shown = if trim {
                shown.trim_end_matches('0')
            } else {
                shown
            };
            if shown.is_empty() {
                String::new()
            } else {
                format!("{separator}{shown}")
            }
        }
    }
}

/// The abbreviation of the zone; a zone without name has its offset.
pub(super) fn zone_name(time: &Zoned) -> String {
    let seconds = time.offset().seconds();
    if time.time_zone().iana_name().is_some() {
        let info = time.time_zone().to_offset_info(time.timestamp());
        return info.abbreviation().to_owned();
    }
    if seconds == 0 {
        "UTC".to_owned()
    } else {
        offset(seconds, false, false, 2)
    }
}

fn offset(seconds: i32, letter: bool, colon: bool, fields: usize) -> String {
    if letter && seconds == 0 {
        return "Z".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let size = seconds.unsigned_abs();
    let all = [size / 3600, size / 60 % 60, size % 60].map(|field| format!("{field:02}"));
    format!(
        "{sign}{}",
        all[..fields.min(3)].join(if colon { ":" } else { "" })
    )
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_time_is_read_and_written_by_its_layout() {
        for (layout, text, expected) in [
            ("2006-01-02", "2024-02-29", "2024-02-29T00:00:00Z"),
            (
                "Jan _2 06 at 3:04pm",
                "Feb  3 21 at 7:15pm",
                "2021-02-03T19:15:00Z",
            ),
            (
                "Monday, January 2, 2006",
                "wednesday, february 3, 2021",
                "2021-02-03T00:00:00Z",
            ),
            (
                "2006-01-02 15:04:05",
                "2021-03-04 05:06:07.25",
                "2021-03-04T05:06:07.25Z",
            ),
            (
                "2006-01-02T15:04:05Z07:00",
                "2021-03-04T05:06:07-08:30",
                "2021-03-04T05:06:07-08:30",
            ),
            ("2006 002", "2021 045", "2021-02-14T00:00:00Z"),
            (
                "20060102150405.000",
                "20210304050607.089",
                "2021-03-04T05:06:07.089Z",
            ),
        ] {
            let time = parse(layout, text, &TimeZone::UTC).expect(text);
            assert_eq!(super::super::to_rfc3339(&time), expected, "{layout} {text}");
            assert!(
                parse(layout, &format!("{text}x"), &TimeZone::UTC).is_none(),
                "{layout} {text}x"
            );
        }
    }

    #[test]
    fn what_is_no_date_is_not_read() {
        for (layout, text) in [
            ("2006-01-02", "2023-02-29"),
            ("15:04", "24:00"),
            ("3PM", "13PM"),
            ("Jan", "Foo"),
            ("-0700", "0700"),
        ] {
            assert!(
                parse(layout, text, &TimeZone::UTC).is_none(),
                "{layout} {text}"
            );
        }
    }
}
