//! A producer that draws partitions to the core of its connection, and what tests of that ask a broker.

use crate::admin::sum_of;
use crate::support::{Broker, Wire, now};
use bytes::Bytes;
use corelog::base::{Offset, ProducerEpoch, ProducerId};
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::fetch_response::PartitionData;
use corelog::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use corelog::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{
    FetchRequest, FetchResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse, ProduceRequest,
    ProduceResponse,
};
use corelog::protocol::{Array, Records};
use corelog::record::BatchBuilder;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub const TOPIC: &str = "relocated";
pub const PARTITIONS: usize = 6;
/// Each core opens half of them, so this many have to come to the core of the connection.
pub const FOREIGN: u64 = PARTITIONS as u64 / 2;
/// Requests for each partition that are on their way at the same time.
pub const AT_ONCE: usize = 24;
/// Bursts after which a partition would have moved: 512 requests in a row are needed, and somewhat more.
pub const ENOUGH: usize = 30;
/// More are needed where the cores had no time.
pub const ROUNDS_MAX: usize = 1_400;
/// A client's pause between its bursts: cores that are busy take nothing.
const PAUSE: Duration = Duration::from_millis(60);
/// Records have one of so many keys.
pub const KEYS: i32 = 10;

/// Held by each of these tests: cores that share their CPUs with the brokers of others are late with their gates, and each
/// try in vain doubles what the next one asks for.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An idempotent producer on one connection.
pub struct Producer {
    pub wire: Wire,
    topic: &'static str,
    id: i64,
    /// Of each partition's next write.
    pub sequences: Vec<i32>,
}

impl Producer {
    pub fn new(broker: &Broker) -> Self {
        Self::over(broker.connect(), TOPIC, PARTITIONS)
    }

    pub fn over(mut wire: Wire, topic: &'static str, partitions: usize) -> Self {
        let request =
            InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 1000, ..Default::default() };
        let answer: InitProducerIdResponse = wire.call(&request, 4);
        assert_eq!(answer.error_code, 0);
        Self { wire, topic, id: answer.producer_id, sequences: vec![0; partitions] }
    }

    pub fn write_of(&self, partition: usize, sequence: i32, value_bytes: usize) -> ProduceRequest {
        let batch = BatchBuilder::new(Offset(0));
        let mut batch = batch.producer(ProducerId(self.id), ProducerEpoch(0), sequence);
        batch.append(now(), Some(&(sequence % KEYS).to_be_bytes()), Some(&vec![b'v'; value_bytes]), &[]);
        produce(self.topic, vec![(partition, batch.build())])
    }

    pub fn post(&mut self, partition: usize, value_bytes: usize) {
        let request = self.write_of(partition, self.sequences[partition], value_bytes);
        self.sequences[partition] += 1;
        self.wire.post(&request, 9);
    }

    /// Partition, error and offset of the next write that is answered; `None` where the connection is closed instead.
    pub fn answer(&mut self) -> Option<(usize, i16, i64)> {
        let answer: ProduceResponse = self.wire.next_answer(&ProduceRequest::default(), 9)?;
        let partition = &answer.responses[0].partition_responses[0];
        Some((partition.index as usize, partition.error_code, partition.base_offset))
    }

    /// Writes to `partitions` in turn, many requests at once; the offsets that each partition's writes got.
    pub fn write_to(&mut self, partitions: &[usize], at_once: usize, value_bytes: usize) -> Vec<Vec<i64>> {
        for _ in 0..at_once {
            partitions.iter().for_each(|partition| self.post(*partition, value_bytes));
        }
        let mut offsets = vec![Vec::new(); self.sequences.len()];
        for _ in 0..at_once * partitions.len() {
            let (partition, error, offset) = self.answer().expect("an answer, not a closed connection");
            assert_eq!(error, 0, "partition {partition}");
            offsets[partition].push(offset);
        }
        offsets
    }

    /// Writes to all partitions: nobody else has, so in each partition a write's offset is its sequence.
    pub fn burst(&mut self, at_once: usize, value_bytes: usize) {
        let all: Vec<usize> = (0..self.sequences.len()).collect();
        let before = self.sequences.clone();
        let offsets = self.write_to(&all, at_once, value_bytes);
        for (partition, offsets) in offsets.iter().enumerate() {
            let expected = i64::from(before[partition])..i64::from(self.sequences[partition]);
            assert!(offsets.iter().copied().eq(expected), "partition {partition}: {offsets:?}");
        }
    }

    /// Sends the last write of each partition once more: it is known, and gets the offset it got.
    pub fn repeat_last(&mut self) {
        for partition in 0..self.sequences.len() {
            let last = self.sequences[partition] - 1;
            let again: ProduceResponse = self.wire.call(&self.write_of(partition, last, 10), 9);
            let answer = &again.responses[0].partition_responses[0];
            assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(last)), "partition {partition}");
        }
    }
}

/// One batch for each partition.
pub fn produce(topic: &str, batches: Vec<(usize, Bytes)>) -> ProduceRequest {
    let data = |(partition, batch)| PartitionProduceData { index: partition as i32, records: Some(batch) };
    let partition_data = Array::from(batches.into_iter().map(data).collect::<Vec<_>>());
    let topic = TopicProduceData { name: topic.into(), partition_data, ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() }
}

/// Reads `partitions` from `fetch_offset` on.
pub fn fetch(topic: &str, partitions: Range<usize>, fetch_offset: i64) -> FetchRequest {
    let from = |partition: usize| FetchPartition {
        partition: partition as i32,
        fetch_offset,
        partition_max_bytes: 64 << 20,
        ..Default::default()
    };
    let partitions = Array::from(partitions.map(from).collect::<Vec<_>>());
    let topics = Array::from(vec![FetchTopic { topic: topic.into(), partitions, ..Default::default() }]);
    FetchRequest { max_bytes: 64 << 20, session_epoch: -1, topics, ..Default::default() }
}

/// What a partition's answer holds.
pub fn bytes_of(partition: &PartitionData) -> Bytes {
    match &partition.records {
        Some(Records::Bytes(bytes)) => bytes.clone(),
        _ => Bytes::new(),
    }
}

/// The answer's partitions, in the order of their numbers.
pub fn partitions_of(answer: &FetchResponse) -> Vec<PartitionData> {
    assert_eq!(answer.error_code, 0);
    let mut partitions: Vec<PartitionData> =
        answer.responses.iter().flat_map(|topic| topic.partitions.iter().cloned()).collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    partitions
}

pub fn moved(broker: &Broker) -> u64 {
    sum_of(broker, "corelog_partitions_moved_total")
}

/// How often all connections waited for a partition that stayed.
pub fn moved_in_vain(broker: &Broker) -> u64 {
    sum_of(broker, "corelog_partition_moves_in_vain_total")
}

/// Repeats `round`, with a client's pause, until so many partitions have moved.
pub fn until_moved(broker: &Broker, wanted: u64, mut round: impl FnMut(usize)) {
    let mut rounds = 0;
    while moved(broker) < wanted {
        let tries = || format!("{} of {wanted} moved, {} in vain", moved(broker), moved_in_vain(broker));
        assert!(rounds < ROUNDS_MAX, "{}", tries());
        round(rounds);
        rounds += 1;
        std::thread::sleep(PAUSE);
    }
}

/// Asks often enough for all partitions to move, had they nothing that binds them: none does, and none is tried.
pub fn none_moves(broker: &Broker, mut round: impl FnMut()) {
    for _ in 0..ENOUGH {
        round();
        std::thread::sleep(PAUSE);
    }
    assert_eq!((moved(broker), moved_in_vain(broker)), (0, 0), "moved, and tried in vain\n{}", broker.log());
}

/// Writes until all partitions are on the producer's core.
pub fn move_all(broker: &Broker, producer: &mut Producer) {
    until_moved(broker, FOREIGN, |_| producer.burst(AT_ONCE, 10));
}

/// The offsets of so many partitions at `timestamp` (-1: the ends, -2: the beginnings), as this connection is told.
pub fn offsets(wire: &mut Wire, partitions: usize, timestamp: i64) -> Vec<i64> {
    let asked = |partition_index| ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions: (0..partitions as i32).map(asked).collect() }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let answer: ListOffsetsResponse = wire.call(&request, 5);
    let mut offsets = vec![-1; partitions];
    for partition in &answer.topics[0].partitions {
        assert_eq!(partition.error_code, 0);
        offsets[partition.partition_index as usize] = partition.offset;
    }
    offsets
}

/// The ends of all partitions.
pub fn ends(wire: &mut Wire) -> Vec<i64> {
    offsets(wire, PARTITIONS, -1)
}

/// Sets a configuration of a topic, or gives it back its default.
pub fn configure(wire: &mut Wire, topic: &str, name: &str, value: Option<&str>) {
    alter_config(wire, (2, topic), name, value);
}

/// The same of the broker.
pub fn configure_broker(wire: &mut Wire, name: &str, value: Option<&str>) {
    alter_config(wire, (4, "1"), name, value);
}

fn alter_config(wire: &mut Wire, (resource_type, resource_name): (i8, &str), name: &str, value: Option<&str>) {
    let config = AlterableConfig {
        name: name.into(),
        config_operation: i8::from(value.is_none()),
        value: value.map(Into::into),
    };
    let resource = AlterConfigsResource { resource_type, resource_name: resource_name.into(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer: IncrementalAlterConfigsResponse = wire.call(&request, 1);
    assert_eq!(answer.responses[0].error_code, 0, "{name}");
}
