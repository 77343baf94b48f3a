//! A member of a group of any of the new protocols, one heartbeat at a time.

use super::until;
use crate::support::{Broker, Wire};
use corelog::base::Uuid;
use corelog::protocol::Str;
use corelog::protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use corelog::protocol::messages::streams_group_heartbeat_request::{Subtopology, TaskIds, TopicInfo, Topology};
use corelog::protocol::messages::*;

/// The kinds of groups that have settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Consumer,
    Share,
    Streams,
}

pub const KINDS: [Kind; 3] = [Kind::Consumer, Kind::Share, Kind::Streams];

impl Kind {
    /// A key of a group: `consumer.`...
    pub fn key(self, rest: &str) -> String {
        format!("{}.{rest}", format!("{self:?}").to_lowercase())
    }

    /// A key of brokers: `group.consumer.`...
    pub fn broker_key(self, rest: &str) -> String {
        format!("group.{}", self.key(rest))
    }
}

#[derive(Clone)]
pub struct Topic {
    pub name: Str,
    pub id: Uuid,
}

/// What a heartbeat was answered.
#[derive(Debug)]
pub struct Beat {
    pub error: i16,
    pub interval_ms: i32,
    /// Status codes; of streams groups alone.
    pub status: Vec<i8>,
}

/// A member and what it has been told.
pub struct Member {
    wire: Wire,
    kind: Kind,
    pub group: String,
    pub id: Str,
    topic: Topic,
    epoch: i32,
    /// Its streams tasks keep state.
    is_stateful: bool,
    /// Partitions or active tasks.
    pub owned: Vec<i32>,
    /// Standby tasks; of streams groups alone.
    pub standby: Vec<i32>,
}

impl Member {
    /// A member that has joined, once the coordinator is there. Streams groups wait for more members first unless the
    /// group says otherwise.
    pub fn join(broker: &Broker, kind: Kind, group: &str, name: &str, topic: &Topic) -> Self {
        let mut member = Self::new(broker, kind, group, name, topic);
        member.enter();
        member
    }

    /// The same, of a streams group whose tasks keep state.
    pub fn join_stateful(broker: &Broker, group: &str, name: &str, topic: &Topic) -> Self {
        let mut member = Self { is_stateful: true, ..Self::new(broker, Kind::Streams, group, name, topic) };
        member.enter();
        member
    }

    fn new(broker: &Broker, kind: Kind, group: &str, name: &str, topic: &Topic) -> Self {
        Self {
            wire: broker.connect(),
            kind,
            group: group.to_owned(),
            id: Str::from(format!("{group}-{name}")),
            topic: topic.clone(),
            epoch: 0,
            is_stateful: false,
            owned: Vec::new(),
            standby: Vec::new(),
        }
    }

    /// Joins, or joins again; the answer.
    pub fn enter(&mut self) -> Beat {
        self.epoch = 0;
        (self.owned, self.standby) = (Vec::new(), Vec::new());
        let key: Str = self.group.as_str().into();
        until("a coordinator", || {
            let find = FindCoordinatorRequest { key: key.clone(), ..Default::default() };
            let _: FindCoordinatorResponse = self.wire.call(&find, 3);
            let beat = self.beat();
            assert!(matches!(beat.error, 0 | 14..=16), "{beat:?}");
            (beat.error == 0).then_some(beat)
        })
    }

    /// Leaves.
    pub fn leave(&mut self) {
        self.epoch = -1;
        assert_eq!(self.beat().error, 0);
    }

    /// The next heartbeat.
    pub fn beat(&mut self) -> Beat {
        match self.kind {
            Kind::Consumer => self.consumer_beat(),
            Kind::Share => self.share_beat(),
            Kind::Streams => self.streams_beat(),
        }
    }

    fn consumer_beat(&mut self) -> Beat {
        let joins = self.epoch == 0;
        let owned = TopicPartitions { topic_id: self.topic.id, partitions: self.owned.clone() };
        let request = ConsumerGroupHeartbeatRequest {
            group_id: self.group.as_str().into(),
            member_id: self.id.clone(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            subscribed_topic_names: joins.then(|| vec![self.topic.name.clone()]),
            topic_partitions: Some(if self.owned.is_empty() { Vec::new() } else { vec![owned] }),
            ..Default::default()
        };
        let answer: ConsumerGroupHeartbeatResponse = self.wire.call(&request, 1);
        self.told(answer.error_code, answer.member_epoch);
        if let Some(assigned) = answer.assignment {
            self.owned = assigned.topic_partitions.into_iter().flat_map(|topic| topic.partitions).collect();
        }
        Beat { error: answer.error_code, interval_ms: answer.heartbeat_interval_ms, status: Vec::new() }
    }

    fn share_beat(&mut self) -> Beat {
        let request = ShareGroupHeartbeatRequest {
            group_id: self.group.as_str().into(),
            member_id: self.id.clone(),
            member_epoch: self.epoch,
            subscribed_topic_names: (self.epoch == 0).then(|| vec![self.topic.name.clone()]),
            ..Default::default()
        };
        let answer: ShareGroupHeartbeatResponse = self.wire.call(&request, 1);
        self.told(answer.error_code, answer.member_epoch);
        if let Some(assigned) = answer.assignment {
            self.owned = assigned.topic_partitions.into_iter().flat_map(|topic| topic.partitions).collect();
        }
        Beat { error: answer.error_code, interval_ms: answer.heartbeat_interval_ms, status: Vec::new() }
    }

    fn streams_beat(&mut self) -> Beat {
        let joins = self.epoch == 0;
        let changelog = TopicInfo { name: format!("{}-changelog", self.group).as_str().into(), ..Default::default() };
        let subtopology = Subtopology {
            subtopology_id: "0".into(),
            source_topics: vec![self.topic.name.clone()],
            state_changelog_topics: if self.is_stateful { vec![changelog] } else { Vec::new() },
            ..Default::default()
        };
        let tasks = |partitions: &Vec<i32>| {
            let all = TaskIds { subtopology_id: "0".into(), partitions: partitions.clone() };
            Some(if partitions.is_empty() { Vec::new() } else { vec![all] })
        };
        let request = StreamsGroupHeartbeatRequest {
            group_id: self.group.as_str().into(),
            member_id: self.id.clone(),
            member_epoch: self.epoch,
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            topology: joins.then(|| Topology { epoch: 0, subtopologies: vec![subtopology] }),
            process_id: joins.then(|| self.id.clone()),
            active_tasks: tasks(&self.owned),
            standby_tasks: tasks(&self.standby),
            warmup_tasks: Some(Vec::new()),
            ..Default::default()
        };
        let answer: StreamsGroupHeartbeatResponse = self.wire.call(&request, 0);
        self.told(answer.error_code, answer.member_epoch);
        let partitions = |tasks: Vec<streams_group_heartbeat_response::TaskIds>| {
            tasks.into_iter().flat_map(|task| task.partitions).collect::<Vec<i32>>()
        };
        if let (Some(active), Some(standby)) = (answer.active_tasks, answer.standby_tasks) {
            (self.owned, self.standby) = (partitions(active), partitions(standby));
        }
        let status = answer.status.unwrap_or_default().iter().map(|status| status.status_code).collect();
        Beat { error: answer.error_code, interval_ms: answer.heartbeat_interval_ms, status }
    }

    fn told(&mut self, error: i16, epoch: i32) {
        if error == 0 {
            self.epoch = epoch;
        }
    }

    /// What the coordinator tells of the member's group.
    pub fn look(&mut self) -> Look {
        look(&mut self.wire, self.kind, &self.group)
    }
}

/// A group as it is described.
#[derive(Debug)]
pub struct Look {
    pub epoch: i32,
    /// The epoch its target was made for.
    pub assignment_epoch: i32,
    /// Ids, sorted.
    pub members: Vec<Str>,
}

impl Look {
    /// The target is that of the group as it is.
    pub fn is_assigned(&self) -> bool {
        self.epoch == self.assignment_epoch
    }
}

/// What the coordinator tells of a group.
pub fn look(wire: &mut Wire, kind: Kind, group: &str) -> Look {
    let group_ids = vec![Str::from(group)];
    macro_rules! described {
        ($request:ident, $response:ident, $version:literal) => {{
            let request = $request { group_ids, ..Default::default() };
            let group = wire.call::<_, $response>(&request, $version).groups.remove(0);
            assert_eq!(group.error_code, 0, "{group:?}");
            let mut members: Vec<Str> = group.members.into_iter().map(|member| member.member_id).collect();
            members.sort();
            Look { epoch: group.group_epoch, assignment_epoch: group.assignment_epoch, members }
        }};
    }
    match kind {
        Kind::Consumer => described!(ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, 1),
        Kind::Share => described!(ShareGroupDescribeRequest, ShareGroupDescribeResponse, 1),
        Kind::Streams => described!(StreamsGroupDescribeRequest, StreamsGroupDescribeResponse, 0),
    }
}
