//! A coordinator, a clock and a log in memory.

use crate::base::{ErrorCode, Instant, Now, Offset, ProducerId, TimestampMs, Uuid};
use crate::coordinator::group::{Answer, AppendId, Caller, Effects, GroupConfig, Groups, Record, Request, Step, Token};
use crate::coordinator::test_log::Writing;
use crate::metadata::image::Provenance;
use crate::metadata::loader::Loader;
use crate::metadata::{MetadataDelta, MetadataRecord};
use crate::protocol::Str;
use crate::protocol::messages::join_group_request::JoinGroupRequestProtocol;
use crate::protocol::messages::leave_group_request::MemberIdentity;
use crate::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::protocol::messages::offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics};
use crate::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use crate::protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    OffsetCommitRequest, OffsetCommitResponse, SyncGroupRequest, SyncGroupResponse,
};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub const SESSION_MS: i32 = 10_000;
pub const REBALANCE_MS: i32 = 30_000;
pub const TOPIC_ID: Uuid = Uuid([7; 16]);

/// The world around one coordinator.
pub struct World {
    pub groups: Groups,
    pub config: GroupConfig,
    pub now: Now,
    /// What is committed.
    pub log: Vec<Record>,
    /// Accepted, not yet committed.
    pub writing: Writing,
    /// Outcomes the machine is being told.
    told: VecDeque<(AppendId, Result<Offset, ErrorCode>)>,
    /// Commit at once what is appended.
    pub commits_at_once: bool,
    /// The topics there are.
    pub loader: Loader,
    answers: HashMap<Token, Answer>,
    last_token: u64,
}

pub fn world() -> World {
    world_with(GroupConfig::default())
}

pub fn world_with(config: GroupConfig) -> World {
    let now = Now { mono: Instant(1), wall: TimestampMs(1_700_000_000_000) };
    let mut world = World {
        groups: Groups::new(config.clone()),
        config,
        now,
        log: Vec::new(),
        writing: Writing::default(),
        told: VecDeque::new(),
        commits_at_once: true,
        loader: Loader::default(),
        answers: HashMap::new(),
        last_token: 0,
    };
    world.step(|groups, step| groups.loaded(step));
    world
}

/// A subscription to `topics` in the consumer protocol's version 0.
pub fn subscription(topics: &[&str]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend((topics.len() as i32).to_be_bytes());
    for topic in topics {
        bytes.extend((topic.len() as i16).to_be_bytes());
        bytes.extend(topic.bytes());
    }
    bytes.extend((-1i32).to_be_bytes());
    bytes.into()
}

/// A JoinGroup of an ordinary consumer.
pub fn join_request(member_id: &str) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        member_id: member_id.into(),
        group_instance_id: None,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range", &["t"])],
        reason: None,
    }
}

pub fn protocol(name: &str, topics: &[&str]) -> JoinGroupRequestProtocol {
    JoinGroupRequestProtocol { name: name.into(), metadata: subscription(topics) }
}

pub fn static_join(instance: &str) -> JoinGroupRequest {
    JoinGroupRequest { group_instance_id: Some(instance.into()), ..join_request("") }
}

impl World {
    /// The metadata log goes on.
    pub fn metadata(&mut self, records: Vec<MetadataRecord>) {
        let end = self.loader.image().offset().plus(records.len() as i64);
        self.loader.apply(&records, Provenance { offset: end, ..Provenance::default() }).unwrap();
        let (image, delta) = self.loader.publish();
        self.groups.on_metadata(&image, &delta);
    }

    pub fn step(&mut self, f: impl FnOnce(&mut Groups, &mut Step)) -> Token {
        self.last_token += 1;
        let token = Token(self.last_token);
        let mut random = [0; 16];
        random[8..].copy_from_slice(&self.last_token.to_be_bytes());
        let mut fx = Effects::default();
        f(&mut self.groups, &mut Step { token, now: self.now, random, fx: &mut fx });
        self.groups.groups.values().for_each(|group| group.check());
        self.groups.consumers.values().for_each(|group| group.check());
        self.groups.streams.values().for_each(|group| group.check());
        self.take_effects(fx);
        token
    }

    fn take_effects(&mut self, fx: Effects) {
        for (token, answer) in fx.answers {
            assert!(self.answers.insert(token, answer).is_none(), "{token:?} is answered twice");
        }
        self.writing.extend(fx.appends);
        if self.commits_at_once && self.told.is_empty() {
            self.commit_all();
        }
    }

    pub fn commit_all(&mut self) {
        while !self.writing.is_empty() {
            self.commit_next();
        }
    }

    pub fn commit_next(&mut self) {
        self.end_next(Ok(()));
    }

    pub fn fail_next(&mut self, error: ErrorCode) {
        self.end_next(Err(error));
    }

    /// The oldest append, if there is one, is committed or fails.
    pub fn append_ends(&mut self, fails: bool) {
        match (self.writing.is_empty(), fails) {
            (true, _) => {}
            (false, true) => self.fail_next(ErrorCode::NotEnoughReplicas),
            (false, false) => self.commit_next(),
        }
    }

    /// The outcome of the oldest append, and what fails with it.
    fn end_next(&mut self, outcome: Result<(), ErrorCode>) {
        self.told = self.writing.next(outcome, &mut self.log).into();
        while let Some((id, outcome)) = self.told.front().copied() {
            self.step(|groups, step| groups.on_append(id, outcome, step));
            self.told.pop_front();
        }
        if self.commits_at_once {
            self.commit_all();
        }
    }

    /// The coordinator goes; what is under way is lost.
    pub fn resign(&mut self) {
        self.writing = Writing::default();
        let now = self.now;
        self.step(|groups, step| groups.resign(now, step.fx));
        self.writing = Writing::default();
    }

    pub fn ask(&mut self, request: Request) -> Token {
        self.step(|groups, step| groups.handle(request, step))
    }

    /// Answers nobody has taken yet.
    pub fn answers_left(&self) -> usize {
        self.answers.len()
    }

    /// The answer to `token`, if there is one yet.
    pub fn answer<T: TryFrom<Answer>>(&mut self, token: Token) -> Option<T> {
        let answer = self.answers.remove(&token)?;
        Some(T::try_from(answer).unwrap_or_else(|_| panic!("the answer is of another kind")))
    }

    pub fn now<T: TryFrom<Answer>>(&mut self, request: Request) -> T {
        let token = self.ask(request);
        self.answer(token).expect("an immediate answer")
    }

    /// Lets time pass, timer by timer, on both clocks.
    pub fn pass(&mut self, ms: i64) {
        let end = self.now.mono.plus_ms(ms);
        while let Some(due) = self.groups.next_deadline().filter(|due| *due <= end) {
            self.to(due);
            self.step(|groups, step| groups.on_timer(step));
        }
        self.to(end);
    }

    fn to(&mut self, at: Instant) {
        self.now.wall.0 += at.since(self.now.mono).as_millis() as i64;
        self.now.mono = at;
    }

    pub fn join_v(&mut self, version: i16, request: JoinGroupRequest) -> Token {
        let caller = Caller { client_id: "c".into(), client_host: "/127.0.0.1".into(), api_version: version };
        self.ask(Request::Join(caller, request))
    }

    pub fn join(&mut self, request: JoinGroupRequest) -> Token {
        self.join_v(9, request)
    }

    /// A new dynamic member's first step: its id.
    pub fn new_id(&mut self) -> String {
        let token = self.join(join_request(""));
        let answer: JoinGroupResponse = self.answer(token).expect("an id");
        assert_eq!(answer.error_code, 79);
        answer.member_id.to_string()
    }

    /// A new dynamic member, with both steps of joining taken.
    pub fn joined(&mut self) -> (String, Token) {
        let id = self.new_id();
        let token = self.join(join_request(&id));
        (id, token)
    }

    pub fn joins(&mut self, token: Token) -> Option<JoinGroupResponse> {
        self.answer(token)
    }

    pub fn sync(&mut self, member: &str, generation: i32, assignments: &[(&str, &str)]) -> Token {
        let assignments = assignments.iter().map(|(id, share)| SyncGroupRequestAssignment {
            member_id: (*id).into(),
            assignment: Bytes::copy_from_slice(share.as_bytes()),
        });
        self.ask(Request::Sync(SyncGroupRequest {
            group_id: "g".into(),
            generation_id: generation,
            member_id: member.into(),
            assignments: assignments.collect(),
            ..Default::default()
        }))
    }

    pub fn synced(&mut self, token: Token) -> Option<(i16, String)> {
        let answer: SyncGroupResponse = self.answer(token)?;
        Some((answer.error_code, String::from_utf8(answer.assignment.to_vec()).unwrap()))
    }

    pub fn heartbeat(&mut self, member: &str, generation: i32) -> i16 {
        self.heartbeat_as(member, generation, None)
    }

    pub fn heartbeat_as(&mut self, member: &str, generation: i32, instance: Option<&str>) -> i16 {
        let request = HeartbeatRequest {
            group_id: "g".into(),
            generation_id: generation,
            member_id: member.into(),
            group_instance_id: instance.map(Str::from),
        };
        self.now::<HeartbeatResponse>(Request::Heartbeat(request)).error_code
    }

    pub fn leave(&mut self, members: &[(&str, Option<&str>)]) -> Token {
        let members = members.iter().map(|(id, instance)| MemberIdentity {
            member_id: (*id).into(),
            group_instance_id: instance.map(Str::from),
            ..Default::default()
        });
        self.ask(Request::Leave(LeaveGroupRequest {
            group_id: "g".into(),
            members: members.collect(),
            ..Default::default()
        }))
    }

    pub fn left(&mut self, token: Token) -> Option<Vec<i16>> {
        let answer: LeaveGroupResponse = self.answer(token)?;
        Some(if answer.error_code == 0 {
            answer.members.iter().map(|m| m.error_code).collect()
        } else {
            vec![answer.error_code]
        })
    }

    pub fn commit_request(member: &str, generation: i32, offset: i64) -> OffsetCommitRequest {
        OffsetCommitRequest {
            group_id: "g".into(),
            generation_id_or_member_epoch: generation,
            member_id: member.into(),
            topics: vec![OffsetCommitRequestTopic {
                name: "t".into(),
                topic_id: TOPIC_ID,
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: 0,
                    committed_offset: offset,
                    committed_metadata: Some("m".into()),
                    ..Default::default()
                }],
            }],
            ..Default::default()
        }
    }

    pub fn commit(&mut self, member: &str, generation: i32, offset: i64) -> Token {
        self.commit_v(9, Self::commit_request(member, generation, offset))
    }

    pub fn commit_v(&mut self, api_version: i16, request: OffsetCommitRequest) -> Token {
        self.ask(Request::Commit(Caller { api_version, ..Default::default() }, request))
    }

    pub fn committed(&mut self, token: Token) -> Option<i16> {
        let answer: OffsetCommitResponse = self.answer(token)?;
        Some(answer.topics[0].partitions[0].error_code)
    }

    pub fn fetch_request() -> OffsetFetchRequestGroup {
        let topic = OffsetFetchRequestTopics { name: "t".into(), topic_id: TOPIC_ID, partition_indexes: vec![0] };
        OffsetFetchRequestGroup { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() }
    }

    /// The offset of t-0 as OffsetFetch tells it now.
    pub fn offset(&mut self) -> i64 {
        let answer: OffsetFetchResponseGroup = self.now(Request::Fetch(Self::fetch_request(), false));
        answer.topics[0].partitions[0].committed_offset
    }

    /// The offset by what OffsetFetch of all topics answers.
    pub fn offset_if_any(&mut self) -> Option<i64> {
        let all = OffsetFetchRequestGroup { topics: None, ..Self::fetch_request() };
        let answer: OffsetFetchResponseGroup = self.now(Request::Fetch(all, false));
        answer.topics.first().map(|topic| topic.partitions[0].committed_offset)
    }

    pub fn state(&mut self) -> String {
        let groups: Vec<crate::protocol::messages::describe_groups_response::DescribedGroup> =
            self.now(Request::Describe(Caller::default(), vec!["g".into()]));
        groups[0].group_state.to_string()
    }

    /// As after a restart: what is committed is read back into a new coordinator.
    pub fn restart(&mut self) {
        let mut groups = Groups::new(self.config.clone());
        for (offset, record) in (0..).zip(&self.log) {
            let read = groups.replay(Offset(offset), ProducerId::NONE, &record.key, record.value.as_ref(), self.now);
            read.expect("what was written can be read");
        }
        groups.on_metadata(&Arc::new(self.loader.image().clone()), &MetadataDelta::default());
        self.groups = groups;
        self.writing = Writing::default();
        self.answers.clear();
        self.step(|groups, step| groups.loaded(step));
    }

    /// Three members in a Stable group of generation 1; the first leads.
    pub fn three_stable(&mut self) -> Vec<String> {
        let joined: Vec<(String, Token)> = (0..3).map(|_| self.joined()).collect();
        self.pass(6_000);
        let mut members: Vec<JoinGroupResponse> =
            joined.iter().map(|(_, token)| self.joins(*token).expect("a generation")).collect();
        members.sort_by_key(|m| m.leader != m.member_id);
        let ids: Vec<String> = members.iter().map(|m| m.member_id.to_string()).collect();
        let shares: Vec<(&str, &str)> = ids.iter().map(String::as_str).zip(["0", "1", "2"]).collect();
        let followers: Vec<Token> = ids[1..].iter().map(|id| self.sync(id, 1, &[])).collect();
        let leader = self.sync(&ids[0], 1, &shares);
        assert_eq!(self.synced(leader), Some((0, "0".into())));
        for (token, share) in followers.into_iter().zip(["1", "2"]) {
            assert_eq!(self.synced(token), Some((0, share.into())));
        }
        assert_eq!(self.state(), "Stable");
        ids
    }
}
