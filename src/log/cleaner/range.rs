//! What of a log may be cleaned, and how urgent that is (`LogCleanerManager.cleanableOffsets`, `LogToClean`). Pure but
//! for a glance at segments' times, which only compaction lags ask for.

use crate::base::{Offset, TimestampMs};
use crate::log::LogConfig;
use crate::log::replace::ClosedSegment;
use std::io;

/// What is known of a log when it is considered.
#[derive(Clone, Debug)]
pub struct LogState {
    /// Its closed segments, ascending.
    pub closed: Vec<ClosedSegment>,
    /// Where the active segment begins.
    pub active_base: Offset,
    /// The log start offset.
    pub start: Offset,
    /// The log end offset.
    pub end: Offset,
    /// Records from here on may belong to open transactions, or are not committed.
    pub last_stable: Offset,
    /// Up to where it was cleaned (`cleaner-offset-checkpoint`).
    pub cleaned: Option<Offset>,
}

/// A segment's times, asked for only when a lag is configured.
pub trait SegmentTimes {
    /// The largest timestamp in the segment; when it has none, when it was last written.
    fn largest(&self, segment: &ClosedSegment) -> io::Result<TimestampMs>;
    /// The largest timestamp of the segment's first batch.
    fn first(&self, segment: &ClosedSegment) -> io::Result<TimestampMs>;
}

/// What may be cleaned now.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleanable {
    /// Everything before is clean.
    pub first_dirty: Offset,
    /// The first segment that may not be cleaned begins here.
    pub end: Offset,
    /// Bytes between.
    pub dirty_bytes: u64,
    /// The share of the dirty bytes in what would be read.
    pub ratio: f64,
    /// It is due whatever the ratio: records are older than max.compaction.lag.ms.
    pub overdue: bool,
    /// When time alone may make it due, or more of it cleanable.
    pub look_again: Option<TimestampMs>,
}

impl Cleanable {
    /// Whether it is to be cleaned now.
    pub fn is_due(&self, config: &LogConfig) -> bool {
        self.dirty_bytes > 0 && (self.overdue || self.ratio > config.min_cleanable_dirty_ratio)
    }
}

/// Segments that hold offsets from `from` on, and begin before `to`.
fn between(closed: &[ClosedSegment], from: Offset, to: Offset) -> &[ClosedSegment] {
    if from >= to {
        return &[];
    }
    let begin = closed.partition_point(|s| s.base <= from).saturating_sub(1);
    let end = closed.partition_point(|s| s.base < to);
    closed.get(begin..end).unwrap_or_default()
}

/// Finds what may be cleaned of a log.
///
/// # Errors
/// Of a look at a segment's times.
pub fn cleanable(
    log: &LogState,
    config: &LogConfig,
    times: &impl SegmentTimes,
    now: TimestampMs,
) -> io::Result<Cleanable> {
    // A checkpoint before the log's start or behind its end says nothing: all of the log is dirty then.
    let first_dirty = log.cleaned.filter(|at| (log.start..=log.end).contains(at)).unwrap_or(log.start);
    let dirty = between(&log.closed, first_dirty, log.active_base);
    let mut limit = log.last_stable.min(log.active_base);
    let mut look_again = None;
    if config.min_compaction_lag_ms > 0 {
        for segment in dirty {
            let largest = times.largest(segment)?;
            if largest.0 > now.0.saturating_sub(config.min_compaction_lag_ms) {
                limit = limit.min(segment.base);
                look_again = Some(TimestampMs(largest.0.saturating_add(config.min_compaction_lag_ms)));
                break;
            }
        }
    }
    let limit = limit.max(first_dirty);
    let end = match log.closed.partition_point(|s| s.base <= limit).checked_sub(1).and_then(|i| log.closed.get(i)) {
        Some(segment) if limit < log.active_base => segment.base,
        _ => log.active_base,
    };
    let sum = |segments: &[ClosedSegment]| segments.iter().map(|s| u64::from(s.size)).sum::<u64>();
    let dirty_bytes = sum(between(&log.closed, first_dirty.min(end), end));
    let clean_bytes: u64 = log.closed.iter().filter(|s| s.base < first_dirty).map(|s| u64::from(s.size)).sum();
    let total = clean_bytes + dirty_bytes;
    let mut found = Cleanable {
        first_dirty,
        end,
        dirty_bytes,
        ratio: if total == 0 { 0.0 } else { dirty_bytes as f64 / total as f64 },
        overdue: false,
        look_again,
    };
    if let Some(due) = due_by_lag(dirty, config, times)? {
        found.overdue = due < now;
        if !found.overdue {
            found.look_again = Some(found.look_again.map_or(due, |at| at.min(due)));
        }
    }
    Ok(found)
}

/// When max.compaction.lag.ms makes the log due.
fn due_by_lag(
    dirty: &[ClosedSegment],
    config: &LogConfig,
    times: &impl SegmentTimes,
) -> io::Result<Option<TimestampMs>> {
    let lag = config.max_compaction_lag_ms.max(0);
    if lag == i64::MAX {
        return Ok(None);
    }
    let mut earliest: Option<i64> = None;
    for segment in dirty.iter().filter(|s| s.size > 0) {
        let first = times.first(segment)?.0;
        if first > 0 {
            earliest = Some(earliest.map_or(first, |e| e.min(first)));
        }
    }
    Ok(earliest.map(|first| TimestampMs(first.saturating_add(lag))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten offsets, a hundred bytes and a hundred milliseconds a segment.
    struct Times;

    impl SegmentTimes for Times {
        fn largest(&self, segment: &ClosedSegment) -> io::Result<TimestampMs> {
            Ok(TimestampMs(segment.base.0 * 10 + 1099))
        }

        fn first(&self, segment: &ClosedSegment) -> io::Result<TimestampMs> {
            Ok(TimestampMs(segment.base.0 * 10 + 1000))
        }
    }

    fn log(segments: i64, cleaned: Option<i64>) -> LogState {
        let of = |i| ClosedSegment { base: Offset(i * 10), size: 100, offset_index_bytes: 0, time_index_bytes: 0 };
        LogState {
            closed: (0..segments).map(of).collect(),
            active_base: Offset(segments * 10),
            start: Offset(0),
            end: Offset(segments * 10 + 5),
            last_stable: Offset(segments * 10 + 5),
            cleaned: cleaned.map(Offset),
        }
    }

    fn found(log: &LogState, config: &LogConfig, now: i64) -> (i64, i64, u64, f64, bool, Option<i64>) {
        let c = cleanable(log, config, &Times, TimestampMs(now)).unwrap();
        (c.first_dirty.0, c.end.0, c.dirty_bytes, c.ratio, c.overdue, c.look_again.map(|t| t.0))
    }

    #[test]
    fn all_but_the_active_segment_may_be_cleaned_from_the_checkpoint_on() {
        let config = LogConfig::default();
        assert_eq!(found(&log(4, None), &config, 0), (0, 40, 400, 1.0, false, None));
        assert_eq!(found(&log(4, Some(30)), &config, 0), (30, 40, 100, 0.25, false, None));
        assert_eq!(found(&log(4, Some(40)), &config, 0), (40, 40, 0, 0.0, false, None));
        assert_eq!(found(&log(4, Some(43)), &config, 0), (43, 40, 0, 0.0, false, None), "inside the active one");
        assert_eq!(found(&log(0, None), &config, 0), (0, 0, 0, 0.0, false, None));
        assert_eq!(found(&log(4, Some(46)), &config, 0).0, 0, "behind the end: all is dirty");
        let mut late = log(4, Some(5));
        late.start = Offset(12);
        assert_eq!(found(&late, &config, 0).0, 12, "before the start");
        assert_eq!(found(&log(4, Some(25)), &config, 0), (25, 40, 200, 0.4, false, None), "inside a segment");
    }

    #[test]
    fn an_open_transaction_and_young_records_are_left_alone() {
        let mut open = log(4, None);
        open.last_stable = Offset(25);
        assert_eq!(found(&open, &LogConfig::default(), 0).1, 20);
        open.last_stable = Offset(20);
        assert_eq!(found(&open, &LogConfig::default(), 0).1, 20);
        let lag = LogConfig { min_compaction_lag_ms: 500, ..LogConfig::default() };
        // Largest times: 1099, 1199, 1299, 1399.
        assert_eq!(found(&log(4, None), &lag, 1750), (0, 20, 200, 1.0, false, Some(1799)));
        assert_eq!(found(&log(4, None), &lag, 5000), (0, 40, 400, 1.0, false, None));
        assert_eq!(found(&log(4, None), &lag, 1599), (0, 10, 100, 1.0, false, Some(1699)));
    }

    #[test]
    fn old_records_make_it_due_whatever_the_ratio() {
        let config = LogConfig { max_compaction_lag_ms: 1000, ..LogConfig::default() };
        // The first dirty segment's first batch is of 1300.
        let young = cleanable(&log(4, Some(30)), &config, &Times, TimestampMs(2300)).unwrap();
        assert!(!young.is_due(&config));
        assert_eq!(young.look_again, Some(TimestampMs(2300)));
        let old = cleanable(&log(4, Some(30)), &config, &Times, TimestampMs(2301)).unwrap();
        assert!(old.overdue && old.is_due(&config));
        let half = cleanable(&log(4, Some(20)), &LogConfig::default(), &Times, TimestampMs(0)).unwrap();
        assert!(!half.is_due(&LogConfig::default()), "the ratio has to be larger, not equal");
        let eager = LogConfig { min_cleanable_dirty_ratio: 0.0, ..LogConfig::default() };
        assert!(half.is_due(&eager));
        assert!(!cleanable(&log(4, Some(40)), &eager, &Times, TimestampMs(0)).unwrap().is_due(&eager));
    }
}
