use super::support::*;
use crate::base::{LeaderEpoch, Offset, ProducerId, TimestampMs};
use crate::log::{AppendError, AppendOrigin, LogConfig, TimestampType, WriteError};
use crate::record::{BatchView, batches};
use crate::ring::runtime::block_on_test;
use std::io;

#[test]
fn offsets_and_epoch_are_patched_and_the_records_stay_as_they_came() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &LogConfig::default(), CLEAN);
    let (one, two) = (batch(3, 10, 0), batch(2, 10, 5));
    log.note_epoch(LeaderEpoch(4), Offset(0));
    for (bytes, first, last) in [(&one, 0, 2), (&two, 3, 4)] {
        let info = log.append_as_leader(bytes.clone(), AppendOrigin::Client, LeaderEpoch(4), now()).unwrap();
        assert_eq!((info.first_offset, info.last_offset), (Offset(first), Offset(last)));
        assert_eq!((info.log_append_time, info.duplicate), (TimestampMs::NONE, false));
    }
    write(&mut log);
    let bytes = read(&mut log, 0, u32::MAX, 5, true).unwrap();
    let seen: Vec<_> = batches(&bytes).map(Result::unwrap).collect();
    assert_eq!(seen[1].header().base_offset(), Offset(3));
    assert_eq!(seen[1].header().leader_epoch(), LeaderEpoch(4));
    assert_eq!(seen[0].bytes()[16..], one[16..]);
    assert_eq!(seen[1].bytes()[16..], two[16..]);
    seen.iter().for_each(|b| b.check_crc().unwrap());
}

#[test]
fn accepted_is_not_yet_written_and_one_job_takes_all_that_is_queued() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &LogConfig::default(), CLEAN);
    for _ in 0..3 {
        accept(&mut log, batch(2, 10, 0)).unwrap();
    }
    assert_eq!((log.end_offset(), log.written_offset()), (Offset(6), Offset(0)));
    let mut job = log.take_write().unwrap();
    accept(&mut log, batch(1, 10, 0)).unwrap();
    assert!(log.take_write().is_none(), "one job at a time");
    let result = block_on_test(job.run());
    let written = log.complete_write(job, result);
    assert_eq!((written.end, written.more, written.failed.is_none()), (Offset(6), true, true));
    assert_eq!(log.flushed_offset(), Offset(0));
    write(&mut log);
    flush(&mut log);
    assert_eq!((log.written_offset(), log.flushed_offset()), (Offset(7), Offset(7)));
}

#[test]
fn log_append_time_is_stamped_into_the_batch_and_its_checksum() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { timestamp_type: TimestampType::LogAppendTime, ..LogConfig::default() };
    let mut log = open(dir.path(), &config, CLEAN);
    let info = append(&mut log, batch(2, 10, -5_000_000));
    assert_eq!(info.log_append_time, TimestampMs(NOW_MS));
    let bytes = read(&mut log, 0, u32::MAX, 2, true).unwrap();
    let batch = BatchView::parse_checked(&bytes).unwrap();
    assert!(batch.header().is_log_append_time());
    assert_eq!(batch.header().max_timestamp(), TimestampMs(NOW_MS));
    assert_eq!(look(log.offset_for_timestamp(TimestampMs(NOW_MS))).unwrap().offset, Offset(0));
}

#[test]
fn a_repeat_gets_the_first_answer_even_while_the_first_is_still_queued() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &LogConfig::default(), CLEAN);
    let first = accept(&mut log, idempotent(7, 0, 0, 3)).unwrap();
    let again = accept(&mut log, idempotent(7, 0, 0, 3)).unwrap();
    assert_eq!((again.first_offset, again.last_offset, again.duplicate), (first.first_offset, first.last_offset, true));
    let gap = accept(&mut log, idempotent(7, 0, 4, 1));
    assert_eq!(gap, Err(AppendError::OutOfOrderSequence { producer: ProducerId(7), incoming: 4, last: 2 }));
    assert_eq!(log.end_offset(), Offset(3));
    write(&mut log);
    assert_eq!(all(&mut log), [(0, 2)]);
}

#[test]
fn a_refused_batch_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 200, max_message_bytes: 1000, ..LogConfig::default() };
    let mut log = open(dir.path(), &config, CLEAN);
    let two = [batch(1, 5, 0), batch(1, 5, 0)].concat();
    assert_eq!(accept(&mut log, two.into()), Err(AppendError::NotOneBatch(2)));
    assert_eq!(accept(&mut log, bytes::Bytes::new()), Err(AppendError::NotOneBatch(0)));
    assert!(matches!(accept(&mut log, batch(1, 150, 0)), Err(AppendError::LargerThanSegment { .. })));
    assert!(matches!(accept(&mut log, batch(1, 2000, 0)), Err(AppendError::TooLarge { .. })));
    assert_eq!((log.end_offset(), log.take_write().is_none()), (Offset(0), true));
}

#[test]
fn segments_roll_and_everything_is_found_across_them() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 1000, index_interval_bytes: 200, ..LogConfig::default() };
    let mut log = open(dir.path(), &config, CLEAN);
    for i in 0..30 {
        accept(&mut log, batch(3, 50, i * 10)).unwrap();
        if i % 4 == 0 {
            write(&mut log);
        }
    }
    write(&mut log);
    assert!(log.segment_count() > 5, "{}", log.segment_count());
    let expected: Vec<_> = (0..30).map(|i| (i * 3, i * 3 + 2)).collect();
    assert_eq!(all(&mut log), expected);
    let logs = names(&dir.path().join("t-0")).iter().filter(|n| n.ends_with(".log")).count();
    assert_eq!(logs, log.segment_count());
    for i in [0, 7, 13, 29] {
        let found = look(log.offset_for_timestamp(TimestampMs(NOW_MS + i * 10 + 1))).unwrap();
        assert_eq!(found.offset, Offset(i * 3 + 1));
    }
    flush(&mut log);
    assert_eq!(log.flushed_offset(), Offset(90));
}

#[test]
fn a_full_disk_takes_back_what_was_accepted_and_the_log_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 400, ..LogConfig::default() };
    let mut log = open(dir.path(), &config, CLEAN);
    append(&mut log, idempotent(7, 0, 0, 2));
    log.note_epoch(LeaderEpoch(1), log.end_offset());
    accept(&mut log, idempotent(7, 0, 2, 2)).unwrap();
    let job = log.take_write().unwrap();
    for i in 0..10 {
        accept(&mut log, idempotent(7, 0, 4 + i * 2, 2)).unwrap();
    }
    let full = WriteError::DiskFull(io::Error::from_raw_os_error(libc::ENOSPC));
    let written = log.complete_write(job, Err(full));
    assert_eq!((written.end, written.more), (Offset(2), false));
    assert_eq!(log.end_offset(), Offset(2));
    assert!(!log.is_offline());
    assert_eq!(accept(&mut log, idempotent(7, 0, 2, 2)), Err(AppendError::DiskFull), "not tried until there is space");
    log.health().set_space();
    assert_eq!(accept(&mut log, idempotent(7, 0, 2, 2)).unwrap().first_offset, Offset(2), "the sequence goes on there");
    write(&mut log);
    assert_eq!(all(&mut log), [(0, 1), (2, 3)]);
}

#[test]
fn a_failed_write_takes_the_log_offline() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &LogConfig::default(), CLEAN);
    accept(&mut log, batch(1, 5, 0)).unwrap();
    let job = log.take_write().unwrap();
    let written = log.complete_write(job, Err(WriteError::Failed(io::Error::from_raw_os_error(libc::EIO))));
    assert!(matches!(written.failed, Some(WriteError::Failed(_))));
    assert!(log.is_offline());
    assert_eq!(accept(&mut log, batch(1, 5, 0)), Err(AppendError::Offline));
}

#[test]
fn a_follower_takes_the_leaders_bytes_offsets_and_epochs() {
    let dir = tempfile::tempdir().unwrap();
    let mut leader = open(dir.path(), &LogConfig::default(), CLEAN);
    leader.note_epoch(LeaderEpoch(2), Offset(0));
    for epoch in [2, 2, 5] {
        leader.append_as_leader(idempotent(9, 0, -1, 1), AppendOrigin::Coordinator, LeaderEpoch(epoch), now()).unwrap();
    }
    write(&mut leader);
    let bytes = read(&mut leader, 0, u32::MAX, 3, true).unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut follower = open(other.path(), &LogConfig::default(), CLEAN);
    let cut = bytes.slice(..bytes.len() - 5);
    assert_eq!(follower.append_as_follower(cut, now()).unwrap().last_offset, Offset(1), "a cut batch is left out");
    write(&mut follower);
    let again = follower.append_as_follower(bytes.clone(), now());
    assert_eq!(again, Err(AppendError::UnexpectedOffset { first: Offset(0), expected: Offset(2) }));
    let rest = bytes.slice(bytes.len() / 3 * 2..);
    follower.append_as_follower(rest, now()).unwrap();
    write(&mut follower);
    assert_eq!(read(&mut follower, 0, u32::MAX, 3, true).unwrap(), bytes);
    assert_eq!(follower.epochs(), leader.epochs());
    assert_eq!(follower.end_of_epoch(LeaderEpoch(3)).end_offset, Offset(2));
}
