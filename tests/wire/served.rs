//! Which APIs are served, in which versions, and that the oldest of them work: old clients use them.

use crate::support::{Broker, DEADLINE, Wire, now};
use corelog::base::Offset;
use corelog::metadata::features::SUPPORTED;
use corelog::protocol::messages::create_topics_request::CreatableTopic;
use corelog::protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use corelog::protocol::messages::join_group_request::JoinGroupRequestProtocol;
use corelog::protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use corelog::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use corelog::protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use corelog::protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use corelog::protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use corelog::protocol::messages::*;
use corelog::protocol::{Array, Records};
use corelog::record::builder::BatchBuilder;
use std::time::Instant;

/// Key, the least and the greatest version advertised. The least are older than those of Apache Kafka 4 where clients
/// in use need them; Produce 0-2 is advertised for librdkafka and not served.
const SERVED: &[(i16, i16, i16)] = &[
    (0, 0, 13),
    (1, 4, 18),
    (2, 0, 11),
    (3, 0, 13),
    (8, 1, 10),
    (9, 1, 10),
    (10, 0, 6),
    (11, 0, 9),
    (12, 0, 4),
    (13, 0, 5),
    (14, 0, 5),
    (15, 0, 6),
    (16, 0, 5),
    (17, 0, 1),
    (18, 0, 4),
    (19, 0, 7),
    (20, 0, 6),
    (21, 0, 2),
    (22, 0, 5),
    (23, 2, 4),
    (24, 0, 5),
    (25, 0, 4),
    (26, 0, 5),
    (27, 1, 2),
    (28, 0, 5),
    (29, 1, 3),
    (30, 1, 3),
    (31, 1, 3),
    (32, 1, 4),
    (33, 0, 2),
    (34, 0, 2),
    (35, 0, 5),
    (36, 0, 2),
    (37, 0, 3),
    (38, 1, 3),
    (39, 1, 2),
    (40, 1, 2),
    (41, 1, 3),
    (42, 0, 2),
    (43, 0, 2),
    (44, 0, 1),
    (45, 0, 1),
    (46, 0, 0),
    (47, 0, 0),
    (48, 0, 1),
    (49, 0, 1),
    (50, 0, 0),
    (51, 0, 0),
    (55, 0, 2),
    (57, 0, 2),
    (60, 0, 2),
    (61, 0, 0),
    (64, 0, 0),
    (65, 0, 0),
    (66, 0, 2),
    (68, 0, 1),
    (69, 0, 1),
    (71, 0, 0),
    (72, 0, 0),
    (74, 0, 1),
    (75, 0, 0),
    (76, 1, 1),
    (77, 1, 1),
    (78, 1, 2),
    (79, 1, 2),
    (80, 0, 1),
    (81, 0, 0),
    (83, 0, 0),
    (84, 0, 0),
    (85, 0, 1),
    (86, 0, 0),
    (87, 0, 1),
    (88, 0, 0),
    (89, 0, 0),
    (90, 0, 1),
    (91, 0, 0),
    (92, 0, 0),
];

#[test]
fn exactly_what_is_served_is_advertised() {
    let broker = Broker::start();
    for version in 0..=4 {
        let request = ApiVersionsRequest {
            client_software_name: "wire".into(),
            client_software_version: "1".into(),
            ..Default::default()
        };
        let answer: ApiVersionsResponse = broker.connect().call(&request, version);
        assert_eq!(answer.error_code, 0);
        let mut told: Vec<(i16, i16, i16)> =
            answer.api_keys.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
        told.sort_unstable();
        if broker.is_corelog() {
            assert_eq!(told, SERVED, "ApiVersions v{version}");
            let mut features: Vec<&str> = answer.finalized_features.iter().map(|feature| &*feature.name).collect();
            features.sort_unstable();
            let mut served: Vec<&str> = SUPPORTED.iter().map(|feature| feature.name).collect();
            served.sort_unstable();
            assert!(version < 3 || features == served, "{features:?}");
        }
        for (key, _, newest) in SERVED {
            let api = told.iter().find(|api| api.0 == *key).expect("an API of Apache Kafka");
            assert_eq!(api.2, *newest, "API {key}");
        }
    }
}

/// From CreateTopics v0 to DeleteTopics v0, as clients of 2016 do it.
#[test]
fn the_oldest_versions_work() {
    let broker = Broker::start();
    let oldest = |version: i16| if broker.is_corelog() { 0 } else { version };
    let mut wire = broker.connect();
    let name = format!("oldest-{}", std::process::id());
    create_topic(&mut wire, &name, oldest(2));

    let listed: MetadataResponse = wire.call(&MetadataRequest { topics: Some(vec![]), ..Default::default() }, 0);
    assert!(listed.topics.iter().any(|topic| topic.name.as_deref() == Some(name.as_str())), "empty means all in v0");
    let none: MetadataResponse = wire.call(&MetadataRequest { topics: Some(vec![]), ..Default::default() }, 1);
    assert!(none.topics.is_empty(), "empty means none in v1");

    let mut batch = BatchBuilder::new(Offset(0));
    batch.append(now(), Some(b"k"), Some(b"v"), &[]);
    let data = PartitionProduceData { index: 0, records: Some(batch.build()) };
    let topic =
        TopicProduceData { name: name.as_str().into(), partition_data: Array::from(vec![data]), ..Default::default() };
    let request =
        ProduceRequest { acks: 1, timeout_ms: 30_000, topic_data: Array::from(vec![topic]), ..Default::default() };
    let produced: ProduceResponse = wire.call(&request, 3);
    assert_eq!(produced.responses[0].partition_responses[0].error_code, 0);

    assert_eq!(latest(&mut wire, &name, oldest(1)), 1);

    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
    let topic =
        FetchTopic { topic: name.as_str().into(), partitions: Array::from(vec![partition]), ..Default::default() };
    let request =
        FetchRequest { max_wait_ms: 30_000, min_bytes: 1, topics: Array::from(vec![topic]), ..Default::default() };
    let fetched: FetchResponse = wire.call(&request, 4);
    let Some(Records::Bytes(bytes)) = &fetched.responses[0].partitions[0].records else { panic!("{fetched:?}") };
    assert!(bytes.len() > 61);

    old_group(&mut wire, &name);

    let request =
        DeleteTopicsRequest { topics: Vec::new(), topic_names: vec![name.as_str().into()], timeout_ms: 30_000 };
    let deleted: DeleteTopicsResponse = wire.call(&request, oldest(1));
    assert_eq!(deleted.responses[0].error_code, 0);
}

fn create_topic(wire: &mut Wire, name: &str, version: i16) {
    let topic = CreatableTopic { name: name.into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
    let created: CreateTopicsResponse = wire.call(&request, version);
    assert_eq!(created.topics[0].error_code, 0);
    wire.wait_for_leaders(name, 1);
}

fn latest(wire: &mut Wire, name: &str, version: i16) -> i64 {
    let partition = ListOffsetsPartition { timestamp: -1, ..Default::default() };
    let topics = vec![ListOffsetsTopic { name: name.into(), partitions: vec![partition] }];
    let answer: ListOffsetsResponse =
        wire.call(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, version);
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    if version == 0 { partition.old_style_offsets[0] } else { partition.offset }
}

/// One member joins, gets its assignment, commits, reads the commit back and leaves.
fn old_group(wire: &mut Wire, topic: &str) {
    let group = format!("group-of-{topic}");
    // No consumer's protocol: Apache Kafka 4.3.1 never answers a join whose consumer metadata it cannot read.
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: b"subscription".as_slice().into() };
    let request = JoinGroupRequest {
        group_id: group.as_str().into(),
        session_timeout_ms: 10_000,
        protocol_type: "custom".into(),
        protocols: vec![protocol],
        ..Default::default()
    };
    let began = Instant::now();
    let joined = loop {
        // COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR: soon.
        let coordinator = FindCoordinatorRequest { key: group.as_str().into(), ..Default::default() };
        let found: FindCoordinatorResponse = wire.call(&coordinator, 0);
        if found.error_code == 0 {
            let joined: JoinGroupResponse = wire.call(&request, 0);
            if !matches!(joined.error_code, 14..=16) {
                break joined;
            }
        }
        assert!(began.elapsed() < DEADLINE, "no coordinator: {found:?}");
    };
    assert_eq!((joined.error_code, &joined.leader), (0, &joined.member_id));
    let assignment =
        SyncGroupRequestAssignment { member_id: joined.member_id.clone(), assignment: b"all".as_slice().into() };
    let request = SyncGroupRequest {
        group_id: group.as_str().into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![assignment],
        ..Default::default()
    };
    let synced: SyncGroupResponse = wire.call(&request, 0);
    assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]));

    let partition = OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
    let committed = OffsetCommitRequestTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: group.as_str().into(),
        generation_id_or_member_epoch: joined.generation_id,
        member_id: joined.member_id.clone(),
        topics: vec![committed],
        ..Default::default()
    };
    let answer: OffsetCommitResponse = wire.call(&request, 2);
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    let topics = Some(vec![OffsetFetchRequestTopic { name: topic.into(), partition_indexes: vec![0] }]);
    let request = OffsetFetchRequest { group_id: group.as_str().into(), topics, ..Default::default() };
    let fetched: OffsetFetchResponse = wire.call(&request, 1);
    assert_eq!(fetched.topics[0].partitions[0].committed_offset, 1);

    let request =
        LeaveGroupRequest { group_id: group.as_str().into(), member_id: joined.member_id, ..Default::default() };
    let left: LeaveGroupResponse = wire.call(&request, 0);
    assert_eq!(left.error_code, 0);
}
