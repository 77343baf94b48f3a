//! A share group's life: joining, the beginning of partitions, assignment, leaving, its log read back.

use super::*;
use crate::base::{ErrorCode, Instant, LeaderEpoch, Now, Offset, ProducerId, TimestampMs};
use crate::coordinator::group::{Answer, Caller, Effects, GroupConfig, Groups, Record, Request, Step, Token};
use crate::coordinator::machine::{Entry as LogEntry, Machine};
use crate::coordinator::test_log::Writing;
use crate::metadata::image::Provenance;
use crate::metadata::loader::Loader;
use crate::metadata::{MetadataDelta, MetadataImage};
use crate::protocol::messages::{
    PartitionRecord, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, TopicRecord,
};
use std::collections::HashMap;
use std::sync::Arc;

const TOPIC: Uuid = Uuid([7; 16]);

struct Harness {
    groups: Groups,
    log: Vec<Record>,
    pending: Writing,
    answers: HashMap<Token, Answer>,
    now: Now,
    token: u64,
}

fn image(partitions: i32) -> Arc<MetadataImage> {
    let mut loader = Loader::default();
    let mut records = vec![TopicRecord { name: "t".into(), topic_id: TOPIC }.into()];
    for partition_id in 0..partitions {
        records.push(PartitionRecord { topic_id: TOPIC, partition_id, ..Default::default() }.into());
    }
    loader.apply(&records, Provenance::default()).expect("records that fit together");
    loader.publish().0
}

fn beat(member: &str, epoch: i32, topics: Option<&[&str]>) -> ShareGroupHeartbeatRequest {
    ShareGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        member_epoch: epoch,
        rack_id: None,
        subscribed_topic_names: topics.map(|names| names.iter().map(|name| (*name).into()).collect()),
    }
}

impl Harness {
    fn new(partitions: i32) -> Self {
        let mut groups = Groups::new(GroupConfig::default());
        groups.on_metadata(&image(partitions), &MetadataDelta::default());
        let now = Now { mono: Instant(1_000_000), wall: TimestampMs(1_000_000) };
        Self { groups, log: Vec::new(), pending: Writing::default(), answers: HashMap::new(), now, token: 0 }
    }

    fn step(&mut self, f: impl FnOnce(&mut Groups, &mut Step)) {
        let mut fx = Effects::default();
        let token = Token(self.token);
        f(&mut self.groups, &mut Step { token, now: self.now, random: [0; 16], fx: &mut fx });
        self.pending.extend(fx.appends);
        self.answers.extend(fx.answers);
    }

    fn settle(&mut self, outcome: Result<(), ErrorCode>) {
        while !self.pending.is_empty() {
            self.settle_one(outcome);
        }
    }

    /// The outcome of the oldest append, and what fails with it.
    fn settle_one(&mut self, outcome: Result<(), ErrorCode>) {
        for (id, outcome) in self.pending.next(outcome, &mut self.log) {
            self.step(|groups, step| groups.on_append(id, outcome, step));
        }
    }

    fn ask(&mut self, request: Request) -> Token {
        self.token += 1;
        self.step(|groups, step| groups.handle(request, step));
        Token(self.token)
    }

    fn answer(&mut self, request: Request) -> Answer {
        let token = self.ask(request);
        self.settle(Ok(()));
        self.answers.remove(&token).expect("answered")
    }

    fn beat(&mut self, request: ShareGroupHeartbeatRequest) -> (ShareGroupHeartbeatResponse, Option<Initialize>) {
        self.later(1_500);
        match self.answer(Request::ShareHeartbeat(Caller::default(), request)) {
            Answer::ShareHeartbeat(answered) => answered,
            other => panic!("{other:?}"),
        }
    }

    fn error(&mut self, request: ShareGroupHeartbeatRequest) -> ErrorCode {
        let code = self.beat(request).0.error_code;
        ErrorCode::from_code(code).expect("a known code")
    }

    fn later(&mut self, ms: i64) {
        self.now = Now { mono: self.now.mono.plus_ms(ms), wall: TimestampMs(self.now.wall.0 + ms) };
    }

    /// A member joins, what it wants begins, and it gets its share.
    fn join(&mut self, member: &str) -> ShareGroupHeartbeatResponse {
        let (joined, initialize) = self.beat(beat(member, 0, Some(&["t"])));
        assert_eq!(joined.error_code, 0, "{joined:?}");
        if let Some(initialize) = initialize {
            let begun = initialize.partitions.iter().map(|(topic, partition, _)| (*topic, *partition)).collect();
            let told = self.answer(Request::ShareInitialized("g".into(), begun, true));
            assert_eq!(told, Answer::ShareDone(Ok(())));
        }
        self.beat(beat(member, joined.member_epoch, None)).0
    }

    fn reloaded(&self) -> Groups {
        let mut groups = Groups::new(GroupConfig::default());
        groups.on_metadata(&image(4), &MetadataDelta::default());
        for (offset, record) in (0..).map(Offset).zip(&self.log) {
            let entry =
                LogEntry::Record { offset, producer: ProducerId::NONE, key: &record.key, value: record.value.as_ref() };
            assert!(Machine::replay(&mut groups, entry, self.now).is_ok(), "a record that was just written");
        }
        let mut fx = Effects::default();
        let mut step = Step { token: Token(0), now: self.now, random: [0; 16], fx: &mut fx };
        Machine::loaded(&mut groups, LeaderEpoch(0), &mut step);
        groups
    }
}

fn held(response: &ShareGroupHeartbeatResponse) -> Option<usize> {
    response.assignment.as_ref().map(|a| a.topic_partitions.iter().map(|t| t.partitions.len()).sum())
}

#[test]
fn a_member_gets_partitions_once_they_have_begun() {
    let mut h = Harness::new(4);
    let (joined, initialize) = h.beat(beat("a", 0, Some(&["t"])));
    assert_eq!((joined.member_epoch, held(&joined), joined.heartbeat_interval_ms), (2, Some(0), 5_000));
    let initialize = initialize.expect("nothing has begun");
    assert_eq!((initialize.epoch, initialize.partitions.len()), (2, 4));
    assert_eq!(h.beat(beat("a", 2, None)).1, None, "asked for already");
    let begun: Vec<_> = initialize.partitions.iter().map(|(topic, partition, _)| (*topic, *partition)).collect();
    h.answer(Request::ShareInitialized("g".into(), begun, true));
    let (given, again) = h.beat(beat("a", 2, None));
    assert_eq!((given.member_epoch, held(&given), again), (3, Some(4), None));
    let (quiet, _) = h.beat(beat("a", 3, None));
    assert_eq!((quiet.member_epoch, quiet.assignment), (3, None), "nothing new");
}

#[test]
fn what_could_not_be_begun_is_asked_for_again() {
    let mut h = Harness::new(2);
    let (_, initialize) = h.beat(beat("a", 0, Some(&["t"])));
    let failed: Vec<_> = initialize.unwrap().partitions.iter().map(|(t, p, _)| (*t, *p)).collect();
    h.answer(Request::ShareInitialized("g".into(), failed, false));
    assert_eq!(h.beat(beat("a", 2, None)).1.expect("again").partitions.len(), 2);
    h.later(31_000);
    assert!(h.beat(beat("a", 2, None)).1.is_some(), "nobody answered for a long time");
}

#[test]
fn members_share_partitions_and_take_over_from_who_leaves() {
    let mut h = Harness::new(4);
    assert_eq!(held(&h.join("a")), Some(4));
    let b = h.beat(beat("b", 0, Some(&["t"]))).0;
    let a = h.beat(beat("a", 3, None)).0;
    assert_eq!((held(&a), held(&b)), (Some(2), Some(2)));
    let left = h.beat(beat("b", -1, None)).0;
    assert_eq!((left.error_code, left.member_epoch), (0, -1));
    let a = h.beat(beat("a", a.member_epoch, None)).0;
    assert_eq!(held(&a), Some(4));
}

#[test]
fn epochs_and_ids_are_checked() {
    let mut h = Harness::new(1);
    assert_eq!(h.error(beat("a", 1, None)), ErrorCode::GroupIdNotFound);
    assert_eq!(h.error(beat("a", 0, None)), ErrorCode::InvalidRequest, "without topics");
    assert_eq!(h.error(beat("", 0, Some(&["t"]))), ErrorCode::InvalidRequest);
    assert_eq!(h.error(beat("a", -2, None)), ErrorCode::InvalidRequest);
    let joined = h.join("a");
    assert_eq!(h.error(beat("b", 1, None)), ErrorCode::UnknownMemberId);
    assert_eq!(h.error(beat("b", -1, None)), ErrorCode::UnknownMemberId);
    assert_eq!(h.error(beat("a", joined.member_epoch + 1, None)), ErrorCode::FencedMemberEpoch);
    assert_eq!(h.error(beat("a", joined.member_epoch - 1, None)), ErrorCode::None, "the answer was lost");
    assert_eq!(h.error(beat("a", 0, Some(&["t"]))), ErrorCode::None, "it begins anew");
}

#[test]
fn a_silent_member_is_out() {
    let mut h = Harness::new(1);
    h.join("a");
    let at = h.groups.next_deadline().expect("its session");
    h.now.mono = at;
    h.step(|groups, step| groups.on_timer(step));
    h.settle(Ok(()));
    assert_eq!(h.error(beat("a", 2, None)), ErrorCode::UnknownMemberId);
}

#[test]
fn a_failed_append_takes_the_heartbeat_back() {
    let mut h = Harness::new(1);
    let token = h.ask(Request::ShareHeartbeat(Caller::default(), beat("a", 0, Some(&["t"]))));
    h.settle(Err(ErrorCode::KafkaStorageError));
    let Answer::ShareHeartbeat((response, _)) = &h.answers[&token] else { panic!("a heartbeat's answer") };
    assert_eq!(response.error_code, ErrorCode::NotCoordinator.code());
    assert_eq!(h.error(beat("a", 1, None)), ErrorCode::GroupIdNotFound, "nothing is left of the group");
    assert_eq!(held(&h.join("a")), Some(1));
}

#[test]
fn a_group_is_read_back_from_its_log() {
    let mut h = Harness::new(4);
    h.join("a");
    let b = h.join("b");
    let mut again = h.reloaded();
    let told = |groups: &Groups| groups.share_describe(&["g".into()]);
    assert_eq!(told(&again), told(&h.groups));
    assert_eq!(told(&again)[0].members.len(), 2);
    assert_eq!(again.share_partitions("g"), h.groups.share_partitions("g"));
    let mut fx = Effects::default();
    let mut step = Step { token: Token(1), now: h.now, random: [0; 16], fx: &mut fx };
    again.handle(Request::ShareHeartbeat(Caller::default(), beat("b", b.member_epoch, None)), &mut step);
    let error = |answer: &Answer| match answer {
        Answer::ShareHeartbeat((response, _)) => response.error_code,
        _ => -1,
    };
    assert!(fx.answers.iter().all(|(_, answer)| error(answer) == 0), "{:?}", fx.answers);
}

#[test]
fn progress_is_altered_and_deleted_only_without_members() {
    let mut h = Harness::new(2);
    let joined = h.join("a");
    let alter = || Request::ShareAlter("g".into(), vec![(TOPIC, 0, 5)]);
    let delete = || Request::ShareDelete("g".into(), None);
    assert_eq!(h.answer(alter()), Answer::ShareAlter(Err(ErrorCode::NonEmptyGroup)));
    assert_eq!(h.answer(delete()), Answer::SharePartitions(Err(ErrorCode::NonEmptyGroup)));
    h.beat(beat("a", -1, None));
    let Answer::ShareAlter(Ok(altered)) = h.answer(alter()) else { panic!("the group is empty") };
    assert!(altered.epoch > joined.member_epoch, "a new beginning has a higher epoch: {altered:?}");
    assert_eq!(altered.partitions, [(TOPIC, 0, 5)]);
    let Answer::SharePartitions(Ok(gone)) = h.answer(delete()) else { panic!("the group is empty") };
    assert_eq!(gone, [(TOPIC, 0), (TOPIC, 1)]);
    h.answer(Request::ShareDeleted("g".into(), [TOPIC].into()));
    assert_eq!(h.groups.share_partitions("g"), Ok(Vec::new()));
    let Answer::Delete(results) = h.answer(Request::Delete(vec!["g".into()])) else { panic!("an answer") };
    assert_eq!(results[0].error_code, 0);
    assert!(h.groups.is_empty() && h.reloaded().is_empty());
    let nothing = Answer::SharePartitions(Err(ErrorCode::GroupIdNotFound));
    assert_eq!(h.answer(Request::SharePartitions("g".into())), nothing);
}

#[test]
fn a_deleted_topic_is_forgotten() {
    let mut h = Harness::new(2);
    h.join("a");
    h.step(|groups, step| groups.topics_deleted(&[("t".to_owned(), TOPIC)], step));
    h.settle(Ok(()));
    assert_eq!(h.groups.share_partitions("g"), Ok(Vec::new()));
}

/// The error and the epoch of a heartbeat's answer.
fn heard(answer: &Answer) -> (i16, i32) {
    let Answer::ShareHeartbeat((response, _)) = answer else { panic!("a heartbeat's answer: {answer:?}") };
    (response.error_code, response.member_epoch)
}

#[test]
fn what_was_decided_on_a_failed_append_is_refused_and_not_told() {
    let mut h = Harness::new(4);
    h.join("a");
    let told = |groups: &Groups| groups.share_describe(&["g".into()]);
    let before = told(&h.groups);
    h.later(1_500);
    let b = h.ask(Request::ShareHeartbeat(Caller::default(), beat("b", 0, Some(&["t"]))));
    let c = h.ask(Request::ShareHeartbeat(Caller::default(), beat("c", 0, Some(&["t"]))));
    assert_eq!(told(&h.groups), before, "what is on its way is not told");
    h.settle_one(Err(ErrorCode::KafkaStorageError));
    assert!(h.pending.is_empty());
    assert_eq!(heard(&h.answers[&b]).0, ErrorCode::NotCoordinator.code());
    assert_eq!(heard(&h.answers[&c]).0, ErrorCode::CoordinatorNotAvailable.code());
    assert_eq!((told(&h.groups), told(&h.reloaded())), (before.clone(), before));
    assert_eq!(held(&h.beat(beat("b", 0, Some(&["t"]))).0), Some(2));
}

#[test]
fn whatever_the_log_fails_memory_says_what_it_says() {
    use rand::{Rng, SeedableRng};
    for seed in 0..150 {
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        let mut h = Harness::new(4);
        let mut epochs = [0; 4];
        let mut asked: Vec<(usize, Token)> = Vec::new();
        for _ in 0..150 {
            let member = rng.random_range(0..epochs.len());
            match rng.random_range(0..10) {
                0..4 => {
                    let epoch = epochs[member];
                    let topics = (epoch == 0).then_some(&["t"][..]);
                    let request = beat(&format!("m{member}"), epoch, topics);
                    asked.push((member, h.ask(Request::ShareHeartbeat(Caller::default(), request))));
                }
                4 if epochs[member] > 0 => {
                    let request = beat(&format!("m{member}"), -1, None);
                    asked.push((member, h.ask(Request::ShareHeartbeat(Caller::default(), request))));
                }
                5 => h.later(1_100),
                6 => {
                    let begun = (0..4).map(|partition| (TOPIC, partition)).collect();
                    h.ask(Request::ShareInitialized("g".into(), begun, rng.random_bool(0.8)));
                }
                _ if h.pending.is_empty() => {}
                7 => h.settle_one(Err(ErrorCode::NotEnoughReplicas)),
                _ => h.settle_one(Ok(())),
            }
            asked.retain(|(member, token)| {
                let Some(answer) = h.answers.get(token) else { return true };
                match heard(answer) {
                    (0, epoch) => epochs[*member] = epoch.max(0),
                    (15, _) => {}
                    _ => epochs[*member] = 0,
                }
                false
            });
        }
        h.settle(Ok(()));
        assert_eq!(h.answers.len() as u64, h.token, "seed {seed}: everybody is answered");
        let again = h.reloaded();
        assert_eq!(again.shares.keys().collect::<Vec<_>>(), h.groups.shares.keys().collect::<Vec<_>>(), "seed {seed}");
        for (id, share) in &h.groups.shares {
            assert_eq!((share.in_flight, &share.tail), (0, &share.committed), "seed {seed}");
            assert_eq!(share.committed, again.shares[id].committed, "seed {seed}");
        }
    }
}
