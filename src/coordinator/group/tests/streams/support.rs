//! Members of streams groups, and topics for them.

use crate::base::Uuid;
use crate::coordinator::group::streams::Answered;
use crate::coordinator::group::tests::consumer::topic;
use crate::coordinator::group::tests::harness::{World, world_with};
use crate::coordinator::group::{Caller, GroupConfig, Request, Token};
use crate::protocol::messages::create_topics_request::CreatableTopic;
use crate::protocol::messages::streams_group_describe_response::{Assignment, DescribedGroup};
use crate::protocol::messages::streams_group_heartbeat_request::{Endpoint, Subtopology, TaskIds, TopicInfo, Topology};
use crate::protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use std::collections::{BTreeMap, BTreeSet};

pub const IN: Uuid = Uuid([7; 16]);
pub const REPARTITION: Uuid = Uuid([8; 16]);
pub const CHANGELOG: Uuid = Uuid([9; 16]);

/// Tasks in a test: subtopology and partition.
pub type All = BTreeSet<(String, i32)>;

/// What a member has, by role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Has {
    pub active: All,
    pub standby: All,
}

/// What a heartbeat was answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub error: i16,
    pub epoch: i32,
    /// `None`: nothing new.
    pub has: Option<Has>,
    /// Codes of the statuses.
    pub statuses: Vec<i8>,
    /// Internal topics that are to be created: name and partitions.
    pub missing: BTreeMap<String, i32>,
}

pub fn told((answer, missing): Answered) -> Told {
    let has = answer.active_tasks.as_ref().map(|active| {
        let standby = answer.standby_tasks.as_ref().expect("all roles together");
        assert_eq!(answer.warmup_tasks.as_deref(), Some(&[][..]));
        let all = |tasks: &[crate::protocol::messages::streams_group_heartbeat_response::TaskIds]| -> All {
            tasks.iter().flat_map(|t| t.partitions.iter().map(|p| (t.subtopology_id.to_string(), *p))).collect()
        };
        Has { active: all(active), standby: all(standby) }
    });
    Told {
        error: answer.error_code,
        epoch: answer.member_epoch,
        has,
        statuses: answer.status.iter().flatten().map(|status| status.status_code).collect(),
        missing: missing.iter().map(|topic: &CreatableTopic| (topic.name.to_string(), topic.num_partitions)).collect(),
    }
}

pub fn info(name: &str, partitions: i32) -> TopicInfo {
    TopicInfo { name: name.into(), partitions, ..Default::default() }
}

/// A word count: subtopology 0 reads `in` and writes `r`, 1 reads `r` and keeps state in `c`.
pub fn word_count() -> Topology {
    let first = Subtopology {
        subtopology_id: "0".into(),
        source_topics: vec!["in".into()],
        repartition_sink_topics: vec!["r".into()],
        ..Default::default()
    };
    let second = Subtopology {
        subtopology_id: "1".into(),
        repartition_source_topics: vec![info("r", 0)],
        state_changelog_topics: vec![info("c", 0)],
        ..Default::default()
    };
    Topology { epoch: 0, subtopologies: vec![first, second] }
}

/// Topic `in` (3 partitions) and the internal topics of the word count; nothing waits.
pub fn streams_world() -> World {
    let mut world = bare_world();
    world.metadata(topic("in", IN, 0..3));
    world.metadata(topic("r", REPARTITION, 0..3));
    world.metadata(topic("c", CHANGELOG, 0..3));
    world
}

/// No topics; nothing waits.
pub fn bare_world() -> World {
    let mut config = GroupConfig::default();
    config.streams.assignment_interval_ms.default = 0;
    config.streams.initial_rebalance_delay_ms.default = 0;
    world_with(config)
}

/// The same with standby replicas.
pub fn standby_world(replicas: i32) -> World {
    let mut world = streams_world();
    world.config.streams.standby_replicas.default = replicas;
    let config = world.config.clone();
    world.step(|groups, _| crate::coordinator::machine::Machine::configure(groups, &config));
    world
}

/// A first heartbeat of `member`, a thread of process `member`.
pub fn joining(member: &str) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        rebalance_timeout_ms: 30_000,
        topology: Some(word_count()),
        active_tasks: Some(Vec::new()),
        standby_tasks: Some(Vec::new()),
        warmup_tasks: Some(Vec::new()),
        process_id: Some(member.into()),
        ..Default::default()
    }
}

/// A heartbeat without news.
pub fn beating(member: &str, epoch: i32) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        member_epoch: epoch,
        ..Default::default()
    }
}

/// A heartbeat of a member that says what it owns.
pub fn owning(member: &str, epoch: i32, has: &Has) -> StreamsGroupHeartbeatRequest {
    let ids = |all: &All| {
        let names: BTreeSet<&String> = all.iter().map(|(subtopology, _)| subtopology).collect();
        let of = |name: &String| all.iter().filter(|(s, _)| s == name).map(|(_, partition)| *partition).collect();
        names.into_iter().map(|name| TaskIds { subtopology_id: name.into(), partitions: of(name) }).collect()
    };
    StreamsGroupHeartbeatRequest {
        active_tasks: Some(ids(&has.active)),
        standby_tasks: Some(ids(&has.standby)),
        warmup_tasks: Some(Vec::new()),
        ..beating(member, epoch)
    }
}

pub fn at(host: &str) -> Option<Endpoint> {
    Some(Endpoint { host: host.into(), port: 80 })
}

pub fn tasks(all: &[(&str, i32)]) -> All {
    all.iter().map(|(subtopology, partition)| ((*subtopology).to_owned(), *partition)).collect()
}

pub fn active(all: &[(&str, i32)]) -> Has {
    Has { active: tasks(all), ..Has::default() }
}

/// A member as a client knows itself.
pub type Member = (String, i32, Has);

impl World {
    pub fn ask_streams(&mut self, request: StreamsGroupHeartbeatRequest) -> Token {
        let caller = Caller { client_id: "c".into(), client_host: "/127.0.0.1".into(), api_version: 0 };
        self.ask(Request::StreamsHeartbeat(caller, request))
    }

    pub fn stream_answer(&mut self, request: StreamsGroupHeartbeatRequest) -> StreamsGroupHeartbeatResponse {
        let token = self.ask_streams(request);
        self.answer::<Answered>(token).expect("an answer").0
    }

    pub fn stream(&mut self, request: StreamsGroupHeartbeatRequest) -> Told {
        let token = self.ask_streams(request);
        told(self.answer(token).expect("an answer"))
    }

    /// A member that has joined.
    pub fn thread(&mut self, id: &str) -> Member {
        let told = self.stream(joining(id));
        assert_eq!(told.error, 0);
        (id.to_owned(), told.epoch, told.has.expect("tasks"))
    }

    /// The group as StreamsGroupDescribe tells it.
    pub fn streams_group(&mut self) -> DescribedGroup {
        let groups: Vec<DescribedGroup> = self.now(Request::StreamsDescribe(vec!["g".into()]));
        groups.into_iter().next().unwrap()
    }

    pub fn streams_state(&mut self) -> String {
        self.streams_group().group_state.to_string()
    }

    /// What `member` has, as the group is described.
    pub fn tasks_of(&mut self, member: &str) -> Has {
        let group = self.streams_group();
        has(&group.members.iter().find(|m| &*m.member_id == member).expect("a member").assignment)
    }

    /// Lets `members` send heartbeats, doing as they are told, until nobody is told anything new.
    pub fn settle_streams(&mut self, members: &mut [Member]) {
        for _ in 0..30 {
            let before = members.to_vec();
            for (id, epoch, has) in members.iter_mut() {
                let told = self.stream(owning(id, *epoch, has));
                assert_eq!(told.error, 0, "{id}");
                *epoch = told.epoch;
                if let Some(new) = told.has {
                    *has = new;
                }
            }
            if before == members {
                return;
            }
        }
        panic!("the members do not settle: {members:?}");
    }
}

pub fn has(assignment: &Assignment) -> Has {
    let all = |tasks: &[crate::protocol::messages::streams_group_describe_response::TaskIds]| -> All {
        tasks.iter().flat_map(|t| t.partitions.iter().map(|p| (t.subtopology_id.to_string(), *p))).collect()
    };
    Has { active: all(&assignment.active_tasks), standby: all(&assignment.standby_tasks) }
}
