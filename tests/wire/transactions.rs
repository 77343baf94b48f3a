//! A transaction's life in every version of its APIs.

use crate::support::{Broker, Wire, now};
use bytes::Bytes;
use corelog::base::{Offset, ProducerEpoch, ProducerId};
use corelog::protocol::Array;
use corelog::protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use corelog::protocol::messages::*;
use corelog::record::builder::BatchBuilder;
use std::time::{Duration, Instant};

const TOPIC: &str = "transactions";
const DEADLINE: Duration = Duration::from_secs(60);

/// Asked again while the broker says "later": no coordinator yet, loading, or the transaction before.
pub fn asked(mut ask: impl FnMut() -> i16) -> i16 {
    let began = Instant::now();
    loop {
        match ask() {
            14 | 15 | 16 | 51 | 19 if began.elapsed() < DEADLINE => std::thread::sleep(Duration::from_millis(5)),
            error => return error,
        }
    }
}

/// A transactional producer, and its consumer group.
pub struct Client {
    pub wire: Wire,
    pub id: String,
    group: String,
    /// Id and epoch.
    pub producer: (i64, i16),
}

impl Client {
    pub fn new(broker: &Broker, name: &str) -> Self {
        let mut wire = broker.connect();
        for (key_type, key) in [(0, "g"), (1, name)] {
            let request = FindCoordinatorRequest { key_type, key: key.into(), ..Default::default() };
            assert_eq!(asked(|| wire.call::<_, FindCoordinatorResponse>(&request, 3).error_code), 0);
        }
        Self { wire, id: name.to_owned(), group: format!("group-{name}"), producer: (-1, -1) }
    }

    pub fn init(&mut self, version: i16) -> i16 {
        let id = Some(self.id.as_str().into());
        let request =
            InitProducerIdRequest { transactional_id: id, transaction_timeout_ms: 600_000, ..Default::default() };
        asked(|| {
            let answer: InitProducerIdResponse = self.wire.call(&request, version);
            self.producer = (answer.producer_id, answer.producer_epoch);
            answer.error_code
        })
    }

    fn add_partition(&mut self, version: i16) -> i16 {
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id.as_str().into(),
            v3_and_below_producer_id: self.producer.0,
            v3_and_below_producer_epoch: self.producer.1,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: TOPIC.into(), partitions: vec![0] }],
            ..Default::default()
        };
        asked(|| {
            let answer: AddPartitionsToTxnResponse = self.wire.call(&request, version);
            answer.results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code
        })
    }

    fn add_offsets(&mut self, version: i16) -> i16 {
        let request = AddOffsetsToTxnRequest {
            transactional_id: self.id.as_str().into(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            group_id: self.group.as_str().into(),
        };
        asked(|| self.wire.call::<_, AddOffsetsToTxnResponse>(&request, version).error_code)
    }

    fn produce(&mut self, sequence: i32, version: i16) -> i16 {
        let (id, epoch) = (ProducerId(self.producer.0), ProducerEpoch(self.producer.1));
        let mut batch = BatchBuilder::new(Offset(0)).producer(id, epoch, sequence).transactional();
        batch.append(now(), None, Some(self.id.as_bytes()), &[]);
        let data = PartitionProduceData { index: 0, records: Some(batch.build()) };
        let topic =
            TopicProduceData { name: TOPIC.into(), partition_data: Array::from(vec![data]), ..Default::default() };
        let request = ProduceRequest {
            transactional_id: Some(self.id.as_str().into()),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: Array::from(vec![topic]),
        };
        asked(|| self.wire.call::<_, ProduceResponse>(&request, version).responses[0].partition_responses[0].error_code)
    }

    fn commit_offset(&mut self, offset: i64, version: i16) -> i16 {
        let partition =
            TxnOffsetCommitRequestPartition { partition_index: 0, committed_offset: offset, ..Default::default() };
        let request = TxnOffsetCommitRequest {
            transactional_id: self.id.as_str().into(),
            group_id: self.group.as_str().into(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            topics: vec![TxnOffsetCommitRequestTopic { name: TOPIC.into(), partitions: vec![partition] }],
            ..Default::default()
        };
        asked(|| self.wire.call::<_, TxnOffsetCommitResponse>(&request, version).topics[0].partitions[0].error_code)
    }

    pub fn end(&mut self, committed: bool, version: i16) -> i16 {
        let request = EndTxnRequest {
            transactional_id: self.id.as_str().into(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            committed,
        };
        asked(|| {
            let answer: EndTxnResponse = self.wire.call(&request, version);
            if answer.error_code == 0 && version >= 5 {
                self.producer = (answer.producer_id, answer.producer_epoch);
            }
            answer.error_code
        })
    }

    /// The group's offset, once no transaction may change it.
    fn offset(&mut self) -> i64 {
        let topic = OffsetFetchRequestTopic { name: TOPIC.into(), partition_indexes: vec![0] };
        let request = OffsetFetchRequest {
            group_id: self.group.as_str().into(),
            topics: Some(vec![topic]),
            require_stable: true,
            ..Default::default()
        };
        let began = Instant::now();
        loop {
            let answer: OffsetFetchResponse = self.wire.call(&request, 7);
            let partition = &answer.topics[0].partitions[0];
            match partition.error_code {
                88 if began.elapsed() < DEADLINE => std::thread::sleep(Duration::from_millis(5)),
                error => {
                    assert_eq!(error, 0);
                    return partition.committed_offset;
                }
            }
        }
    }

    /// Last stable offset, high watermark, and the aborted transactions told.
    fn fetch(&mut self) -> (i64, i64, usize) {
        let partition = FetchPartition { partition: 0, partition_max_bytes: 1 << 20, ..Default::default() };
        let topic = FetchTopic { topic: TOPIC.into(), partitions: vec![partition].into(), ..Default::default() };
        let request = FetchRequest {
            max_wait_ms: 0,
            max_bytes: 1 << 20,
            isolation_level: 1,
            session_epoch: -1,
            topics: vec![topic].into(),
            ..Default::default()
        };
        let answer: FetchResponse = self.wire.call(&request, 11);
        let partition = &answer.responses[0].partitions[0];
        let aborted = partition.aborted_transactions.as_ref().map_or(0, Vec::len);
        (partition.last_stable_offset, partition.high_watermark, aborted)
    }

    /// Until the markers stand.
    fn settled(&mut self) -> usize {
        let began = Instant::now();
        loop {
            let (stable, end, aborted) = self.fetch();
            if stable == end {
                return aborted;
            }
            assert!(began.elapsed() < DEADLINE, "the last stable offset stays at {stable} of {end}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn a_transactions_life_in_every_version() {
    let broker = Broker::start();
    broker.connect().create_topic(TOPIC);
    let mut aborted = 0;
    for version in 0..=5 {
        let mut client = Client::new(&broker, &format!("life-{version}"));
        assert_eq!(client.init(version), 0, "InitProducerId v{version}");
        let implicit = version >= 5;
        let produce = if implicit { 12 } else { 3 + version * 2 };
        let epoch = client.producer.1;
        for (round, commits) in [(0, true), (1, false)] {
            let sequence = if implicit { 0 } else { round };
            if !implicit {
                assert_eq!(client.add_partition(version.min(3)), 0, "AddPartitionsToTxn v{version}");
                assert_eq!(client.add_offsets(version), 0, "AddOffsetsToTxn v{version}");
            }
            assert_eq!(client.produce(sequence, produce), 0, "Produce v{produce} in round {round}");
            assert_eq!(client.commit_offset(7 + i64::from(round), version), 0, "TxnOffsetCommit v{version}");
            let (stable, end, _) = client.fetch();
            assert_eq!(stable + 1, end, "nothing is stable from the open transaction on");
            assert_eq!(client.end(commits, version), 0, "EndTxn v{version}");
            aborted += usize::from(!commits);
            assert_eq!((client.settled(), client.offset()), (aborted, 7), "v{version}, round {round}");
        }
        assert_eq!(client.producer.1, epoch + if implicit { 2 } else { 0 });
        // Another one begins: what the first says from now on is refused, in the words its version knows.
        let zombie = client.producer;
        assert_eq!(client.init(version), 0);
        client.producer = zombie;
        let fenced = |since: i16| if version < since { 47 } else { 90 };
        assert_eq!(client.add_partition(version.min(3)), fenced(2));
        assert_eq!(client.add_offsets(version.min(4)), fenced(2));
        assert_eq!(client.end(true, version), fenced(2));
        assert_eq!(client.produce(9, produce), 47, "Produce v{produce} of a zombie");
    }
}

#[test]
fn what_is_in_no_transaction_is_refused() {
    let broker = Broker::start();
    broker.connect().create_topic(TOPIC);
    let mut client = Client::new(&broker, "refused");
    assert_eq!(client.init(4), 0);
    // Older clients name their partitions first.
    assert_eq!((client.produce(0, 10), client.produce(0, 11)), (48, 120));
    assert_eq!(client.end(true, 4), 48);
    let (id, epoch) = client.producer;
    client.producer = (id + 1, epoch);
    assert_eq!((client.add_partition(3), client.end(true, 4), client.produce(0, 12)), (49, 49, 49));
    client.producer = (id, epoch);
    client.id = "nobody".into();
    assert_eq!((client.add_partition(3), client.end(true, 5)), (49, 49));
    assert_eq!(client.fetch().1, 0, "nothing was written");
    // Records of a transaction in a request without one.
    let mut batch = BatchBuilder::new(Offset(0)).producer(ProducerId(id), ProducerEpoch(epoch), 0).transactional();
    batch.append(now(), None, Some(b"v"), &[]);
    let records: Bytes = batch.build();
    let mut plain = BatchBuilder::new(Offset(0));
    plain.append(now(), None, Some(b"v"), &[]);
    let data = |records| PartitionProduceData { index: 0, records: Some(records) };
    let partition_data = Array::from(vec![data(plain.build()), data(records)]);
    let topic = TopicProduceData { name: TOPIC.into(), partition_data, ..Default::default() };
    let mut request =
        ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() };
    let answer: ProduceResponse = client.wire.call(&request, 9);
    let codes: Vec<i16> = answer.responses[0].partition_responses.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [53, 53], "also the batch before it");
    assert_eq!(client.fetch().1, 0, "nothing was written");
    request.acks = 0;
    client.wire.post(&request, 9);
    assert_eq!(client.wire.frame().expect("closed in time"), None, "who waits for no answer gets none");
}
