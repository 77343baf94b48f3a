//! Which segments retention takes, and what the log is like afterwards.

use super::support::*;
use crate::base::{Instant, Now, Offset, TimestampMs};
use crate::log::deleted::{Snapshots, rename_segments};
use crate::log::retain::{Breach, Expired};
use crate::log::{Log, LogConfig, Recovery};
use crate::record::BatchBuilder;
use bytes::Bytes;

/// Each batch is a segment of its own.
fn config() -> LogConfig {
    LogConfig { segment_bytes: 200, retention_ms: 1000, retention_bytes: -1, ..LogConfig::default() }
}

fn at(ms: i64) -> Now {
    Now { mono: Instant(0), wall: TimestampMs(NOW_MS + ms) }
}

/// One record of 150 bytes and something, dated `NOW_MS + ms`.
fn one(ms: i64) -> Bytes {
    batch(1, 150 - 90, ms)
}

fn log_of(dir: &std::path::Path, config: &LogConfig, times: &[i64]) -> Log {
    let mut log = open(dir, config, CLEAN);
    for ms in times {
        append(&mut log, one(*ms));
    }
    assert_eq!(log.segment_count(), times.len());
    log
}

/// What would go, once the files were looked into.
fn judge(log: &mut Log, now: Now) -> Option<Expired> {
    if let Some(look) = log.look_at_ages(now) {
        let ages = look.run().unwrap();
        log.note_ages(&ages);
    }
    log.expired(log.written_offset(), now)
}

fn expired(segments: usize, all: bool, why: Breach) -> Option<Expired> {
    Some(Expired { segments, all, why })
}

#[test]
fn by_time_go_the_segments_whose_youngest_record_is_too_old() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), &config(), &[0, 100, 50, 900]);
    assert!(log.look_at_ages(at(5000)).is_none(), "all was written just now: nothing to read");
    assert_eq!(judge(&mut log, at(1000)), None, "not older than the limit");
    assert_eq!(judge(&mut log, at(1001)), expired(1, false, Breach::Time));
    assert_eq!(judge(&mut log, at(1099)), expired(1, false, Breach::Time), "the second holds the third");
    assert_eq!(judge(&mut log, at(1101)), expired(3, false, Breach::Time));
    assert_eq!(log.expired(Offset(2), at(1101)), expired(2, false, Breach::Time), "not beyond the high watermark");
    assert_eq!(judge(&mut log, at(1901)), expired(4, true, Breach::Time), "the active one too");
    log.set_config(LogConfig { retention_ms: -1, ..config() });
    assert_eq!(judge(&mut log, at(1 << 40)), None);
    log.set_config(LogConfig { delete: false, compact: true, ..config() });
    assert_eq!(judge(&mut log, at(1 << 40)), None);
}

#[test]
fn after_a_restart_the_time_index_says_how_old_a_segment_is() {
    let dir = tempfile::tempdir().unwrap();
    log_of(dir.path(), &config(), &[0, 100, 2000, 2100]).close().unwrap();
    let mut log = open(dir.path(), &config(), CLEAN);
    assert!(log.look_at_ages(at(1050)).is_some());
    assert_eq!(judge(&mut log, at(1050)), expired(1, false, Breach::Time));
    assert!(log.look_at_ages(at(1050)).is_none(), "looked into once");
    assert_eq!(judge(&mut log, at(1101)), expired(2, false, Breach::Time));
}

#[test]
fn without_timestamps_the_files_age_counts() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &config(), CLEAN);
    for _ in 0..3 {
        let mut builder = BatchBuilder::new(Offset(0));
        builder.append(TimestampMs(-1), None, Some(&[7; 150 - 90]), &[]);
        append(&mut log, builder.build());
    }
    let written = TimestampMs(crate::ring::fs::mtime_ms(&dir.path().join("t-0/00000000000000000000.log")).unwrap());
    let later = |ms| Now { mono: Instant(0), wall: TimestampMs(written.0 + ms) };
    assert_eq!(judge(&mut log, later(-5000)), None, "a clock that was set back deletes nothing");
    assert_eq!(judge(&mut log, later(1000)), None);
    assert_eq!(judge(&mut log, later(60_000)), expired(3, true, Breach::Time));
}

#[test]
fn by_size_go_the_segments_without_which_the_log_is_still_as_large_as_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), &config(), &[0, 0, 0, 0]);
    let size = i64::try_from(log.size_bytes()).unwrap() / 4;
    let limits = [(4 * size, 0), (3 * size + 1, 0), (3 * size, 1), (2 * size + 1, 1), (size, 3), (1, 3), (0, 4)];
    for (retention_bytes, goes) in limits {
        log.set_config(LogConfig { retention_ms: -1, retention_bytes, ..config() });
        let found = judge(&mut log, at(0));
        assert_eq!(found, if goes == 0 { None } else { expired(goes, goes == 4, Breach::Size) }, "{retention_bytes}");
    }
}

#[test]
fn what_the_start_offset_has_passed_goes_under_any_policy() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), &LogConfig { delete: false, compact: true, ..config() }, &[0, 0, 0]);
    log.increment_start_offset(Offset(2));
    assert_eq!(judge(&mut log, at(0)), expired(2, false, Breach::StartOffset));
    log.increment_start_offset(Offset(3));
    assert_eq!(judge(&mut log, at(0)), expired(2, false, Breach::StartOffset), "the active one stays");
}

#[test]
fn reasons_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), &config(), &[5000, 0, 9000, 9000]);
    log.increment_start_offset(Offset(1));
    assert_eq!(judge(&mut log, at(2000)), expired(2, false, Breach::Time));
}

#[test]
fn the_log_begins_after_what_was_removed_and_readers_keep_their_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), &config(), &[0, 0, 0]);
    let held = wait(plan(&mut log, 0, u32::MAX, 3, true)).unwrap().range.unwrap();
    let looking = match log.read(Offset(1), 1, Offset(3), true).unwrap() {
        crate::log::Read::Lookup(lookup) => lookup,
        crate::log::Read::Ready(_) => panic!("a closed segment is not open"),
    };
    assert_eq!(log.remove_oldest(2), [Offset(0), Offset(1)]);
    rename_segments(&dir.path().join("t-0"), &[Offset(0), Offset(1)], Snapshots::Go).unwrap();
    assert_eq!((log.start_offset(), log.end_offset(), log.segment_count()), (Offset(2), Offset(3), 1));
    assert!(!wait(held.file.read(held.position, held.len as usize)).unwrap().is_empty());
    assert!(wait(looking.run()).unwrap().range.is_some(), "who was about to open the file finds it");
    assert!(read(&mut log, 0, u32::MAX, 3, true).is_err(), "out of range");
    assert_eq!(all(&mut log), [(2, 2)]);
    drop(log);
    let mut log = open(dir.path(), &config(), Recovery { log_start: Offset(2), ..UNCLEAN });
    assert_eq!(log.start_offset(), Offset(2));
    assert_eq!(all(&mut log), [(2, 2)]);
    assert!(names(&dir.path().join("t-0")).iter().all(|n| !n.ends_with(".deleted")), "leftovers went at the start");
}

#[test]
fn an_old_active_segment_rolls_and_goes_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log_of(dir.path(), &config(), &[0, 0]);
    assert_eq!(judge(&mut log, at(9000)), expired(2, true, Breach::Time));
    log.roll(at(9000));
    assert_eq!(judge(&mut log, at(9000)), expired(1, false, Breach::Time), "while the roll is out it is left alone");
    write(&mut log);
    assert_eq!(judge(&mut log, at(9000)), expired(2, false, Breach::Time));
    assert_eq!(log.remove_oldest(2).len(), 2);
    rename_segments(&dir.path().join("t-0"), &[Offset(0), Offset(1)], Snapshots::Go).unwrap();
    assert_eq!((log.start_offset(), log.end_offset()), (Offset(2), Offset(2)));
    assert_eq!(judge(&mut log, at(1 << 40)), None, "an empty segment stays");
    log.roll(at(0));
    assert!(log.take_write().is_none(), "and does not roll");
    append(&mut log, one(9000));
    assert_eq!(all(&mut log), [(2, 2)]);
    log.close().unwrap();
    let mut log = open(dir.path(), &config(), CLEAN);
    assert_eq!((log.start_offset(), all(&mut log)), (Offset(2), vec![(2, 2)]));
}
