//! All logs of a start opened at once, all of a stop closed at once.

use super::support::{append, batch, now};
use crate::base::{Instant, Offset, TopicIdPartition, TopicPartition, Uuid};
use crate::config::meta_properties::MetaProperties;
use crate::log::dir::{LogDir, format};
use crate::log::dirs::{LogDirs, Wanted};
use crate::log::{Log, LogConfig};
use std::path::Path;

pub(super) const TOPIC: Uuid = Uuid([3; 16]);

pub(super) fn dirs(paths: &[&Path]) -> LogDirs {
    let open = |(i, path): (usize, &&Path)| {
        let id = Some(Uuid([i as u8 + 1; 16]));
        let meta = MetaProperties { cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(), node_id: 1, directory_id: id };
        if !path.join("meta.properties").exists() {
            format(path, &meta).unwrap();
        }
        LogDir::open(path).unwrap()
    };
    LogDirs::new(paths.iter().enumerate().map(open).collect(), Vec::new()).unwrap()
}

pub(super) fn wanted(partition: i32) -> Wanted {
    Wanted {
        id: TopicIdPartition { topic_id: TOPIC, partition },
        name: TopicPartition::new("t", partition),
        directory: Uuid::ZERO,
        is_new: true,
        config: LogConfig { segment_bytes: 100_000, ..LogConfig::default() },
    }
}

fn create(dirs: &LogDirs, count: i32) -> Vec<Log> {
    (0..count).map(|n| dirs.open_or_create(&wanted(n), now()).unwrap()).collect()
}

fn open_all(dirs: &LogDirs, count: i32) -> Vec<Log> {
    dirs.open_ahead((0..count).map(wanted).collect(), 2, now(), || Instant(0));
    (0..count).map(|n| dirs.take_opened(&wanted(n).id).unwrap_or_else(|| panic!("t-{n} is not open"))).collect()
}

fn finish(dirs: &LogDirs) {
    for dir in dirs.dirs() {
        dir.write_checkpoints().unwrap();
        dir.write_clean_shutdown(7).unwrap();
    }
}

#[test]
fn logs_closed_together_are_clean_and_opened_together() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let paths = [a.path(), b.path()];
    // Few are synced one by one, many by the file system.
    for count in [5, 150] {
        let open = dirs(&paths);
        let mut logs = create(&open, count);
        for log in &mut logs {
            append(log, batch(3, 100, 0));
        }
        let ends: Vec<_> = logs.iter().map(Log::end_offset).collect();
        open.close_all(logs.into_iter().map(|log| (log, Offset(3))).collect(), 3);
        finish(&open);
        drop(open);

        let open = dirs(&paths);
        assert!(open.dirs().iter().all(|dir| dir.was_clean() && !dir.is_left_unclean()));
        let logs = open_all(&open, count);
        assert_eq!(logs.iter().map(Log::end_offset).collect::<Vec<_>>(), ends);
        assert!(logs.iter().all(|log| log.flushed_offset() == log.end_offset()));
        assert_eq!(open.dirs()[0].checkpoint(&wanted(0).name).high_watermark, Offset(3));
        assert!(open.take_opened(&wanted(0).id).is_none(), "each is given once");
    }
}

#[test]
fn idle_logs_are_not_touched_by_a_stop_although_each_start_begins_an_epoch() {
    let a = tempfile::tempdir().unwrap();
    let open = dirs(&[a.path()]);
    let mut logs = create(&open, 1);
    append(&mut logs[0], batch(3, 100, 0));
    open.close_all(logs.into_iter().map(|log| (log, Offset(3))).collect(), 1);
    finish(&open);
    drop(open);
    let modified = || {
        let entries = std::fs::read_dir(a.path().join("t-0")).unwrap();
        let mut all: Vec<_> =
            entries.map(|e| e.unwrap()).map(|e| (e.path(), e.metadata().unwrap().modified())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        format!("{all:?} {:?}", std::fs::metadata(a.path().join("t-0")).unwrap().modified())
    };
    let before = modified();
    for epoch in 1..4 {
        let open = dirs(&[a.path()]);
        let mut logs = open_all(&open, 1);
        let end = logs[0].end_offset();
        logs[0].note_epoch(crate::base::LeaderEpoch(epoch), end);
        open.close_all(logs.into_iter().map(|log| (log, end)).collect(), 1);
        finish(&open);
    }
    assert_eq!(modified(), before);
}

#[test]
fn an_unclean_start_checks_only_what_lies_behind_the_recovery_point() {
    let a = tempfile::tempdir().unwrap();
    let open = dirs(&[a.path()]);
    let mut logs = create(&open, 1);
    let log = &mut logs[0];
    while log.segment_count() < 4 {
        append(log, batch(10, 1000, 0));
    }
    super::support::flush(log);
    append(log, batch(10, 1000, 0));
    open.set_checkpoint(log, log.end_offset());
    open.dirs()[0].write_checkpoints().unwrap();
    let (end, segments) = (log.end_offset(), log.segment_count());
    drop(logs);
    drop(open);
    // A flipped bit in a closed segment is not seen: it was not read. In the active one it is.
    let first = a.path().join("t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&first).unwrap();
    bytes[200] ^= 1;
    std::fs::write(&first, &bytes).unwrap();
    let open = dirs(&[a.path()]);
    let logs = open_all(&open, 1);
    assert_eq!((logs[0].end_offset(), logs[0].segment_count()), (end, segments));
}
