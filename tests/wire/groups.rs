//! A group's whole life in every version of its APIs, and what is refused with which error.

use crate::support::{Broker, DEADLINE, Wire};
use corelog::base::Uuid;
use corelog::protocol::Str;
use corelog::protocol::messages::join_group_request::JoinGroupRequestProtocol;
use corelog::protocol::messages::leave_group_request::MemberIdentity;
use corelog::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use corelog::protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use corelog::protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use corelog::protocol::messages::*;
use std::time::Instant;

/// One member of one group, speaking all APIs in the version nearest to `version`.
struct Member {
    wire: Wire,
    version: i16,
    group: Str,
    instance: Option<Str>,
    id: Str,
    generation: i32,
    topic: (Str, Uuid),
}

impl Member {
    fn v(&self, least: i16, greatest: i16) -> i16 {
        self.version.clamp(least, greatest)
    }

    /// Asks until the coordinator is found and has loaded.
    fn find_coordinator(&mut self) {
        let version = self.v(0, 6);
        let began = Instant::now();
        loop {
            let request = match version {
                ..=3 => FindCoordinatorRequest { key: self.group.clone(), ..Default::default() },
                _ => FindCoordinatorRequest { coordinator_keys: vec![self.group.clone()], ..Default::default() },
            };
            let found: FindCoordinatorResponse = self.wire.call(&request, version);
            let (error, host) = match found.coordinators.first() {
                Some(found) => (found.error_code, found.host.clone()),
                None => (found.error_code, found.host.clone()),
            };
            if error == 0 {
                assert_eq!(host.as_str(), "127.0.0.1");
                // Heartbeats are answered 0 by a coordinator that is still loading.
                let heartbeat = HeartbeatRequest { group_id: self.group.clone(), ..Default::default() };
                let answer: HeartbeatResponse = self.wire.call(&heartbeat, self.v(0, 4));
                if answer.error_code == 25 {
                    return;
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
            assert!(began.elapsed() < DEADLINE, "no coordinator: {error}");
        }
    }

    fn join(&mut self) -> JoinGroupResponse {
        // No consumer's protocol: Apache Kafka 4.3.1 never answers a join whose consumer metadata it cannot read.
        let protocol = JoinGroupRequestProtocol { name: "p".into(), metadata: b"metadata".as_slice().into() };
        let version = self.v(0, 9);
        let request = JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: if version == 0 { -1 } else { 30_000 },
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: "custom".into(),
            protocols: vec![protocol],
            reason: None,
        };
        let answer: JoinGroupResponse = self.wire.call(&request, version);
        self.id = answer.member_id.clone();
        self.generation = answer.generation_id;
        answer
    }

    fn become_the_only_member(&mut self) {
        let mut joined = self.join();
        if self.v(0, 9) >= 4 && self.instance.is_none() {
            assert_eq!(joined.error_code, 79);
            joined = self.join();
        }
        assert_eq!((joined.error_code, joined.generation_id, &joined.leader), (0, 1, &joined.member_id));
        assert_eq!(joined.protocol_name.as_deref(), Some("p"));
        assert_eq!((joined.members.len(), &joined.members[0].metadata[..]), (1, &b"metadata"[..]));
        let assignment =
            SyncGroupRequestAssignment { member_id: self.id.clone(), assignment: b"all".as_slice().into() };
        let named = |name: &'static str| (self.v(0, 5) >= 5).then(|| name.into());
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            protocol_type: named("custom"),
            protocol_name: named("p"),
            assignments: vec![assignment],
        };
        let synced: SyncGroupResponse = self.wire.call(&request, self.v(0, 5));
        assert_eq!((synced.error_code, &synced.assignment[..]), (0, &b"all"[..]));
        if self.v(0, 5) >= 5 {
            assert_eq!((synced.protocol_type.as_deref(), synced.protocol_name.as_deref()), (Some("custom"), Some("p")));
        }
    }

    fn heartbeat(&mut self, generation: i32) -> i16 {
        let request = HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
        };
        self.wire.call::<_, HeartbeatResponse>(&request, self.v(0, 4)).error_code
    }

    fn commit(&mut self, generation: i32, partition_index: i32) -> i16 {
        let version = self.v(2, 10);
        let partition = OffsetCommitRequestPartition {
            partition_index,
            committed_offset: 7,
            committed_leader_epoch: if version >= 6 { 3 } else { -1 },
            committed_metadata: Some("words".into()),
            ..Default::default()
        };
        let (name, topic_id) = self.topic.clone();
        let (name, topic_id) = if version >= 10 { (Str::new(), topic_id) } else { (name, Uuid::ZERO) };
        let request = OffsetCommitRequest {
            group_id: self.group.clone(),
            generation_id_or_member_epoch: generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance.clone(),
            topics: vec![OffsetCommitRequestTopic { name, topic_id, partitions: vec![partition] }],
            ..Default::default()
        };
        let answer: OffsetCommitResponse = self.wire.call(&request, version);
        assert_eq!(answer.topics[0].topic_id, topic_id);
        answer.topics[0].partitions[0].error_code
    }

    /// Offset and metadata of partition 0; of all topics where `all`.
    fn committed(&mut self, all: bool) -> (i64, Option<String>) {
        let version = self.v(1, 10);
        let (name, topic_id) = self.topic.clone();
        let mut request = OffsetFetchRequest { require_stable: version >= 7, ..Default::default() };
        if version >= 8 {
            let (name, topic_id) = if version >= 10 { (Str::new(), topic_id) } else { (name, Uuid::ZERO) };
            let topic = OffsetFetchRequestTopics { name, topic_id, partition_indexes: vec![0] };
            let topics = (!all).then(|| vec![topic]);
            let group = OffsetFetchRequestGroup { group_id: self.group.clone(), topics, ..Default::default() };
            request.groups = vec![group];
            let answer: OffsetFetchResponse = self.wire.call(&request, version);
            let group = &answer.groups[0];
            assert_eq!((group.error_code, &group.group_id), (0, &self.group));
            let partition = &group.topics[0].partitions[0];
            assert_eq!((partition.error_code, partition.committed_leader_epoch), (0, 3));
            return (partition.committed_offset, partition.metadata.as_deref().map(str::to_string));
        }
        let topic = OffsetFetchRequestTopic { name, partition_indexes: vec![0] };
        request.group_id = self.group.clone();
        request.topics = if all && version >= 2 { None } else { Some(vec![topic]) };
        let answer: OffsetFetchResponse = self.wire.call(&request, version);
        let partition = &answer.topics[0].partitions[0];
        assert_eq!((answer.error_code, partition.error_code), (0, 0));
        (partition.committed_offset, partition.metadata.as_deref().map(str::to_string))
    }

    fn describe(&mut self) -> describe_groups_response::DescribedGroup {
        let version = self.v(0, 6);
        let include_authorized_operations = version >= 3;
        let request = DescribeGroupsRequest { groups: vec![self.group.clone()], include_authorized_operations };
        let mut answer: DescribeGroupsResponse = self.wire.call(&request, version);
        let group = answer.groups.remove(0);
        // READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS.
        let all = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
        let expected = if version >= 3 && group.error_code == 0 { all } else { i32::MIN };
        assert_eq!(group.authorized_operations, expected, "DescribeGroups v{version}");
        group
    }

    fn listed(&mut self) -> Option<list_groups_response::ListedGroup> {
        let answer: ListGroupsResponse = self.wire.call(&ListGroupsRequest::default(), self.v(0, 5));
        assert_eq!(answer.error_code, 0);
        answer.groups.into_iter().find(|group| group.group_id == self.group)
    }

    fn leave(&mut self) -> i16 {
        let version = self.v(0, 5);
        let mut request = LeaveGroupRequest { group_id: self.group.clone(), ..Default::default() };
        if version >= 3 {
            let (member_id, group_instance_id) = (self.id.clone(), self.instance.clone());
            request.members = vec![MemberIdentity { member_id, group_instance_id, reason: None }];
        } else {
            request.member_id = self.id.clone();
        }
        let answer: LeaveGroupResponse = self.wire.call(&request, version);
        answer.members.first().map_or(answer.error_code, |member| member.error_code)
    }

    fn delete(&mut self) -> i16 {
        let request = DeleteGroupsRequest { groups_names: vec![self.group.clone()] };
        self.wire.call::<_, DeleteGroupsResponse>(&request, self.v(0, 2)).results[0].error_code
    }

    fn live_and_die(&mut self) {
        self.find_coordinator();
        self.become_the_only_member();
        assert_eq!((self.heartbeat(1), self.heartbeat(0)), (0, 22));
        assert_eq!((self.commit(1, 0), self.commit(0, 0), self.commit(1, 99)), (0, 22, 3));
        assert_eq!(self.committed(false), (7, Some("words".into())));
        assert_eq!(self.committed(true), (7, Some("words".into())));

        let described = self.describe();
        assert_eq!((described.error_code, described.group_state.as_str()), (0, "Stable"));
        assert_eq!((described.protocol_type.as_str(), described.protocol_data.as_str()), ("custom", "p"));
        let member = &described.members[0];
        assert_eq!((&member.member_id, member.client_host.as_str()), (&self.id, "/127.0.0.1"));
        assert_eq!((&member.member_metadata[..], &member.member_assignment[..]), (&b"metadata"[..], &b"all"[..]));
        if self.v(0, 6) >= 4 {
            assert_eq!(member.group_instance_id, self.instance);
        }
        let listed = self.listed().expect("the group");
        assert_eq!(listed.protocol_type.as_str(), "custom");
        let version = self.v(0, 5);
        assert!(version < 4 || listed.group_state.as_str() == "Stable");
        assert!(version < 5 || listed.group_type.as_str() == "classic");

        assert_eq!((self.delete(), self.leave(), self.leave()), (68, 0, 25));
        assert_eq!((self.describe().group_state.as_str(), self.heartbeat(2)), ("Empty", 25));
        assert_eq!((self.delete(), self.delete()), (0, 69));
        let gone = self.describe();
        let told = if self.v(0, 6) >= 6 { (69, "Dead") } else { (0, "Dead") };
        assert_eq!((gone.error_code, gone.group_state.as_str()), told);
        assert!(self.listed().is_none());
    }
}

#[test]
fn a_group_lives_its_whole_life_in_every_version() {
    let broker = Broker::start();
    let name = format!("of-groups-{}", std::process::id());
    let topic_id = broker.connect().create_topic(&name);
    // Apache Kafka no longer speaks some of the oldest; it says so for each API by itself.
    let versions = if broker.is_corelog() { 0..=10 } else { 1..=10 };
    std::thread::scope(|lives| {
        for version in versions {
            for instance in [None, Some("i1")].into_iter().filter(|i| i.is_none() || version >= 7) {
                let mut member = Member {
                    wire: broker.connect(),
                    version,
                    group: format!("g-{}-{version}-{}", std::process::id(), instance.unwrap_or("")).into(),
                    instance: instance.map(Str::from),
                    id: Str::new(),
                    generation: -1,
                    topic: (name.as_str().into(), topic_id),
                };
                lives.spawn(move || member.live_and_die());
            }
        }
    });
}

#[test]
fn what_is_wrong_is_refused_with_its_error() {
    let broker = Broker::start();
    let name = format!("of-refusals-{}", std::process::id());
    let topic_id = broker.connect().create_topic(&name);
    let group = Str::from(format!("refused-{}", std::process::id()));
    let mut member = Member {
        wire: broker.connect(),
        version: 10,
        group: group.clone(),
        instance: None,
        id: Str::new(),
        generation: -1,
        topic: (name.as_str().into(), topic_id),
    };
    member.find_coordinator();

    let protocols = vec![JoinGroupRequestProtocol { name: "p".into(), metadata: Default::default() }];
    let good = JoinGroupRequest {
        group_id: group.clone(),
        session_timeout_ms: 10_000,
        protocol_type: "custom".into(),
        protocols,
        ..Default::default()
    };
    let mut join = |request: JoinGroupRequest| member.wire.call::<_, JoinGroupResponse>(&request, 9).error_code;
    assert_eq!(join(JoinGroupRequest { group_id: Str::new(), ..good.clone() }), 24);
    assert_eq!(join(JoinGroupRequest { member_id: "unknown".into(), ..good.clone() }), 25);
    assert_eq!(join(JoinGroupRequest { session_timeout_ms: 5_999, ..good.clone() }), 26);
    assert_eq!(join(JoinGroupRequest { session_timeout_ms: 1_800_001, ..good.clone() }), 26);
    assert_eq!(join(JoinGroupRequest { protocols: Vec::new(), ..good.clone() }), 23);
    assert_eq!(join(JoinGroupRequest { protocol_type: Str::new(), ..good }), 23);

    let sync = SyncGroupRequest { group_id: group.clone(), member_id: "unknown".into(), ..Default::default() };
    let without = SyncGroupRequest { protocol_type: None, protocol_name: None, ..sync.clone() };
    let named =
        SyncGroupRequest { protocol_type: Some("custom".into()), protocol_name: Some("p".into()), ..sync.clone() };
    let no_group = SyncGroupRequest { group_id: Str::new(), ..named.clone() };
    let mut call = |request: &SyncGroupRequest| member.wire.call::<_, SyncGroupResponse>(request, 5).error_code;
    assert_eq!([call(&without), call(&named), call(&no_group)], [23, 25, 24]);

    let leave = LeaveGroupRequest { group_id: group.clone(), member_id: "x".into(), ..Default::default() };
    assert_eq!(member.wire.call::<_, LeaveGroupResponse>(&leave, 2).error_code, 25);

    // The joins have made the group; from here on one that does not exist.
    let group = Str::from(format!("{group}-of-commits"));
    member.group = group.clone();
    member.find_coordinator();
    // A commit with a generation to a group that is not: 69, before version 9 it was 22.
    let mut commit = |version: i16, generation: i32, metadata: &str| {
        let partition = OffsetCommitRequestPartition {
            committed_offset: 1,
            committed_metadata: Some(metadata.into()),
            ..Default::default()
        };
        let topics = [name.as_str(), "no-such-topic"].map(|name| OffsetCommitRequestTopic {
            name: name.into(),
            partitions: vec![partition.clone()],
            ..Default::default()
        });
        let request = OffsetCommitRequest {
            group_id: group.clone(),
            generation_id_or_member_epoch: generation,
            topics: topics.to_vec(),
            ..Default::default()
        };
        let answer: OffsetCommitResponse = member.wire.call(&request, version);
        let of = |name: &str| {
            let topic = answer.topics.iter().find(|t| t.name.as_str() == name).expect("the topic");
            topic.partitions[0].error_code
        };
        [of(&name), of("no-such-topic")]
    };
    assert_eq!(commit(9, 1, ""), [69, 3]);
    assert_eq!(commit(8, 1, ""), [22, 3]);
    assert_eq!(commit(9, -1, &"x".repeat(4_097)), [12, 3]);
    assert_eq!(commit(9, -1, &"x".repeat(4_096)), [0, 3]);

    // Topics by an id that is none.
    let nobody = Uuid([7; 16]);
    let unknown = OffsetCommitRequestTopic {
        topic_id: nobody,
        partitions: vec![OffsetCommitRequestPartition::default()],
        ..Default::default()
    };
    let request = OffsetCommitRequest { group_id: group.clone(), topics: vec![unknown], ..Default::default() };
    let answer: OffsetCommitResponse = member.wire.call(&request, 10);
    assert_eq!((answer.topics[0].topic_id, answer.topics[0].partitions[0].error_code), (nobody, 100));
    let topics = [nobody, topic_id].map(|topic_id| OffsetFetchRequestTopics {
        topic_id,
        partition_indexes: vec![0],
        ..Default::default()
    });
    let asked =
        OffsetFetchRequestGroup { group_id: group.clone(), topics: Some(topics.to_vec()), ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![asked], ..Default::default() };
    let answer: OffsetFetchResponse = member.wire.call(&request, 10);
    assert_eq!(answer.groups[0].error_code, 0);
    let told = |id: Uuid| {
        let topic = answer.groups[0].topics.iter().find(|t| t.topic_id == id).expect("the topic");
        (topic.partitions[0].error_code, topic.partitions[0].committed_offset)
    };
    assert_eq!((told(nobody), told(topic_id)), ((100, -1), (0, 1)));
}
