//! Spans of time as people write them: ISO 8601, the part of it that `java.time.Duration.parse` reads.

/// `PnDTnHnMn.nS` in ms; `None` where Java reads no duration. Letters may be small, each number and the whole may have a
/// sign, seconds up to nine decimals behind a point or a comma. What ms do not hold is the greatest, or the least, they do.
pub fn iso_8601_ms(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let (days, time) = match rest.strip_prefix('P')?.split_once('T') {
        // A `T` announces hours, minutes or seconds.
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (rest.strip_prefix('P')?, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let (days, rest) = whole(days, 'D')?;
    let (hours, time) = whole(time, 'H')?;
    let (minutes, time) = whole(time, 'M')?;
    let (seconds, nanos) = seconds(time)?;
    let seconds = days
        .checked_mul(86_400)?
        .checked_add(hours.checked_mul(3_600)?)?
        .checked_add(minutes.checked_mul(60)?)?
        .checked_add(seconds)?;
    let ms = sign * (i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).div_euclid(1_000_000);
    rest.is_empty().then(|| i64::try_from(ms).unwrap_or(if ms < 0 { i64::MIN } else { i64::MAX }))
}

/// The number before `unit`, 0 where there is none, and what stands behind.
fn whole(text: &str, unit: char) -> Option<(i64, &str)> {
    match text.split_once(unit) {
        Some((number, rest)) => Some((signed(number)?, rest)),
        None => Some((0, text)),
    }
}

/// Seconds and billionths of one, to the end of the text.
fn seconds(text: &str) -> Option<(i64, i64)> {
    if text.is_empty() {
        return Some((0, 0));
    }
    let number = text.strip_suffix('S')?;
    let (seconds, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    Some((signed(seconds)?, if seconds.starts_with('-') { -nanos } else { nanos }))
}

/// A sign, or none, and at least one digit.
fn signed(text: &str) -> Option<i64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_java_reads_them() {
        let table = [
            ("PT0S", Some(0)),
            ("P1D", Some(86_400_000)),
            ("P2D", Some(172_800_000)),
            ("PT1H", Some(3_600_000)),
            ("PT0.25S", Some(250)),
            ("P1DT2H3M4.5S", Some(93_784_500)),
            ("p1dt1h", Some(90_000_000)),
            ("PT1,25S", Some(1_250)),
            ("PT5.S", Some(5_000)),
            ("PT0.0001S", Some(0)),
            ("+P1D", Some(86_400_000)),
            ("-PT1M", Some(-60_000)),
            ("PT-1M", Some(-60_000)),
            ("PT-1.5S", Some(-1_500)),
            ("P1DT-1H", Some(82_800_000)),
            ("PT99999999999999H", Some(i64::MAX)),
            ("PT99999999999999999H", None),
            ("PT1.0123456789S", None),
            ("PT.5S", None),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("Pfoo", None),
            ("P1W", None),
            ("P1D2H", None),
            ("PT1D", None),
            ("PT1M1H", None),
            ("PT1H1H", None),
            (" PT1H", None),
            ("1D", None),
            ("1H", None),
            ("PT1", None),
            ("P1H", None),
            ("PTxS", None),
            ("", None),
        ];
        for (text, ms) in table {
            assert_eq!(iso_8601_ms(text), ms, "{text}");
        }
    }
}
