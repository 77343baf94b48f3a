//! Times as people write them (ISO 8601).

/// `2024-05-01T12:00:00.000`, UTC unless `Z`, `+hh`, `+hhmm` or `+hh:mm` follows: ms since 1970.
pub fn datetime(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let numbers =
        |text: &str, between: char| text.split(between).map(|n| n.parse::<i64>().ok()).collect::<Option<Vec<_>>>();
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let (time, ms) = time.split_once('.')?;
    let [hours, minutes, seconds] = numbers(time, ':')?[..] else { return None };
    let ms: i64 = ms.parse().ok()?;
    let sound = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && (0..24).contains(&hours)
        && (0..60).contains(&minutes)
        && (0..60).contains(&seconds)
        && (0..1000).contains(&ms);
    let days = days_since_1970(year, month, day);
    let utc = ((days * 24 + hours) * 60 + minutes - zone_minutes(zone)?) * 60 + seconds;
    sound.then_some(utc * 1000 + ms)
}

fn zone_minutes(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("Z", "") => return Some(0),
        ("+", rest) => (1, rest.replace(':', "")),
        ("-", rest) => (-1, rest.replace(':', "")),
        _ => return None,
    };
    let number: i64 = digits.parse().ok()?;
    match digits.len() {
        2 => Some(sign * number * 60),
        4 => Some(sign * (number / 100 * 60 + number % 100)),
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    (year % 4 == 0 && year % 100 != 0) || year % 400 == 0
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let before = year - 1;
    let years = (year - 1970) * 365 + leap_days(before) - leap_days(1969);
    years + (1..month).map(|month| days_in(year, month)).sum::<i64>() + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datetimes_are_read_as_java_reads_them() {
        let table = [
            ("1970-01-01T00:00:00.000", Some(0)),
            ("2024-02-29T12:30:15.250Z", Some(1_709_209_815_250)),
            ("2024-02-29T12:30:15.250+02:00", Some(1_709_202_615_250)),
            ("2024-02-29T12:30:15.250-0130", Some(1_709_215_215_250)),
            ("2023-02-29T00:00:00.000", None),
            ("2024-01-01T00:00:00", None),
            ("2024-01-01", None),
            ("2024-13-01T00:00:00.000", None),
        ];
        for (text, ms) in table {
            assert_eq!(datetime(text), ms, "{text}");
        }
    }
}
