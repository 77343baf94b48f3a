//! Members of consumer groups, and topics for them.

use crate::base::Uuid;
use crate::coordinator::group::tests::harness::{World, world_with};
use crate::coordinator::group::{Caller, GroupConfig, Request, Token};
use crate::metadata::MetadataRecord;
use crate::protocol::messages::consumer_group_describe_response::DescribedGroup;
use crate::protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use crate::protocol::messages::{
    ConfigRecord, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, PartitionRecord, RemoveTopicRecord,
    TopicRecord,
};
use std::collections::BTreeSet;

pub const T: Uuid = Uuid([7; 16]);
pub const U: Uuid = Uuid([8; 16]);

/// A topic with its partitions.
pub fn topic(name: &str, id: Uuid, partitions: std::ops::Range<i32>) -> Vec<MetadataRecord> {
    let partition = |index| {
        let record = PartitionRecord {
            partition_id: index,
            topic_id: id,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            directories: vec![Uuid([9; 16])],
            ..Default::default()
        };
        MetadataRecord::from(record)
    };
    let mut records: Vec<MetadataRecord> = Vec::new();
    if partitions.start == 0 {
        records.push(TopicRecord { name: name.into(), topic_id: id }.into());
    }
    records.extend(partitions.map(partition));
    records
}

pub fn removed(id: Uuid) -> Vec<MetadataRecord> {
    vec![RemoveTopicRecord { topic_id: id }.into()]
}

pub fn group_setting(key: &str, value: Option<&str>) -> Vec<MetadataRecord> {
    let value = value.map(Into::into);
    vec![ConfigRecord { resource_type: 32, resource_name: "g".into(), name: key.into(), value }.into()]
}

/// Topics t (3 partitions) and u (2); targets follow each other without a pause.
pub fn consumer_world() -> World {
    let mut config = GroupConfig::default();
    config.consumer.assignment_interval_ms.default = 0;
    let mut world = world_with(config);
    world.metadata(topic("t", T, 0..3));
    world.metadata(topic("u", U, 0..2));
    world
}

/// A first heartbeat of `member` that asks for `topics`.
pub fn joining(member: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_names: Some(topics.iter().map(|topic| (*topic).into()).collect()),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

/// A heartbeat without news.
pub fn beating(member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        member_epoch: epoch,
        ..Default::default()
    }
}

/// A heartbeat of a member that says what it owns.
pub fn owning(member: &str, epoch: i32, owned: &Parts) -> ConsumerGroupHeartbeatRequest {
    let topics: BTreeSet<Uuid> = owned.iter().map(|(topic, _)| *topic).collect();
    let of = |topic: Uuid| owned.iter().filter(|(t, _)| *t == topic).map(|(_, partition)| *partition).collect();
    let topics = topics.into_iter().map(|topic_id| TopicPartitions { topic_id, partitions: of(topic_id) });
    ConsumerGroupHeartbeatRequest { topic_partitions: Some(topics.collect()), ..beating(member, epoch) }
}

/// Partitions in a test.
pub type Parts = BTreeSet<(Uuid, i32)>;

/// What a heartbeat was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub error: i16,
    pub epoch: i32,
    /// `None`: nothing new.
    pub assigned: Option<Parts>,
}

pub fn told(answer: ConsumerGroupHeartbeatResponse) -> Told {
    let assigned = answer.assignment.map(|assignment| {
        assignment.topic_partitions.iter().flat_map(|t| t.partitions.iter().map(|p| (t.topic_id, *p))).collect()
    });
    Told { error: answer.error_code, epoch: answer.member_epoch, assigned }
}

impl World {
    pub fn ask_beat_v(&mut self, api_version: i16, request: ConsumerGroupHeartbeatRequest) -> Token {
        let caller = Caller { client_id: "c".into(), client_host: "/127.0.0.1".into(), api_version };
        self.ask(Request::ConsumerHeartbeat(caller, request))
    }

    pub fn beat_v(
        &mut self,
        api_version: i16,
        request: ConsumerGroupHeartbeatRequest,
    ) -> ConsumerGroupHeartbeatResponse {
        let token = self.ask_beat_v(api_version, request);
        self.answer(token).expect("an answer")
    }

    pub fn beat(&mut self, request: ConsumerGroupHeartbeatRequest) -> Told {
        told(self.beat_v(1, request))
    }

    /// The group as ConsumerGroupDescribe tells it.
    pub fn group(&mut self) -> DescribedGroup {
        let groups: Vec<DescribedGroup> = self.now(Request::ConsumerDescribe(vec!["g".into()]));
        groups.into_iter().next().unwrap()
    }

    pub fn group_state(&mut self) -> String {
        self.group().group_state.to_string()
    }

    /// What `member` holds, as the group is described.
    pub fn held(&mut self, member: &str) -> Parts {
        let group = self.group();
        let member = group.members.iter().find(|m| &*m.member_id == member).expect("a member");
        member.assignment.topic_partitions.iter().flat_map(|t| t.partitions.iter().map(|p| (t.topic_id, *p))).collect()
    }

    /// Lets `members` send heartbeats, doing as they are told, until nobody is told anything new.
    pub fn settle(&mut self, members: &mut [(String, i32, Parts)]) {
        for _ in 0..20 {
            let before = members.to_vec();
            for (id, epoch, owned) in members.iter_mut() {
                let told = self.beat(owning(id, *epoch, owned));
                assert_eq!(told.error, 0, "{id}");
                *epoch = told.epoch;
                if let Some(assigned) = told.assigned {
                    *owned = assigned;
                }
            }
            if before == members {
                return;
            }
        }
        panic!("the members do not settle: {members:?}");
    }

    /// A member that has joined.
    pub fn member(&mut self, id: &str, topics: &[&str]) -> (String, i32, Parts) {
        let told = self.beat(joining(id, topics));
        assert_eq!(told.error, 0);
        (id.to_owned(), told.epoch, told.assigned.expect("an assignment"))
    }
}

pub fn parts(topic: Uuid, partitions: &[i32]) -> Parts {
    partitions.iter().map(|partition| (topic, *partition)).collect()
}
