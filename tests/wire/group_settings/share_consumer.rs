//! A share consumer of one partition, one request at a time.

use super::member::{Kind, Member, Topic};
use super::{topic, until};
use crate::support::{Broker, Wire, now};
use bytes::Bytes;
use corelog::base::{Offset, ProducerEpoch, ProducerId, TimestampMs};
use corelog::protocol::Array;
use corelog::protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::share_fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::{share_acknowledge_request as acknowledge, *};
use corelog::record::builder::BatchBuilder;

pub const ACCEPT: i8 = 1;
pub const RELEASE: i8 = 2;
pub const RENEW: i8 = 4;

/// As long as a fetch waits for what must come.
const COMES_MS: i32 = 15_000;

/// A topic of one partition and a wire to write to it.
pub struct Source {
    wire: Wire,
    pub topic: Topic,
}

impl Source {
    pub fn new(broker: &Broker, name: &str) -> Self {
        let mut wire = broker.connect();
        let topic = topic(&mut wire, name, 1);
        Self { wire, topic }
    }

    /// A record of now.
    pub fn write(&mut self) {
        self.write_at(now());
    }

    /// A record of that time, in a batch of its own.
    pub fn write_at(&mut self, at: TimestampMs) {
        let mut batch = BatchBuilder::new(Offset(0));
        batch.append(at, None, Some(b"value"), &[]);
        self.produce(batch.build(), None);
    }

    fn produce(&mut self, batch: Bytes, transactional_id: Option<&str>) {
        let data = PartitionProduceData { index: 0, records: Some(batch) };
        let name = self.topic.name.clone();
        let topic = TopicProduceData { name, partition_data: Array::from(vec![data]), ..Default::default() };
        let request = ProduceRequest {
            transactional_id: transactional_id.map(Into::into),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: Array::from(vec![topic]),
        };
        let answer: ProduceResponse = self.wire.call(&request, 9);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }

    /// A record in a transaction, which is left open.
    pub fn write_in_transaction(&mut self, id: &str) -> (i64, i16) {
        let ready = |what: &str, ask: &mut dyn FnMut() -> i16| {
            until(what, || {
                let error = ask();
                assert!(matches!(error, 0 | 14..=16 | 51), "{what}: {error}");
                (error == 0).then_some(())
            });
        };
        let find = FindCoordinatorRequest { key_type: 1, key: id.into(), ..Default::default() };
        ready("a coordinator", &mut || self.wire.call::<_, FindCoordinatorResponse>(&find, 3).error_code);
        let init = InitProducerIdRequest {
            transactional_id: Some(id.into()),
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        let mut producer = (-1, -1);
        ready("a producer", &mut || {
            let answer: InitProducerIdResponse = self.wire.call(&init, 4);
            producer = (answer.producer_id, answer.producer_epoch);
            answer.error_code
        });
        let topic = AddPartitionsToTxnTopic { name: self.topic.name.clone(), partitions: vec![0] };
        let add = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: id.into(),
            v3_and_below_producer_id: producer.0,
            v3_and_below_producer_epoch: producer.1,
            v3_and_below_topics: vec![topic],
            ..Default::default()
        };
        ready("its partition", &mut || {
            let answer: AddPartitionsToTxnResponse = self.wire.call(&add, 3);
            answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
        });
        let mut batch = BatchBuilder::new(Offset(0));
        batch = batch.producer(ProducerId(producer.0), ProducerEpoch(producer.1), 0).transactional();
        batch.append(now(), None, Some(b"value"), &[]);
        self.produce(batch.build(), Some(id));
        producer
    }

    /// Ends it without its record.
    pub fn abort(&mut self, id: &str, producer: (i64, i16)) {
        let end = EndTxnRequest {
            transactional_id: id.into(),
            producer_id: producer.0,
            producer_epoch: producer.1,
            committed: false,
        };
        assert_eq!(self.wire.call::<_, EndTxnResponse>(&end, 3).error_code, 0);
    }
}

/// What a fetch got.
#[derive(Debug)]
pub struct Got {
    /// Offsets, and how often each was delivered.
    pub records: Vec<(i64, i16)>,
    /// How long they are locked, as it says.
    pub lock_ms: i32,
}

/// A member of a share group with its session.
pub struct ShareConsumer {
    wire: Wire,
    member: Member,
    topic: Topic,
    epoch: i32,
}

impl ShareConsumer {
    /// One that has joined, was given the partition, and has its session: the share partition begins now.
    pub fn join(broker: &Broker, group: &str, name: &str, topic: &Topic) -> Self {
        let mut member = Member::join(broker, Kind::Share, group, name, topic);
        until("the partition", || {
            assert_eq!(member.beat().error, 0);
            Some(()).filter(|()| member.owned == [0])
        });
        Self { wire: broker.connect(), member, topic: topic.clone(), epoch: 0 }
    }

    /// What comes, `records_max` records at most.
    pub fn fetch(&mut self, records_max: i32) -> Got {
        self.ask(records_max, COMES_MS)
    }

    /// What is there.
    pub fn fetch_at_once(&mut self, records_max: i32) -> Got {
        self.ask(records_max, 0)
    }

    fn ask(&mut self, max_records: i32, max_wait_ms: i32) -> Got {
        let request = ShareFetchRequest {
            group_id: Some(self.member.group.as_str().into()),
            member_id: Some(self.member.id.clone()),
            share_session_epoch: self.epoch,
            max_wait_ms,
            min_bytes: 1,
            max_records,
            batch_size: max_records,
            topics: vec![FetchTopic { topic_id: self.topic.id, partitions: vec![FetchPartition::default()] }],
            ..Default::default()
        };
        let answer: ShareFetchResponse = self.wire.call(&request, 1);
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        self.epoch += 1;
        let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
        let mut records = Vec::new();
        for partition in partitions {
            assert_eq!((partition.error_code, partition.acknowledge_error_code), (0, 0));
            for run in &partition.acquired_records {
                records.extend((run.first_offset..=run.last_offset).map(|offset| (offset, run.delivery_count)));
            }
        }
        Got { records, lock_ms: answer.acquisition_lock_timeout_ms }
    }

    /// Says of the records of these offsets what is to be done with them; the partition's error.
    pub fn acknowledge(&mut self, (first_offset, last_offset): (i64, i64), kind: i8) -> i16 {
        let batch = acknowledge::AcknowledgementBatch { first_offset, last_offset, acknowledge_types: vec![kind] };
        let partition = acknowledge::AcknowledgePartition { partition_index: 0, acknowledgement_batches: vec![batch] };
        let request = ShareAcknowledgeRequest {
            group_id: Some(self.member.group.as_str().into()),
            member_id: Some(self.member.id.clone()),
            share_session_epoch: self.epoch,
            is_renew_ack: kind == RENEW,
            topics: vec![acknowledge::AcknowledgeTopic { topic_id: self.topic.id, partitions: vec![partition] }],
        };
        let answer: ShareAcknowledgeResponse = self.wire.call(&request, 2);
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
        self.epoch += 1;
        answer.responses[0].partitions[0].error_code
    }
}
