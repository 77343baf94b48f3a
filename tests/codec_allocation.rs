//! Produce and Fetch requests are decoded, and walked through, without a single allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bytes::Bytes;
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{FetchRequest, ProduceRequest};
use corelog::protocol::{Decoder, Message, encode_to_bytes};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes every call on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

/// A frame as the ring hands it out: owned elsewhere, so that slices only count.
fn frame(bytes: Bytes) -> Bytes {
    Bytes::from_owner(bytes.to_vec())
}

#[test]
fn produce_is_decoded_without_allocating() {
    let partition = |index| PartitionProduceData { index, records: Some(Bytes::from(vec![7; 100])) };
    let topic = |name: &str| TopicProduceData {
        name: name.into(),
        partition_data: (0..20).map(partition).collect(),
        ..Default::default()
    };
    let request =
        ProduceRequest { acks: -1, topic_data: ["a", "b", "c"].map(topic).into_iter().collect(), ..Default::default() };
    for version in 3..=12 {
        let frame = frame(encode_to_bytes(&request, version).unwrap());
        let mut bytes = 0;
        let count = allocations(|| {
            let decoded = ProduceRequest::decode(&mut Decoder::new(frame), version).unwrap();
            for topic in &decoded.topic_data {
                for partition in &topic.partition_data {
                    bytes += partition.records.map_or(0, |records| records.len());
                }
            }
        });
        assert_eq!((bytes, count), (6000, 0), "v{version}");
    }
}

#[test]
fn fetch_is_decoded_without_allocating() {
    let partition = |partition| FetchPartition { partition, fetch_offset: 5, ..Default::default() };
    let topics = [FetchTopic { topic: "t".into(), partitions: (0..50).map(partition).collect(), ..Default::default() }];
    let forgotten = [ForgottenTopic { topic: "f".into(), partitions: (0..9).collect(), ..Default::default() }];
    for version in 4..=18 {
        let request = FetchRequest {
            topics: topics.iter().cloned().collect(),
            forgotten_topics_data: forgotten.iter().filter(|_| version >= 7).cloned().collect(),
            ..Default::default()
        };
        let frame = frame(encode_to_bytes(&request, version).unwrap());
        let mut sum = 0;
        let count = allocations(|| {
            let decoded = FetchRequest::decode(&mut Decoder::new(frame), version).unwrap();
            sum += decoded
                .topics
                .iter()
                .flat_map(|topic| topic.partitions.iter().map(|it| it.fetch_offset).max())
                .sum::<i64>();
            sum += decoded.forgotten_topics_data.iter().map(|it| it.partitions.len() as i64).sum::<i64>();
        });
        assert_eq!((sum, count), (if version >= 7 { 14 } else { 5 }, 0), "v{version}");
    }
}
