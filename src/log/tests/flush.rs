//! Durability: what may be acknowledged when, and what a failing disk leaves.

use super::support::*;
use crate::base::Offset;
use crate::log::health::DirHealth;
use crate::log::{AppendError, Log, LogConfig, Recovery, WriteError};
use crate::ring::fault::{self, Op};

fn sync_after(messages: i64) -> LogConfig {
    LogConfig { flush_messages: messages, ..LogConfig::default() }
}

#[test]
fn the_sync_class_commits_what_is_flushed_and_others_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &sync_after(1), CLEAN);
    assert!(!log.must_flush());
    append(&mut log, batch(2, 10, 0));
    assert!(log.must_flush());
    assert_eq!((log.written_offset(), log.committable_offset()), (Offset(2), Offset(0)));
    let job = log.begin_flush().unwrap();
    append(&mut log, batch(3, 10, 0));
    assert!(log.begin_flush().is_none(), "one at a time");
    let flushed = wait(job.run());
    log.complete_flush(job, flushed).unwrap();
    assert_eq!(log.committable_offset(), Offset(2), "what came meanwhile waits for the next one");
    assert!(log.must_flush());
    flush(&mut log);
    assert_eq!(log.committable_offset(), Offset(5));
    log.set_config(LogConfig::default());
    append(&mut log, batch(1, 10, 0));
    assert_eq!(log.committable_offset(), Offset(6));
}

#[test]
fn with_flush_messages_of_n_up_to_n_records_less_one_are_committed_unflushed() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &sync_after(4), CLEAN);
    append(&mut log, batch(3, 10, 0));
    assert_eq!((log.must_flush(), log.committable_offset()), (false, Offset(3)));
    append(&mut log, batch(1, 10, 0));
    assert_eq!((log.must_flush(), log.committable_offset()), (true, Offset(0)));
    flush(&mut log);
    assert_eq!((log.must_flush(), log.committable_offset()), (false, Offset(4)));
}

#[test]
fn what_an_unclean_start_keeps_is_flushed_before_the_sync_class_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &sync_after(1), CLEAN);
    append(&mut log, batch(2, 10, 0));
    drop(log);
    assert_eq!(open(dir.path(), &LogConfig::default(), UNCLEAN).flushed_offset(), Offset(0));
    let log = open(dir.path(), &sync_after(1), UNCLEAN);
    assert_eq!((log.flushed_offset(), log.committable_offset()), (Offset(2), Offset(2)));
    fault::inject(dir.path(), Op::Sync, libc::EIO, 1);
    assert!(try_open(dir.path(), &sync_after(1), UNCLEAN).is_err());
}

#[test]
fn a_directory_that_a_start_found_is_made_durable_with_the_first_flush_unless_that_was_done_before() {
    let dir = tempfile::tempdir().unwrap();
    let metadata = dir.path().join("t-0").join("partition.metadata");
    let first_flush_syncs_it = |recovery| {
        let mut log = open(dir.path(), &LogConfig::default(), recovery);
        std::fs::write(&metadata, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n").unwrap();
        append(&mut log, batch(1, 10, 0));
        fault::inject(&metadata, Op::Sync, libc::EIO, 1);
        let job = log.begin_flush().unwrap();
        let flushed = wait(job.run());
        log.complete_flush(job, flushed).is_err()
    };
    // Made and closed without a record: neither a stop nor a flush has touched the directory.
    open(dir.path(), &sync_after(1), CLEAN).close().unwrap();
    assert!(first_flush_syncs_it(CLEAN));
    assert!(first_flush_syncs_it(UNCLEAN), "written by a broker that was killed");
    let flushed = Recovery { recovery_point: Offset(1), ..UNCLEAN };
    assert!(!first_flush_syncs_it(flushed));
}

fn neighbours(dir: &std::path::Path, config: &LogConfig) -> (Log, Log) {
    let health = DirHealth::default();
    let mut logs = ["a", "b"].map(|name| {
        std::fs::create_dir(dir.join(name)).unwrap();
        open(&dir.join(name), config, CLEAN)
    });
    logs.iter_mut().for_each(|log| log.belongs_to(&health));
    let [a, b] = logs;
    (a, b)
}

#[test]
fn after_a_failed_write_the_whole_directory_takes_nothing_for_good() {
    for errno in [libc::EIO, libc::EROFS, libc::EUCLEAN] {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, mut other) = neighbours(dir.path(), &LogConfig::default());
        append(&mut log, batch(1, 10, 0));
        accept(&mut log, batch(1, 10, 0)).unwrap();
        fault::inject(dir.path(), Op::Write, errno, 1);
        let mut job = log.take_write().unwrap();
        let result = wait(job.run());
        let written = log.complete_write(job, result);
        assert!(matches!(written.failed, Some(WriteError::Failed(_))), "{errno}");
        assert_eq!((written.end, written.more), (Offset(1), false));
        for log in [&mut log, &mut other] {
            assert!(log.is_offline());
            assert_eq!(accept(log, batch(1, 10, 0)), Err(AppendError::Offline));
            assert!(log.begin_flush().is_none(), "nothing is tried again");
        }
        assert!(log.close().is_err());
    }
}

#[test]
fn after_a_failed_fsync_nothing_counts_as_flushed_though_the_next_would_succeed() {
    for errno in [libc::EIO, libc::ENOSPC] {
        let dir = tempfile::tempdir().unwrap();
        let (mut log, mut other) = neighbours(dir.path(), &sync_after(1));
        append(&mut log, batch(1, 10, 0));
        append(&mut other, batch(1, 10, 0));
        let of_other = other.begin_flush().unwrap();
        let job = log.begin_flush().unwrap();
        fault::inject(&dir.path().join("a"), Op::Sync, errno, 1);
        let result = wait(job.run());
        let error = log.complete_flush(job, result).unwrap_err();
        assert!(!crate::ring::errno::is_disk_full(&error), "{error}");
        assert_eq!((log.flushed_offset(), log.committable_offset()), (Offset(0), Offset(0)));
        assert_eq!(accept(&mut log, batch(1, 10, 0)), Err(AppendError::Offline));
        let result = wait(of_other.run());
        other.complete_flush(of_other, result).unwrap();
        assert_eq!(other.committable_offset(), Offset(0), "a neighbour's flush under way commits nothing either");
    }
}

#[test]
fn a_full_disk_at_a_write_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let (mut log, mut other) = neighbours(dir.path(), &sync_after(1));
    for errno in [libc::ENOSPC, libc::EDQUOT] {
        let before = log.written_offset();
        accept(&mut log, batch(1, 10, 0)).unwrap();
        fault::inject(dir.path(), Op::Write, errno, 1);
        let mut job = log.take_write().unwrap();
        let result = wait(job.run());
        let written = log.complete_write(job, result);
        assert!(matches!(written.failed, Some(WriteError::DiskFull(_))), "{errno}");
        assert!(!log.is_offline() && !other.is_offline());
        assert_eq!(accept(&mut other, batch(1, 10, 0)), Err(AppendError::DiskFull), "known to the neighbours");
        assert!(log.health().takes_care() && !other.health().takes_care(), "one sees to it");
        log.health().set_space();
        assert_eq!(append(&mut log, batch(1, 10, 0)).first_offset, before, "writes resume");
        append(&mut other, batch(1, 10, 0));
    }
    flush(&mut log);
    assert_eq!(log.committable_offset(), Offset(2));
}

#[test]
fn a_roll_that_finds_no_space_leaves_no_segment_behind() {
    let dir = tempfile::tempdir().unwrap();
    let small = LogConfig { segment_bytes: 400, ..LogConfig::default() };
    let mut log = open(dir.path(), &small, CLEAN);
    append(&mut log, batch(1, 200, 0));
    accept(&mut log, batch(1, 200, 0)).unwrap();
    fault::inject(dir.path(), Op::Write, libc::ENOSPC, 1);
    let mut job = log.take_write().unwrap();
    let result = wait(job.run());
    assert!(matches!(log.complete_write(job, result).failed, Some(WriteError::DiskFull(_))));
    log.health().set_space();
    append(&mut log, batch(1, 10, 0));
    assert_eq!((log.segment_count(), log.end_offset()), (1, Offset(2)), "it still fits into the first");
    log.close().unwrap();
    for recovery in [CLEAN, UNCLEAN] {
        let mut log = open(dir.path(), &small, recovery);
        assert_eq!((log.segment_count(), all(&mut log)), (1, vec![(0, 0), (1, 1)]));
    }
}
