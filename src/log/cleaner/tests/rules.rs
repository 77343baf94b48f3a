//! What stays and what goes, one rule a test.

use super::support::*;
use crate::base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::log::cleaner::CleanError;
use crate::log::files::FileKind;
use crate::log::txn_index::{self, AbortedTxn};
use crate::log::{AppendOrigin, Log};
use crate::record::control::EndTxnMarker;
use crate::record::{BatchBuilder, batches};
use bytes::Bytes;

const DAY: i64 = 86_400_000;

fn put(log: &mut Log, records: &[(&str, Option<&str>)]) {
    let mut builder = BatchBuilder::new(Offset(0));
    for (key, value) in records {
        builder.append(TimestampMs(NOW_MS), Some(key.as_bytes()), value.map(str::as_bytes), &[]);
    }
    append(log, builder.build());
}

/// Closes the active segment: the next batch begins another.
fn roll(log: &mut Log) {
    log.accept_roll(log.end_offset(), TimestampMs(NOW_MS));
    write(log);
    put(log, &[("tail", Some("t"))]);
}

fn empty_log() -> (tempfile::TempDir, Log) {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &config(1 << 20), CLEAN);
    (dir, log)
}

fn transactional(id: i64, sequence: i32, records: &[(&str, &str)]) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(id), ProducerEpoch(0), sequence).transactional();
    for (key, value) in records {
        builder.append(TimestampMs(NOW_MS), Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    }
    builder.build()
}

fn marker(id: i64, commit: bool) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(id), ProducerEpoch(0), -1).transactional();
    let marker = EndTxnMarker { commit, coordinator_epoch: 0 };
    builder.append_control(TimestampMs(NOW_MS), marker.control_type(), &marker.value());
    builder.build()
}

fn append_coordinated(log: &mut Log, bytes: Bytes) {
    log.append_as_leader(bytes, AppendOrigin::Coordinator, LeaderEpoch(0), now()).unwrap();
    write(log);
}

#[test]
fn the_last_of_each_key_stays_at_its_offset() {
    let (_dir, mut log) = empty_log();
    put(&mut log, &[("a", Some("1")), ("b", Some("1")), ("a", Some("2"))]);
    put(&mut log, &[("c", Some("1")), ("b", Some("2"))]);
    roll(&mut log);
    assert_eq!(clean(&mut log, None, NOW_MS), Offset(5));
    assert_eq!(told(&mut log), ["2 a=2", "3 c=1", "4 b=2", "5 tail=t"]);
    assert_eq!((log.start_offset(), log.end_offset(), log.segment_count()), (Offset(0), Offset(6), 2));
    for (from, first) in [(0, "2 a=2"), (3, "3 c=1"), (5, "5 tail=t")] {
        let bytes = read(&mut log, from, 1000, 6, true).unwrap();
        let found = seen_in(&bytes).into_iter().find(|s| s.offset >= from).unwrap();
        assert!(first.starts_with(&found.offset.to_string()), "a reader at {from} goes on");
    }
}

#[test]
fn a_tombstone_outlives_its_first_round_by_delete_retention() {
    let (_dir, mut log) = empty_log();
    put(&mut log, &[("a", Some("1")), ("b", Some("1")), ("a", None)]);
    roll(&mut log);
    let cleaned = clean(&mut log, None, NOW_MS);
    assert_eq!(told(&mut log), ["1 b=1", "2 a=null", "3 tail=t"]);
    let bytes = bytes_of(&mut log);
    let header = *batches(&bytes).next().unwrap().unwrap().header();
    assert!(header.has_delete_horizon());
    assert_eq!(header.base_timestamp(), TimestampMs(NOW_MS + DAY));
    roll(&mut log);
    let cleaned = clean(&mut log, Some(cleaned), NOW_MS + DAY - 1);
    assert_eq!(told(&mut log), ["1 b=1", "2 a=null", "3 tail=t", "4 tail=t"]);
    roll(&mut log);
    clean(&mut log, Some(cleaned), NOW_MS + DAY);
    assert_eq!(told(&mut log), ["1 b=1", "4 tail=t", "5 tail=t"]);
}

#[test]
fn aborted_data_goes_and_the_marker_when_its_time_is_over() {
    let (_dir, mut log) = empty_log();
    put(&mut log, &[("a", Some("kept"))]);
    append_coordinated(&mut log, transactional(7, 0, &[("a", "void"), ("b", "void")]));
    append_coordinated(&mut log, marker(7, false));
    append_coordinated(&mut log, transactional(7, 2, &[("b", "good")]));
    append_coordinated(&mut log, marker(7, true));
    let entry = AbortedTxn { producer: ProducerId(7), first: Offset(1), last: Offset(3), last_stable: Offset(4) };
    roll(&mut log);
    let index = FileKind::TxnIndex.path(log.dir(), Offset(0));
    std::fs::write(&index, txn_index::encode(&[entry])).unwrap();
    let cleaned = clean(&mut log, None, NOW_MS);
    assert_eq!(told(&mut log), ["0 a=kept", "4 b=good", "6 tail=t"]);
    assert_eq!(seen(&mut log).iter().filter(|s| s.control).count(), 2, "both markers");
    assert_eq!(txn_index::read(&index, Offset(0)).unwrap(), [entry], "there was data in this round");
    roll(&mut log);
    let cleaned = clean(&mut log, Some(cleaned), NOW_MS + 5);
    let controls = |log: &mut Log| seen(log).iter().filter(|s| s.control).map(|s| s.offset).collect::<Vec<_>>();
    assert_eq!(controls(&mut log), [3, 5], "without data, and its time begins");
    assert_eq!(txn_index::read(&index, Offset(0)).unwrap(), [], "nothing is aborted any more");
    roll(&mut log);
    clean(&mut log, Some(cleaned), NOW_MS + 5 + DAY);
    assert_eq!(controls(&mut log), [5], "the commit has its data still");
}

#[test]
fn the_last_batch_of_a_producer_and_of_the_round_stay_empty() {
    let (_dir, mut log) = empty_log();
    let batch = |sequence, value: &str| {
        let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(5), ProducerEpoch(1), sequence);
        builder.append(TimestampMs(NOW_MS), Some(b"k"), Some(value.as_bytes()), &[]);
        builder.build()
    };
    append(&mut log, batch(0, "1"));
    append(&mut log, batch(1, "2"));
    put(&mut log, &[("k", Some("3")), ("l", Some("1"))]);
    put(&mut log, &[("l", Some("2"))]);
    put(&mut log, &[("l", Some("3"))]);
    roll(&mut log);
    put(&mut log, &[("l", Some("4"))]);
    let (upto, stats) = {
        let plan = plan(&log, None, NOW_MS);
        run(&mut log, plan).unwrap()
    };
    assert_eq!((upto, stats.records_before, stats.records_after), (Offset(6), 6, 2));
    assert_eq!(told(&mut log), ["2 k=3", "5 l=3", "6 tail=t", "7 l=4"]);
    assert_eq!(all(&mut log), [(1, 1), (2, 3), (5, 5), (6, 6), (7, 7)]);
    roll(&mut log);
    clean(&mut log, Some(upto), NOW_MS);
    assert_eq!(told(&mut log), ["2 k=3", "6 tail=t", "7 l=4", "8 tail=t"]);
    assert_eq!(all(&mut log), [(1, 1), (2, 3), (6, 6), (7, 7), (8, 8)], "the producer's last stays");
    let dir = log.dir().parent().unwrap().to_owned();
    log.close().unwrap();
    for snapshot in names(&dir.join("t-0")).into_iter().filter(|n| n.ends_with(".snapshot")) {
        std::fs::remove_file(dir.join("t-0").join(snapshot)).unwrap();
    }
    let log = open(&dir, &config(1 << 20), UNCLEAN);
    assert_eq!(log.producers().get(ProducerId(5)).unwrap().last_sequence(), 1, "known from the empty batch");
}

#[test]
fn records_without_a_key_go() {
    let (dir, log) = empty_log();
    log.close().unwrap();
    let mut log = open(dir.path(), &crate::log::LogConfig::default(), CLEAN);
    append(&mut log, idempotent(-1, -1, -1, 3));
    put(&mut log, &[("a", Some("1"))]);
    roll(&mut log);
    let plan = plan(&log, None, NOW_MS);
    assert_eq!(run(&mut log, plan).unwrap().1.keyless, 3);
    assert_eq!(told(&mut log), ["3 a=1", "4 tail=t"]);
}

#[test]
fn a_full_map_cleans_as_far_as_it_reached() {
    let (_dir, mut log) = empty_log();
    for round in 0..3 {
        for key in 0..40 {
            put(&mut log, &[(&format!("k{key}"), Some(&format!("{round}")))]);
        }
    }
    roll(&mut log);
    let mut small = plan(&log, None, NOW_MS);
    small.map_bytes = 16 * 24;
    let (upto, stats) = run(&mut log, small).unwrap();
    assert_eq!((upto, stats.keys), (Offset(21), 21), "0.9 of 24 entries");
    assert_eq!(told(&mut log).len(), 121, "no key twice so far");
    let mut at = upto;
    for _ in 0..20 {
        let mut small = plan(&log, Some(at), NOW_MS);
        small.map_bytes = 16 * 24;
        at = run(&mut log, small).unwrap().0;
    }
    assert_eq!(at, Offset(120));
    assert_eq!(told(&mut log).len(), 41);
}

#[test]
fn small_segments_become_one_and_keep_their_date() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), &config(600), CLEAN);
    for i in 0..60 {
        put(&mut log, &[(&format!("k{}", i % 3), Some(&format!("value {i}")))]);
    }
    let closed = log.closed_segments();
    assert!(closed.len() > 5);
    let last = closed.last().unwrap().base;
    crate::ring::fs::set_mtime_ms(&FileKind::Log.path(log.dir(), last), 1_234_567_000).unwrap();
    let cleaned = clean(&mut log, None, NOW_MS);
    assert_eq!(log.closed_segments().len(), closed.len(), "each filled a segment before it was cleaned");
    assert_eq!(crate::ring::fs::mtime_ms(&FileKind::Log.path(log.dir(), last)).unwrap(), 1_234_567_000);
    roll(&mut log);
    clean(&mut log, Some(cleaned), NOW_MS);
    assert_eq!(log.closed_segments().len(), 1, "now they fit one");
    let snapshots = names(log.dir()).into_iter().filter(|n| n.ends_with(".snapshot")).count();
    assert_eq!(snapshots, 1, "that of the active segment");
    let after = told(&mut log);
    let dir_names = names(log.dir());
    assert!(dir_names.iter().all(|n| !n.ends_with(".cleaned") && !n.ends_with(".swap")), "{dir_names:?}");
    drop(log);
    let mut log = open(dir.path(), &config(600), UNCLEAN);
    assert_eq!(told(&mut log), after);
}

#[test]
fn a_flipped_byte_stops_the_round_and_changes_nothing() {
    let (_dir, mut log) = empty_log();
    put(&mut log, &[("a", Some("1")), ("a", Some("2"))]);
    roll(&mut log);
    let path = FileKind::Log.path(log.dir(), Offset(0));
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let before = names(log.dir());
    let plan = plan(&log, None, NOW_MS);
    match run(&mut log, plan) {
        Err(CleanError::Uncleanable { segment, why }) => {
            assert_eq!(segment, Offset(0));
            assert!(why.contains("position 0") && why.contains("crc"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(names(log.dir()), before);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_segment_that_went_meanwhile_is_not_replaced() {
    let (_dir, mut log) = empty_log();
    put(&mut log, &[("a", Some("1")), ("a", Some("2"))]);
    roll(&mut log);
    let mut round = crate::log::cleaner::Round::new(plan(&log, None, NOW_MS));
    let replacement = loop {
        if let crate::log::cleaner::RoundStep::Swap(replacement) = round.step(1 << 20).unwrap() {
            break replacement;
        }
    };
    let (_other_dir, mut moved) = empty_log();
    put(&mut moved, &[("a", Some("1")), ("a", Some("2"))]);
    roll(&mut moved);
    assert_eq!(moved.closed_segments(), log.closed_segments());
    assert!(!moved.begin_replace(&replacement), "the log was moved to another directory");
    log.truncate_to(Offset(1)).unwrap();
    assert!(!log.begin_replace(&replacement));
    replacement.discard().unwrap();
    assert!(names(log.dir()).iter().all(|n| !n.ends_with(".cleaned")));
}

#[test]
fn a_segment_that_compaction_emptied_does_not_hold_up_retention() {
    let dir = tempfile::tempdir().unwrap();
    let both = crate::log::LogConfig { delete: true, retention_ms: 1000, ..config(1 << 20) };
    let mut log = open(dir.path(), &both, CLEAN);
    put(&mut log, &[("a", Some("1"))]);
    log.accept_roll(log.end_offset(), TimestampMs(NOW_MS));
    write(&mut log);
    put(&mut log, &[("a", Some("2")), ("b", Some("1"))]);
    roll(&mut log);
    clean(&mut log, None, NOW_MS);
    let sizes = |log: &Log| log.closed_segments().iter().map(|s| s.size).collect::<Vec<_>>();
    assert_eq!(log.segment_count(), 2, "both fit one segment");
    let emptied = |log: &mut Log| {
        put(log, &[("a", Some("3")), ("b", Some("2"))]);
        roll(log);
        let mut plan = plan(log, None, NOW_MS);
        plan.config.segment_bytes = 1;
        run(log, plan).unwrap();
    };
    emptied(&mut log);
    assert_eq!(sizes(&log)[0], 0, "nothing is left of the first");
    for restart in [false, true] {
        if restart {
            drop(log);
            log = open(dir.path(), &both, UNCLEAN);
        }
        let first = FileKind::Log.path(log.dir(), log.closed_segments()[0].base);
        let modified = crate::ring::fs::mtime_ms(&first).unwrap();
        let later = crate::base::Now { wall: TimestampMs(modified + 5000), ..now() };
        if let Some(look) = log.look_at_ages(later) {
            log.note_ages(&look.run().unwrap());
        }
        let expired = log.expired(log.written_offset(), later).unwrap();
        assert!(expired.segments > 1, "after a restart {restart}: {expired:?}");
    }
}
