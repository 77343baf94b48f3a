//! Logs in the message formats 0 and 1, as a take-over finds them.

use super::support::*;
use crate::base::{Offset, TimestampMs};
use crate::log::Log;
use crate::log::cleaner::CleanError;
use crate::record::legacy_records::tests::{entry, wrapper};
use crate::record::{BatchBuilder, Compression, batches};
use std::path::Path;

const DAY: i64 = 86_400_000;

/// A log with these segments of old entries, last written at those times, and a v2 batch behind them.
fn taken_over(dir: &Path, segments: &[(i64, i64, Vec<u8>)], end: i64) -> Log {
    let partition = dir.join("t-0");
    std::fs::create_dir(&partition).unwrap();
    for (base, modified, bytes) in segments {
        let path = partition.join(format!("{base:020}.log"));
        std::fs::write(&path, bytes).unwrap();
        crate::ring::fs::set_mtime_ms(&path, *modified).unwrap();
    }
    let mut log = open(dir, &config(1 << 20), CLEAN);
    assert_eq!(log.end_offset(), Offset(end));
    log.accept_roll(log.end_offset(), TimestampMs(NOW_MS));
    write(&mut log);
    let mut builder = BatchBuilder::new(Offset(0));
    builder.append(TimestampMs(NOW_MS), Some(b"tail"), Some(b"t"), &[]);
    append(&mut log, builder.build());
    log
}

fn horizons(log: &mut Log) -> usize {
    let bytes = bytes_of(log);
    batches(&bytes).filter(|b| b.as_ref().unwrap().header().has_delete_horizon()).count()
}

#[test]
fn what_stays_of_old_formats_is_todays() {
    let dir = tempfile::tempdir().unwrap();
    let first = [
        entry(0, 0, 0, 0, Some(b"a"), Some(b"0")),
        wrapper(0, 1, 0, Compression::Lz4, &[(Some("b"), Some("1")), (Some("c"), Some("2"))]),
        entry(1, 3, NOW_MS + 3, 0, None, Some(b"keyless")),
    ];
    let second = [
        wrapper(
            1,
            4,
            NOW_MS + 4,
            Compression::Gzip,
            &[(Some("a"), Some("4")), (Some("d"), None), (Some("b"), Some("6"))],
        ),
        wrapper(1, 7, NOW_MS + 7, Compression::Snappy, &[(Some("b"), Some("7")), (Some("e"), Some("8"))]),
    ];
    let segments = [(0, NOW_MS, first.concat()), (4, NOW_MS, second.concat())];
    let mut log = taken_over(dir.path(), &segments, 9);
    let cleaned = clean(&mut log, None, NOW_MS);
    assert_eq!(cleaned, Offset(9));
    let stays = ["2 c=2", "4 a=4", "5 d=null", "7 b=7", "8 e=8", "9 tail=t"];
    assert_eq!(told(&mut log), stays);
    let times: Vec<i64> = seen(&mut log).iter().map(|s| s.timestamp).collect();
    assert_eq!(times, [-1, NOW_MS + 4, NOW_MS + 5, NOW_MS + 7, NOW_MS + 8, NOW_MS]);
    assert_eq!((log.start_offset(), log.segment_count()), (Offset(0), 2));
    assert_eq!(horizons(&mut log), 1, "the tombstone may go one day");
    let time = log.offset_for_timestamp(TimestampMs(NOW_MS + 8));
    assert_eq!(look(time).unwrap().offset, Offset(8));
    let mut again = open(dir.path(), &config(1 << 20), UNCLEAN);
    assert_eq!(told(&mut again), stays, "an unclean start takes it for sound");
    again.accept_roll(again.end_offset(), TimestampMs(NOW_MS));
    write(&mut again);
    clean(&mut again, None, NOW_MS + 2 * DAY);
    assert_eq!(told(&mut again), ["2 c=2", "4 a=4", "7 b=7", "8 e=8", "9 tail=t"]);
}

#[test]
fn old_tombstones_go_once_what_was_written_a_retention_later_is_clean() {
    let dir = tempfile::tempdir().unwrap();
    let tombstone = |offset, key: &[u8]| entry(1, offset, NOW_MS, 0, Some(key), None);
    let segments = [
        (0, NOW_MS - 3 * DAY, tombstone(0, b"a")),
        (1, NOW_MS - DAY - 1, tombstone(1, b"b")),
        (2, NOW_MS - DAY, tombstone(2, b"c")),
        (3, NOW_MS, [tombstone(3, b"d"), entry(1, 4, NOW_MS, 0, Some(b"e"), Some(b"4"))].concat()),
    ];
    let mut log = taken_over(dir.path(), &segments, 5);
    // The last clean segment was written a day before now less a millisecond: delete.retention.ms is a day.
    let plan = plan(&log, Some(Offset(3)), NOW_MS);
    assert_eq!(plan.config.delete_retention_ms, DAY);
    run(&mut log, plan).unwrap();
    assert_eq!(told(&mut log), ["1 b=null", "2 c=null", "3 d=null", "4 e=4", "5 tail=t"]);
}

#[test]
fn the_last_entry_of_a_round_leaves_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = [entry(1, 0, NOW_MS, 0, Some(b"a"), Some(b"0")), entry(1, 1, NOW_MS, 0, None, Some(b"keyless"))];
    let mut log = taken_over(dir.path(), &[(0, NOW_MS, bytes.concat())], 2);
    clean(&mut log, None, NOW_MS);
    assert_eq!(told(&mut log), ["0 a=0", "2 tail=t"]);
    assert_eq!(all(&mut log), [(0, 0), (1, 1), (2, 2)], "an empty batch");
}

#[test]
fn an_entry_that_cannot_be_read_stops_the_round_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = [entry(1, 0, NOW_MS, 0, Some(b"a"), Some(b"0")), entry(1, 1, NOW_MS, 1, None, Some(b"no gzip"))];
    let mut log = taken_over(dir.path(), &[(0, NOW_MS, bytes.concat())], 2);
    let before = names(log.dir());
    let plan = plan(&log, None, NOW_MS);
    assert!(matches!(run(&mut log, plan), Err(CleanError::Uncleanable { segment: Offset(0), .. })));
    assert_eq!(names(log.dir()), before);
}

#[test]
fn an_unclean_start_keeps_packed_entries_of_old_formats() {
    let dir = tempfile::tempdir().unwrap();
    let partition = dir.path().join("t-0");
    std::fs::create_dir(&partition).unwrap();
    let two = [(Some("a"), Some("1")), (Some("b"), Some("2"))];
    let bytes = [wrapper(1, 0, NOW_MS, Compression::Gzip, &two), wrapper(0, 2, 0, Compression::Gzip, &two)].concat();
    std::fs::write(partition.join("00000000000000000000.log"), bytes).unwrap();
    let log = open(dir.path(), &crate::log::LogConfig::default(), UNCLEAN);
    assert_eq!(log.end_offset(), Offset(4), "an entry names its last offset alone");
}
