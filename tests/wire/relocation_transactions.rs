//! Transactions that are open in partitions while these go to another core, and markers that come meanwhile.

use crate::relocating::{
    AT_ONCE, FOREIGN, PARTITIONS, Producer, TOPIC, alone, bytes_of, fetch, move_all, partitions_of, produce,
    until_moved,
};
use crate::support::{Broker, DEADLINE, Wire, now};
use crate::transactions::{Client, asked};
use corelog::base::{Offset, ProducerEpoch, ProducerId};
use corelog::protocol::messages::fetch_response::PartitionData;
use corelog::protocol::messages::{FetchRequest, FetchResponse, ProduceRequest, ProduceResponse};
use corelog::record::{BatchBuilder, batches};
use std::time::Instant;

/// Transactions that end while partitions move, besides the two that stay open.
const ENDING: usize = 40;
/// So many of them after each burst, from the burst on after which partitions begin to move.
const AT_A_TIME: usize = 4;
const MOVES_FROM: usize = 20;
/// The first version that adds partitions to transactions by writing, and that of its end.
const PRODUCE: i16 = 12;
const END: i16 = 5;

/// A transaction that has begun with one write to each partition.
fn begun(broker: &Broker, name: &str) -> Client {
    let mut client = Client::new(broker, name);
    assert_eq!(client.init(END), 0);
    write(&mut client);
    client
}

fn write(client: &mut Client) {
    let (id, epoch) = (ProducerId(client.producer.0), ProducerEpoch(client.producer.1));
    let mut batch = BatchBuilder::new(Offset(0)).producer(id, epoch, 0).transactional();
    batch.append(now(), None, Some(b"value"), &[]);
    let batch = batch.build();
    let batches = (0..PARTITIONS).map(|partition| (partition, batch.clone())).collect();
    let request = ProduceRequest { transactional_id: Some(client.id.as_str().into()), ..produce(TOPIC, batches) };
    let errors = || {
        let answer: ProduceResponse = client.wire.call(&request, PRODUCE);
        let errors = answer.responses[0].partition_responses.iter().map(|partition| partition.error_code);
        errors.max().expect("an answer for each partition")
    };
    assert_eq!(asked(errors), 0);
}

fn committed(wire: &mut Wire) -> Vec<PartitionData> {
    let request = FetchRequest { isolation_level: 1, ..fetch(TOPIC, 0..PARTITIONS, 0) };
    partitions_of(&wire.call::<_, FetchResponse>(&request, 11))
}

/// Until nothing is pending in any partition.
fn settled(wire: &mut Wire) -> Vec<PartitionData> {
    let began = Instant::now();
    loop {
        let partitions = committed(wire);
        let pending = |it: &PartitionData| it.error_code != 0 || it.last_stable_offset < it.high_watermark;
        if !partitions.iter().any(pending) {
            return partitions;
        }
        assert!(began.elapsed() < DEADLINE, "pending: {:?}", partitions.iter().map(pending).collect::<Vec<_>>());
    }
}

/// How many batches of records, and how many markers, a producer has in a partition.
fn batches_of(partition: &PartitionData, producer: i64) -> (usize, usize) {
    let bytes = bytes_of(partition);
    let all = batches(&bytes).map(|batch| batch.expect("a batch").header().clone());
    let (markers, records): (Vec<_>, Vec<_>) =
        all.filter(|header| header.producer_id().0 == producer).partition(|header| header.is_control());
    (records.len(), markers.len())
}

#[test]
fn open_transactions_go_along_and_markers_find_their_partitions() {
    let _alone = alone();
    let Some(broker) = Broker::of_two_cores(TOPIC, PARTITIONS as i32) else { return };
    let mut open = [begun(&broker, "stays-open"), begun(&broker, "stays-open-too")];
    let mut ending: Vec<Client> = (0..ENDING).map(|n| begun(&broker, &format!("ends-{n}"))).collect();
    let ids: Vec<i64> = ending.iter().map(|client| client.producer.0).collect();

    // Markers are no requests of a connection: the partitions go to the only one that writes.
    let mut producer = Producer::new(&broker);
    let mut left = ending.iter_mut().enumerate();
    let all: Vec<usize> = (0..PARTITIONS).collect();
    until_moved(&broker, FOREIGN, |round| {
        let due = if round < MOVES_FROM { 0 } else { AT_A_TIME };
        for (n, client) in left.by_ref().take(due) {
            assert_eq!(client.end(n % 2 == 0, END), 0);
        }
        let offsets = producer.write_to(&all, AT_ONCE, 10);
        assert!(offsets.iter().all(|offsets| offsets.is_sorted_by(|a, b| a < b)), "{offsets:?}");
    });
    left.for_each(|(n, client)| assert_eq!(client.end(n % 2 == 0, END), 0));

    // Two connections at least for each core, more or less.
    let mut readers: Vec<Wire> = (0..8).map(|_| broker.connect()).collect();
    for reader in &mut readers {
        for partition in committed(reader) {
            assert_eq!((partition.error_code, partition.last_stable_offset), (0, 0), "the first transaction is open");
            assert!(partition.high_watermark > 0 && bytes_of(&partition).is_empty());
        }
    }
    let [commits, aborts] = open.each_ref().map(|client| client.producer.0);
    assert_eq!((open[0].end(true, END), open[1].end(false, END)), (0, 0));
    let written = producer.sequences.clone();
    for reader in &mut readers {
        for (index, partition) in settled(reader).iter().enumerate() {
            // One write and one marker of each transaction.
            let expected = i64::from(written[index]) + 2 * (ENDING as i64 + 2);
            assert_eq!(partition.high_watermark, expected, "partition {index}");
            let told = partition.aborted_transactions.iter().flatten();
            let mut aborted: Vec<i64> = told.map(|transaction| transaction.producer_id).collect();
            let mut expected: Vec<i64> = ids.iter().copied().skip(1).step_by(2).chain([aborts]).collect();
            aborted.sort_unstable();
            expected.sort_unstable();
            assert_eq!(aborted, expected, "partition {index}");
            for id in ids.iter().copied().chain([commits, aborts]) {
                assert_eq!(batches_of(partition, id), (1, 1), "producer {id} in partition {index}");
            }
        }
    }
    // They go on where they are.
    open.iter_mut().for_each(write);
    assert_eq!((open[0].end(true, END), open[1].end(false, END)), (0, 0));
    settled(&mut readers[0]);
    producer.write_to(&all, 1, 10);
}

/// What is asked of the coordinator in between does not hold up a partition, nor the partition it.
#[test]
fn transactions_begin_and_end_in_partitions_that_have_moved() {
    let _alone = alone();
    let Some(broker) = Broker::of_two_cores(TOPIC, PARTITIONS as i32) else { return };
    let mut producer = Producer::new(&broker);
    move_all(&broker, &mut producer);
    let mut client = begun(&broker, "late");
    for commits in [true, false, true] {
        assert_eq!(client.end(commits, END), 0);
        settled(&mut producer.wire);
        write(&mut client);
    }
    assert_eq!(client.end(true, END), 0);
    for (index, partition) in settled(&mut producer.wire).iter().enumerate() {
        assert_eq!(partition.high_watermark, i64::from(producer.sequences[index]) + 8, "partition {index}");
        assert_eq!(partition.aborted_transactions.as_ref().map_or(0, Vec::len), 1, "partition {index}");
    }
}
