//! A partition over a log on disk: who is told when.

use super::{AppendAsk, AppendOutcome, Appending, Askers, Counts, Partition, RequiredAcks};
use crate::base::{
    BrokerId, ErrorCode, Instant, LeaderEpoch, Now, Offset, TimestampMs, TopicIdPartition, TopicPartition, Uuid,
};
use crate::log::{LogConfig, ReadError, Recovery, UnrecoveredLog, Verification};
use crate::metadata::PartitionRegistration;
use crate::protocol::messages::PartitionRecord;
use crate::record::BatchBuilder;
use crate::ring::fault::{self, Op};
use crate::ring::runtime::{block_on_test, spawn};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

const NODE: BrokerId = BrokerId(1);

fn now() -> Now {
    Now { mono: Instant(0), wall: TimestampMs(1_700_000_000_000) }
}

fn partition(dir: &Path, flush_messages: i64) -> Rc<Partition> {
    let name = TopicPartition::new("t", 0);
    let config = LogConfig { flush_messages, ..LogConfig::default() };
    let recovery = Recovery { clean: true, recovery_point: Offset(0), log_start: Offset(0) };
    let log = UnrecoveredLog::open(dir.join("t-0"), name.clone(), config).unwrap().recover(recovery, now()).unwrap();
    let id = TopicIdPartition { topic_id: Uuid([7; 16]), partition: 0 };
    let counts = (Counts::new(log.end_offset()), Askers::new(0, 1));
    let partition = Partition::new(id, name, log, 1, counts);
    let record = PartitionRecord { replicas: vec![1], isr: vec![1], leader: 1, leader_epoch: 0, ..Default::default() };
    partition.apply(Arc::new(PartitionRegistration::of(&record)), NODE);
    assert_eq!(partition.leads(), Some(LeaderEpoch(0)));
    Rc::new(partition)
}

fn produce(partition: &Partition, acks: RequiredAcks) -> Appending {
    let mut batch = BatchBuilder::new(Offset(0));
    batch.append(now().wall, None, Some(b"value"), &[]);
    let ask = AppendAsk {
        records: batch.build(),
        acks,
        deadline: Instant(u64::MAX),
        version: 11,
        verification: Verification::Off,
    };
    let appending = partition.append(ask, now());
    assert!(appending.is_accepted());
    appending
}

async fn told(appending: Appending) -> (ErrorCode, i64) {
    let AppendOutcome { error, base_offset, .. } = appending.finish().await;
    (error, base_offset)
}

#[test]
fn who_writes_while_a_flush_runs_shares_the_next_one() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let partition = partition(dir.path(), 1);
        let early = [produce(&partition, RequiredAcks::All), produce(&partition, RequiredAcks::Leader)];
        partition.clone().write_accepted().await.unwrap();
        assert_eq!(partition.high_watermark(), Offset(0), "written is not enough");
        let job = partition.with_log(|log| log.begin_flush()).unwrap();
        let late = [produce(&partition, RequiredAcks::All), produce(&partition, RequiredAcks::All)];
        partition.clone().write_accepted().await.unwrap();
        let flushed = job.run().await;
        partition.with_log(|log| log.complete_flush(job, flushed)).unwrap();
        partition.committed();
        assert_eq!(partition.high_watermark(), Offset(2));
        for (offset, one) in early.into_iter().enumerate() {
            assert_eq!(told(one).await, (ErrorCode::None, offset as i64));
        }
        assert!(partition.must_flush());
        partition.clone().flush_written(|| {}).await.unwrap();
        assert_eq!(partition.high_watermark(), Offset(4));
        for (offset, one) in late.into_iter().enumerate() {
            assert_eq!(told(one).await, (ErrorCode::None, offset as i64 + 2));
        }
    });
}

#[test]
fn a_flush_that_is_wanted_while_one_runs_follows_it() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let partition = partition(dir.path(), i64::MAX);
        produce(&partition, RequiredAcks::All);
        partition.clone().write_accepted().await.unwrap();
        let first = spawn(partition.clone().flush_written(|| {}));
        crate::ring::runtime::yield_now().await;
        produce(&partition, RequiredAcks::All);
        partition.clone().write_accepted().await.unwrap();
        assert_eq!(partition.high_watermark(), Offset(2), "in the parity class nobody waits for the device");
        partition.clone().flush_written(|| {}).await.unwrap();
        first.await.unwrap();
        assert_eq!(partition.with_log(|log| log.flushed_offset()), Offset(2));
    });
}

#[test]
fn after_a_failed_fsync_nobody_is_acknowledged() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let partition = partition(dir.path(), 1);
        let waiting = produce(&partition, RequiredAcks::All);
        partition.clone().write_accepted().await.unwrap();
        fault::inject(dir.path(), Op::Sync, libc::EIO, 1);
        assert!(partition.clone().flush_written(|| {}).await.is_err());
        assert_eq!(told(waiting).await, (ErrorCode::KafkaStorageError, -1));
        assert!(!partition.must_flush() || partition.clone().flush_written(|| {}).await.is_ok());
        assert_eq!(partition.high_watermark(), Offset(0));
    });
}

#[test]
fn after_a_failed_write_nobody_is_acknowledged() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let partition = partition(dir.path(), i64::MAX);
        let waiting = produce(&partition, RequiredAcks::All);
        fault::inject(dir.path(), Op::Write, libc::EIO, 1);
        assert!(partition.clone().write_accepted().await.is_err());
        assert_eq!(told(waiting).await, (ErrorCode::KafkaStorageError, -1));
        assert_eq!(partition.delete_records(0), Err(ErrorCode::KafkaStorageError));
    });
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_space() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let partition = partition(dir.path(), i64::MAX);
        let refused = produce(&partition, RequiredAcks::All);
        fault::inject(dir.path(), Op::Write, libc::ENOSPC, 1);
        partition.clone().write_accepted().await.unwrap();
        assert_eq!(told(refused).await, (ErrorCode::KafkaStorageError, -1));
        partition.with_log(|log| log.health().set_space());
        let again = produce(&partition, RequiredAcks::All);
        partition.clone().write_accepted().await.unwrap();
        assert_eq!(told(again).await, (ErrorCode::None, 0));
    });
}

#[test]
fn delete_records_answers_as_kafka() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let partition = partition(dir.path(), i64::MAX);
        for _ in 0..4 {
            produce(&partition, RequiredAcks::All);
        }
        assert_eq!(partition.delete_records(1), Err(ErrorCode::OffsetOutOfRange), "accepted is not committed");
        partition.clone().write_accepted().await.unwrap();
        assert_eq!(partition.delete_records(2), Ok(Offset(2)));
        assert_eq!(partition.delete_records(1), Ok(Offset(2)), "never back");
        for wrong in [5, -2, i64::MIN] {
            assert_eq!(partition.delete_records(wrong), Err(ErrorCode::OffsetOutOfRange));
        }
        assert_eq!(partition.delete_records(-1), Ok(Offset(4)));
        let compacted = LogConfig { compact: true, delete: false, ..LogConfig::default() };
        partition.reconfigure(compacted.clone(), 1);
        assert_eq!(partition.delete_records(4), Err(ErrorCode::PolicyViolation));
        partition.reconfigure(LogConfig { delete: true, ..compacted }, 1);
        assert_eq!(partition.delete_records(4), Ok(Offset(4)));
    });
}

#[test]
fn a_read_whose_file_retention_took_meanwhile_is_out_of_range() {
    block_on_test(async {
        let dir = tempfile::tempdir().unwrap();
        let partition = partition(dir.path(), i64::MAX);
        for _ in 0..4 {
            produce(&partition, RequiredAcks::All);
        }
        partition.clone().write_accepted().await.unwrap();
        partition.delete_records(2).unwrap();
        let gone = || ReadError::Io(std::io::ErrorKind::NotFound.into());
        assert_eq!(partition.failed_read(Offset(1), &gone()).error, ErrorCode::OffsetOutOfRange);
        assert_eq!(partition.failed_read(Offset(2), &gone()).error, ErrorCode::KafkaStorageError);
    });
}
