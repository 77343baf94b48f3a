//! Malformed requests on a running broker: each gets Kafka's answer or a closed connection, and afterwards a normal
//! client is served and the memory is what it was.

use crate::codec_support::{self, schema::Message as Schema};
use crate::support::{Broker, Wire, framed, now, request_frame};
use bytes::Bytes;
use corelog::base::Offset;
use corelog::protocol::messages::CATALOG;
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchResponse, ProduceRequest, ProduceResponse,
};
use corelog::protocol::{Array, DecodeError, Records};
use corelog::record::builder::BatchBuilder;
use std::sync::atomic::{AtomicUsize, Ordering};

/// By so much the broker may have grown afterwards.
const GROWTH_MAX: u64 = 16 << 20;
/// `socket.request.max.bytes`
const FRAME_MAX: i32 = 104_857_600;

/// Hostile numbers, laid over each byte of a request in turn: sizes and counts as int32 and int16, and varints that
/// are huge, or longer than any varint may be.
const HOSTILE: &[&[u8]] = &[
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0x00, 0x00, 0x00],
    &[0x06, 0x40, 0x00, 0x00],
    &[0x7f, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    &[0x00],
];

#[test]
fn frames_that_hold_no_request_close_the_connection() {
    let broker = Broker::start();
    let metadata_v1_with = |client_id_len: i16| {
        let mut frame = [0, 3, 0, 1, 0, 0, 0, 9, 0, 0].to_vec();
        frame[8..].copy_from_slice(&client_id_len.to_be_bytes());
        frame
    };
    let cases: &[(&str, Vec<u8>)] = &[
        ("size -1", (-1i32).to_be_bytes().to_vec()),
        ("size -2", (-2i32).to_be_bytes().to_vec()),
        ("the least size", i32::MIN.to_be_bytes().to_vec()),
        ("size 0", 0i32.to_be_bytes().to_vec()),
        ("a size above the limit", (FRAME_MAX + 1).to_be_bytes().to_vec()),
        ("the greatest size", i32::MAX.to_be_bytes().to_vec()),
        ("half a header", framed(&[0, 3, 0])),
        ("a header without correlation id", framed(&[0, 3, 0, 1])),
        ("a client id longer than the frame", framed(&metadata_v1_with(i16::MAX))),
        ("a client id of length -2", framed(&metadata_v1_with(-2))),
        ("an unknown key", request_frame(12_345, 0, 1, &[])),
        ("a negative key", request_frame(-1, 0, 1, &[])),
        ("a version too high", request_frame(3, 99, 1, &[])),
        ("a negative version", request_frame(3, -1, 1, &[])),
        ("Produce v0, which is advertised but not served", request_frame(0, 0, 1, &[0, 1, 0, 0, 0, 0, 0, 0, 0, 0])),
        ("a Fetch too old", request_frame(1, 3, 1, &[])),
        ("plain text", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("a TLS hello", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
    ];
    for (what, bytes) in cases {
        let mut wire = broker.connect();
        wire.send(bytes);
        match wire.read_to_close() {
            Ok(answer) => assert!(answer.is_empty(), "{what}: answered {answer:?}"),
            Err(e) => panic!("{what}: the connection stays open: {e}"),
        }
    }
    normal_client_is_served(&broker);
}

#[test]
fn api_versions_of_a_version_unknown_answers_its_own_range() {
    let broker = Broker::start();
    let mut wire = broker.connect();
    // A flexible header and a body nobody knows.
    wire.send(&request_frame(18, 99, 77, &[1, 2, 3]));
    let frame = wire.frame().expect("an answer in time").expect("an answer");
    // Header v0, body v0: correlation id, error 35, one entry: key 18 with its versions.
    assert_eq!(frame[..14], [0, 0, 0, 77, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0]);
    assert_eq!(frame.len(), 16);
    let served: ApiVersionsResponse = wire.call(&ApiVersionsRequest::default(), 2);
    assert_eq!(served.error_code, 0, "the connection goes on");
}

#[test]
fn bytes_behind_a_request_are_ignored_as_kafka_ignores_them() {
    let broker = Broker::start();
    let mut wire = broker.connect();
    wire.send(&request_frame(18, 0, 77, &[1, 2, 3]));
    let frame = wire.frame().expect("an answer in time").expect("an answer");
    assert_eq!(frame[..6], [0, 0, 0, 77, 0, 0]);
}

/// Sizes are claimed, little is sent: memory is charged as bytes arrive.
#[test]
fn claimed_sizes_cost_no_memory() {
    let broker = Broker::start();
    normal_client_is_served(&broker);
    let before = broker.resident_bytes();
    let mut wires: Vec<Wire> = (0..500).map(|_| broker.connect()).collect();
    for wire in &mut wires {
        let frame = request_frame(0, 9, 1, &[0; 64]);
        wire.send(&FRAME_MAX.to_be_bytes());
        wire.send(&frame[4..]);
    }
    normal_client_is_served(&broker);
    assert_no_growth(&broker, before);
    drop(wires);
    normal_client_is_served(&broker);
}

/// Each served API in each served version: cut at every byte, and with hostile numbers at every byte.
#[test]
fn malformed_requests_of_every_api_and_version_do_no_harm() {
    let broker = Broker::start();
    normal_client_is_served(&broker);
    let frames = malformed_frames(&broker);
    let whole = frames.len();
    let before = broker.resident_bytes();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(Malformed { label, frame, refused }) = frames.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut wire = broker.connect();
                    wire.send(frame);
                    wire.end();
                    match wire.read_to_close() {
                        Err(e) => panic!("{label}: not closed after our end of it: {e}; frame {frame:02x?}"),
                        Ok(answer) if *refused => assert!(answer.is_empty(), "{label}: {answer:02x?} to {frame:02x?}"),
                        Ok(_) => {}
                    }
                }
            });
        }
    });
    println!("{whole} malformed requests");
    assert!(whole > 100_000, "only {whole} malformed requests");
    normal_client_is_served(&broker);
    assert_no_growth(&broker, before);
    let log = broker.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(log.len() < 1 << 20, "{} bytes logged: lines about bad requests are rate-limited", log.len());
}

/// A request with something wrong in it.
struct Malformed {
    label: String,
    frame: Vec<u8>,
    /// The codec cannot read it: there is no answer. Else the number means something, and Kafka's answer is right.
    refused: bool,
}

/// All that the broker advertises, malformed in every way.
fn malformed_frames(broker: &Broker) -> Vec<Malformed> {
    let seed = codec_support::seed();
    let schema = codec_support::messages();
    let served: ApiVersionsResponse = broker.connect().call(&ApiVersionsRequest::default(), 2);
    // Apache Kafka takes some for good: any negative length as null, any bytes as UTF-8.
    let on_kafka = std::env::var_os("CORELOG_TEST_BROKER").is_some();
    let mut frames = Vec::new();
    for api in &served.api_keys {
        let message = schema.iter().find(|it| it.kind == "request" && it.key == api.api_key).expect("a schema");
        for version in api.min_version..=api.max_version {
            let label = codec_support::label(message, version);
            let body = body(message, version, seed, &label);
            let frame = request_frame(api.api_key, version, 1, &body);
            let header = frame.len() - body.len();
            let entry = CATALOG.iter().find(|it| it.name == message.name).expect("a message");
            let mut push = |label, bad: &[u8]| {
                let body = bad.get(header - 4..).map(Bytes::copy_from_slice);
                let error = body.map(|body| (entry.recode)(body, version).err());
                let refused = !on_kafka && !matches!(error, Some(None | Some(DecodeError::TrailingBytes(_))));
                frames.push(Malformed { label, frame: framed(bad), refused });
            };
            for end in 4..frame.len() {
                push(format!("{label} cut at {end}"), &frame[4..end]);
            }
            for at in header..frame.len() {
                for hostile in HOSTILE {
                    let mut bad = frame[4..at].to_vec();
                    bad.extend(*hostile);
                    bad.extend(frame.get(at + hostile.len()..).unwrap_or_default());
                    push(format!("{label} with {hostile:02x?} at {at}"), &bad);
                }
            }
        }
    }
    frames
}

/// A random body that is neither trivial nor long.
fn body(message: &Schema, version: i16, seed: u64, label: &str) -> Vec<u8> {
    let mut rng = codec_support::rng(seed, label);
    let tries: Vec<Vec<u8>> = (0..20).map(|_| codec_support::random_bytes(message, version, &mut rng)).collect();
    tries.into_iter().filter(|bytes| bytes.len() <= 120).max_by_key(Vec::len).unwrap_or_default()
}

fn assert_no_growth(broker: &Broker, before: Option<u64>) {
    if let (Some(before), Some(after)) = (before, broker.resident_bytes()) {
        println!("resident: {} KiB, then {} KiB", before >> 10, after >> 10);
        assert!(after < before + GROWTH_MAX, "grown from {before} to {after} bytes");
    }
}

/// A topic is created, a record written and read back.
fn normal_client_is_served(broker: &Broker) {
    let mut wire = broker.connect();
    wire.create_topic("normal");
    let mut batch = BatchBuilder::new(Offset(0));
    batch.append(now(), Some(b"key"), Some(b"value"), &[]);
    let records: Bytes = batch.build();
    let partition = PartitionProduceData { index: 0, records: Some(records.clone()) };
    let topic =
        TopicProduceData { name: "normal".into(), partition_data: Array::from(vec![partition]), ..Default::default() };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() };
    let produced: ProduceResponse = wire.call(&request, 9);
    let answer = &produced.responses[0].partition_responses[0];
    assert_eq!(answer.error_code, 0);

    let partition =
        FetchPartition { fetch_offset: answer.base_offset, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: "normal".into(), partitions: Array::from(vec![partition]), ..Default::default() };
    let request =
        FetchRequest { max_wait_ms: 30_000, min_bytes: 1, topics: Array::from(vec![topic]), ..Default::default() };
    let fetched: FetchResponse = wire.call(&request, 11);
    let answer = &fetched.responses[0].partitions[0];
    assert_eq!(answer.error_code, 0);
    let Some(Records::Bytes(bytes)) = &answer.records else { panic!("no records: {answer:?}") };
    // Base offset and leader epoch are the broker's; what the CRC covers is as it was sent.
    assert_eq!(bytes[21..records.len()], records[21..]);
}
