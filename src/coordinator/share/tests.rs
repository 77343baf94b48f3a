//! The share coordinator's transitions, its records, and its log read back.

use super::*;
use crate::base::{ErrorCode, LeaderEpoch, Now, ProducerId, TimestampMs, TopicIdPartition, Uuid};
use crate::coordinator::machine::{Entry as LogEntry, Machine};
use crate::coordinator::test_log::Writing;
use crate::share::StateBatch;

const CONFIG: ShareStateConfig = ShareStateConfig { updates_per_snapshot: 3 };
const TOPIC: Uuid = Uuid([5; 16]);

struct Harness {
    machine: ShareStates,
    log: Vec<crate::coordinator::machine::Record>,
    pending: Writing,
    answers: HashMap<Token, Answer>,
    work: Vec<Work>,
    now: Now,
    token: u64,
}

fn key(partition: i32) -> Key {
    Key::new("g", TopicIdPartition { topic_id: TOPIC, partition })
}

fn batch(first: i64, last: i64, state: i8, delivery_count: i16) -> StateBatch {
    StateBatch { first: Offset(first), last: Offset(last), state, delivery_count }
}

fn write(start_offset: i64, batches: &[StateBatch]) -> WriteAsk {
    WriteAsk { state_epoch: 1, leader_epoch: 0, start_offset, delivery_complete_count: 0, batches: batches.to_vec() }
}

impl Harness {
    fn new() -> Self {
        let now = Now { mono: Instant(0), wall: TimestampMs(1_000) };
        Self {
            machine: ShareStates::new(&CONFIG),
            log: Vec::new(),
            pending: Writing::default(),
            answers: HashMap::new(),
            work: Vec::new(),
            now,
            token: 0,
        }
    }

    fn step(&mut self, f: impl FnOnce(&mut ShareStates, &mut Step)) {
        let mut fx = Effects::default();
        let token = Token(self.token);
        f(&mut self.machine, &mut Step { token, now: self.now, random: [0; 16], fx: &mut fx });
        self.pending.extend(fx.appends);
        self.answers.extend(fx.answers);
        self.work.extend(fx.work);
    }

    fn ask(&mut self, request: Request) -> Token {
        self.token += 1;
        self.step(|machine, step| machine.handle(request, step));
        Token(self.token)
    }

    /// The outcome of all that is pending.
    fn settle(&mut self, outcome: Result<(), ErrorCode>) {
        while !self.pending.is_empty() {
            self.settle_one(outcome);
        }
    }

    /// The outcome of the oldest append, and what fails with it.
    fn settle_one(&mut self, outcome: Result<(), ErrorCode>) {
        for (id, outcome) in self.pending.next(outcome, &mut self.log) {
            self.step(|machine, step| machine.on_append(id, outcome, step));
        }
    }

    fn done(&mut self, request: Request) -> Answer {
        let token = self.ask(request);
        self.settle(Ok(()));
        self.answers.remove(&token).expect("answered")
    }

    fn refused(&mut self, request: Request) -> ErrorCode {
        match self.done(request) {
            Answer::Refused(refusal) => refusal.error,
            other => panic!("{other:?}"),
        }
    }

    /// A new machine that has read the log.
    fn reloaded(&self) -> ShareStates {
        let mut machine = ShareStates::new(&CONFIG);
        for (offset, record) in (0..).map(Offset).zip(&self.log) {
            let (key, value) = (&record.key, record.value.as_ref());
            let entry = LogEntry::Record { offset, producer: ProducerId::NONE, key, value };
            machine.replay(entry, self.now).expect("a record that was written can be read");
        }
        let mut fx = Effects::default();
        machine.loaded(LeaderEpoch(0), &mut Step { token: Token(0), now: self.now, random: [0; 16], fx: &mut fx });
        machine
    }
}

#[test]
fn what_was_not_initialized_is_neither_read_nor_written() {
    let mut h = Harness::new();
    assert_eq!(h.refused(Request::Read(key(0), 1)), ErrorCode::InvalidRequest);
    assert_eq!(h.refused(Request::Write(key(0), write(0, &[]))), ErrorCode::InvalidRequest);
    let nothing = Summary { state_epoch: 0, leader_epoch: 0, start_offset: -1, delivery_complete_count: -1 };
    assert_eq!(h.done(Request::Summarize(key(0))), Answer::Summary(nothing));
    assert_eq!(h.done(Request::Delete(key(0))), Answer::Done);
    assert!(h.log.is_empty());
}

#[test]
fn states_are_written_read_summarized_and_deleted() {
    let mut h = Harness::new();
    assert_eq!(h.done(Request::Initialize(key(0), 1, 5)), Answer::Done);
    assert_eq!(h.done(Request::Read(key(0), 2)), Answer::State(1, 5, vec![]));
    let ask = WriteAsk { leader_epoch: 2, delivery_complete_count: 4, ..write(7, &[batch(8, 11, 2, 1)]) };
    assert_eq!(h.done(Request::Write(key(0), ask)), Answer::Done);
    let summary = Summary { state_epoch: 1, leader_epoch: 2, start_offset: 7, delivery_complete_count: 4 };
    assert_eq!(h.done(Request::Summarize(key(0))), Answer::Summary(summary));
    assert_eq!(h.done(Request::Read(key(0), 2)), Answer::State(1, 7, vec![batch(8, 11, 2, 1)]));
    assert_eq!(h.log.len(), 3, "reading in a known epoch writes nothing");
    let again = h.reloaded();
    assert_eq!(again.entries[&key(0)].committed, h.machine.entries[&key(0)].committed);
    assert_eq!(h.done(Request::Delete(key(0))), Answer::Done);
    assert_eq!((h.machine.len(), h.reloaded().len()), (0, 0));
}

#[test]
fn old_leaders_and_old_states_are_fenced() {
    let mut h = Harness::new();
    h.done(Request::Initialize(key(0), 3, 0));
    h.done(Request::Read(key(0), 5));
    let of = |state_epoch, leader_epoch| WriteAsk { state_epoch, leader_epoch, ..write(0, &[]) };
    assert_eq!(h.refused(Request::Read(key(0), 4)), ErrorCode::FencedLeaderEpoch);
    assert_eq!(h.refused(Request::Write(key(0), of(3, 4))), ErrorCode::FencedLeaderEpoch);
    assert_eq!(h.refused(Request::Write(key(0), of(2, 5))), ErrorCode::FencedStateEpoch);
    assert_eq!(h.refused(Request::Initialize(key(0), 2, 0)), ErrorCode::FencedStateEpoch);
    for fine in [of(3, 5), of(4, 6), of(-1, -1)] {
        assert_eq!(h.done(Request::Write(key(0), fine)), Answer::Done);
    }
}

#[test]
fn enough_updates_make_a_snapshot() {
    let mut h = Harness::new();
    h.done(Request::Initialize(key(0), 1, 0));
    for i in 0..5 {
        h.done(Request::Write(key(0), write(0, &[batch(10 * i, 10 * i + 9, 2, 1)])));
    }
    let kinds: Vec<u8> = h.log.iter().map(|r| r.key[1]).collect();
    assert_eq!(kinds, [0, 1, 1, 1, 1, 0], "as in Kafka one more than configured");
    let again = h.reloaded();
    let state = again.entries[&key(0)].committed.clone().expect("loaded");
    assert_eq!((state.snapshot_epoch, state.batches), (1, vec![batch(0, 49, 2, 1)]));
    assert_eq!(h.machine.useless_before(), Some(Offset(5)));
}

#[test]
fn a_failed_append_leaves_no_trace() {
    let mut h = Harness::new();
    h.done(Request::Initialize(key(0), 1, 0));
    let first = h.ask(Request::Write(key(0), write(5, &[])));
    let second = h.ask(Request::Initialize(key(1), 1, 0));
    h.settle(Err(ErrorCode::KafkaStorageError));
    for token in [first, second] {
        assert_eq!(h.answers[&token], Answer::Refused(ErrorCode::NotCoordinator.into()));
    }
    assert_eq!(h.done(Request::Read(key(0), 0)), Answer::State(1, 0, vec![]));
    assert_eq!(h.machine.len(), 1);
}

#[test]
fn who_waits_too_long_or_for_a_lost_partition_is_refused() {
    let mut h = Harness::new();
    let token = h.ask(Request::Initialize(key(0), 1, 0));
    let mut fx = Effects::default();
    h.machine.give_up(token, ErrorCode::CoordinatorNotAvailable, &mut fx);
    h.machine.give_up(token, ErrorCode::CoordinatorNotAvailable, &mut fx);
    assert_eq!(fx.answers, [(token, Answer::Refused(ErrorCode::CoordinatorNotAvailable.into()))]);
    h.settle(Ok(()));
    assert_eq!(h.done(Request::Read(key(0), -1)), Answer::State(1, 0, vec![]), "it counts all the same");
    let token = h.ask(Request::Write(key(0), write(1, &[])));
    let mut fx = Effects::default();
    h.machine.resign(h.now, &mut fx);
    assert_eq!(fx.answers, [(token, Answer::Refused(ErrorCode::NotCoordinator.into()))]);
}

#[test]
fn a_read_beside_a_write_is_answered_when_both_are_committed() {
    let mut h = Harness::new();
    h.done(Request::Initialize(key(0), 1, 0));
    h.ask(Request::Write(key(0), write(5, &[])));
    let read = h.ask(Request::Read(key(0), 0));
    assert!(!h.answers.contains_key(&read));
    h.settle(Ok(()));
    assert_eq!(h.answers[&read], Answer::State(1, 5, vec![]));
}

#[test]
fn states_go_with_their_topic() {
    let mut h = Harness::new();
    h.done(Request::Initialize(key(0), 1, 0));
    h.done(Request::Initialize(key(1), 1, 0));
    h.step(|machine, step| machine.topics_deleted(&[("t".to_owned(), TOPIC)], step));
    h.settle(Ok(()));
    assert_eq!((h.machine.len(), h.reloaded().len()), (0, 0));
}

#[test]
fn old_records_are_deleted_and_then_there_is_nothing_to_do() {
    let mut h = Harness::new();
    h.done(Request::Initialize(key(0), 1, 0));
    h.done(Request::Initialize(key(1), 1, 0));
    h.done(Request::Initialize(key(0), 1, 7));
    let mut rounds = 0;
    while let Some(at) = h.machine.next_deadline() {
        h.now = Now { mono: at, wall: TimestampMs(h.now.wall.0 + 300_000) };
        h.step(|machine, step| machine.on_timer(step));
        h.settle(Ok(()));
        rounds += 1;
        assert!(rounds < 5, "upkeep must end");
    }
    assert_eq!(h.work.last(), Some(&Work::DeleteBefore(Offset(3))), "both were copied to the log's end");
    assert_eq!(h.reloaded().entries[&key(0)].committed.as_ref().map(|s| s.start_offset), Some(7));
}

#[test]
fn a_record_that_cannot_be_read_stops_loading() {
    let mut machine = ShareStates::new(&CONFIG);
    let (key, value) = (bytes::Bytes::from_static(&[0, 0, 0]), bytes::Bytes::from_static(&[0, 0]));
    let entry = LogEntry::Record { offset: Offset(7), producer: ProducerId::NONE, key: &key, value: Some(&value) };
    let refused = machine.replay(entry, Now { mono: Instant(0), wall: TimestampMs(0) }).expect_err("a cut-off key");
    assert_eq!(refused.offset, Offset(7));
}

#[test]
fn what_was_decided_on_a_failed_append_is_refused_and_later_writes_count_as_the_log_has_them() {
    let mut h = Harness::new();
    h.done(Request::Initialize(key(0), 1, 0));
    h.done(Request::Initialize(key(1), 1, 0));
    let first = h.ask(Request::Write(key(0), write(5, &[])));
    let other = h.ask(Request::Write(key(1), write(3, &[])));
    let second = h.ask(Request::Write(key(0), write(7, &[])));
    h.settle_one(Err(ErrorCode::KafkaStorageError));
    h.settle_one(Ok(()));
    assert_eq!(h.answers[&first], Answer::Refused(ErrorCode::NotCoordinator.into()));
    assert_eq!(h.answers[&second], Answer::Refused(ErrorCode::CoordinatorNotAvailable.into()));
    assert_eq!(h.answers[&other], Answer::Done);
    assert_eq!(h.done(Request::Read(key(0), 0)), Answer::State(1, 0, vec![]));
    assert_eq!(h.done(Request::Read(key(1), 0)), Answer::State(1, 3, vec![]));
}

#[test]
fn whatever_the_log_fails_memory_says_what_it_says() {
    use rand::{Rng, SeedableRng};
    for seed in 0..200 {
        let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
        let mut h = Harness::new();
        for _ in 0..120 {
            let (key, offset) = (key(rng.random_range(0..3)), rng.random_range(0..100));
            let state = [batch(offset + 1, offset + 4, 2, 1)];
            let of = |state_epoch, leader_epoch| WriteAsk { state_epoch, leader_epoch, ..write(offset, &state) };
            match rng.random_range(0..12) {
                0 => drop(h.ask(Request::Initialize(key, rng.random_range(1..4), offset))),
                1 => drop(h.ask(Request::Read(key, rng.random_range(0..4)))),
                2 => drop(h.ask(Request::Delete(key))),
                3..7 => drop(h.ask(Request::Write(key, of(rng.random_range(1..4), rng.random_range(0..4))))),
                _ if h.pending.is_empty() => {}
                7 | 8 => h.settle_one(Err(ErrorCode::NotEnoughReplicas)),
                _ => h.settle_one(Ok(())),
            }
        }
        h.settle(Ok(()));
        assert_eq!(h.answers.len() as u64, h.token, "seed {seed}: everybody is answered");
        let again = h.reloaded();
        assert_eq!(again.entries.len(), h.machine.entries.len(), "seed {seed}");
        for (key, entry) in &h.machine.entries {
            assert_eq!((entry.in_flight, &entry.tail), (0, &entry.committed), "seed {seed}: {key:?}");
            assert_eq!(entry.committed, again.entries[key].committed, "seed {seed}: {key:?}");
        }
    }
}
