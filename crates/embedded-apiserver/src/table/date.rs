//! How old something is, in the few letters a column has.

use jiff::Timestamp;
use serde_json::Value;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// The age of a point in time; `<unknown>` where there is none.
pub(super) fn age_of(time: Option<&Value>, now: Timestamp) -> Value {
    let text = match time {
        None | Some(Value::Null) => return "<unknown>".into(),
        Some(time) => time.as_str().unwrap_or_default(),
    };
    match text.parse::<Timestamp>() {
        Ok(time) => age(now.duration_since(time).as_secs()).into(),
        Err(_) => "<invalid>".into(),
    }
}

/// The largest units that say enough, as upstream rounds them.
fn age(seconds: i64) -> String {
    let pair = |whole: i64, unit: i64, letter: char, part: i64, part_letter: char| {
        let rest = (seconds % unit) / part;
        if rest == 0 {
            format!("{whole}{letter}")
        } else {
            format!("{whole}{letter}{rest}{part_letter}")
        }
    };
    let (minutes, hours, days, years) = (
        seconds / MINUTE,
        seconds / HOUR,
        seconds / DAY,
        seconds / YEAR,
    );
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => pair(minutes, MINUTE, 'm', 1, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => pair(hours, HOUR, 'h', MINUTE, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => pair(days, DAY, 'd', HOUR, 'h'),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => pair(years, YEAR, 'y', DAY, 'd'),
        252_288_000.. => format!("{years}y"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        for (seconds, expected) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (600, "10m"),
            (3600, "60m"),
            (10_800, "3h"),
            (11_000, "3h3m"),
            (30_000, "8h"),
            (172_800, "2d"),
            (180_000, "2d2h"),
            (800_000, "9d"),
            (63_072_000, "2y"),
            (63_172_000, "2y1d"),
            (400_000_000, "12y"),
        ] {
            assert_eq!(age(seconds), expected);
        }
    }
}
