//! Every event in every state: the answer and the state after it, as Kafka 4.3.1 decides.

use super::harness::{TIMEOUT_MS, World, init_of, tp, world};
use crate::base::{ErrorCode, ProducerEpoch, ProducerId};
use crate::coordinator::transaction::{AddKind, Init, InitAnswer, Request, TxnState};

type Who = (ProducerId, ProducerEpoch);

const ID: &str = "t";
const STATES: [Option<TxnState>; 7] = [
    None,
    Some(TxnState::Empty),
    Some(TxnState::Ongoing),
    Some(TxnState::PrepareCommit),
    Some(TxnState::PrepareAbort),
    Some(TxnState::CompleteCommit),
    Some(TxnState::CompleteAbort),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Init,
    InitAsCurrent,
    InitAsStranger,
    Add,
    AddOlder,
    AddStranger,
    Verify,
    Commit,
    Abort,
    CommitOlder,
    AbortOlder,
    TimeUp,
}

/// A coordinator whose id is in `state`, and its producer. Markers wait.
fn in_state(state: Option<TxnState>, version: i16) -> (World, Who) {
    let mut world = world(version);
    let Some(state) = state else { return (world, (ProducerId(7), ProducerEpoch(0))) };
    let mut who = world.init(ID).unwrap();
    if state == TxnState::Empty {
        return (world, who);
    }
    let kind = if version >= 2 { AddKind::Implicit } else { AddKind::Explicit };
    assert_eq!(world.add(ID, who, &[tp("t", 0)], kind), ErrorCode::None);
    let commits = matches!(state, TxnState::PrepareCommit | TxnState::CompleteCommit);
    if state != TxnState::Ongoing {
        let told = world.end(ID, who, commits, version).unwrap();
        who = if version >= 2 { told } else { who };
    }
    if matches!(state, TxnState::CompleteCommit | TxnState::CompleteAbort) {
        world.write_markers();
    }
    assert_eq!(world.state(ID), Some(state));
    (world, who)
}

fn told(answer: InitAnswer) -> String {
    match answer {
        Ok(_) => "ok".into(),
        Err(error) => error.code().to_string(),
    }
}

fn happens(event: Event, state: Option<TxnState>, version: i16) -> String {
    let (mut world, who) = in_state(state, version);
    let older = (who.0, ProducerEpoch(who.1.0 - 1));
    let stranger = (ProducerId(5), who.1);
    let init = |expected| Request::Init(Init { expected: Some(expected), ..init_of(ID) });
    let add = |world: &mut World, who, kind| match world.add(ID, who, &[tp("t", 0)], kind) {
        ErrorCode::None => "ok".to_owned(),
        error => error.code().to_string(),
    };
    let answer = match event {
        Event::Init => told(world.init(ID)),
        Event::InitAsCurrent => told(world.producer(init(who))),
        Event::InitAsStranger => told(world.producer(init(stranger))),
        Event::Add => add(&mut world, who, AddKind::Explicit),
        Event::AddOlder => add(&mut world, older, AddKind::Explicit),
        Event::AddStranger => add(&mut world, stranger, AddKind::Explicit),
        Event::Verify => add(&mut world, who, AddKind::Verify),
        Event::Commit => told(world.end(ID, who, true, version)),
        Event::Abort => told(world.end(ID, who, false, version)),
        Event::CommitOlder => told(world.end(ID, older, true, version)),
        Event::AbortOlder => told(world.end(ID, older, false, version)),
        Event::TimeUp => {
            world.tick(i64::from(TIMEOUT_MS) + 1);
            world.tick(1);
            "-".into()
        }
    };
    format!("{answer} {}", world.state(ID).map_or("absent", TxnState::name))
}

fn check(version: i16, table: &[(Event, [&str; 7])]) {
    for (event, expected) in table {
        for (state, expected) in STATES.into_iter().zip(expected) {
            let name = state.map_or("absent", TxnState::name);
            let expected = if expected.contains(' ') { (*expected).to_owned() } else { format!("{expected} {name}") };
            assert_eq!(happens(*event, state, version), expected, "{event:?} in {name}, version {version}");
        }
    }
}

// Columns: absent, Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort. A code alone: the state
// stays.

const COMMON: [(Event, [&str; 7]); 7] = [
    (Event::Init, ["ok Empty", "ok", "51 PrepareAbort", "51", "51", "ok Empty", "ok Empty"]),
    (Event::Add, ["49", "ok Ongoing", "ok", "51", "51", "ok Ongoing", "ok Ongoing"]),
    (Event::AddOlder, ["49", "90", "90", "51", "51", "90", "90"]),
    (Event::AddStranger, ["49", "49", "49", "51", "51", "49", "49"]),
    (Event::Verify, ["49", "120", "ok", "51", "51", "120", "120"]),
    (Event::InitAsStranger, ["ok Empty", "90", "90", "51", "51", "90", "90"]),
    (Event::TimeUp, ["-", "-", "- PrepareAbort", "-", "-", "-", "-"]),
];

#[test]
fn every_event_in_every_state_where_epochs_stay() {
    check(0, &COMMON);
    check(
        0,
        &[
            (Event::InitAsCurrent, ["ok Empty", "ok", "51 PrepareAbort", "51", "51", "ok Empty", "ok Empty"]),
            (Event::Commit, ["49", "48", "ok PrepareCommit", "51", "51", "ok", "48"]),
            (Event::Abort, ["49", "48", "ok PrepareAbort", "51", "51", "48", "ok"]),
            (Event::CommitOlder, ["49", "90", "90", "90", "90", "90", "90"]),
            (Event::AbortOlder, ["49", "90", "90", "90", "90", "90", "90"]),
        ],
    );
}

#[test]
fn every_event_in_every_state_where_ends_raise_epochs() {
    check(2, &COMMON);
    check(
        2,
        &[
            (Event::InitAsCurrent, ["ok Empty", "ok", "51 PrepareAbort", "51", "51", "ok Empty", "ok Empty"]),
            (Event::Commit, ["49", "48", "ok PrepareCommit", "51", "51", "48", "48"]),
            (Event::Abort, ["49", "ok CompleteAbort", "ok PrepareAbort", "51", "51", "ok CompleteAbort", "ok"]),
            (Event::CommitOlder, ["49", "90", "90", "51", "51", "ok", "48"]),
            (Event::AbortOlder, ["49", "90", "90", "51", "51", "48", "ok"]),
        ],
    );
}

#[test]
fn every_pair_of_states_follows_kafkas_table() {
    use TxnState::*;
    let from = |next: TxnState| TxnState::ALL.into_iter().filter(|state| state.may_become(next)).collect::<Vec<_>>();
    assert_eq!(from(Empty), [Empty, CompleteCommit, CompleteAbort]);
    assert_eq!(from(Ongoing), [Empty, Ongoing, CompleteCommit, CompleteAbort]);
    assert_eq!(from(PrepareCommit), [Ongoing]);
    assert_eq!(from(PrepareAbort), [Empty, Ongoing, CompleteCommit, CompleteAbort, PrepareEpochFence]);
    assert_eq!(from(CompleteCommit), [PrepareCommit]);
    assert_eq!(from(CompleteAbort), [PrepareAbort]);
    assert_eq!(from(Dead), [Empty, CompleteCommit, CompleteAbort]);
    assert_eq!(from(PrepareEpochFence), [Ongoing]);
    for (id, state) in (0..).zip(TxnState::ALL) {
        assert_eq!(
            (state.id(), TxnState::from_id(id), TxnState::from_name(state.name())),
            (id, Some(state), Some(state))
        );
    }
}
