//! Partitions that go to the core of the only connection that asks them: no write is lost, doubled or out of order, their
//! producers are remembered, and whoever waits for records there gets them.

use crate::relocating::{
    AT_ONCE, PARTITIONS, Producer, ROUNDS_MAX, TOPIC, alone, bytes_of, configure, ends, fetch, move_all, moved,
    partitions_of,
};
use crate::support::{Broker, TWO_CORES, Wire};
use corelog::protocol::messages::delete_topics_request::DeleteTopicState;
use corelog::protocol::messages::{
    DeleteTopicsRequest, DeleteTopicsResponse, FetchRequest, FetchResponse, ProduceResponse,
};

/// Other connections: that all are on one core would be one in 128.
const OTHERS: usize = 8;
/// More than all small writes until the partitions have moved.
const SMALL_MAX: usize = ROUNDS_MAX * AT_ONCE * PARTITIONS * 100;
/// Large ones to each partition, thereafter.
const LARGE_ONES: usize = 4;

fn waiting_fetch(min_bytes: i32) -> FetchRequest {
    FetchRequest { max_wait_ms: 600_000, min_bytes, ..fetch(TOPIC, 0..PARTITIONS, 0) }
}

fn delete(wire: &mut Wire) {
    let topic = DeleteTopicState { name: Some(TOPIC.into()), ..Default::default() };
    let request = DeleteTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let answer: DeleteTopicsResponse = wire.call(&request, 6);
    assert_eq!(answer.responses[0].error_code, 0);
}

#[test]
fn partitions_go_to_their_only_connection_with_their_producers_and_whoever_waits_for_them() {
    let _alone = alone();
    const LARGE: usize = 900_000;
    let Some(mut broker) = Broker::of_two_cores(TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    producer.burst(1, 10);
    // More than the small writes are together: they wait until large ones come, long after the partitions moved. Whichever
    // core serves the one or the other.
    let min_bytes = (LARGE_ONES * PARTITIONS * LARGE) as i32;
    assert!(SMALL_MAX < min_bytes as usize, "the readers wait");
    let mut readers: Vec<Wire> = (0..OTHERS).map(|_| broker.connect()).collect();
    readers.iter_mut().for_each(|reader| reader.post(&waiting_fetch(min_bytes), 12));
    move_all(&broker, &mut producer);
    producer.repeat_last();
    producer.burst(LARGE_ONES, LARGE);
    for reader in &mut readers {
        let answer: FetchResponse = reader.next_answer(&waiting_fetch(min_bytes), 12).expect("an answer");
        let partitions = partitions_of(&answer);
        assert!(partitions.iter().all(|partition| partition.error_code == 0));
        let bytes: usize = partitions.iter().map(|partition| bytes_of(partition).len()).sum();
        assert!(bytes >= min_bytes as usize, "{bytes} bytes");
    }

    // The logs are closed like all others, and opened where their ids say: they move once more.
    broker.stop_and_start_with(TWO_CORES);
    assert!(!broker.log().contains("recovering"), "a clean stop:\n{}", broker.log());
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
    let _alone = alone();
    let Some(broker) = Broker::of_two_cores(TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    move_all(&broker, &mut producer);
    let written: Vec<i64> = producer.sequences.iter().copied().map(i64::from).collect();
    let mut others: Vec<Wire> = (0..OTHERS).map(|_| broker.connect()).collect();
    others.iter_mut().for_each(|other| assert_eq!(ends(other), written));
    configure(&mut others[0], TOPIC, "max.message.bytes", Some("500"));
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
    producer.sequences = vec![0; PARTITIONS];
    producer.burst(2, 1000);
}
