//! Partitions that go to the core of the only connection that asks them: no write is lost, doubled or out of order, their
//! producers are remembered, and whoever waits for records there gets them.

use crate::admin::sum_of;
use crate::support::{Broker, TWO_CORES, Wire, now};
use corelog::base::{Offset, ProducerEpoch, ProducerId};
use corelog::protocol::messages::delete_topics_request::DeleteTopicState;
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use corelog::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{
    DeleteTopicsRequest, DeleteTopicsResponse, FetchRequest, FetchResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, ProduceRequest, ProduceResponse,
};
use corelog::protocol::{Array, Records};
use corelog::record::BatchBuilder;
use std::time::Duration;

const TOPIC: &str = "relocated";
const PARTITIONS: usize = 6;
/// Other connections: that all are on one core would be one in 128.
const OTHERS: usize = 8;
/// Each core opens half of them, so this many have to come to the core of the connection.
const FOREIGN: u64 = PARTITIONS as u64 / 2;
/// Requests for each partition that are on their way at the same time.
const AT_ONCE: usize = 24;
/// 512 requests in a row are needed; more where the cores had no time.
const ROUNDS_MAX: usize = 400;
/// A client's pause between its bursts: cores that are busy take nothing.
const PAUSE: Duration = Duration::from_millis(60);

/// An idempotent producer on one connection.
struct Producer {
    wire: Wire,
    id: i64,
    sequences: [i32; PARTITIONS],
}

impl Producer {
    fn new(broker: &Broker) -> Self {
        let mut wire = broker.connect();
        let request =
            InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 1000, ..Default::default() };
        let answer: InitProducerIdResponse = wire.call(&request, 4);
        assert_eq!(answer.error_code, 0);
        Self { wire, id: answer.producer_id, sequences: [0; PARTITIONS] }
    }

    fn write_of(&self, partition: usize, sequence: i32, value_bytes: usize) -> ProduceRequest {
        let batch = BatchBuilder::new(Offset(0));
        let mut batch = batch.producer(ProducerId(self.id), ProducerEpoch(0), sequence);
        batch.append(now(), None, Some(&vec![b'v'; value_bytes]), &[]);
        let data = PartitionProduceData { index: partition as i32, records: Some(batch.build()) };
        let topic =
            TopicProduceData { name: TOPIC.into(), partition_data: Array::from(vec![data]), ..Default::default() };
        ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() }
    }

    fn post(&mut self, partition: usize, value_bytes: usize) {
        let request = self.write_of(partition, self.sequences[partition], value_bytes);
        self.sequences[partition] += 1;
        self.wire.post(&request, 9);
    }

    /// The offset of the next write that is answered.
    fn answer(&mut self) -> (usize, i64) {
        let answer: ProduceResponse =
            self.wire.next_answer(&ProduceRequest::default(), 9).expect("an answer, not a closed connection");
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, 0, "partition {}", partition.index);
        (partition.index as usize, partition.base_offset)
    }

    /// Writes to all partitions in turn, many requests at once: in each partition a write's offset is its sequence.
    fn burst(&mut self, at_once: usize, value_bytes: usize) {
        let mut expected = self.sequences.map(i64::from);
        (0..at_once * PARTITIONS).for_each(|n| self.post(n % PARTITIONS, value_bytes));
        for _ in 0..at_once * PARTITIONS {
            let (partition, offset) = self.answer();
            assert_eq!(offset, expected[partition], "partition {partition}");
            expected[partition] += 1;
        }
    }

    /// Sends the last write of each partition once more: it is known, and gets the offset it got.
    fn repeat_last(&mut self) {
        for partition in 0..PARTITIONS {
            let last = self.sequences[partition] - 1;
            let again: ProduceResponse = self.wire.call(&self.write_of(partition, last, 10), 9);
            let answer = &again.responses[0].partition_responses[0];
            assert_eq!((answer.error_code, answer.base_offset), (0, i64::from(last)), "partition {partition}");
        }
    }
}

fn fetch(min_bytes: i32) -> FetchRequest {
    let from = |partition| FetchPartition { partition, partition_max_bytes: 64 << 20, ..Default::default() };
    let partitions = Array::from((0..PARTITIONS as i32).map(from).collect::<Vec<_>>());
    let topics = Array::from(vec![FetchTopic { topic: TOPIC.into(), partitions, ..Default::default() }]);
    FetchRequest { max_wait_ms: 60_000, min_bytes, max_bytes: 64 << 20, topics, ..Default::default() }
}

fn fetched(answer: &FetchResponse) -> usize {
    assert_eq!(answer.error_code, 0);
    let partitions = answer.responses.iter().flat_map(|topic| topic.partitions.iter());
    let bytes = partitions.map(|partition| {
        assert_eq!(partition.error_code, 0);
        match &partition.records {
            Some(Records::Bytes(bytes)) => bytes.len(),
            _ => 0,
        }
    });
    bytes.sum()
}

fn moved(broker: &Broker) -> u64 {
    sum_of(broker, "corelog_partitions_moved_total")
}

fn delete(wire: &mut Wire) {
    let topic = DeleteTopicState { name: Some(TOPIC.into()), ..Default::default() };
    let request = DeleteTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let answer: DeleteTopicsResponse = wire.call(&request, 6);
    assert_eq!(answer.responses[0].error_code, 0);
}

/// Writes until all partitions are on the producer's core.
fn move_all(broker: &Broker, producer: &mut Producer) {
    let mut rounds = 0;
    while moved(broker) < FOREIGN {
        assert!(rounds < ROUNDS_MAX, "{} of {FOREIGN} partitions moved", moved(broker));
        producer.burst(AT_ONCE, 10);
        rounds += 1;
        std::thread::sleep(PAUSE);
    }
}

/// The ends of all partitions, as this connection is told.
fn ends(wire: &mut Wire) -> [i64; PARTITIONS] {
    let latest = |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
    let partitions = (0..PARTITIONS as i32).map(latest).collect();
    let topics = vec![ListOffsetsTopic { name: TOPIC.into(), partitions }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let answer: ListOffsetsResponse = wire.call(&request, 5);
    let mut ends = [-1; PARTITIONS];
    for partition in &answer.topics[0].partitions {
        assert_eq!(partition.error_code, 0);
        ends[partition.partition_index as usize] = partition.offset;
    }
    ends
}

/// Sets `max.message.bytes` of the topic.
fn bound_messages(wire: &mut Wire, bytes: &str) {
    let config = AlterableConfig { name: "max.message.bytes".into(), config_operation: 0, value: Some(bytes.into()) };
    let resource = AlterConfigsResource { resource_type: 2, resource_name: TOPIC.into(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer: IncrementalAlterConfigsResponse = wire.call(&request, 1);
    assert_eq!(answer.responses[0].error_code, 0);
}

#[test]
fn partitions_go_to_their_only_connection_with_their_producers_and_whoever_waits_for_them() {
    const LARGE: usize = 900_000;
    let Some(mut broker) = Broker::of_two_cores(TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    producer.burst(1, 10);
    // More than the small writes are together: they wait until large ones come, long after the partitions moved. Whichever
    // core serves the one or the other.
    let min_bytes = (2 * PARTITIONS * LARGE) as i32;
    assert!(ROUNDS_MAX * AT_ONCE * PARTITIONS * 100 < 2 * min_bytes as usize, "the readers wait");
    let mut readers: Vec<Wire> = (0..OTHERS).map(|_| broker.connect()).collect();
    readers.iter_mut().for_each(|reader| reader.post(&fetch(min_bytes), 12));
    move_all(&broker, &mut producer);
    producer.repeat_last();
    producer.burst(2, LARGE);
    for reader in &mut readers {
        let answer: FetchResponse = reader.next_answer(&fetch(min_bytes), 12).expect("an answer");
        assert!(fetched(&answer) >= min_bytes as usize, "{} bytes", fetched(&answer));
    }

    // The logs are closed like all others, and opened where their ids say: they move once more.
    broker.stop_and_start_with(TWO_CORES);
    assert!(!broker.log().contains("recovered"), "a clean stop:\n{}", broker.log());
    producer.wire = broker.connect();
    producer.repeat_last();
    assert_eq!(moved(&broker), 0);
    move_all(&broker, &mut producer);
    // What was away when the broker was killed is recovered where its id says.
    broker.restart_with(TWO_CORES);
    producer.wire = broker.connect();
    producer.repeat_last();
    producer.burst(2, 10);
}

#[test]
fn what_has_moved_is_listed_configured_and_deleted_like_the_rest() {
    let Some(broker) = Broker::of_two_cores(TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    move_all(&broker, &mut producer);
    let mut others: Vec<Wire> = (0..OTHERS).map(|_| broker.connect()).collect();
    others.iter_mut().for_each(|other| assert_eq!(ends(other), producer.sequences.map(i64::from)));
    bound_messages(&mut others[0], "500");
    for partition in 0..PARTITIONS {
        let request = producer.write_of(partition, producer.sequences[partition], 1000);
        for wire in others.iter_mut().chain([&mut producer.wire]) {
            let refused: ProduceResponse = wire.call(&request, 9);
            assert_eq!(refused.responses[0].partition_responses[0].error_code, 10, "partition {partition}");
        }
    }
    producer.burst(2, 10);
    delete(&mut others[0]);
    others[1].create_topic_of(TOPIC, PARTITIONS as i32);
    others.iter_mut().for_each(|other| assert_eq!(ends(other), [0; PARTITIONS]));
    producer.sequences = [0; PARTITIONS];
    producer.burst(2, 1000);
}
