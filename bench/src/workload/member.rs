//! Members of groups in either protocol, each on a connection of its own.

use crate::interrupt;
use crate::wire::Connection;
use bytes::{BufMut, Bytes, BytesMut};
use corelog::protocol::ApiKey;
use corelog::protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use corelog::protocol::messages::join_group_request::JoinGroupRequestProtocol;
use corelog::protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use corelog::protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a rebalance may take.
const REBALANCE_MS: i32 = 60_000;
/// How long the members of a group may take to have their partitions.
const SETTLE_MAX: Duration = Duration::from_secs(120);
const HEARTBEAT: i16 = 4;
const JOIN: i16 = 3;
const LEAVE: i16 = 2;
const SYNC: i16 = 3;
const CONSUMER: i16 = 1;

/// Which protocol a group speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Protocol {
    /// JoinGroup, SyncGroup, Heartbeat.
    Classic,
    /// KIP-848: ConsumerGroupHeartbeat.
    Consumer,
}

/// A member of either protocol.
pub struct Member {
    connection: Connection,
    group: String,
    topic: String,
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
    pub fn new(address: SocketAddr, group: String, topic: &str, number: usize) -> io::Result<Self> {
        let connection = Connection::open(address)?;
        Ok(Self {
            connection,
            group,
            topic: topic.to_owned(),
            id: format!("member-{number:06}"),
            epoch: 0,
            assigned: Vec::new(),
        })
    }

    /// KIP-848: the first heartbeat, or one that says what it owns.
    pub fn beat(&mut self) -> io::Result<()> {
        let first = self.epoch == 0;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.group.as_str().into(),
            member_id: self.id.as_str().into(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if first { REBALANCE_MS } else { -1 },
            subscribed_topic_names: first.then(|| vec![self.topic.as_str().into()]),
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

    /// Nothing new, in either protocol.
    pub fn quiet_beat(&mut self, protocol: Protocol) -> io::Result<()> {
        match protocol {
            Protocol::Classic => self.heartbeat(),
            Protocol::Consumer => self.bare_beat(),
        }
    }

    /// Takes the answer to that.
    pub fn quiet_told(&mut self, protocol: Protocol) -> io::Result<()> {
        match protocol {
            Protocol::Classic => self.heard(),
            Protocol::Consumer => self.told().map(drop),
        }
    }

    /// Leaves its group, and is ready to join again.
    pub fn leave(&mut self, protocol: Protocol) -> io::Result<()> {
        match protocol {
            Protocol::Classic => {
                let (group_id, member_id) = (self.group.as_str().into(), self.id.as_str().into());
                let request = LeaveGroupRequest { group_id, member_id, ..Default::default() };
                self.connection.send(ApiKey::LeaveGroup, LEAVE, &request)?;
                let reply: LeaveGroupResponse = self.connection.receive()?.parse()?;
                if reply.error_code != 0 {
                    return Err(wrong("LeaveGroup", reply.error_code));
                }
            }
            Protocol::Consumer => {
                self.epoch = -1;
                self.bare_beat()?;
                self.told()?;
            }
        }
        self.epoch = 0;
        self.assigned.clear();
        Ok(())
    }

    fn bare_beat(&mut self) -> io::Result<()> {
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
        let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: subscription(&self.topic) };
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

    fn heartbeat(&mut self) -> io::Result<()> {
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

    fn heard(&mut self) -> io::Result<()> {
        let reply: HeartbeatResponse = self.connection.receive()?.parse()?;
        if reply.error_code == 0 { Ok(()) } else { Err(wrong("Heartbeat", reply.error_code)) }
    }
}

/// All members through JoinGroup and SyncGroup of their groups; which of them lead.
pub fn assign(members: &mut [Member], per_group: usize, partitions: i32) -> io::Result<Vec<usize>> {
    members.iter_mut().try_for_each(Member::join)?;
    joined_and_synced(members, per_group, partitions)
}

/// A rebalance of one group that is Stable: its leader joins again, then, told so by their heartbeats, the others.
pub fn again(members: &mut [Member], leader: usize, partitions: i32) -> io::Result<()> {
    let count = members.len();
    members[leader].join()?;
    // Who joins before the leader is answered at once, as nothing has changed.
    let witness = usize::from(leader == 0);
    while members[witness].is_stable()? {
        interrupt::check()?;
    }
    for (_, member) in members.iter_mut().enumerate().filter(|(index, _)| *index != leader) {
        member.join()?;
    }
    joined_and_synced(members, count, partitions).map(drop)
}

fn joined_and_synced(members: &mut [Member], per_group: usize, partitions: i32) -> io::Result<Vec<usize>> {
    let mut leaders = Vec::new();
    for (index, member) in members.iter_mut().enumerate() {
        let ids = member.joined()?;
        if !ids.is_empty() {
            leaders.push((index, ids));
        }
    }
    let share = partitions / per_group as i32;
    let mut plans = vec![Vec::new(); members.len()];
    let which = leaders.iter().map(|(index, _)| *index).collect();
    for (index, ids) in leaders {
        let topic = members[index].topic.clone();
        let part = |(n, id): (i32, String)| SyncGroupRequestAssignment {
            member_id: id.into(),
            assignment: assignment(&topic, n * share..(n + 1) * share),
        };
        plans[index] = (0..).zip(ids).map(part).collect();
    }
    members.iter_mut().zip(plans).try_for_each(|(member, plan)| member.sync(plan))?;
    members.iter_mut().try_for_each(Member::synced)?;
    Ok(which)
}

/// KIP-848: heartbeats of all until `partitions` are assigned in all, each member has some, and nothing is new.
pub fn settle(members: &mut [Member], partitions: usize) -> io::Result<()> {
    let end = Instant::now() + SETTLE_MAX;
    loop {
        interrupt::check()?;
        members.iter_mut().try_for_each(Member::beat)?;
        let mut news = false;
        for member in members.iter_mut() {
            news |= member.told()?;
        }
        let assigned: usize = members.iter().map(Member::partitions).sum();
        if !news && assigned == partitions && members.iter().all(|member| member.partitions() > 0) {
            return Ok(());
        }
        if Instant::now() > end {
            let seconds = SETTLE_MAX.as_secs();
            return Err(io::Error::other(format!(
                "{assigned} of {partitions} partitions are assigned after {seconds} s"
            )));
        }
        if !news {
            // Targets keep their distance in time: who asked oftener would measure heartbeats.
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

/// A subscription in the embedded protocol, version 0.
fn subscription(topic: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(topic.len() as i16);
    bytes.put_slice(topic.as_bytes());
    bytes.put_i32(-1);
    bytes.freeze()
}

/// An assignment in the embedded protocol, version 0.
pub fn assignment(topic: &str, partitions: std::ops::Range<i32>) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(0);
    bytes.put_i32(1);
    bytes.put_i16(topic.len() as i16);
    bytes.put_slice(topic.as_bytes());
    bytes.put_i32(partitions.len() as i32);
    partitions.for_each(|partition| bytes.put_i32(partition));
    bytes.put_i32(-1);
    bytes.freeze()
}
