//! Connections that go to the core of their partitions: no request and no answer is lost, doubled or out of order, and a
//! fetch session goes along.

use crate::admin::sum_of;
use crate::support::{Broker, Wire, now};
use corelog::base::Offset;
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{FetchRequest, FetchResponse, ProduceRequest, ProduceResponse};
use corelog::protocol::{Array, Records};
use corelog::record::BatchBuilder;
use std::time::Duration;

const TOPIC: &str = "moving";
/// Half of them, more or less, are accepted by the core that has not their partition; that none is would be one in 4,096.
const CONNECTIONS: usize = 12;
/// So many requests in a row for one core's partitions make a connection move.
const REQUESTS_BEFORE_MOVING: usize = 64;
/// A core that was asked nothing for so long has time for another connection. This is a client's pause.
const PAUSE: Duration = Duration::from_millis(600);

fn moved(broker: &Broker) -> u64 {
    sum_of(broker, "corelog_connections_moved_total")
}

fn write_of(partition: usize, value_bytes: usize) -> ProduceRequest {
    let mut batch = BatchBuilder::new(Offset(0));
    batch.append(now(), None, Some(&vec![b'v'; value_bytes]), &[]);
    let data = PartitionProduceData { index: partition as i32, records: Some(batch.build()) };
    let topic = TopicProduceData { name: TOPIC.into(), partition_data: Array::from(vec![data]), ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() }
}

fn offset_of(answer: &ProduceResponse) -> i64 {
    let partition = &answer.responses[0].partition_responses[0];
    assert_eq!(partition.error_code, 0);
    partition.base_offset
}

#[test]
fn pipelined_writes_large_and_small_stay_whole_and_in_order_while_their_connections_move() {
    let Some(broker) = Broker::of_two_cores(TOPIC, 2) else { return };
    let mut wires: Vec<(Wire, Vec<i64>)> = (0..CONNECTIONS).map(|_| (broker.connect(), Vec::new())).collect();
    for (n, (wire, offsets)) in wires.iter_mut().enumerate() {
        for _ in 0..REQUESTS_BEFORE_MOVING {
            offsets.push(offset_of(&wire.call(&write_of(n % 2, 10), 9)));
        }
    }
    std::thread::sleep(PAUSE);
    for round in 0..20 {
        // Larger than a receive buffer, than what one receive takes, and tiny ones right behind.
        let sizes = [10, 100_000, 10, 700_000, 10].map(|size| if round < 4 { size } else { 10 });
        for (n, (wire, _)) in wires.iter_mut().enumerate() {
            sizes.iter().for_each(|size| wire.post(&write_of(n % 2, *size), 9));
        }
        for (n, (wire, offsets)) in wires.iter_mut().enumerate() {
            for _ in sizes {
                let answer = wire.next_answer(&write_of(n % 2, 0), 9).expect("an answer, not a closed connection");
                offsets.push(offset_of(&answer));
            }
        }
    }
    assert!(moved(&broker) > 0, "no connection moved");
    for (_, offsets) in &wires {
        assert!(offsets.is_sorted_by(|a, b| a < b), "in the order of the requests: {offsets:?}");
    }
    for partition in 0..2 {
        let mine = wires.iter().skip(partition).step_by(2);
        let mut all: Vec<i64> = mine.flat_map(|(_, offsets)| offsets.clone()).collect();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..all.len() as i64), "each write once");
    }
}

#[test]
fn a_fetch_session_goes_along_with_its_connection() {
    let Some(broker) = Broker::of_two_cores(TOPIC, 2) else { return };
    let mut writer = broker.connect();
    for partition in 0..2 {
        offset_of(&writer.call(&write_of(partition, 10), 9));
    }
    let fetch = |partition: usize, session_id: i32, session_epoch: i32| {
        let from = FetchPartition { partition: partition as i32, partition_max_bytes: 1 << 20, ..Default::default() };
        let topic = FetchTopic { topic: TOPIC.into(), partitions: Array::from(vec![from]), ..Default::default() };
        let topics = Array::from(if session_epoch == 0 { vec![topic] } else { Vec::new() });
        FetchRequest { max_bytes: 1 << 20, min_bytes: 1, session_id, session_epoch, topics, ..Default::default() }
    };
    let mut readers: Vec<(Wire, i32, i32)> = (0..CONNECTIONS)
        .map(|n| {
            let mut wire = broker.connect();
            let answer: FetchResponse = wire.call(&fetch(n % 2, 0, 0), 12);
            assert!(answer.error_code == 0 && answer.session_id != 0);
            (wire, answer.session_id, 1)
        })
        .collect();
    let mut read = |n: usize| {
        let (wire, session, epoch) = &mut readers[n];
        let answer: FetchResponse = wire.call(&fetch(n % 2, *session, *epoch), 12);
        *epoch += 1;
        assert_eq!((answer.error_code, answer.session_id), (0, *session), "its session");
        let records = &answer.responses[0].partitions[0].records;
        assert!(
            matches!(records, Some(Records::Bytes(bytes)) if !bytes.is_empty()),
            "the record from the offset asked"
        );
    };
    (0..CONNECTIONS).for_each(|n| (0..REQUESTS_BEFORE_MOVING).for_each(|_| read(n)));
    std::thread::sleep(PAUSE);
    for _ in 0..5 {
        (0..CONNECTIONS).for_each(&mut read);
    }
    assert!(moved(&broker) > 0, "no connection moved");
}
