//! Members of groups in either protocol, each on a connection of its own.

use crate::groups::{REBALANCE_MS, TOPIC};
use crate::server::Server;
use crate::wire::Connection;
use bytes::{BufMut, Bytes, BytesMut};
use corelog::protocol::ApiKey;
use corelog::protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use corelog::protocol::messages::join_group_request::JoinGroupRequestProtocol;
use corelog::protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use corelog::protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use std::io;

const HEARTBEAT: i16 = 4;
const JOIN: i16 = 3;
const SYNC: i16 = 3;
const CONSUMER: i16 = 1;

/// A member of either protocol.
pub struct Member {
    connection: Connection,
    group: String,
    /// Its id; given by the broker in the classic protocol.
    pub id: String,
    /// The member's epoch, or the generation.
    pub epoch: i32,
    /// KIP-848: what it was given.
    pub assigned: Vec<TopicPartitions>,
}

/// What a code in an answer comes to.
pub fn wrong(what: &str, code: i16) -> io::Error {
    io::Error::other(format!("{what} was answered with error {code}"))
}

impl Member {
    /// One with a connection of its own.
    pub fn new(server: &Server, group: String, number: usize) -> io::Result<Self> {
        let connection = Connection::open(server.address)?;
        Ok(Self { connection, group, id: format!("member-{number:06}"), epoch: 0, assigned: Vec::new() })
    }

    /// KIP-848: the first heartbeat, or one that says what it owns.
    pub fn beat(&mut self) -> io::Result<()> {
        let first = self.epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.group.as_str().into(),
            member_id: self.id.as_str().into(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if first { REBALANCE_MS } else { -1 },
            subscribed_topic_names: first.then(|| vec![TOPIC.into()]),
            topic_partitions: Some(if first { Vec::new() } else { self.assigned.clone() }),
            ..Default::default()
        };
        self.connection.send(ApiKey::ConsumerGroupHeartbeat, CONSUMER, &request)
    }

    /// Takes the answer; true when it says something new.
    pub fn told(&mut self) -> io::Result<bool> {
        let reply: ConsumerGroupHeartbeatResponse = self.connection.receive()?.parse()?;
        if reply.error_code != 0 {
            return Err(wrong("ConsumerGroupHeartbeat", reply.error_code));
        }
        let news = reply.assignment.is_some() || reply.member_epoch != self.epoch;
        self.epoch = reply.member_epoch;
        if let Some(assignment) = reply.assignment {
            let own = |t: corelog::protocol::messages::consumer_group_heartbeat_response::TopicPartitions| {
                TopicPartitions { topic_id: t.topic_id, partitions: t.partitions }
            };
            self.assigned = assignment.topic_partitions.into_iter().map(own).collect();
        }
        Ok(news)
    }

    /// KIP-848: nothing new.
    pub fn quiet_beat(&mut self) -> io::Result<()> {
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.group.as_str().into(),
            member_id: self.id.as_str().into(),
            member_epoch: self.epoch,
            ..Default::default()
        };
        self.connection.send(ApiKey::ConsumerGroupHeartbeat, CONSUMER, &request)
    }

    /// How many it was given.
    pub fn partitions(&self) -> usize {
        self.assigned.iter().map(|topic| topic.partitions.len()).sum()
    }

    /// Asks to join, or to join again.
    pub fn join(&mut self) -> io::Result<()> {
        let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: subscription() };
        let request = JoinGroupRequest {
            group_id: self.group.as_str().into(),
            session_timeout_ms: 60_000,
            rebalance_timeout_ms: REBALANCE_MS,
            member_id: if self.epoch == 0 { "".into() } else { self.id.as_str().into() },
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            ..Default::default()
        };
        self.connection.send(ApiKey::JoinGroup, JOIN, &request)
    }

    /// Takes the answer to a join; the ids of all members for the leader.
    pub fn joined(&mut self) -> io::Result<Vec<String>> {
        let reply: JoinGroupResponse = self.connection.receive()?.parse()?;
        if reply.error_code != 0 {
            return Err(wrong("JoinGroup", reply.error_code));
        }
        (self.id, self.epoch) = (reply.member_id.to_string(), reply.generation_id);
        Ok(reply.members.iter().map(|member| member.member_id.to_string()).collect())
    }

    /// Sends, as the leader, or asks for the assignment.
    pub fn sync(&mut self, assignments: Vec<SyncGroupRequestAssignment>) -> io::Result<()> {
        let request = SyncGroupRequest {
            group_id: self.group.as_str().into(),
            generation_id: self.epoch,
            member_id: self.id.as_str().into(),
            assignments,
            ..Default::default()
        };
        self.connection.send(ApiKey::SyncGroup, SYNC, &request)
    }

    /// Takes it.
    pub fn synced(&mut self) -> io::Result<()> {
        let reply: SyncGroupResponse = self.connection.receive()?.parse()?;
        if reply.error_code == 0 { Ok(()) } else { Err(wrong("SyncGroup", reply.error_code)) }
    }

    /// The classic heartbeat.
    pub fn heartbeat(&mut self) -> io::Result<()> {
        let request = HeartbeatRequest {
            group_id: self.group.as_str().into(),
            generation_id: self.epoch,
            member_id: self.id.as_str().into(),
            group_instance_id: None,
        };
        self.connection.send(ApiKey::Heartbeat, HEARTBEAT, &request)
    }

    /// Asks, and is told whether the group is stable still.
    pub fn is_stable(&mut self) -> io::Result<bool> {
        self.heartbeat()?;
        let reply: HeartbeatResponse = self.connection.receive()?.parse()?;
        match reply.error_code {
            0 => Ok(true),
            27 => Ok(false),
            code => Err(wrong("Heartbeat", code)),
        }
    }

    /// Takes its answer.
    pub fn heard(&mut self) -> io::Result<()> {
        let reply: HeartbeatResponse = self.connection.receive()?.parse()?;
        if reply.error_code == 0 { Ok(()) } else { Err(wrong("Heartbeat", reply.error_code)) }
    }
}

/// A subscription in the embedded protocol, version 0.
fn subscription() -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(TOPIC.len() as i16);
    bytes.put_slice(TOPIC.as_bytes());
    bytes.put_i32(-1);
    bytes.freeze()
}

/// An assignment in the embedded protocol, version 0.
pub fn assignment(partitions: std::ops::Range<i32>) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(TOPIC.len() as i16);
    bytes.put_slice(TOPIC.as_bytes());
    bytes.put_i32(partitions.len() as i32);
    partitions.for_each(|partition| bytes.put_i32(partition));
    bytes.put_i32(-1);
    bytes.freeze()
}
