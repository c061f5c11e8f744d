//! Go's layouts, which show how a reference time would look: `Mon Jan 2 15:04:05 MST 2006`.

use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{at, at_offset, civil};

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

/// The abbreviation of the zone, or its offset where it has none.
fn zone_name(time: &Zoned) -> String {
    let info = time.time_zone().to_offset_info(time.timestamp());
    let name = info.abbreviation();
    if time.time_zone().iana_name().is_none() && time.offset().seconds() == 0 {
        return "UTC".to_owned();
    }
    if name.starts_with(['+', '-']) {
        return offset(
            time.offset().seconds(),
            false,
            false,
            if time.offset().seconds() % 3600 == 0 {
                1
            } else {
                2
            },
        );
    }
    name.to_owned()
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

/// Reads a time in a layout; a zone is used where the text names none.
pub(crate) fn parse(layout: &str, text: &str, zone: &TimeZone) -> Option<Zoned> {
    let mut reader = Reader {
        rest: text,
        read: Read::default(),
    };
    let mut layout = layout;
    while let Some((part, after)) = next_part(layout) {
        layout = after;
        reader.part(part, after)?;
    }
    if reader.rest.is_empty() {
        reader.read.time(zone)
    } else {
        None
    }
}

/// What was read so far.
#[derive(Default)]
struct Read {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    year_day: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    afternoon: Option<bool>,
    offset: Option<i32>,
    utc: bool,
    zone_name: Option<String>,
}

impl Read {
    fn time(self, zone: &TimeZone) -> Option<Zoned> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = match self.year_day {
            Some(day) => Date::new(self.year, 1, 1)
                .ok()?
                .with()
                .day_of_year(day)
                .build()
                .ok()?,
            None => Date::new(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok()?,
        };
        let civil = civil(date, hour, self.minute, self.second, self.nanosecond)?;
        match (self.offset, self.zone_name.as_deref()) {
            _ if self.utc => at(civil, &TimeZone::UTC),
            (Some(0), _) if *zone == TimeZone::UTC => at(civil, &TimeZone::UTC),
            (Some(seconds), _) => at_offset(civil, seconds),
            (None, Some("UTC")) => at(civil, &TimeZone::UTC),
            // A name alone says nothing about the offset, unless it is the zone's own.
            (None, Some(name)) => {
                let local = at(civil, zone)?;
                if zone_name(&local) == name {
                    Some(local)
                } else {
                    at_offset(civil, 0)
                }
            }
            (None, None) => at(civil, zone),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    read: Read,
}

impl Reader<'_> {
    fn part(&mut self, part: Part<'_>, after: &str) -> Option<()> {
        match part {
            Part::Literal(text) => self.rest = self.rest.strip_prefix(text)?,
            Part::LongMonth => self.read.month = Some(self.name(&MONTHS, None)? + 1),
            Part::Month => self.read.month = Some(self.name(&MONTHS, Some(3))? + 1),
            Part::NumMonth => self.read.month = Some(narrow(self.digits(1, 2)?)?),
            Part::ZeroMonth => self.read.month = Some(narrow(self.digits(2, 2)?)?),
            Part::LongWeekDay => drop(self.name(&DAYS, None)?),
            Part::WeekDay => drop(self.name(&DAYS, Some(3))?),
            Part::Day | Part::UnderDay | Part::ZeroDay => {
                if part == Part::UnderDay {
                    self.rest = self.rest.strip_prefix(' ').unwrap_or(self.rest);
                }
                let least = if part == Part::ZeroDay { 2 } else { 1 };
                self.read.day = Some(narrow(self.digits(least, 2)?)?);
            }
            Part::UnderYearDay | Part::ZeroYearDay => {
                let trimmed = self.rest.trim_start_matches(' ');
                let spaces = self.rest.len() - trimmed.len();
                self.rest = trimmed;
                let digits = 3usize.checked_sub(spaces)?;
                self.read.year_day = Some(i16::try_from(self.digits(digits, digits)?).ok()?);
            }
            Part::Hour => self.read.hour = narrow(self.digits(1, 2)?).filter(|it| *it < 24)?,
            Part::Hour12 => self.read.hour = narrow(self.digits(1, 2)?).filter(|it| *it <= 12)?,
            Part::ZeroHour12 => {
                self.read.hour = narrow(self.digits(2, 2)?).filter(|it| *it <= 12)?;
            }
            Part::Minute => self.read.minute = narrow(self.digits(1, 2)?)?,
            Part::ZeroMinute => self.read.minute = narrow(self.digits(2, 2)?)?,
            Part::Second | Part::ZeroSecond => {
                let least = if part == Part::Second { 1 } else { 2 };
                self.read.second = narrow(self.digits(least, 2)?)?;
                // A fraction may follow where the layout has none.
                if fraction(after).is_none()
                    && self.rest.starts_with(['.', ','])
                    && self.rest[1..].starts_with(|it: char| it.is_ascii_digit())
                {
                    self.fraction(usize::MAX)?;
                }
            }
            Part::LongYear => self.read.year = i16::try_from(self.digits(4, 4)?).ok()?,
            Part::Year => {
                let year = i16::try_from(self.digits(2, 2)?).ok()?;
                self.read.year = if year >= 69 { 1900 + year } else { 2000 + year };
            }
            Part::UpperHalf => self.half("AM", "PM")?,
            Part::LowerHalf => self.half("am", "pm")?,
            Part::ZoneName => self.zone_name()?,
            Part::Offset {
                letter,
                colon,
                fields,
            } => self.offset(letter, colon, fields)?,
            Part::Fraction {
                digits,
                trim: false,
                ..
            } => self.fraction(digits)?,
            Part::Fraction { trim: true, .. } => {
                if self.rest.starts_with(['.', ','])
                    && self.rest[1..].starts_with(|it: char| it.is_ascii_digit())
                {
                    self.fraction(usize::MAX)?;
                }
            }
        }
        Some(())
    }

    fn digits(&mut self, least: usize, most: usize) -> Option<i32> {
        let count = self
            .rest
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits.parse().ok()
    }

    /// Reads one of the names, or the start of it, in any case.
    fn name(&mut self, names: &[&str], length: Option<usize>) -> Option<i8> {
        for (index, name) in names.iter().enumerate() {
            let name = &name[..length.unwrap_or(name.len())];
            if self
                .rest
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
            {
                self.rest = &self.rest[name.len()..];
                return i8::try_from(index).ok();
            }
        }
        None
    }

    fn half(&mut self, morning: &str, afternoon: &str) -> Option<()> {
        let is_afternoon = self.rest.starts_with(afternoon);
        self.rest = self
            .rest
            .strip_prefix(if is_afternoon { afternoon } else { morning })?;
        self.read.afternoon = Some(is_afternoon);
        Some(())
    }

    fn fraction(&mut self, digits: usize) -> Option<()> {
        let rest = self.rest.strip_prefix(['.', ','])?;
        let count = rest
            .bytes()
            .take(digits)
            .take_while(u8::is_ascii_digit)
            .count();
        if count == 0 || digits != usize::MAX && count < digits {
            return None;
        }
        let shown: String = rest[..count]
            .chars()
            .chain(std::iter::repeat('0'))
            .take(9)
            .collect();
        self.read.nanosecond = shown.parse().ok()?;
        self.rest = &rest[count..];
        Some(())
    }

    /// Reads an abbreviation of three or four capital letters.
    fn zone_name(&mut self) -> Option<()> {
        let count = self
            .rest
            .bytes()
            .take(5)
            .take_while(u8::is_ascii_uppercase)
            .count();
        if !(3..=4).contains(&count) {
            return None;
        }
        let (name, rest) = self.rest.split_at(count);
        self.read.zone_name = Some(name.to_owned());
        self.rest = rest;
        Some(())
    }

    fn offset(&mut self, letter: bool, colon: bool, fields: usize) -> Option<()> {
        if letter && let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            self.read.utc = true;
            return Some(());
        }
        let negative = self.rest.starts_with('-');
        self.rest = self.rest.strip_prefix(['+', '-'])?;
        let mut seconds = 0;
        for (index, scale) in [3600, 60, 1].into_iter().take(fields).enumerate() {
            if colon && index > 0 {
                self.rest = self.rest.strip_prefix(':')?;
            }
            seconds += scale * self.digits(2, 2)?;
        }
        self.read.offset = Some(if negative { -seconds } else { seconds });
        Some(())
    }
}

fn narrow(number: i32) -> Option<i8> {
    i8::try_from(number).ok()
}
