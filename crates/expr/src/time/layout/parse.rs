//! Reads times by a layout.

use jiff::Zoned;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::{at, at_offset, civil};
use super::{DAYS, MONTHS, Part, fraction, next_part, zone_name};

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
