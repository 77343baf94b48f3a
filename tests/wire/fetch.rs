//! What a Fetch is answered: errors, the batch that holds the offset, limits, the long poll, sessions.

use crate::support::{Broker, DEADLINE, Wire, now};
use bytes::Bytes;
use corelog::base::{Offset, Uuid};
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::fetch_response::PartitionData;
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{
    FetchRequest, FetchResponse, InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse,
};
use corelog::protocol::{Array, Records};
use corelog::record::builder::BatchBuilder;
use std::time::Instant;

const NONE: i16 = 0;
const OFFSET_OUT_OF_RANGE: i16 = 1;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const FETCH_SESSION_ID_NOT_FOUND: i16 = 70;
const INVALID_FETCH_SESSION_EPOCH: i16 = 71;
const UNKNOWN_LEADER_EPOCH: i16 = 75;
const UNKNOWN_TOPIC_ID: i16 = 100;

/// Longer than any test may last: only an event can end this wait.
const WAIT_MS: i32 = 300_000;

/// Reads and writes one topic of two partitions.
struct Client {
    wire: Wire,
    topic: String,
    topic_id: Uuid,
    version: i16,
}

impl Client {
    fn new(broker: &Broker, test: &str, version: i16) -> Self {
        let topic = format!("{test}-v{version}-{}", std::process::id());
        let mut wire = broker.connect();
        let topic_id = wire.create_topic_of(&topic, 2);
        Self { wire, topic, topic_id, version }
    }

    /// Writes a batch of two records; returns its base offset.
    fn produce(&mut self, partition: i32, value: &[u8]) -> i64 {
        let mut batch = BatchBuilder::new(Offset(0));
        batch.append(now(), None, Some(value), &[]);
        batch.append(now(), None, Some(value), &[]);
        let data = PartitionProduceData { index: partition, records: Some(batch.build()) };
        let topic = TopicProduceData {
            name: self.topic.as_str().into(),
            partition_data: Array::from(vec![data]),
            ..Default::default()
        };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() };
        let answer: ProduceResponse = self.wire.call(&request, 9);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, NONE);
        answer.responses[0].partition_responses[0].base_offset
    }

    fn request(&self, partitions: Vec<FetchPartition>) -> FetchRequest {
        let topic = FetchTopic {
            topic: self.topic.as_str().into(),
            topic_id: self.topic_id,
            partitions: Array::from(partitions),
        };
        FetchRequest { max_wait_ms: WAIT_MS, min_bytes: 1, topics: Array::from(vec![topic]), ..Default::default() }
    }

    fn fetch(&mut self, request: &FetchRequest) -> FetchResponse {
        self.wire.call(request, self.version)
    }

    fn fetch_one(&mut self, partition: FetchPartition) -> PartitionData {
        let request = self.request(vec![partition]);
        let mut answer = self.fetch(&request);
        answer.responses.remove(0).partitions.remove(0)
    }
}

fn from(partition: i32, fetch_offset: i64) -> FetchPartition {
    FetchPartition { partition, fetch_offset, partition_max_bytes: 1 << 20, ..Default::default() }
}

fn bytes(data: &PartitionData) -> Bytes {
    match &data.records {
        Some(Records::Bytes(bytes)) => bytes.clone(),
        other => panic!("empty records are empty bytes, not {other:?}"),
    }
}

fn base_offset(batch: &[u8]) -> i64 {
    i64::from_be_bytes(batch[..8].try_into().expect("eight bytes"))
}

fn in_versions(test: &str, versions: &[i16], mut check: impl FnMut(&Broker, &mut Client)) {
    let broker = Broker::start();
    for &version in versions {
        check(&broker, &mut Client::new(&broker, test, version));
    }
}

/// Without sessions, with names; with ids; the newest.
const FORMS: &[i16] = &[4, 6, 11, 12, 13, 16, 18];

#[test]
fn an_error_is_answered_at_once_though_the_fetch_may_wait() {
    in_versions("fetch-errors", FORMS, |_, client| {
        client.produce(0, b"v");
        for offset in [3, -1, i64::MAX] {
            assert_eq!(client.fetch_one(from(0, offset)).error_code, OFFSET_OUT_OF_RANGE, "offset {offset}");
        }
        for partition in [2, -1] {
            assert_eq!(client.fetch_one(from(partition, 0)).error_code, UNKNOWN_TOPIC_OR_PARTITION);
        }
        if client.version >= 9 {
            let newer = FetchPartition { current_leader_epoch: 1000, ..from(0, 0) };
            assert_eq!(client.fetch_one(newer).error_code, UNKNOWN_LEADER_EPOCH);
        }
        client.topic = "absent".into();
        client.topic_id = Uuid([9; 16]);
        let expected = if client.version >= 13 { UNKNOWN_TOPIC_ID } else { UNKNOWN_TOPIC_OR_PARTITION };
        assert_eq!(client.fetch_one(from(0, 0)).error_code, expected);
    });
}

#[test]
fn at_the_end_a_fetch_that_may_not_wait_gets_empty_bytes() {
    in_versions("fetch-end", FORMS, |_, client| {
        client.produce(0, b"v");
        for (partition, end) in [(0, 2), (1, 0)] {
            let mut request = client.request(vec![from(partition, end)]);
            request.max_wait_ms = 0;
            let answer = client.fetch(&request);
            let data = &answer.responses[0].partitions[0];
            assert_eq!((data.error_code, data.high_watermark), (NONE, end));
            assert!(bytes(data).is_empty());
        }
    });
}

#[test]
fn a_fetch_begins_at_the_batch_that_holds_the_offset() {
    in_versions("fetch-middle", FORMS, |_, client| {
        client.produce(0, b"first");
        client.produce(0, b"second");
        for (offset, base) in [(0, 0), (1, 0), (2, 2), (3, 2)] {
            assert_eq!(base_offset(&bytes(&client.fetch_one(from(0, offset)))), base, "v{}", client.version);
        }
    });
}

#[test]
fn the_first_partition_with_data_gives_a_whole_batch_and_the_others_keep_to_the_limit() {
    in_versions("fetch-limits", FORMS, |_, client| {
        client.produce(0, &[b'x'; 5000]);
        client.produce(1, &[b'y'; 5000]);
        let small = |partition, offset| FetchPartition { partition_max_bytes: 100, ..from(partition, offset) };
        let request = client.request(vec![small(0, 0), small(1, 0)]);
        let answer = client.fetch(&request);
        let sizes: Vec<usize> = answer.responses[0].partitions.iter().map(|data| bytes(data).len()).collect();
        assert!(sizes[0] > 10_000, "a whole batch: {sizes:?}");
        assert!(sizes[1] <= 100, "no more than asked for: {sizes:?}");
        // The first one has nothing: then the second is the first with data.
        let request = client.request(vec![small(0, 2), small(1, 0)]);
        let answer = client.fetch(&request);
        let sizes: Vec<usize> = answer.responses[0].partitions.iter().map(|data| bytes(data).len()).collect();
        assert_eq!(sizes[0], 0);
        assert!(sizes[1] > 10_000, "a whole batch: {sizes:?}");
        // The limit of the whole answer counts too.
        let mut request = client.request(vec![from(0, 0), from(1, 0)]);
        request.max_bytes = 100;
        let answer = client.fetch(&request);
        let sizes: Vec<usize> = answer.responses[0].partitions.iter().map(|data| bytes(data).len()).collect();
        assert!(sizes[0] > 10_000 && sizes[1] == 0, "{sizes:?}");
    });
}

#[test]
fn a_waiting_fetch_is_answered_when_a_record_comes() {
    in_versions("fetch-wait", FORMS, |broker, client| {
        let mut waiting = broker.connect();
        let request = client.request(vec![from(0, 0), from(1, 0)]);
        waiting.post(&request, client.version);
        let began = Instant::now();
        client.produce(1, b"now");
        let answer: FetchResponse = waiting.answer(&request, client.version).expect("an answer");
        assert!(began.elapsed() < DEADLINE);
        let data = answer.responses[0].partitions.iter().find(|data| data.partition_index == 1).expect("partition 1");
        assert_eq!(base_offset(&bytes(data)), 0);
    });
}

#[test]
fn a_waiting_fetch_counts_its_bytes_over_all_partitions() {
    in_versions("fetch-min-bytes", &[11, 18], |broker, client| {
        let mut waiting = broker.connect();
        let mut request = client.request(vec![from(0, 0), from(1, 0)]);
        request.min_bytes = 3000;
        waiting.post(&request, client.version);
        client.produce(0, &[b'x'; 1000]);
        client.produce(1, &[b'y'; 1000]);
        let answer: FetchResponse = waiting.answer(&request, client.version).expect("an answer");
        let sum: usize = answer.responses[0].partitions.iter().map(|data| bytes(data).len()).sum();
        assert!(sum >= 4000, "{sum} bytes");
    });
}

#[test]
fn a_session_names_only_what_changed() {
    in_versions("fetch-sessions", &[7, 11, 12, 13, 18], |_, client| {
        client.produce(0, b"v");
        let mut first = client.request(vec![from(0, 0), from(1, 0)]);
        first.session_epoch = 0;
        let opened = client.fetch(&first);
        assert_eq!(opened.error_code, NONE);
        assert_ne!(opened.session_id, 0);
        assert_eq!(opened.responses[0].partitions.len(), 2, "a new session names all");

        // Nothing but the offset of partition 0 changed: then nothing comes.
        let mut next = client.request(vec![from(0, 2)]);
        (next.session_id, next.session_epoch, next.max_wait_ms) = (opened.session_id, 1, 0);
        let quiet = client.fetch(&next);
        assert_eq!((quiet.error_code, quiet.session_id), (NONE, opened.session_id));
        assert!(quiet.responses.is_empty(), "{quiet:?}");

        client.produce(1, b"w");
        let mut next = client.request(vec![]);
        next.topics = Array::new();
        (next.session_id, next.session_epoch) = (opened.session_id, 2);
        let changed = client.fetch(&next);
        let partitions: Vec<i32> = changed.responses[0].partitions.iter().map(|data| data.partition_index).collect();
        assert_eq!(partitions, [1], "only what changed");

        (next.session_id, next.session_epoch) = (opened.session_id, 7);
        assert_eq!(client.fetch(&next).error_code, INVALID_FETCH_SESSION_EPOCH);
        (next.session_id, next.session_epoch) = (opened.session_id ^ 1, 1);
        assert_eq!(client.fetch(&next).error_code, FETCH_SESSION_ID_NOT_FOUND);

        let mut last = client.request(vec![from(0, 0)]);
        (last.session_id, last.session_epoch) = (opened.session_id, -1);
        let closed = client.fetch(&last);
        assert_eq!((closed.error_code, closed.session_id), (NONE, 0), "the final epoch ends the session");
        (next.session_id, next.session_epoch) = (opened.session_id, 3);
        assert_eq!(client.fetch(&next).error_code, FETCH_SESSION_ID_NOT_FOUND);
    });
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    in_versions("fetch-pipeline", &[11], |broker, client| {
        // The first waits for a record that the second writes; the others could be answered at once.
        let mut writer = broker.connect();
        let waits = client.request(vec![from(0, 0)]);
        writer.post(&waits, client.version);
        let mut other = client.request(vec![from(1, 0)]);
        other.max_wait_ms = 0;
        for _ in 0..50 {
            writer.post(&other, client.version);
        }
        client.produce(0, b"v");
        for n in 0..51 {
            let frame = writer.frame().expect("an answer in time").expect("an answer");
            assert_eq!(i32::from_be_bytes(frame[..4].try_into().expect("an id")), n + 1);
        }
    });
}

#[test]
fn a_request_that_stands_behind_a_waiting_fetch_holds_up_no_other_connection() {
    let broker = Broker::start_with(&["corelog.admin.listener=127.0.0.1:0", "corelog.cores=1"]);
    let mut client = Client::new(&broker, "behind-a-wait", 12);
    let fetch = client.request(vec![from(0, 0)]);
    client.wire.post(&fetch, 12);
    // The first to ask for a producer id brings the block from which all others get theirs.
    let init = InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 1000, ..Default::default() };
    client.wire.post(&init, 4);
    let mut other = broker.connect();
    while other.call::<_, InitProducerIdResponse>(&init, 4).error_code != NONE {}
    let mut third = Client { wire: broker.connect(), topic: client.topic.clone(), ..client };
    third.produce(0, b"v");
    let answer: FetchResponse = client.wire.next_answer(&fetch, 12).expect("an answer");
    assert_eq!(answer.responses[0].partitions[0].error_code, NONE);
    let answer: InitProducerIdResponse = client.wire.next_answer(&init, 4).expect("an answer");
    assert_eq!(answer.error_code, NONE);
}
