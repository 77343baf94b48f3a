//! A member of a group in the classic protocol: joins, takes what it is assigned, heartbeats, commits, leaves.

use super::assignor::{Subscriber, range};
use crate::base::{ErrorCode, Instant, TopicPartition};
use crate::client::ask::Ask;
use crate::client::cluster::{At, Cluster, Coordinates};
use crate::client::error::ClientError;
use crate::client::groups::{read_assignment, topics_to_commit};
use crate::protocol::messages::consumer_protocol_assignment::TopicPartition as AssignedTopic;
use crate::protocol::messages::join_group_request::JoinGroupRequestProtocol;
use crate::protocol::messages::join_group_response::JoinGroupResponseMember;
use crate::protocol::messages::leave_group_request::MemberIdentity;
use crate::protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use crate::protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest,
};
use crate::protocol::{Decoder, Message, Str, encode_to_bytes};
use crate::ring::clock;
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The assignor every consumer of Java knows by default.
const ASSIGNOR: &str = "range";
/// The version in which subscriptions and assignments are written: the first, that all read.
const PROTOCOL_VERSION: i16 = 0;

/// What a member is told.
#[derive(Clone, Debug)]
pub struct MemberConfig {
    /// `group.id`.
    pub group: String,
    /// `group.instance.id`.
    pub instance_id: Option<String>,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `max.poll.interval.ms`: how long a rebalance waits for members.
    pub rebalance_timeout: Duration,
    /// `group.remote.assignor`, of the consumer protocol.
    pub assignor: Option<String>,
}

/// A member of a group in the classic protocol.
#[derive(Debug)]
pub struct ClassicMember {
    config: MemberConfig,
    topics: BTreeSet<String>,
    id: Str,
    generation: i32,
    coordinator: Option<i32>,
    heartbeat_due: Instant,
    joined: bool,
}

impl ClassicMember {
    /// Belongs to nothing yet.
    pub fn new(config: MemberConfig) -> Self {
        Self {
            config,
            topics: BTreeSet::new(),
            id: Str::new(),
            generation: -1,
            coordinator: None,
            heartbeat_due: Instant::default(),
            joined: false,
        }
    }

    /// Wants these topics; a change makes it join again.
    pub fn subscribe(&mut self, topics: BTreeSet<String>) {
        if self.topics != topics {
            self.topics = topics;
            self.joined = false;
        }
    }

    /// `group.id`.
    pub fn group(&self) -> &str {
        &self.config.group
    }

    /// When the next heartbeat is due.
    pub fn heartbeat_due(&self) -> Instant {
        self.heartbeat_due
    }

    fn instance_id(&self) -> Option<Str> {
        self.config.instance_id.as_deref().map(Str::from)
    }

    fn ask<Q: Ask>(&mut self, cluster: &mut Cluster, request: &Q) -> Result<Q::Answer, ClientError> {
        let coordinator = match self.coordinator {
            Some(id) => id,
            None => *self.coordinator.insert(cluster.coordinator(Coordinates::Group, &self.config.group)?),
        };
        cluster.ask(At::Broker(coordinator), request)
    }

    /// Joins, and says what it is assigned. Waits as long as the rebalance takes.
    ///
    /// # Errors
    /// That do not pass by themselves.
    pub fn join(&mut self, cluster: &mut Cluster) -> Result<BTreeSet<TopicPartition>, ClientError> {
        loop {
            let tried = self.join_once(cluster);
            let Err(error) = tried else { return tried };
            use ErrorCode as E;
            match error.code() {
                // The id that was given is in `self`.
                Some(E::MemberIdRequired | E::RebalanceInProgress) => {}
                Some(E::UnknownMemberId | E::IllegalGeneration) => self.forget(),
                Some(E::NotCoordinator | E::CoordinatorNotAvailable | E::CoordinatorLoadInProgress) => {
                    self.coordinator = None;
                    crate::ring::plain::pause(cluster.options().retry_backoff);
                }
                _ => match error {
                    ClientError::Network(_) => {
                        self.coordinator = None;
                        // Finds the brokers again, or gives up after a while.
                        cluster.call(|cluster| cluster.metadata(Some(&[])))?;
                    }
                    error => return Err(error),
                },
            }
        }
    }

    fn join_once(&mut self, cluster: &mut Cluster) -> Result<BTreeSet<TopicPartition>, ClientError> {
        let ms = |time: Duration| i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        let subscription = ConsumerProtocolSubscription {
            topics: self.topics.iter().map(|topic| topic.into()).collect(),
            ..ConsumerProtocolSubscription::default()
        };
        let request = JoinGroupRequest {
            group_id: self.config.group.as_str().into(),
            session_timeout_ms: ms(self.config.session_timeout),
            rebalance_timeout_ms: ms(self.config.rebalance_timeout),
            member_id: self.id.clone(),
            group_instance_id: self.instance_id(),
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: ASSIGNOR.into(), metadata: versioned(&subscription)? }],
            reason: None,
        };
        let answer = cluster.patiently(self.config.rebalance_timeout, |cluster| self.ask(cluster, &request))?;
        if answer.error_code == ErrorCode::MemberIdRequired.code() {
            self.id = answer.member_id.copied();
        }
        ClientError::check(answer.error_code, None)?;
        self.id = answer.member_id.copied();
        self.generation = answer.generation_id;
        let assignments = match answer.leader == answer.member_id {
            true => self.assign(cluster, &answer)?,
            false => Vec::new(),
        };
        let request = SyncGroupRequest {
            group_id: self.config.group.as_str().into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance_id(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some(ASSIGNOR.into()),
            assignments,
        };
        let answer = cluster.patiently(self.config.rebalance_timeout, |cluster| self.ask(cluster, &request))?;
        ClientError::check(answer.error_code, None)?;
        self.joined = true;
        self.heartbeat_due = clock::mono().plus(self.config.heartbeat_interval);
        read_assignment(&answer.assignment)
    }

    /// The leader's work.
    fn assign(
        &self,
        cluster: &mut Cluster,
        joined: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, ClientError> {
        let members = joined.members.iter().map(subscriber).collect::<Result<Vec<_>, _>>()?;
        let topics: BTreeSet<&str> = members.iter().flat_map(|member| &member.topics).map(String::as_str).collect();
        let topics: Vec<&str> = topics.into_iter().collect();
        let metadata = cluster.metadata(Some(&topics))?;
        let sound = metadata.topics.iter().filter(|topic| topic.error_code == 0);
        let counts =
            sound.map(|topic| (topic.name.as_deref().unwrap_or_default().to_owned(), topic.partitions.len() as i32));
        let assigned = range(&members, &counts.collect());
        let one = |(id, partitions): (String, BTreeSet<TopicPartition>)| {
            let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
            for at in &partitions {
                topics.entry(at.topic.to_string()).or_default().push(at.partition);
            }
            let topics =
                topics.into_iter().map(|(topic, partitions)| AssignedTopic { topic: topic.into(), partitions });
            let assignment = ConsumerProtocolAssignment { assigned_partitions: topics.collect(), ..Default::default() };
            Ok(SyncGroupRequestAssignment { member_id: id.into(), assignment: versioned(&assignment)? })
        };
        assigned.into_iter().map(one).collect()
    }

    /// Sends a heartbeat if one is due; false when it has to join again.
    ///
    /// # Errors
    /// That do not pass by themselves.
    pub fn heartbeat(&mut self, cluster: &mut Cluster) -> Result<bool, ClientError> {
        let now = clock::mono();
        if now < self.heartbeat_due || !self.joined {
            return Ok(self.joined);
        }
        self.heartbeat_due = now.plus(self.config.heartbeat_interval);
        let request = HeartbeatRequest {
            group_id: self.config.group.as_str().into(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance_id(),
        };
        let told = self.ask(cluster, &request).and_then(|answer| ClientError::check(answer.error_code, None));
        let Err(error) = told else { return Ok(true) };
        use ErrorCode as E;
        match error.code() {
            Some(E::RebalanceInProgress) => self.joined = false,
            Some(E::UnknownMemberId | E::IllegalGeneration) => self.forget(),
            Some(E::NotCoordinator | E::CoordinatorNotAvailable | E::CoordinatorLoadInProgress) => {
                self.coordinator = None;
                self.heartbeat_due = now.plus(cluster.options().retry_backoff);
            }
            _ if error.is_retriable() => {
                self.coordinator = None;
                cluster.call(|cluster| cluster.metadata(Some(&[])))?;
            }
            _ => return Err(error),
        }
        Ok(self.joined)
    }

    /// Its id holds no more.
    fn forget(&mut self) {
        (self.id, self.generation, self.joined) = (Str::new(), -1, false);
    }

    /// Commits offsets in its generation.
    ///
    /// # Errors
    /// Also what the coordinator answered: after a rebalance nobody takes them.
    pub fn commit(
        &mut self,
        cluster: &mut Cluster,
        offsets: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), ClientError> {
        if offsets.is_empty() || self.generation < 0 {
            return Ok(());
        }
        let request = OffsetCommitRequest {
            group_id: self.config.group.as_str().into(),
            generation_id_or_member_epoch: self.generation,
            member_id: self.id.clone(),
            group_instance_id: self.instance_id(),
            topics: topics_to_commit(offsets),
            ..Default::default()
        };
        cluster.call(|cluster| {
            let answer = self.ask(cluster, &request).inspect_err(|_| self.coordinator = None)?;
            let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.try_for_each(|partition| ClientError::check(partition.error_code, None))
        })
    }

    /// Leaves, so that the others need not wait for its session to end. A static member stays.
    ///
    /// # Errors
    /// Of the request; there is nothing to be done about them.
    pub fn leave(&mut self, cluster: &mut Cluster) -> Result<(), ClientError> {
        if self.id.is_empty() || self.config.instance_id.is_some() {
            return Ok(());
        }
        let member = MemberIdentity {
            member_id: self.id.clone(),
            group_instance_id: None,
            reason: Some("the consumer is being closed".into()),
        };
        let request = LeaveGroupRequest {
            group_id: self.config.group.as_str().into(),
            members: vec![member],
            ..Default::default()
        };
        let answer = self.ask(cluster, &request)?;
        self.forget();
        ClientError::check(answer.error_code, None)
    }
}

/// A version, then the message: how the consumer protocol writes what brokers do not read.
fn versioned<M: Message>(message: &M) -> Result<Bytes, ClientError> {
    let body = encode_to_bytes(message, PROTOCOL_VERSION)?;
    let mut bytes = BytesMut::with_capacity(2 + body.len());
    bytes.put_i16(PROTOCOL_VERSION);
    bytes.extend_from_slice(&body);
    Ok(bytes.freeze())
}

fn subscriber(member: &JoinGroupResponseMember) -> Result<Subscriber, ClientError> {
    let mut decoder = Decoder::new(member.metadata.clone());
    let version = decoder.i16()?.min(*ConsumerProtocolSubscription::VERSIONS.end());
    let subscription = ConsumerProtocolSubscription::decode(&mut decoder, version)?;
    Ok(Subscriber {
        id: member.member_id.to_string(),
        instance_id: member.group_instance_id.as_deref().map(str::to_owned),
        topics: subscription.topics.iter().map(ToString::to_string).collect(),
    })
}
