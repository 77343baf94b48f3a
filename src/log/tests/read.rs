use super::support::*;
use crate::base::{Offset, TimestampMs};
use crate::log::{LogConfig, Read, ReadError};
use crate::record::batches;

fn filled(dir: &std::path::Path, config: &LogConfig) -> crate::log::Log {
    let mut log = open(dir, config, CLEAN);
    for i in 0..20 {
        append(&mut log, batch(5, 100, i * 5));
    }
    log
}

#[test]
fn a_read_begins_with_the_batch_that_holds_the_offset_and_obeys_its_limits() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = filled(dir.path(), &LogConfig { index_interval_bytes: 1000, ..LogConfig::default() });
    let size = batch(5, 100, 0).len() as u32;
    let first = |bytes: &[u8]| batches(bytes).next().unwrap().unwrap().header().base_offset();
    for from in [0, 3, 7, 52, 99] {
        let bytes = read(&mut log, from, 2 * size, 100, false).unwrap();
        assert_eq!(first(&bytes), Offset(from / 5 * 5), "{from}");
    }
    assert_eq!(read(&mut log, 7, 2 * size + 10, 100, false).unwrap().len(), 2 * size as usize + 10, "may end inside");
    assert_eq!(read(&mut log, 7, 10, 100, true).unwrap().len(), size as usize, "at least one whole batch");
    assert_eq!(read(&mut log, 7, 10, 100, false).unwrap().len(), 10);
    assert_eq!(read(&mut log, 7, 0, 100, false).unwrap().len(), 0);
    assert_eq!(read(&mut log, 10, u32::MAX, 25, false).unwrap().len(), 3 * size as usize, "not past upto");
    assert_eq!(read(&mut log, 25, u32::MAX, 25, true).unwrap().len(), 0);
    assert_eq!(read(&mut log, 100, u32::MAX, 100, true).unwrap().len(), 0);
    assert!(matches!(read(&mut log, 101, 1, 100, true), Err(ReadError::OutOfRange { .. })));
    assert!(log.increment_start_offset(Offset(12)));
    assert!(matches!(read(&mut log, 11, 1, 100, true), Err(ReadError::OutOfRange { .. })));
    assert_eq!(first(&read(&mut log, 12, size, 100, true).unwrap()), Offset(10), "whole batches, as Kafka");
    assert!(!log.increment_start_offset(Offset(5)));
}

#[test]
fn a_reader_at_the_end_needs_no_look_up() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &LogConfig::default(), CLEAN);
    append(&mut log, batch(5, 100, 0));
    for i in 1..50 {
        append(&mut log, batch(5, 100, 0));
        let read = log.read(Offset(i * 5), 1 << 20, log.written_offset(), true).unwrap();
        let Read::Ready(plan) = read else { panic!("looked up at {i}") };
        assert_eq!(plan.first_offset, Offset(i * 5));
        log.remember(&plan);
    }
    // One that lags remembers where it was.
    wait(async {
        let first = plan(&mut log, 50, 1 << 20, 100, true).await.unwrap();
        assert_eq!(first.next_offset, Some(Offset(100)));
        assert!(matches!(log.read(Offset(100), 1 << 20, Offset(250), true).unwrap(), Read::Ready(_)));
    });
}

#[test]
fn a_segment_can_be_read_after_the_log_was_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = filled(dir.path(), &LogConfig::default());
    let plan = wait(plan(&mut log, 0, u32::MAX, 100, true)).unwrap();
    let path = log.rename_for_delete(crate::base::Uuid([3; 16])).unwrap();
    assert!(path.to_str().unwrap().ends_with("-delete"));
    crate::log::close::delete_dir(&path).unwrap();
    let range = plan.range.unwrap();
    let bytes = wait(range.file.read(range.position, range.len as usize)).unwrap();
    assert_eq!(batches(&bytes).filter(Result::is_ok).count(), 20);
}

#[test]
fn times_are_found_in_every_segment_and_across_falling_timestamps() {
    let dir = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 2000, index_interval_bytes: 300, ..LogConfig::default() };
    let mut log = filled(dir.path(), &config);
    append(&mut log, batch(2, 10, 50));
    let at = |log: &crate::log::Log, ms: i64| look(log.offset_for_timestamp(TimestampMs(NOW_MS + ms)));
    for ms in [0, 1, 33, 50, 98, 99] {
        assert_eq!(at(&log, ms).unwrap().offset, Offset(ms), "{ms}");
    }
    assert_eq!(at(&log, -1000).unwrap().offset, Offset(0));
    assert_eq!(at(&log, 100), None);
    let max = look(log.max_timestamp()).unwrap();
    assert_eq!((max.offset, max.timestamp), (Offset(99), TimestampMs(NOW_MS + 99)));
    log.increment_start_offset(Offset(42));
    assert_eq!(at(&log, 7).unwrap().offset, Offset(42), "nothing before the log start");
    let log = {
        log.close().unwrap();
        open(dir.path(), &config, CLEAN)
    };
    for ms in [0, 1, 33, 50, 98, 99] {
        assert_eq!(at(&log, ms).unwrap().offset, Offset(ms), "{ms} after a restart");
    }
    assert_eq!(look(log.max_timestamp()).unwrap(), max);
}
