//! Indexes of closed segments that were damaged after a clean stop.

use super::support::*;
use crate::base::{Offset, TimestampMs};
use crate::log::{Log, LogConfig};
use std::path::{Path, PathBuf};

fn config() -> LogConfig {
    LogConfig { segment_bytes: 60_000, index_interval_bytes: 500, ..LogConfig::default() }
}

/// A log of some segments, cleanly closed.
fn closed(dir: &Path) -> Vec<PathBuf> {
    let mut log = open(dir, &config(), CLEAN);
    for i in 0..150 {
        append(&mut log, batch(3, 400, i * 10));
    }
    assert!(log.segment_count() > 3);
    log.close().unwrap();
    let partition = dir.join("t-0");
    let indexes = names(&partition).into_iter().filter(|name| name.ends_with("index"));
    indexes.map(|name| partition.join(name)).collect()
}

/// Looks everywhere, by offset and by time.
fn look_around(log: &mut Log) {
    for offset in 0..450 {
        let bytes = read(log, offset, 1, 450, true).unwrap();
        let found = crate::record::batches(&bytes).next().unwrap().unwrap();
        assert!(found.header().base_offset().0 <= offset && found.header().last_offset().0 >= offset);
        let time = NOW_MS + offset / 3 * 10 + offset % 3;
        assert_eq!(look(log.offset_for_timestamp(TimestampMs(time))).unwrap().offset, Offset(offset));
    }
}

fn mend(log: &mut Log) -> usize {
    let mut mended = 0;
    while let Some(job) = log.begin_mend() {
        let done = job.run().unwrap();
        assert!(log.complete_mend(job, Some(done)).is_none());
        mended += 1;
    }
    mended
}

#[test]
fn a_damaged_index_is_written_anew_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let indexes = closed(dir.path());
    for path in &indexes[..4] {
        let whole = std::fs::read(path).unwrap();
        let mut bent = whole.clone();
        bent.iter_mut().for_each(|byte| *byte ^= 0x15);
        std::fs::write(path, &bent).unwrap();
        let mut log = open(dir.path(), &config(), CLEAN);
        look_around(&mut log);
        assert!(log.has_suspects(), "{}", path.display());
        assert_eq!(mend(&mut log), 1);
        assert_eq!(std::fs::read(path).unwrap(), whole, "{}", path.display());
        look_around(&mut log);
        assert!(!log.has_suspects());
    }
}

#[test]
fn of_a_damaged_segment_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let indexes = closed(dir.path());
    let segment = dir.path().join("t-0/00000000000000000000.log");
    let mut log = open(dir.path(), &config(), CLEAN);
    std::fs::write(&indexes[0], std::fs::read(&indexes[0]).unwrap().iter().map(|b| b ^ 0x15).collect::<Vec<_>>())
        .unwrap();
    look_around(&mut log);
    let mut bytes = std::fs::read(&segment).unwrap();
    let end = bytes.len();
    bytes[end - 1300 + 16] = 9;
    bytes[end / 2..].fill(9);
    std::fs::write(&segment, bytes).unwrap();
    let before = std::fs::read(&indexes[0]).unwrap();
    let job = log.begin_mend().unwrap();
    assert_eq!(job.run().unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    assert!(log.complete_mend(job, None).is_none());
    assert_eq!(std::fs::read(&indexes[0]).unwrap(), before);
    assert!(log.begin_mend().is_none(), "until somebody meets it again");
}

#[test]
fn a_segment_that_went_meanwhile_leaves_no_index() {
    let dir = tempfile::tempdir().unwrap();
    let indexes = closed(dir.path());
    std::fs::write(&indexes[0], std::fs::read(&indexes[0]).unwrap().iter().map(|b| b ^ 0x15).collect::<Vec<_>>())
        .unwrap();
    let mut log = open(dir.path(), &config(), CLEAN);
    look_around(&mut log);
    let job = log.begin_mend().unwrap();
    let done = job.run().unwrap();
    let gone = log.remove_oldest(1);
    assert_eq!(gone, [Offset(0)]);
    std::fs::remove_file(dir.path().join("t-0/00000000000000000000.log")).unwrap();
    let void = log.complete_mend(job, Some(done)).expect("its segment is gone");
    void.remove().unwrap();
    assert!(!indexes[0].exists());
}
