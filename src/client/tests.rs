//! The client against brokers that answer as a test says: leaders and coordinators that move, old brokers, silent ones.

use super::cluster::Cluster;
use super::offsets::LATEST;
use super::options::Options;
use crate::base::TopicPartition;
use crate::protocol::messages::api_versions_response::ApiVersion;
use crate::protocol::messages::find_coordinator_response::Coordinator;
use crate::protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use crate::protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
};
use crate::protocol::messages::{
    ApiVersionsResponse, FindCoordinatorResponse, ListOffsetsResponse, MetadataResponse, OffsetFetchResponse,
};
use crate::protocol::{ApiKey, Message, encode_to_bytes};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What a broker answers to a request of this key and version; `None` closes the connection.
type Script = dyn Fn(ApiKey, i16) -> Option<Vec<u8>> + Send + Sync;

/// Serves until the test's process ends.
fn serve(listener: TcpListener, script: Arc<Script>) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (script, stream) = (script.clone(), stream.unwrap());
            thread::spawn(move || converse(stream, &*script));
        }
    });
}

fn converse(mut stream: TcpStream, script: &Script) -> Option<()> {
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame).ok()?;
        let number = |at: usize| i16::from_be_bytes([frame[at], frame[at + 1]]);
        let (key, version) = (ApiKey::from_i16(number(0))?, number(2));
        let body = script(key, version)?;
        let mut answer = frame[4..8].to_vec();
        answer.extend(vec![0; key.response_header_version(version) as usize]);
        answer.extend(body);
        stream.write_all(&(answer.len() as u32).to_be_bytes()).ok()?;
        stream.write_all(&answer).ok()?;
    }
}

fn body<M: Message>(message: &M, version: i16) -> Option<Vec<u8>> {
    Some(encode_to_bytes(message, version).unwrap().to_vec())
}

/// Every API in every version the codec knows.
fn everything(version: i16) -> Option<Vec<u8>> {
    let api = |key: ApiKey| ApiVersion {
        api_key: key as i16,
        min_version: *key.codec_versions().start(),
        max_version: *key.codec_versions().end(),
    };
    let versions = ApiVersionsResponse { api_keys: ApiKey::all().map(api).collect(), ..Default::default() };
    body(&versions, version)
}

/// Two brokers, 1 and 2, and topic `t` with one partition led by `leader`.
fn metadata(ports: [u16; 2], leader: i32, version: i16) -> Option<Vec<u8>> {
    let broker = |(port, node_id): (u16, i32)| MetadataResponseBroker {
        node_id,
        host: "127.0.0.1".into(),
        port: port.into(),
        ..Default::default()
    };
    let partition = MetadataResponsePartition { leader_id: leader, ..Default::default() };
    let topic = MetadataResponseTopic { name: Some("t".into()), partitions: vec![partition], ..Default::default() };
    let brokers = ports.into_iter().zip(1..).map(broker).collect();
    body(&MetadataResponse { brokers, controller_id: 1, topics: vec![topic], ..Default::default() }, version)
}

fn offsets(error_code: i16, offset: i64, version: i16) -> Option<Vec<u8>> {
    let partition = ListOffsetsPartitionResponse { error_code, offset, ..Default::default() };
    let topic = ListOffsetsTopicResponse { name: "t".into(), partitions: vec![partition] };
    body(&ListOffsetsResponse { topics: vec![topic], ..Default::default() }, version)
}

fn listeners() -> ([TcpListener; 2], [u16; 2]) {
    let both = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = [0, 1].map(|at: usize| both[at].local_addr().unwrap().port());
    (both, ports)
}

fn cluster(bootstrap: &str, api_timeout_ms: u64) -> Cluster {
    let properties = [("default.api.timeout.ms", api_timeout_ms.to_string()), ("retry.backoff.ms", "5".to_owned())];
    let properties = properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Cluster::new(Options::of(bootstrap, "test", &properties).unwrap())
}

fn end_of_t(cluster: &mut Cluster) -> i64 {
    let at = TopicPartition::new("t", 0);
    let found = cluster.list_offsets(&BTreeMap::from([(at.clone(), LATEST)]), false).unwrap();
    found[&at].as_ref().unwrap().offset
}

#[test]
fn a_leader_that_has_moved_is_looked_for_anew() {
    let ([first, second], ports) = listeners();
    let refused = Arc::new(AtomicUsize::new(0));
    let (seen, told) = (refused.clone(), refused.clone());
    // Broker 1 is said to lead until it has said that it does not.
    let meta = move |version| metadata(ports, if told.load(Ordering::SeqCst) < 2 { 1 } else { 2 }, version);
    let meta = Arc::new(meta);
    let of_second = meta.clone();
    serve(
        first,
        Arc::new(move |key, version| match key {
            ApiKey::ApiVersions => everything(version),
            ApiKey::Metadata => meta(version),
            ApiKey::ListOffsets => {
                seen.fetch_add(1, Ordering::SeqCst);
                offsets(6, -1, version)
            }
            _ => None,
        }),
    );
    serve(
        second,
        Arc::new(move |key, version| match key {
            ApiKey::ApiVersions => everything(version),
            ApiKey::Metadata => of_second(version),
            ApiKey::ListOffsets => offsets(0, 42, version),
            _ => None,
        }),
    );
    let mut cluster = cluster(&format!("127.0.0.1:{}", ports[0]), 20_000);
    assert_eq!(end_of_t(&mut cluster), 42);
    assert_eq!(refused.load(Ordering::SeqCst), 2);
}

#[test]
fn a_coordinator_that_has_moved_is_looked_for_anew() {
    let ([first, second], ports) = listeners();
    let asked = Arc::new(AtomicUsize::new(0));
    let find = move |version| {
        // The second broker from the second question on.
        let at = asked.fetch_add(1, Ordering::SeqCst).min(1);
        let coordinator = Coordinator {
            key: "g".into(),
            node_id: at as i32 + 1,
            host: "127.0.0.1".into(),
            port: ports[at].into(),
            ..Default::default()
        };
        body(&FindCoordinatorResponse { coordinators: vec![coordinator], ..Default::default() }, version)
    };
    let committed = |error_code, version| {
        let partition = OffsetFetchResponsePartitions { committed_offset: 9, ..Default::default() };
        let topic = OffsetFetchResponseTopics { name: "t".into(), partitions: vec![partition], ..Default::default() };
        let group = OffsetFetchResponseGroup { group_id: "g".into(), topics: vec![topic], error_code };
        body(&OffsetFetchResponse { groups: vec![group], ..Default::default() }, version)
    };
    serve(
        first,
        Arc::new(move |key, version| match key {
            ApiKey::ApiVersions => everything(version),
            ApiKey::FindCoordinator => find(version),
            ApiKey::OffsetFetch => committed(16, version),
            _ => None,
        }),
    );
    serve(
        second,
        Arc::new(move |key, version| match key {
            ApiKey::ApiVersions => everything(version),
            ApiKey::OffsetFetch => committed(0, version),
            _ => None,
        }),
    );
    let mut cluster = cluster(&format!("127.0.0.1:{}", ports[0]), 20_000);
    let found = cluster.committed("g").unwrap();
    assert_eq!(found[&TopicPartition::new("t", 0)].offset, 9);
}

#[test]
fn an_older_broker_is_asked_for_its_versions_in_the_one_it_names() {
    let ([first, _second], ports) = listeners();
    serve(
        first,
        Arc::new(move |key, version| match (key, version) {
            (ApiKey::ApiVersions, 3..) => {
                let own = ApiVersion { api_key: 18, min_version: 0, max_version: 2 };
                let refusal = ApiVersionsResponse { error_code: 35, api_keys: vec![own], ..Default::default() };
                body(&refusal, 0)
            }
            (ApiKey::ApiVersions, _) => everything(version),
            (ApiKey::Metadata, _) => metadata(ports, 1, version),
            (ApiKey::ListOffsets, _) => offsets(0, 7, version),
            _ => None,
        }),
    );
    assert_eq!(end_of_t(&mut cluster(&format!("127.0.0.1:{}", ports[0]), 20_000)), 7);
}

#[test]
fn a_bootstrap_server_that_is_down_is_passed_over_and_all_down_is_a_timeout() {
    let ([first, second], ports) = listeners();
    drop(first);
    serve(
        second,
        Arc::new(move |key, version| match key {
            ApiKey::ApiVersions => everything(version),
            ApiKey::Metadata => metadata([ports[1], ports[1]], 1, version),
            ApiKey::ListOffsets => offsets(0, 3, version),
            _ => None,
        }),
    );
    let list = format!("127.0.0.1:{},127.0.0.1:{}", ports[0], ports[1]);
    assert_eq!(end_of_t(&mut cluster(&list, 20_000)), 3);
    let down = cluster(&format!("127.0.0.1:{}", ports[0]), 50).topics().unwrap_err();
    assert!(down.to_string().starts_with("Timed out after 50 ms: no connection to"), "{down}");
}

#[test]
fn something_that_speaks_no_kafka_is_told_of_at_once() {
    let ([first, _second], ports) = listeners();
    thread::spawn(move || {
        let (mut stream, _) = first.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    let said = cluster(&format!("127.0.0.1:{}", ports[0]), 20_000).topics().unwrap_err();
    assert!(said.to_string().contains("sends no Kafka protocol"), "{said}");
}
