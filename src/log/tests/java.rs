//! A directory written by Apache Kafka 4.3.1: `plain` (three segments, an idempotent producer) and `packed` (one
//! batch or more of each codec, then transactions).

use super::support::*;
use crate::base::{Instant, LeaderEpoch, Now, Offset, ProducerId, TimestampMs, TopicIdPartition, Uuid};
use crate::log::dirs::{LogDirs, Wanted};
use crate::log::{Log, LogConfig, LogDir};
use crate::record::{Compression, batches};
use std::fs;
use std::path::{Path, PathBuf};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { _ = fs::copy(entry.path(), target).unwrap() }
    }
}

fn fixture() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/log/testdata/kafka-4.3.1"), dir.path());
    dir
}

/// 2026-11-21, when it was written.
fn then() -> Now {
    Now { mono: Instant(0), wall: TimestampMs(1_795_256_040_000) }
}

fn wanted(dir: &Path, topic: &str) -> Wanted {
    let name = crate::base::TopicPartition::new(topic, 0);
    let topic_id = crate::log::files::read_partition_metadata(&dir.join(name.to_string())).unwrap().unwrap();
    let config = LogConfig { segment_ms: 2000, index_interval_bytes: 512, ..LogConfig::default() };
    Wanted { id: TopicIdPartition { topic_id, partition: 0 }, name, directory: Uuid::ZERO, is_new: true, config }
}

fn open_topic(dir: &Path, topic: &str) -> (LogDirs, Log) {
    let dirs = LogDirs::new(vec![LogDir::open(dir).unwrap()], Vec::new()).unwrap();
    let log = dirs.open_or_create(&wanted(dir, topic), then()).unwrap();
    (dirs, log)
}

#[test]
fn kafkas_directory_is_read_as_it_is() {
    let dir = fixture();
    let (dirs, mut log) = open_topic(dir.path(), "plain");
    assert_eq!(dirs.dirs()[0].clean_broker_epoch(), Some(12));
    assert_eq!(dirs.on_disk().len(), 2);
    assert_eq!((log.start_offset(), log.flushed_offset(), log.end_offset()), (Offset(0), Offset(900), Offset(900)));
    assert_eq!(log.segment_count(), 3);
    let seen = all(&mut log);
    assert_eq!(seen.first().map(|b| b.0), Some(0));
    assert!(seen.windows(2).all(|w| w[0].1 + 1 == w[1].0));
    assert_eq!(log.end_of_epoch(LeaderEpoch(0)).end_offset, Offset(900));
    let producer = log.producers().get(ProducerId(0)).unwrap();
    assert_eq!((producer.last_sequence(), producer.batches[0].first_sequence()), (899, 897));
    assert_eq!(log.producers().get(ProducerId(0)).unwrap().last_timestamp, TimestampMs(1_795_256_037_345));
}

#[test]
fn an_unclean_start_builds_the_same_indexes_snapshots_and_epochs() {
    let dir = fixture();
    let files = dir.path().join("plain-0");
    let original: Vec<_> = names(&files).into_iter().map(|n| (fs::read(files.join(&n)).unwrap(), n)).collect();
    fs::remove_file(dir.path().join(".kafka_cleanshutdown")).unwrap();
    fs::remove_file(dir.path().join("recovery-point-offset-checkpoint")).unwrap();
    for (_, name) in &original {
        if name.ends_with("index") || name.ends_with(".snapshot") {
            fs::remove_file(files.join(name)).unwrap();
        }
    }
    let (dirs, mut log) = open_topic(dir.path(), "plain");
    assert_eq!((log.flushed_offset(), log.end_offset()), (Offset(0), Offset(900)));
    let end = log.end_offset();
    assert_eq!(all(&mut log).len(), all(&mut open_topic(fixture().path(), "plain").1).len());
    dirs.close_all(vec![(log, end)], 1);
    for (content, name) in original {
        let kept = !name.ends_with(".snapshot") || name.contains("900");
        if kept {
            assert!(fs::read(files.join(&name)).unwrap() == content, "{name} differs from what Kafka wrote");
        }
    }
}

#[test]
fn times_are_found_in_compressed_batches_of_every_codec() {
    let dir = fixture();
    let (_dirs, mut log) = open_topic(dir.path(), "packed");
    let end = log.written_offset().0;
    let bytes = read(&mut log, 0, u32::MAX, end, true).unwrap();
    let mut codecs = Vec::new();
    for batch in batches(&bytes).map(Result::unwrap) {
        let header = batch.header();
        codecs.push(header.compression().unwrap());
        if header.is_control() {
            continue;
        }
        let found = look(log.offset_for_timestamp(header.max_timestamp())).unwrap();
        assert!(found.timestamp >= header.max_timestamp());
        assert!(found.offset <= header.last_offset());
        assert!(!batch.unpacked(1 << 20).unwrap().is_empty());
    }
    for codec in [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        assert!(codecs.contains(&codec), "{codec:?}");
    }
    assert_eq!(log.first_unstable_offset(log.end_offset()), None, "all transactions are ended");
    let max = look(log.max_timestamp()).unwrap();
    assert_eq!(look(log.offset_for_timestamp(TimestampMs(max.timestamp.0 + 1))), None);
}

#[test]
fn what_we_append_goes_on_where_kafka_stopped() {
    let dir = fixture();
    let (dirs, mut log) = open_topic(dir.path(), "plain");
    log.note_epoch(LeaderEpoch(1), log.end_offset());
    let mut builder =
        crate::record::BatchBuilder::new(Offset(0)).producer(ProducerId(0), crate::base::ProducerEpoch(0), 900);
    builder.append(then().wall, None, Some(b"ours"), &[]);
    let info = log.append_as_leader(builder.build(), crate::log::AppendOrigin::Client, LeaderEpoch(1), then()).unwrap();
    assert_eq!(info.first_offset, Offset(900));
    wait(write_async(&mut log));
    dirs.close_all(vec![(log, Offset(901))], 1);
    dirs.dirs()[0].write_checkpoints().unwrap();
    dirs.dirs()[0].write_clean_shutdown(13).unwrap();
    drop(dirs);
    let (dirs, log) = open_topic(dir.path(), "plain");
    assert_eq!((log.flushed_offset(), log.end_offset()), (Offset(901), Offset(901)));
    assert_eq!(dirs.dirs()[0].checkpoint(log.partition()).high_watermark, Offset(901));
}
