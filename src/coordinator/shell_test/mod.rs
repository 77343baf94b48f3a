//! The shell on a core of its own, against a log in memory.

mod failing;

use super::group::{Answer, Caller, GroupConfig, Groups, Request};
use super::machine::Batch;
use super::{Coordinator, CoordinatorConfig, CoordinatorLog, Pending, Phase};
use crate::base::local::{self, Receiver, Sender};
use crate::base::{ErrorCode, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs, TopicPartition, Uuid};
use crate::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use crate::record::{BatchBuilder, BatchHeader, Compression, batches};
use crate::ring::{clock, runtime};
use bytes::{Bytes, BytesMut};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use zerocopy::FromBytes;

/// An append that is held back.
type Held = (Sender<Result<Offset, ErrorCode>>, Bytes);

/// A log in memory; while `held`, appends are accepted but do not commit.
#[derive(Default)]
struct MemoryLog {
    bytes: RefCell<BytesMut>,
    end: Cell<i64>,
    held: Cell<bool>,
    waiting: RefCell<Vec<Held>>,
    batches: Cell<usize>,
    /// So many reads fail.
    unreadable: Cell<usize>,
    /// Where a crash left this log and t-0.
    crash_ends: Cell<Option<(i64, i64)>>,
}

const TOPIC_ID: Uuid = Uuid([1; 16]);

impl MemoryLog {
    fn commit(&self, batch: &[u8]) -> Offset {
        let base = Offset(self.end.get());
        let mut batch = batch.to_vec();
        let (header, _) = BatchHeader::mut_from_prefix(&mut batch).expect("a whole header");
        header.assign(base, LeaderEpoch(0));
        self.end.set(header.next_offset().0);
        self.bytes.borrow_mut().extend_from_slice(&batch);
        base
    }

    /// The outcome of the oldest append that is held back.
    fn end_one(&self, outcome: Result<(), ErrorCode>) {
        let (sender, batch) = self.waiting.borrow_mut().remove(0);
        sender.send(outcome.map(|()| self.commit(&batch)));
    }

    fn release(&self, outcome: Result<(), ErrorCode>) {
        self.held.set(false);
        for (sender, batch) in std::mem::take(&mut *self.waiting.borrow_mut()) {
            sender.send(outcome.map(|()| self.commit(&batch)));
        }
    }
}

impl CoordinatorLog for Rc<MemoryLog> {
    fn append(&self, batch: Bytes, _: Batch) -> Pending<Result<Offset, ErrorCode>> {
        self.batches.set(self.batches.get() + 1);
        let (sender, receiver) = local::oneshot();
        if self.held.get() {
            self.waiting.borrow_mut().push((sender, batch));
        } else {
            sender.send(Ok(self.commit(&batch)));
        }
        Box::pin(async move { receiver.await.unwrap_or(Err(ErrorCode::NotLeaderOrFollower)) })
    }

    fn batch_bytes_max(&self) -> usize {
        1 << 20
    }

    fn file_of(&self, _: Offset) -> String {
        "memory".to_owned()
    }

    fn start_offset(&self) -> Offset {
        Offset(0)
    }

    fn read(&self, from: Offset) -> Pending<Result<Bytes, ErrorCode>> {
        if self.unreadable.get() > 0 {
            self.unreadable.set(self.unreadable.get() - 1);
            return Box::pin(std::future::ready(Err(ErrorCode::KafkaStorageError)));
        }
        let bytes = self.bytes.borrow().clone().freeze();
        let mut position = 0;
        for batch in batches(&bytes).flatten().take_while(|b| b.header().next_offset() <= from) {
            position += batch.size();
        }
        // Two batches at a time, so that loading takes several reads.
        let size: usize = batches(&bytes[position..]).flatten().take(2).map(|b| b.size()).sum();
        let chunk = bytes.slice(position..position + size);
        Box::pin(async move { Ok(chunk) })
    }

    fn own_end_after_crash(&self) -> Option<Offset> {
        self.crash_ends.get().map(|(own, _)| Offset(own))
    }

    fn end_after_crash(&self, partition: &TopicPartition) -> Option<(Uuid, Offset)> {
        let known = *partition == TopicPartition::new("t", 0);
        self.crash_ends.get().filter(|_| known).map(|(_, end)| (TOPIC_ID, Offset(end)))
    }
}

fn start(log: &Rc<MemoryLog>) -> Rc<Coordinator<Groups>> {
    let config = CoordinatorConfig {
        name: "__consumer_offsets-0".into(),
        machine: GroupConfig::default(),
        commit_timeout: Duration::from_millis(50),
        compression: Compression::None,
        random: || [7; 16],
    };
    let coordinator = Coordinator::new(config, Box::new(log.clone()), Box::new(|_, work| match work {}));
    runtime::spawn(coordinator.clone().run()).detach();
    coordinator
}

async fn active(log: &Rc<MemoryLog>) -> Rc<Coordinator<Groups>> {
    let coordinator = start(log);
    while coordinator.phase() == Phase::Loading {
        runtime::yield_now().await;
    }
    coordinator
}

fn commit(coordinator: &Coordinator<Groups>, group: &str, offset: i64) -> Receiver<Answer> {
    let partition = OffsetCommitRequestPartition { partition_index: 0, committed_offset: offset, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: "t".into(), topic_id: TOPIC_ID, partitions: vec![partition] };
    let request = OffsetCommitRequest { group_id: group.into(), topics: vec![topic], ..Default::default() };
    coordinator.ask(Request::Commit(Caller::default(), request), clock::now())
}

async fn error_of(answer: Receiver<Answer>) -> i16 {
    let answer = OffsetCommitResponse::try_from(answer.await.unwrap()).unwrap();
    answer.topics[0].partitions[0].error_code
}

async fn fetch(coordinator: &Coordinator<Groups>, group: &str) -> i64 {
    let request = OffsetFetchRequestGroup { group_id: group.into(), topics: None, ..Default::default() };
    let answer = coordinator.ask(Request::Fetch(request, true), clock::now()).await.unwrap();
    let answer = OffsetFetchResponseGroup::try_from(answer).unwrap();
    answer.topics.first().map_or(-1, |t| t.partitions[0].committed_offset)
}

#[test]
fn commits_of_one_turn_share_a_batch_and_are_answered_when_it_is_committed() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        log.held.set(true);
        let answers: Vec<_> = (0..10).map(|i| commit(&coordinator, "g", i)).collect();
        runtime::yield_now().await;
        assert!(answers.iter().all(|a| a.try_take().is_none()));
        log.release(Ok(()));
        for answer in answers {
            assert_eq!(error_of(answer).await, 0);
        }
        assert_eq!(log.batches.get(), 1);
        assert_eq!(fetch(&coordinator, "g").await, 9);
    });
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        for offset in 0..25 {
            assert_eq!(error_of(commit(&coordinator, &format!("g{}", offset % 3), offset)).await, 0);
        }
        coordinator.resign(clock::now());
        assert_eq!(error_of(commit(&coordinator, "g0", 99)).await, ErrorCode::NotCoordinator as i16);
        let coordinator = active(&log).await;
        assert_eq!(fetch(&coordinator, "g0").await, 24);
        assert_eq!(fetch(&coordinator, "g1").await, 22);
        assert_eq!(fetch(&coordinator, "g2").await, 23);
    });
}

#[test]
fn while_loading_requests_are_told_so() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let before = active(&log).await;
        assert_eq!(error_of(commit(&before, "g", 1)).await, 0);
        before.resign(clock::now());
        let coordinator = start(&log);
        assert_eq!(error_of(commit(&coordinator, "g", 1)).await, ErrorCode::CoordinatorLoadInProgress as i16);
    });
}

#[test]
fn a_record_that_cannot_be_read_makes_the_coordinator_refuse_and_leaves_its_log_alone() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        assert_eq!(error_of(commit(&coordinator, "g", 1)).await, 0);
        coordinator.resign(clock::now());
        let unknown = BatchBuilder::new(Offset(0)).producer(ProducerId::NONE, ProducerEpoch(-1), 0);
        let damaged = BatchBuilder::new(Offset(0)).producer(ProducerId::NONE, ProducerEpoch(-1), 0);
        let batch = |mut builder: BatchBuilder, key: &[u8]| {
            builder.append(TimestampMs(1), Some(key), Some(b"\x00\x01\x00"), &[]);
            builder.build()
        };
        log.commit(&batch(unknown, b"\x00\x63\x00\x01g"));
        let coordinator = active(&log).await;
        assert_eq!((coordinator.phase(), fetch(&coordinator, "g").await), (Phase::Active, 1), "an unknown type");
        coordinator.resign(clock::now());
        log.commit(&batch(damaged, b"\x00\x02\x00\x01g"));
        let end = log.end.get();
        let coordinator = active(&log).await;
        assert_eq!(coordinator.phase(), Phase::Resigned);
        assert_eq!(error_of(commit(&coordinator, "g", 2)).await, ErrorCode::NotCoordinator as i16);
        assert_eq!(log.end.get(), end, "nothing is written");
    });
}

#[test]
fn a_log_that_stalls_refuses_the_client_but_the_commit_still_counts() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        log.held.set(true);
        let answer = commit(&coordinator, "g", 6);
        assert_eq!(error_of(answer).await, ErrorCode::CoordinatorNotAvailable as i16);
        log.release(Ok(()));
        assert_eq!(fetch(&coordinator, "g").await, 6);
    });
}

#[test]
fn resigning_answers_everyone_who_waits() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        log.held.set(true);
        let answer = commit(&coordinator, "g", 6);
        coordinator.resign(clock::now());
        assert_eq!(error_of(answer).await, ErrorCode::NotCoordinator as i16);
    });
}

#[test]
fn after_a_crash_offsets_beyond_their_logs_end_are_answered_as_that_end_and_stay_so() {
    runtime::block_on_test(async {
        let log = Rc::new(MemoryLog::default());
        let coordinator = active(&log).await;
        for (group, offset) in [("before", 99), ("at", 100), ("beyond", 101), ("far", 5_000)] {
            assert_eq!(error_of(commit(&coordinator, group, offset)).await, 0);
        }
        coordinator.resign(clock::now());
        log.crash_ends.set(Some((log.end.get(), 100)));
        let coordinator = active(&log).await;
        for (group, offset) in [("before", 99), ("at", 100), ("beyond", 100), ("far", 100)] {
            assert_eq!(fetch(&coordinator, group).await, offset, "{group}");
        }
        assert_eq!(log.end.get(), 6, "two fresh records, and only those");
        // What is committed now may lie further on: the log has grown. Reading it all again must not take it back.
        assert_eq!(error_of(commit(&coordinator, "far", 300)).await, 0);
        coordinator.resign(clock::now());
        let coordinator = active(&log).await;
        assert_eq!((fetch(&coordinator, "far").await, fetch(&coordinator, "beyond").await), (300, 100));
        // The records stay when the next start finds nothing amiss.
        coordinator.resign(clock::now());
        log.crash_ends.set(None);
        assert_eq!(fetch(&*active(&log).await, "beyond").await, 100);
        assert_eq!(log.end.get(), 7);
    });
}
