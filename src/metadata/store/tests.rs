//! The store on files: those of Apache Kafka 4.3.1 in `testdata` (a node with static voters after two runs and clean
//! stops, and one formatted with `--standalone`), and our own.

use super::*;
use crate::base::{Instant, LeaderEpoch, Now, Offset, TimestampMs, TopicIdPartition};
use crate::metadata::{MetadataRecord, ResourceType};
use crate::protocol::messages::{FeatureLevelRecord, TopicRecord};
use crate::ring::runtime::block_on_test;
use std::path::Path;
use tempfile::TempDir;

const NOW: Now = Now { mono: Instant(0), wall: TimestampMs(1_795_300_000_000) };

fn config(dir: &Path, node: i32) -> StoreConfig {
    StoreConfig {
        dir: dir.into(),
        node_id: BrokerId(node),
        static_voters: Vec::new(),
        joins_quorum: false,
        min_insync_replicas: 1,
        snapshot_after_bytes: u64::MAX,
        snapshot_interval_ms: 0,
        retention_bytes: -1,
        retention_ms: -1,
        segment_bytes: 1 << 30,
        segment_ms: i64::MAX,
    }
}

/// A directory as Apache Kafka left it.
fn kafkas(which: &str) -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/metadata/testdata").join(which);
    let dir = tempfile::tempdir().unwrap();
    let partition = dir.path().join(METADATA_PARTITION_DIR);
    std::fs::create_dir(&partition).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = if entry.file_name() == BOOTSTRAP_CHECKPOINT { dir.path() } else { &partition };
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    dir
}

fn file(dir: &Path, name: &str) -> String {
    String::from_utf8(std::fs::read(dir.join(METADATA_PARTITION_DIR).join(name)).unwrap()).unwrap()
}

fn lead(dir: &Path) -> MetadataLog {
    block_on_test(MetadataLog::replay(config(dir, 1), NOW, None).unwrap().lead(NOW)).unwrap()
}

#[test]
fn a_log_of_apache_kafka_becomes_an_image() {
    let dir = kafkas("static");
    let replayed = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap();
    let image = replayed.image();
    assert_eq!((image.metadata_version(), image.feature("transaction.version")), (30, 2));
    assert!(image.topic_by_name("alpha").is_none(), "deleted");
    let beta = image.topic_by_name("beta").unwrap();
    assert_eq!((beta.partition_count(), beta.id.to_string().as_str()), (2, "KZYBmoNmRBaNTyRYmvsqWQ"));
    let partition = image.partition(&TopicIdPartition { topic_id: beta.id, partition: 1 }).unwrap();
    // Two clean stops and one start: led, not led, led, not led.
    assert_eq!((partition.leader, partition.leader_epoch), (BrokerId::NONE, LeaderEpoch(3)));
    assert_eq!((partition.isr.len(), partition.elr.as_slice()), (0, &[BrokerId(1)][..]));
    assert_eq!(image.topic_overrides("beta").collect::<Vec<_>>(), [("cleanup.policy", "compact")]);
    assert_eq!(image.config(ResourceType::Broker, "")["min.insync.replicas"], "1");
    let broker = image.broker(BrokerId(1)).unwrap();
    assert_eq!((broker.epoch, broker.fenced, broker.in_controlled_shutdown), (260, true, true));
    assert_eq!(image.producer_ids().unwrap().next.0, 1000);
    assert_eq!(image.offset(), Offset(276));
}

#[test]
fn a_start_raises_the_epoch_as_kafka_does() {
    let dir = kafkas("static");
    let log = lead(dir.path());
    assert_eq!((log.epoch(), log.image().offset(), log.next_offset()), (LeaderEpoch(3), Offset(277), Offset(278)));
    log.close().unwrap();
    let expected = r#"{"clusterId":"","leaderId":1,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,"currentVoters":[{"voterId":1}],"data_version":0}"#;
    assert_eq!(file(dir.path(), "quorum-state"), expected);
    assert_eq!(file(dir.path(), "leader-epoch-checkpoint"), "0\n3\n1 0\n2 257\n3 277\n");
}

#[test]
fn voters_in_the_log_are_read_and_foreign_ones_refused() {
    let dir = kafkas("dynamic");
    assert!(matches!(
        MetadataLog::replay(config(dir.path(), 2), NOW, None),
        Err(StoreError::ForeignVoters(voters)) if voters == [1]
    ));
    let log = lead(dir.path());
    log.close().unwrap();
    let expected =
        r#"{"leaderId":1,"leaderEpoch":2,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#;
    assert_eq!(file(dir.path(), "quorum-state"), expected);
}

#[test]
fn without_any_word_about_voters_a_node_that_is_to_join_waits_in_vain() {
    let dir = tempfile::tempdir().unwrap();
    let joins = StoreConfig { joins_quorum: true, ..config(dir.path(), 1) };
    assert!(matches!(MetadataLog::replay(joins, NOW, None), Err(StoreError::NoVoters)));
    let foreign = StoreConfig { static_voters: vec![BrokerId(1), BrokerId(2)], ..config(dir.path(), 1) };
    assert!(matches!(MetadataLog::replay(foreign, NOW, None), Err(StoreError::ForeignVoters(_))));
}

#[test]
fn a_new_node_takes_what_formatting_left() {
    let dir = tempfile::tempdir().unwrap();
    write_bootstrap_checkpoint(dir.path(), bootstrap_records(&[("group.version", 1)]), NOW.wall).unwrap();
    let voter = Voter {
        id: 1,
        directory_id: crate::base::Uuid([9; 16]),
        endpoints: vec![("CONTROLLER".into(), "localhost".into(), 9093)],
    };
    write_voters_checkpoint(dir.path(), &[voter], NOW.wall).unwrap();
    let log = lead(dir.path());
    assert_eq!((log.image().metadata_version(), log.image().feature("group.version")), (30, 1));
    // LeaderChange, KRaftVersion, Voters; Begin, two features, End.
    assert_eq!(log.next_offset(), Offset(7));
    log.close().unwrap();
    let again = lead(dir.path());
    assert_eq!((again.epoch(), again.next_offset()), (LeaderEpoch(2), Offset(8)));
}

#[test]
fn changes_survive_a_restart_without_a_clean_close() {
    let dir = tempfile::tempdir().unwrap();
    let before = block_on_test(async {
        let mut log = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap().lead(NOW).await.unwrap();
        let topic = TopicRecord { name: "t".into(), topic_id: crate::base::Uuid([5; 16]) };
        let (image, delta) = log.append(vec![topic.into()], NOW).await.unwrap();
        assert_eq!(delta.topics.len(), 1);
        image
    });
    let replayed = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap();
    assert_eq!(*replayed.image(), before);
}

#[test]
fn many_records_are_written_in_batches_kafka_takes() {
    let dir = tempfile::tempdir().unwrap();
    let level = |level| MetadataRecord::from(FeatureLevelRecord { name: "f".into(), feature_level: level });
    block_on_test(async {
        let mut log = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap().lead(NOW).await.unwrap();
        let first = log.next_offset();
        log.append((0..25_000).map(|n| level(n as i16)).collect(), NOW).await.unwrap();
        assert_eq!(log.next_offset().since(first), 25_000);
        log.close().unwrap();
    });
    let replayed = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap();
    assert_eq!(replayed.image().feature("f"), 24_999);
}

#[test]
fn a_snapshot_replaces_the_log_before_it() {
    let dir = kafkas("static");
    let partition = dir.path().join(METADATA_PARTITION_DIR);
    let replayed = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap();
    let image = replayed.image().clone();
    let job =
        SnapshotJob { dir: partition.clone(), image: image.clone(), kraft: replayed.kraft.clone(), now: NOW.wall };
    let id = job.run().unwrap().id;
    assert_eq!(id.file_name(), "00000000000000000277-0000000002.checkpoint");
    drop(replayed);
    assert_eq!(*MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap().image(), image);
    // The log lost: the snapshot alone carries everything on.
    std::fs::remove_file(partition.join("00000000000000000000.log")).unwrap();
    let log = lead(dir.path());
    assert_eq!((log.epoch(), log.next_offset()), (LeaderEpoch(3), Offset(278)));
    assert_eq!(log.image().topics().count(), 1);
}

fn topic(n: u8) -> MetadataRecord {
    TopicRecord { name: format!("t{n}").as_str().into(), topic_id: crate::base::Uuid([n; 16]) }.into()
}

#[test]
fn a_snapshot_is_due_when_the_log_has_grown_or_time_has_passed() {
    let dir = kafkas("static");
    let after = |ms: u64| Now { mono: Instant(ms * 1_000_000), wall: NOW.wall };
    block_on_test(async {
        let small = StoreConfig { snapshot_after_bytes: 300, snapshot_interval_ms: 50, ..config(dir.path(), 1) };
        let mut log = MetadataLog::replay(small, NOW, None).unwrap().lead(NOW).await.unwrap();
        let job = log.due_snapshot(NOW).expect("the log has grown since it was begun");
        log.append(vec![topic(5)], NOW).await.unwrap();
        assert!(log.due_snapshot(after(99)).is_none(), "one at a time");
        log.snapshot_ended(job.run());
        assert_eq!(log.until_snapshot(after(20)), Some(std::time::Duration::from_millis(30)));
        assert!(log.due_snapshot(after(49)).is_none());
        let job = log.due_snapshot(after(50)).expect("by time");
        log.snapshot_ended(job.run());
        assert_eq!(log.until_snapshot(after(1000)), None, "the newest has all there is");
        assert!(log.due_snapshot(after(1000)).is_none());
        for n in 6..13 {
            log.append(vec![topic(n)], after(60)).await.unwrap();
        }
        assert!(log.due_snapshot(after(60)).is_some(), "by bytes");
    });
    let names = snapshots::list(&dir.path().join(METADATA_PARTITION_DIR)).unwrap();
    assert_eq!(names.iter().map(|id| id.end_offset.0).collect::<Vec<_>>(), [278, 279]);
}

#[test]
fn old_snapshots_and_the_segments_they_cover_go_and_the_rest_is_the_same_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let partition = dir.path().join(METADATA_PARTITION_DIR);
    let tight = StoreConfig { retention_bytes: 0, segment_bytes: 300, ..config(dir.path(), 1) };
    let image = block_on_test(async {
        let mut log = MetadataLog::replay(tight.clone(), NOW, None).unwrap().lead(NOW).await.unwrap();
        assert!(log.shorten(NOW).is_none(), "there is no snapshot yet");
        for n in 1..=40 {
            log.append(vec![topic(n)], NOW).await.unwrap();
            if n % 10 == 0 {
                log.bytes_since_snapshot = u64::MAX;
                let job = log.due_snapshot(NOW).unwrap();
                log.snapshot_ended(job.run());
            }
        }
        let renamed = log.shorten(NOW).unwrap().run().unwrap();
        assert!(renamed.len() > 20, "{renamed:?}");
        assert!(log.shorten(NOW).is_none());
        let image = log.image().clone();
        log.close().unwrap();
        image
    });
    let names = || fs_names(&partition);
    assert_eq!(names().iter().filter(|name| name.ends_with(".checkpoint.deleted")).count(), 3, "{:?}", names());
    assert!(!names().contains(&"00000000000000000000.log".to_owned()), "{:?}", names());
    std::fs::write(partition.join("00000000000000000099-0000000001.checkpoint.part"), "half").unwrap();
    let replayed = MetadataLog::replay(tight, NOW, None).unwrap();
    assert_eq!(*replayed.image(), image);
    assert_eq!(snapshots::list(&partition).unwrap().len(), 1);
    assert!(names().iter().all(|name| !name.contains("deleted") && !name.ends_with(".part")), "{:?}", names());
}

#[test]
fn a_damaged_snapshot_is_put_aside_and_the_one_before_it_stays() {
    let dir = tempfile::tempdir().unwrap();
    let partition = dir.path().join(METADATA_PARTITION_DIR);
    let image = block_on_test(async {
        let mut log = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap().lead(NOW).await.unwrap();
        for n in 1..=2 {
            log.append(vec![topic(n)], NOW).await.unwrap();
            log.bytes_since_snapshot = u64::MAX;
            let job = log.due_snapshot(NOW).unwrap();
            log.snapshot_ended(job.run());
        }
        log.image().clone()
    });
    let [whole, damaged] = snapshots::list(&partition).unwrap()[..] else { panic!("two snapshots") };
    let path = partition.join(damaged.file_name());
    for len in [std::fs::metadata(&path).unwrap().len() - 1, 40, 0] {
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len).unwrap();
        let replayed = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap();
        assert_eq!(*replayed.image(), image);
        let kept: Vec<_> = replayed.snapshots.iter().map(|snapshot| snapshot.id).collect();
        assert_eq!(kept, [whole], "{len}");
        std::fs::rename(partition.join(damaged.file_name() + ".damaged"), &path).unwrap();
    }
}

fn fs_names(dir: &Path) -> Vec<String> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn large_records_are_split_into_batches_that_a_raft_log_takes() {
    let dir = tempfile::tempdir().unwrap();
    let value = "x".repeat(32_000);
    let set = |n: usize| {
        MetadataRecord::from(crate::protocol::messages::ConfigRecord {
            resource_type: 4,
            resource_name: "".into(),
            name: format!("my.plugin.{n}").as_str().into(),
            value: Some(value.as_str().into()),
        })
    };
    let before = block_on_test(async {
        let mut log = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap().lead(NOW).await.unwrap();
        let (image, _) = log.append((0..600).map(set).collect(), NOW).await.unwrap();
        let too_long = crate::protocol::messages::ConfigRecord {
            resource_type: 4,
            name: "k".into(),
            value: Some("x".repeat(40_000).as_str().into()),
            ..Default::default()
        };
        let end = log.next_offset();
        assert!(matches!(log.append(vec![set(0), too_long.into()], NOW).await, Err(StoreError::Encode(_))));
        assert_eq!(log.next_offset(), end, "nothing of it was written");
        log.bytes_since_snapshot = u64::MAX;
        let job = log.due_snapshot(NOW).unwrap();
        log.snapshot_ended(job.run());
        image
    });
    let replayed = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap();
    assert_eq!(*replayed.image(), before);
}

#[test]
fn what_was_looked_at_is_not_read_again_unless_it_changed() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let topic_id = crate::base::Uuid([name.len() as u8; 16]);
        let record = TopicRecord { name: name.into(), topic_id };
        block_on_test(async {
            let mut log = MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap().lead(NOW).await.unwrap();
            log.append(vec![record.into()], NOW).await.unwrap();
        });
    };
    write("a");
    let mut peeked = peek(dir.path()).unwrap().unwrap();
    assert!(peeked.image().topic_by_name("a").is_some());
    let image = MetadataLog::replay(config(dir.path(), 1), NOW, Some(peeked)).unwrap().image().clone();
    assert_eq!(image, *MetadataLog::replay(config(dir.path(), 1), NOW, None).unwrap().image());
    // What it is handed is what it goes by: it does not read the records.
    peeked = peek(dir.path()).unwrap().unwrap();
    peeked.loader = crate::metadata::loader::Loader::default();
    let replayed = MetadataLog::replay(config(dir.path(), 1), NOW, Some(peeked)).unwrap();
    assert_eq!(replayed.image().topic_count(), 0);
    // Another process wrote meanwhile.
    let stale = peek(dir.path()).unwrap().unwrap();
    write("bb");
    let replayed = MetadataLog::replay(config(dir.path(), 1), NOW, Some(stale)).unwrap();
    assert_eq!(replayed.image().topic_count(), 2);
}
