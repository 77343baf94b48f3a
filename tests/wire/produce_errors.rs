//! What a Produce request may get wrong, and the error code each gets: the same as on Apache Kafka
//! (`CORELOG_TEST_BROKER=host:port cargo test --test wire` asks one).

use crate::support::{Broker, Wire, now};
use bytes::Bytes;
use corelog::base::{Offset, Uuid};
use corelog::protocol::Array;
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProduceRequest, ProduceResponse};
use corelog::record::builder::BatchBuilder;

// Where the fields of a batch's header stand.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const LAST_OFFSET_DELTA: usize = 23;
const PRODUCER_ID: usize = 43;
const PRODUCER_EPOCH: usize = 51;
const BASE_SEQUENCE: usize = 53;
const COUNT: usize = 57;

const UNKNOWN_SERVER_ERROR: i16 = -1;
const NONE: i16 = 0;
const CORRUPT_MESSAGE: i16 = 2;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const MESSAGE_TOO_LARGE: i16 = 10;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const INVALID_REQUIRED_ACKS: i16 = 21;
const OUT_OF_ORDER_SEQUENCE_NUMBER: i16 = 45;
const INVALID_PRODUCER_EPOCH: i16 = 47;
const INVALID_RECORD: i16 = 87;
const UNKNOWN_TOPIC_ID: i16 = 100;

/// A batch of two records, from now.
fn batch() -> Vec<u8> {
    batch_of(b"value")
}

fn batch_of(value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Offset(0));
    builder.append(now(), Some(b"key"), Some(value), &[]);
    builder.append(now(), Some(b"key"), Some(value), &[]);
    builder.build().to_vec()
}

/// The batch with bytes replaced and the CRC made right again.
fn patched(patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = batch();
    for (at, patch) in patches {
        bytes[*at..at + patch.len()].copy_from_slice(patch);
    }
    sealed(bytes)
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&bytes[ATTRIBUTES..]);
    bytes[CRC..ATTRIBUTES].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// A batch of an idempotent producer.
fn of_producer(id: i64, epoch: i16, sequence: i32) -> Vec<u8> {
    patched(&[
        (PRODUCER_ID, &id.to_be_bytes()),
        (PRODUCER_EPOCH, &epoch.to_be_bytes()),
        (BASE_SEQUENCE, &sequence.to_be_bytes()),
    ])
}

/// Writes to one topic, named or by its id as the version has it.
struct Client {
    wire: Wire,
    topic: &'static str,
    topic_id: Uuid,
    version: i16,
}

impl Client {
    fn new(broker: &Broker, topic: &'static str, version: i16) -> Self {
        let mut wire = broker.connect();
        let topic_id = wire.create_topic(topic);
        Self { wire, topic, topic_id, version }
    }

    fn request(&self, partition: i32, records: Option<Bytes>, acks: i16) -> ProduceRequest {
        let data = PartitionProduceData { index: partition, records };
        let topic = TopicProduceData {
            name: self.topic.into(),
            topic_id: self.topic_id,
            partition_data: Array::from(vec![data]),
        };
        ProduceRequest { acks, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() }
    }

    /// The error code and the base offset in the answer.
    fn produce(&mut self, request: &ProduceRequest) -> (i16, i64) {
        let answer: ProduceResponse = self.wire.call(request, self.version);
        let partition = &answer.responses[0].partition_responses[0];
        (partition.error_code, partition.base_offset)
    }

    fn records(&mut self, records: Vec<u8>) -> (i16, i64) {
        let request = self.request(0, Some(records.into()), -1);
        self.produce(&request)
    }

    fn producer_id(&mut self) -> (i64, i16) {
        let request =
            InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 1000, ..Default::default() };
        loop {
            let answer: InitProducerIdResponse = self.wire.call(&request, 4);
            if answer.error_code != COORDINATOR_LOAD_IN_PROGRESS {
                assert_eq!(answer.error_code, NONE);
                return (answer.producer_id, answer.producer_epoch);
            }
        }
    }
}

/// By name, by name in flexible form, by topic id.
fn in_each_form(topic: &'static str, mut check: impl FnMut(&mut Client)) {
    let broker = Broker::start();
    for version in [3, 8, 9, 12, 13] {
        check(&mut Client::new(&broker, topic, version));
    }
}

#[test]
fn batches_that_are_wrong_get_kafkas_error() {
    in_each_form("wrong-batches", |client| {
        let mut flipped = batch();
        *flipped.last_mut().expect("not empty") ^= 1;
        let mut cut = batch();
        cut.truncate(cut.len() - 3);
        let mut longer = batch();
        longer[LENGTH..MAGIC - 4].copy_from_slice(&i32::MAX.to_be_bytes());
        let mut negative = batch();
        negative[LENGTH..MAGIC - 4].copy_from_slice(&(-5i32).to_be_bytes());
        let cases: Vec<(&str, Vec<u8>, i16)> = vec![
            ("a flipped bit", flipped, CORRUPT_MESSAGE),
            ("a batch cut short", cut, INVALID_RECORD),
            ("a length beyond all numbers", longer, UNKNOWN_SERVER_ERROR),
            ("a negative length", negative, CORRUPT_MESSAGE),
            ("no batch at all", vec![0; 61], CORRUPT_MESSAGE),
            ("magic 1", patched(&[(MAGIC, &[1])]), INVALID_RECORD),
            ("magic 9", patched(&[(MAGIC, &[9])]), CORRUPT_MESSAGE),
            ("two batches", [batch(), batch()].concat(), INVALID_RECORD),
            ("fewer offsets than records", patched(&[(LAST_OFFSET_DELTA, &[0, 0, 0, 0])]), INVALID_RECORD),
            ("no records", patched(&[(COUNT, &[0, 0, 0, 0])]), INVALID_RECORD),
            ("a negative count", patched(&[(COUNT, &[0xff; 4])]), INVALID_RECORD),
            ("a control batch of a client", patched(&[(ATTRIBUTES, &[0, 0x20])]), INVALID_RECORD),
            ("a producer id without a sequence", patched(&[(PRODUCER_ID, &[0, 0, 0, 0, 0, 0, 0, 1])]), INVALID_RECORD),
            ("append time claimed by the client", patched(&[(ATTRIBUTES, &[0, 8])]), NONE),
            ("too large", batch_of(&vec![b'x'; 1 << 20]), MESSAGE_TOO_LARGE),
        ];
        let mut wrong = Vec::new();
        for (what, records, expected) in cases {
            let (error, _) = client.records(records);
            if error != expected {
                wrong.push(format!("{what}, Produce v{}: {error} instead of {expected}", client.version));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(client.records(batch()).0, NONE, "the connection goes on");
    });
}

#[test]
fn requests_that_are_wrong_get_kafkas_error() {
    in_each_form("wrong-requests", |client| {
        let good = || Some(Bytes::from(batch()));
        for acks in [2, -2, i16::MAX] {
            let request = client.request(0, good(), acks);
            assert_eq!(client.produce(&request).0, INVALID_REQUIRED_ACKS, "acks {acks}, v{}", client.version);
        }
        for partition in [1, -1, i32::MAX] {
            let request = client.request(partition, good(), -1);
            assert_eq!(client.produce(&request).0, UNKNOWN_TOPIC_OR_PARTITION, "{partition}, v{}", client.version);
        }
        let mut request = client.request(0, good(), 1);
        let data = PartitionProduceData { index: 0, records: good() };
        request.topic_data = Array::from(vec![TopicProduceData {
            name: "absent".into(),
            topic_id: Uuid([7; 16]),
            partition_data: Array::from(vec![data]),
        }]);
        let expected = if client.version >= 13 { UNKNOWN_TOPIC_ID } else { UNKNOWN_TOPIC_OR_PARTITION };
        assert_eq!(client.produce(&request).0, expected, "v{}", client.version);
    });
}

#[test]
fn sequences_of_an_idempotent_producer_are_kept_in_order() {
    in_each_form("wrong-sequences", |client| {
        let (id, epoch) = client.producer_id();
        let (error, first) = client.records(of_producer(id, epoch, 0));
        assert_eq!(error, NONE);
        for n in 1..6 {
            assert_eq!(client.records(of_producer(id, epoch, 2 * n)), (NONE, first + 2 * i64::from(n)));
        }
        assert_eq!(client.records(of_producer(id, epoch, 10)), (NONE, first + 10), "a duplicate of the newest");
        assert_eq!(client.records(of_producer(id, epoch, 2)), (NONE, first + 2), "a duplicate of the fifth newest");
        assert_eq!(
            client.records(of_producer(id, epoch, 0)).0,
            OUT_OF_ORDER_SEQUENCE_NUMBER,
            "older than five batches"
        );
        assert_eq!(client.records(of_producer(id, epoch, 14)).0, OUT_OF_ORDER_SEQUENCE_NUMBER, "a gap");
        assert_eq!(
            client.records(of_producer(id, epoch + 1, 5)).0,
            OUT_OF_ORDER_SEQUENCE_NUMBER,
            "a new epoch begins at 0"
        );
        assert_eq!(client.records(of_producer(id, epoch + 1, 0)), (NONE, first + 12));
        assert_eq!(client.records(of_producer(id, epoch, 12)).0, INVALID_PRODUCER_EPOCH, "the old epoch is fenced");
        let (other, epoch) = client.producer_id();
        assert_ne!(other, id);
        assert_eq!(client.records(of_producer(other, epoch, 100)).0, NONE, "nothing is known: any sequence");
    });
}

#[test]
fn acks_0_is_not_answered_and_an_error_closes_the_connection() {
    let broker = Broker::start();
    let mut client = Client::new(&broker, "acks-0", 9);
    let (_, before) = client.records(batch());
    let silent = client.request(0, Some(batch().into()), 0);
    client.wire.post(&silent, 9);
    assert_eq!(client.records(batch()), (NONE, before + 4), "the next answer belongs to the next request");
    let wrong = client.request(7, Some(batch().into()), 0);
    client.wire.post(&wrong, 9);
    assert_eq!(client.wire.frame().expect("closed in time"), None);
}
