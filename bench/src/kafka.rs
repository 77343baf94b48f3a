//! Kafka requests as frames, by corelog's own codec.

use bytes::Bytes;
use corelog::base::{Offset, ProducerEpoch, ProducerId, TimestampMs};
use corelog::protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest,
    DeleteTopicsResponse, FetchRequest, FetchResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    ListOffsetsRequest, ListOffsetsResponse, ProduceRequest, ProduceResponse, RequestHeader, create_partitions_request,
    create_topics_request, delete_topics_request, fetch_request, incremental_alter_configs_request,
    list_offsets_request, produce_request,
};
use corelog::protocol::{ApiKey, Message, Records, Str, decode_all, encode_to_bytes};
use corelog::record::rebuild::{Packing, rebuild};
use corelog::record::{BatchBuilder, BatchView, Compression, batches};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

const PRODUCE_VERSION: i16 = 9;
/// Of the fetches below.
pub const FETCH_VERSION: i16 = 12;
const CREATE_VERSION: i16 = 5;
/// How long the leaders of a topic may take: Apache Kafka on a busy machine takes a minute for thousands of partitions.
const LEADERS_MAX: Duration = Duration::from_secs(180);
const PARTITIONS_VERSION: i16 = 1;
/// Brokers refuse 10,000 at once: that is more than a batch of their metadata log may hold.
const PARTITIONS_AT_ONCE: i32 = 5000;
const DELETE_VERSION: i16 = 5;
const OFFSETS_VERSION: i16 = 2;
const ALTER_VERSION: i16 = 0;
/// `ConfigResource.Type.TOPIC`.
const TOPIC_RESOURCE: i8 = 2;

/// A whole frame: size, header, body.
pub fn frame<M: Message>(key: ApiKey, version: i16, body: &M) -> io::Result<Vec<u8>> {
    let header = RequestHeader {
        request_api_key: M::KEY,
        request_api_version: version,
        correlation_id: 1,
        client_id: Some(Str::from("bench")),
    };
    let header = encode_to_bytes(&header, key.request_header_version(version)).map_err(invalid)?;
    let body = encode_to_bytes(body, version).map_err(invalid)?;
    let mut frame = ((header.len() + body.len()) as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&header);
    frame.extend_from_slice(&body);
    Ok(frame)
}

fn invalid(error: impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("{error:?}"))
}

/// The body of a reply without its size.
pub fn parse<M: Message>(key: ApiKey, version: i16, reply: &[u8]) -> io::Result<M> {
    // Correlation id, and from header version 1 on an empty set of tagged fields.
    let header = if key.response_header_version(version) >= 1 { 5 } else { 4 };
    let body = reply.get(header..).ok_or_else(|| io::Error::other("a reply shorter than its header"))?;
    decode_all(Bytes::copy_from_slice(body), version).map_err(invalid)
}

fn call(address: SocketAddr, frame: &[u8]) -> io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(120)))?;
    socket.write_all(frame)?;
    let mut size = [0; 4];
    socket.read_exact(&mut size)?;
    let mut reply = vec![0; u32::from_be_bytes(size) as usize];
    socket.read_exact(&mut reply)?;
    Ok(reply)
}

/// A topic name not used before.
pub fn fresh_topic(prefix: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("bench-{prefix}-{}", now.map_or(0, |d| d.as_micros()))
}

/// Creates a topic with large segments; replication factor 1.
pub fn create_topic(address: SocketAddr, name: &str, partitions: i32) -> io::Result<()> {
    create_topic_with(address, name, partitions, &[])
}

/// The same with configurations of its own. Its records are of long ago, and nevertheless kept. When it returns, all
/// partitions have their leader.
pub fn create_topic_with(address: SocketAddr, name: &str, partitions: i32, own: &[(&str, &str)]) -> io::Result<()> {
    let configs = own.iter().chain(&[("retention.ms", "-1")]).map(|(key, value)| {
        create_topics_request::CreatableTopicConfig { name: (*key).into(), value: Some((*value).into()) }
    });
    let at_first = partitions.min(PARTITIONS_AT_ONCE);
    let topic = create_topics_request::CreatableTopic {
        name: name.into(),
        num_partitions: at_first,
        replication_factor: 1,
        configs: configs.collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 100_000, ..Default::default() };
    let reply = call(address, &frame(ApiKey::CreateTopics, CREATE_VERSION, &request)?)?;
    let reply: CreateTopicsResponse = parse(ApiKey::CreateTopics, CREATE_VERSION, &reply)?;
    match reply.topics.first() {
        Some(topic) if topic.error_code == 0 => {}
        topic => return Err(io::Error::other(format!("create {name}: {topic:?}"))),
    }
    let mut there = at_first;
    while there < partitions {
        there = partitions.min(there + PARTITIONS_AT_ONCE);
        more_partitions(address, name, there)?;
    }
    await_leaders(address, name, partitions)
}

/// Raises the number of a topic's partitions.
fn more_partitions(address: SocketAddr, name: &str, count: i32) -> io::Result<()> {
    let topic = create_partitions_request::CreatePartitionsTopic { name: name.into(), count, assignments: None };
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 100_000, validate_only: false };
    let (api, version) = (ApiKey::CreatePartitions, PARTITIONS_VERSION);
    let reply: CreatePartitionsResponse = parse(api, version, &call(address, &frame(api, version, &request)?)?)?;
    match reply.results.first() {
        Some(topic) if topic.error_code == 0 => Ok(()),
        topic => Err(io::Error::other(format!("more partitions of {name}: {topic:?}"))),
    }
}

fn await_leaders(address: SocketAddr, name: &str, partitions: i32) -> io::Result<()> {
    let asked = (0..partitions).map(|partition_index| list_offsets_request::ListOffsetsPartition {
        partition_index,
        timestamp: -1,
        ..Default::default()
    });
    let topic = list_offsets_request::ListOffsetsTopic { name: name.into(), partitions: asked.collect() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let frame = frame(ApiKey::ListOffsets, OFFSETS_VERSION, &request)?;
    let begun = Instant::now();
    loop {
        let reply: ListOffsetsResponse = parse(ApiKey::ListOffsets, OFFSETS_VERSION, &call(address, &frame)?)?;
        let wrong = reply.topics.iter().flat_map(|t| &t.partitions).find(|p| p.error_code != 0);
        match wrong {
            None => return Ok(()),
            Some(p) if begun.elapsed() > LEADERS_MAX => {
                return Err(io::Error::other(format!("{name} has no leader: error {}", p.error_code)));
            }
            Some(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Sets a configuration of topics.
pub fn set_topic_config(address: SocketAddr, topics: &[String], key: &str, value: &str) -> io::Result<()> {
    let resources = topics.iter().map(|topic| incremental_alter_configs_request::AlterConfigsResource {
        resource_type: TOPIC_RESOURCE,
        resource_name: topic.as_str().into(),
        configs: vec![incremental_alter_configs_request::AlterableConfig {
            name: key.into(),
            config_operation: 0,
            value: Some(value.into()),
        }],
    });
    let request = IncrementalAlterConfigsRequest { resources: resources.collect(), validate_only: false };
    let (api, version) = (ApiKey::IncrementalAlterConfigs, ALTER_VERSION);
    let reply: IncrementalAlterConfigsResponse = parse(api, version, &call(address, &frame(api, version, &request)?)?)?;
    match reply.responses.iter().find(|one| one.error_code != 0) {
        None => Ok(()),
        Some(one) => Err(io::Error::other(format!("{key}={value}: {one:?}"))),
    }
}

/// Deletes a topic.
pub fn delete_topic(address: SocketAddr, name: &str) -> io::Result<()> {
    let request = DeleteTopicsRequest {
        topics: vec![delete_topics_request::DeleteTopicState::default(); 0],
        topic_names: vec![name.into()],
        timeout_ms: 100_000,
    };
    let reply = call(address, &frame(ApiKey::DeleteTopics, DELETE_VERSION, &request)?)?;
    let reply: DeleteTopicsResponse = parse(ApiKey::DeleteTopics, DELETE_VERSION, &reply)?;
    match reply.responses.first() {
        Some(topic) if topic.error_code == 0 => Ok(()),
        topic => Err(io::Error::other(format!("delete {name}: {topic:?}"))),
    }
}

fn value_of(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|n| (n * 31 % 251) as u8).collect()
}

/// A batch of `records` records with values of `value_bytes`.
pub fn batch(records: usize, value_bytes: usize) -> Bytes {
    keyed_batch(0, records, value_bytes)
}

/// A batch of records whose keys are the numbers below `keys`, in turn; none with 0.
pub fn keyed_batch(keys: u64, records: usize, value_bytes: usize) -> Bytes {
    keyed_from(0, keys, records, value_bytes)
}

/// The same, from the key `first` on.
pub fn keyed_from(first: u64, keys: u64, records: usize, value_bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0));
    let value = value_of(value_bytes);
    for n in 0..records as u64 {
        let key = (keys > 0).then(|| format!("{:012}", (first + n) % keys.max(1)));
        builder.append(TimestampMs(1_700_000_000_000 + n as i64), key.as_deref().map(str::as_bytes), Some(&value), &[]);
    }
    builder.build()
}

/// How the batches of a load are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Codec {
    /// gzip, level 6.
    Gzip,
    /// snappy.
    Snappy,
    /// lz4.
    Lz4,
    /// zstd, level 3.
    Zstd,
}

/// A packed batch of `unpacked` bytes of words in records of `record` bytes, and how many these are: they shrink to about a half.
pub fn packed_text(unpacked: usize, record: usize, codec: Codec) -> io::Result<(Bytes, u64)> {
    let codec = match codec {
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    };
    let mut random = 7u64;
    let mut text = Vec::with_capacity(unpacked + 16);
    while text.len() < unpacked {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.extend_from_slice(format!("{:x} ", (random >> 33) % 2000 * 2_654_435_761 % 99_991).as_bytes());
    }
    let mut builder = BatchBuilder::new(Offset(0));
    for value in text.chunks(record) {
        builder.append(TimestampMs(1_700_000_000_000), None, Some(value), &[]);
    }
    let plain = builder.build();
    let failed = |why: String| io::Error::other(format!("the batch cannot be packed: {why}"));
    let batch = BatchView::parse(&plain).map_err(|e| failed(e.to_string()))?;
    let packing = Packing { codec, level: None };
    let (header, body) = rebuild(&batch, packing, None, plain.len()).map_err(|e| failed(format!("{e:?}")))?;
    Ok(([header.as_bytes(), &body].concat().into(), text.len().div_ceil(record) as u64))
}

/// A batch of a transaction, whose producer is given by id and epoch; the first of its epoch.
pub fn transactional_batch((id, epoch): (i64, i16), records: usize, value_bytes: usize) -> Bytes {
    let builder = BatchBuilder::new(Offset(0)).producer(ProducerId(id), ProducerEpoch(epoch), 0);
    let (mut builder, value) = (builder.transactional(), value_of(value_bytes));
    for n in 0..records as i64 {
        builder.append(TimestampMs(1_700_000_000_000 + n), None, Some(&value), &[]);
    }
    builder.build()
}

/// A produce request of one batch to one partition.
pub fn produce_request(
    topic: &str,
    partition: i32,
    acks: i16,
    transactional_id: Option<&str>,
    batch: Bytes,
) -> ProduceRequest {
    let partition = produce_request::PartitionProduceData { index: partition, records: Some(batch) };
    let topic = produce_request::TopicProduceData {
        name: topic.into(),
        partition_data: vec![partition].into(),
        ..Default::default()
    };
    let transactional_id = transactional_id.map(Str::from);
    ProduceRequest { transactional_id, acks, timeout_ms: 30_000, topic_data: vec![topic].into() }
}

/// Such a request as a frame, without a transaction.
pub fn produce(topic: &str, partition: i32, acks: i16, batch: Bytes) -> io::Result<Vec<u8>> {
    frame(ApiKey::Produce, PRODUCE_VERSION, &produce_request(topic, partition, acks, None, batch))
}

/// The error code of the first partition of a produce reply, found without decoding it; 0 is none. What is no such reply has
/// the code of `CORRUPT_MESSAGE`.
pub fn produced_error(head: &[u8]) -> i16 {
    // Correlation id, tagged fields, number of topics.
    error_after_topic(head, 6).unwrap_or(NO_REPLY)
}

/// The same of a fetch reply.
pub fn fetched_error(head: &[u8]) -> i16 {
    // Correlation id, tagged fields, throttle time; then the request's own code, session, number of topics.
    match code_at(head, 9) {
        Some(0) => error_after_topic(head, 16).unwrap_or(NO_REPLY),
        Some(code) => code,
        None => NO_REPLY,
    }
}

/// CORRUPT_MESSAGE.
const NO_REPLY: i16 = 2;

fn code_at(head: &[u8], at: usize) -> Option<i16> {
    Some(i16::from_be_bytes(head.get(at..at + 2)?.try_into().ok()?))
}

/// A topic's name, the number of its partitions, the first partition's index and its error code.
fn error_after_topic(head: &[u8], mut at: usize) -> Option<i16> {
    let mut varint = || {
        let (mut value, mut shift) = (0_usize, 0);
        loop {
            let byte = *head.get(at)?;
            at += 1;
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 || shift > 28 {
                return Some(value);
            }
        }
    };
    let name = varint()?.checked_sub(1)?;
    at += name;
    // Up to 10,000 partitions: three bytes at most.
    while *head.get(at)? >= 0x80 {
        at += 1;
    }
    code_at(head, at + 1 + 4)
}

/// The error of a produce reply, if any.
pub fn check_produced(reply: &[u8]) -> io::Result<()> {
    let reply: ProduceResponse = parse(ApiKey::Produce, PRODUCE_VERSION, reply)?;
    let codes = reply.responses.iter().flat_map(|topic| &topic.partition_responses).map(|p| p.error_code);
    match codes.into_iter().find(|&code| code != 0) {
        Some(code) => Err(io::Error::other(format!("produce was answered with error {code}"))),
        None => Ok(()),
    }
}

/// A fetch of up to `bytes` of one partition from `offset`, without a session.
pub fn fetch(topic: &str, partition: i32, offset: i64, bytes: i32) -> io::Result<Vec<u8>> {
    let partition = fetch_request::FetchPartition {
        partition,
        current_leader_epoch: -1,
        fetch_offset: offset,
        last_fetched_epoch: -1,
        log_start_offset: -1,
        partition_max_bytes: bytes,
        ..Default::default()
    };
    let topic =
        fetch_request::FetchTopic { topic: topic.into(), partitions: vec![partition].into(), ..Default::default() };
    let request = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 50 << 20,
        session_id: 0,
        session_epoch: -1,
        topics: vec![topic].into(),
        ..Default::default()
    };
    frame(ApiKey::Fetch, FETCH_VERSION, &request)
}

/// Bytes of records one such fetch brings.
pub fn fetched_bytes(address: SocketAddr, request: &[u8]) -> io::Result<usize> {
    let reply: FetchResponse = parse(ApiKey::Fetch, FETCH_VERSION, &call(address, request)?)?;
    let partitions = reply.responses.iter().flat_map(|topic| &topic.partitions);
    Ok(partitions.map(|p| p.records.as_ref().map_or(0, |records| records.len())).sum())
}

/// The offset after the last whole batch of a fetch reply; `None` when it brings none.
pub fn end_of_fetched(reply: &[u8]) -> io::Result<Option<i64>> {
    let reply: FetchResponse = parse(ApiKey::Fetch, FETCH_VERSION, reply)?;
    let partitions = reply.responses.iter().flat_map(|topic| &topic.partitions);
    let ends = partitions.filter_map(|p| match &p.records {
        Some(Records::Bytes(bytes)) => {
            batches(bytes).map_while(Result::ok).map(|batch| batch.header().next_offset().0).last()
        }
        _ => None,
    });
    Ok(ends.max())
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelog::protocol::Decoder;

    #[test]
    fn packed_batches_are_sound_and_smaller() {
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let (batch, records) = packed_text(100_000, 1000, codec).unwrap();
            assert_eq!(records, 101, "{codec:?}");
            let view = BatchView::parse_checked(&batch).unwrap();
            assert_eq!((view.header().count(), view.size()), (101, batch.len()), "{codec:?}");
            assert!(batch.len() < 90_000, "{codec:?}: {}", batch.len());
        }
    }

    #[test]
    fn a_produce_frame_says_its_size_and_holds_one_sound_batch() {
        let sent = batch(3, 100);
        let frame = produce("load", 7, 1, sent.clone()).unwrap();
        let (size, rest) = frame.split_at(4);
        assert_eq!(u32::from_be_bytes(size.try_into().unwrap()) as usize, rest.len());
        let mut decoder = Decoder::new(Bytes::copy_from_slice(rest));
        let header_version = ApiKey::Produce.request_header_version(PRODUCE_VERSION);
        let header = RequestHeader::decode(&mut decoder, header_version).unwrap();
        assert_eq!((header.request_api_key, header.request_api_version), (0, PRODUCE_VERSION));
        let request: ProduceRequest = decode_all(decoder.rest(), PRODUCE_VERSION).unwrap();
        assert_eq!(request.acks, 1);
        let topic = request.topic_data.iter().next().unwrap();
        assert_eq!(&*topic.name, "load");
        assert_eq!(topic.partition_data.iter().next().unwrap().index, 7);
        let view = BatchView::parse_checked(&sent).unwrap();
        assert_eq!(view.records().count(), 3);
    }

    /// A reply without its size, as the wire has it.
    fn reply<M: Message>(version: i16, body: &M) -> Vec<u8> {
        [&[0, 0, 0, 1, 0][..], &encode_to_bytes(body, version).unwrap()].concat()
    }

    #[test]
    fn error_codes_are_found_without_decoding() {
        use corelog::protocol::messages::{fetch_response, produce_response};
        for (code, name) in [
            (0, "t"),
            (6, "t"),
            (
                3,
                "a-name-of-a-topic-that-is-longer-than-sixty-three-bytes-and-more-so-that-it-takes-more-than-one-byte-for-its-length-as-it-does",
            ),
        ] {
            let partition = produce_response::PartitionProduceResponse { error_code: code, ..Default::default() };
            let topic = produce_response::TopicProduceResponse {
                name: name.into(),
                partition_responses: vec![partition].into(),
                ..Default::default()
            };
            let body = ProduceResponse { responses: vec![topic].into(), ..Default::default() };
            assert_eq!(produced_error(&reply(PRODUCE_VERSION, &body)), code, "{name}");
            let partition = fetch_response::PartitionData { error_code: code, ..Default::default() };
            let topic = fetch_response::FetchableTopicResponse {
                topic: name.into(),
                partitions: vec![partition].into(),
                ..Default::default()
            };
            let body = FetchResponse { responses: vec![topic].into(), ..Default::default() };
            assert_eq!(fetched_error(&reply(FETCH_VERSION, &body)), code, "{name}");
        }
        let body = FetchResponse { error_code: 70, ..Default::default() };
        assert_eq!(fetched_error(&reply(FETCH_VERSION, &body)), 70);
        assert_eq!((produced_error(&[0; 7]), fetched_error(&[0; 3])), (NO_REPLY, NO_REPLY));
    }

    #[test]
    fn a_reply_that_ends_early_is_an_error() {
        assert!(check_produced(&[0, 0, 0, 1]).is_err());
        assert!(check_produced(&[]).is_err());
    }
}
