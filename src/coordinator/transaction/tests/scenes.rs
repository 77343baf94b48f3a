//! Scenes the table cannot show: epochs that run out, answers that are lost, appends that fail, waiting, expiry.

use super::harness::{TIMEOUT_MS, World, add_of, end_of, init_of, tp, world};
use crate::base::{ErrorCode, ProducerEpoch, ProducerId};
use crate::coordinator::transaction::{AddKind, Answer, Filter, Init, Request, TxnState};

const ID: &str = "t";
type Who = (ProducerId, ProducerEpoch);

fn begin(world: &mut World, who: Who) {
    assert_eq!(world.add(ID, who, &[tp("t", 0), tp("u", 1)], AddKind::Implicit), ErrorCode::None);
}

/// A producer with the last epoch it may write with.
fn exhausted(version: i16) -> (World, Who) {
    let mut world = world(version);
    let who = (world.init(ID).unwrap().0, ProducerEpoch(i16::MAX - 1));
    world.machine.by_id.get_mut(ID).unwrap().metadata.epoch = who.1;
    (world, who)
}

#[test]
fn who_asks_first_is_refused_as_kafka_does() {
    let mut world = world(2);
    let asked = |world: &mut World, init: Init| world.producer(Request::Init(init)).err();
    assert_eq!(asked(&mut world, init_of("")), Some(ErrorCode::InvalidRequest));
    let two_phase = Init { enable_2pc: true, ..init_of(ID) };
    assert_eq!(asked(&mut world, two_phase.clone()), Some(ErrorCode::TransactionalIdAuthorizationFailed));
    let keep = Init { keep_prepared: true, ..init_of(ID) };
    assert_eq!(asked(&mut world, keep), Some(ErrorCode::UnsupportedVersion));
    for timeout_ms in [0, -1, 900_001] {
        let init = Init { timeout_ms, ..init_of(ID) };
        assert_eq!(asked(&mut world, init), Some(ErrorCode::InvalidTransactionTimeout));
    }
    assert!(world.log.is_empty());
    world.machine.numbers.two_phase_commit = true;
    let who = world.producer(Request::Init(two_phase)).unwrap();
    begin(&mut world, who);
    world.tick(1_000_000_000);
    assert_eq!(world.state(ID), Some(TxnState::Ongoing), "it never times out");
}

#[test]
fn a_transaction_commits_with_a_marker_in_each_partition_and_the_next_epoch() {
    let mut world = world(2);
    let who = world.init(ID).unwrap();
    begin(&mut world, who);
    let next = world.end(ID, who, true, 2).unwrap();
    assert_eq!(next, (who.0, ProducerEpoch(who.1.0 + 1)));
    let work = world.markers.pop_front().unwrap();
    assert_eq!((work.producer, work.epoch, work.version), (who.0, next.1, 2));
    assert_eq!((work.marker.commit, work.marker.coordinator_epoch), (true, 3));
    assert_eq!(work.partitions, [tp("t", 0), tp("u", 1)].into());
    // One partition is not ready: it alone is tried again, a little later.
    let results = vec![(tp("t", 0), ErrorCode::None), (tp("u", 1), ErrorCode::NotLeaderOrFollower)];
    world.markers_done(work, results);
    assert_eq!((world.markers.len(), world.state(ID)), (0, Some(TxnState::PrepareCommit)));
    world.tick(10_000);
    assert_eq!(world.markers[0].partitions, [tp("u", 1)].into());
    world.write_markers();
    assert_eq!(world.state(ID), Some(TxnState::CompleteCommit));
    // The answer was lost: the client asks again, with the epoch it had.
    assert_eq!(world.end(ID, who, true, 2), Ok(next));
    assert_eq!(world.end(ID, who, false, 2), Err(ErrorCode::InvalidTxnState));
}

#[test]
fn a_producer_whose_answer_was_lost_gets_the_same_epoch() {
    let mut world = world(2);
    let who = world.init(ID).unwrap();
    let again =
        |world: &mut World, expected| world.producer(Request::Init(Init { expected: Some(expected), ..init_of(ID) }));
    let next = again(&mut world, who).unwrap();
    assert_eq!(next, (who.0, ProducerEpoch(1)));
    assert_eq!(again(&mut world, who), Ok(next));
    let third = world.init(ID).unwrap();
    assert_eq!(third.1, ProducerEpoch(2));
    assert_eq!(again(&mut world, who), Err(ErrorCode::ProducerFenced));
}

#[test]
fn epochs_that_are_used_up_bring_a_new_id() {
    for version in [0, 2] {
        let (mut world, old) = exhausted(version);
        let ask = Request::Init(Init { expected: Some(old), ..init_of(ID) });
        let new = world.producer(ask.clone()).unwrap();
        assert!(new.0 != old.0 && new.1 == ProducerEpoch(0), "version {version}");
        assert_eq!(world.producer(ask.clone()), Ok(new), "it did not hear of its new id");
        assert_eq!(world.init(ID), Ok((new.0, ProducerEpoch(1))));
        assert_eq!(world.producer(ask), Err(ErrorCode::ProducerFenced));
    }
}

#[test]
fn an_end_with_the_last_epoch_hands_out_a_new_id_and_knows_the_repeat() {
    let (mut world, old) = exhausted(2);
    begin(&mut world, old);
    let next = world.end(ID, old, true, 2).unwrap();
    assert!(next.0 != old.0 && next.1 == ProducerEpoch(0));
    assert_eq!(world.markers[0].epoch, ProducerEpoch(i16::MAX), "one more epoch fences the old id");
    world.write_markers();
    assert_eq!(world.end(ID, old, true, 2), Ok(next));
    begin(&mut world, next);
}

#[test]
fn fencing_with_the_last_epoch_leads_to_a_new_id() {
    for version in [0, 2] {
        let (mut world, old) = exhausted(version);
        begin(&mut world, old);
        assert_eq!(world.init(ID), Err(ErrorCode::ConcurrentTransactions));
        world.write_markers();
        let new = world.init(ID).unwrap();
        assert!(new.0 != old.0, "version {version}: {new:?}");
    }
}

#[test]
fn a_new_producer_waits_for_the_abort_of_the_one_before() {
    for version in [0, 2] {
        let mut world = world(version);
        let old = world.init(ID).unwrap();
        begin(&mut world, old);
        assert_eq!(world.init(ID), Err(ErrorCode::ConcurrentTransactions));
        assert!(!world.markers[0].marker.commit && world.markers[0].epoch > old.1);
        assert_eq!(world.init(ID), Err(ErrorCode::ConcurrentTransactions));
        world.write_markers();
        let new = world.init(ID).unwrap();
        assert!(new.1.0 >= old.1.0 + 2);
        assert_eq!(world.add(ID, old, &[tp("t", 0)], AddKind::Explicit), ErrorCode::ProducerFenced);
        assert_eq!(world.end(ID, old, true, version), Err(ErrorCode::ProducerFenced));
    }
}

#[test]
fn a_failed_append_changes_nothing_and_is_told() {
    for version in [0, 2] {
        let mut world = world(version);
        world.at_once = false;
        let token = world.ask(Request::Init(init_of(ID)));
        world.bring_id();
        world.commit_one(Err(ErrorCode::KafkaStorageError));
        let refused = Answer::Producer(Err(ErrorCode::NotCoordinator));
        assert_eq!(world.answers.remove(&token), Some(refused.clone()));
        assert_eq!(world.state(ID), None, "nobody began");
        world.at_once = true;
        let who = world.init(ID).unwrap();
        begin(&mut world, who);
        world.at_once = false;
        let token = world.ask(Request::End(end_of(ID, who, true, version)));
        assert!(world.answers.is_empty());
        world.commit_one(Err(ErrorCode::KafkaStorageError));
        assert_eq!(world.answers.remove(&token), Some(refused));
        assert_eq!((world.state(ID), world.markers.len()), (Some(TxnState::Ongoing), 0));
        world.at_once = true;
        assert!(world.end(ID, who, false, version).is_ok());
        world.write_markers();
        assert_eq!(world.state(ID), Some(TxnState::CompleteAbort));
    }
}

#[test]
fn the_last_word_is_written_until_it_stands() {
    let mut world = world(2);
    let who = world.init(ID).unwrap();
    begin(&mut world, who);
    world.end(ID, who, true, 2).unwrap();
    world.at_once = false;
    world.write_markers();
    for _ in 0..5 {
        world.commit_one(Err(ErrorCode::KafkaStorageError));
        assert_eq!(world.state(ID), Some(TxnState::PrepareCommit));
        world.tick(10_001);
    }
    world.commit_one(Ok(()));
    assert_eq!(world.state(ID), Some(TxnState::CompleteCommit));
}

#[test]
fn an_epoch_raised_in_vain_is_not_raised_again() {
    let mut world = world(0);
    let who = world.init(ID).unwrap();
    begin(&mut world, who);
    world.at_once = false;
    for _ in 0..3 {
        let token = world.ask(Request::Init(init_of(ID)));
        world.commit_one(Err(ErrorCode::KafkaStorageError));
        assert_eq!(world.answers.remove(&token), Some(Answer::Producer(Err(ErrorCode::NotCoordinator))));
    }
    world.at_once = true;
    assert_eq!(world.end(ID, who, true, 0), Err(ErrorCode::ProducerFenced), "the old epoch does not come back");
    assert_eq!(world.init(ID), Err(ErrorCode::ConcurrentTransactions));
    assert_eq!(world.markers[0].epoch, ProducerEpoch(who.1.0 + 1));
}

#[test]
fn a_write_waits_for_the_end_of_the_transaction_before() {
    let mut world = world(2);
    let who = world.init(ID).unwrap();
    begin(&mut world, who);
    let next = world.end(ID, who, true, 2).unwrap();
    let first = world.ask(Request::Add(add_of(ID, next, &[tp("t", 0)], AddKind::Implicit)));
    let second = world.ask(Request::Add(add_of(ID, next, &[tp("t", 1)], AddKind::Implicit)));
    assert!(world.answers.is_empty());
    world.write_markers();
    for (token, partition) in [(first, tp("t", 0)), (second, tp("t", 1))] {
        assert_eq!(world.answers.remove(&token), Some(Answer::Added(vec![(partition, ErrorCode::None)])));
    }
    assert_eq!(world.state(ID), Some(TxnState::Ongoing));
    // Markers that cannot be written: the client is told to come again, in time.
    world.end(ID, next, false, 2).unwrap();
    let next = (next.0, ProducerEpoch(next.1.0 + 1));
    let late = world.ask(Request::Add(add_of(ID, next, &[tp("t", 0)], AddKind::Implicit)));
    world.tick(100);
    let told = Answer::Added(vec![(tp("t", 0), ErrorCode::ConcurrentTransactions)]);
    assert_eq!(world.answers.remove(&late), Some(told));
    assert_eq!(world.add(ID, who, &[tp("t", 0)], AddKind::Explicit), ErrorCode::ConcurrentTransactions);
}

#[test]
fn a_transaction_that_is_open_for_too_long_is_aborted_also_after_a_restart() {
    for restarts in [false, true] {
        let mut world = world(2);
        let who = world.init(ID).unwrap();
        begin(&mut world, who);
        world.tick(i64::from(TIMEOUT_MS) / 2);
        if restarts {
            world.restart();
        }
        world.tick(i64::from(TIMEOUT_MS) / 2 - 1);
        assert_eq!(world.state(ID), Some(TxnState::Ongoing));
        world.tick(10);
        assert_eq!(world.state(ID), Some(TxnState::PrepareAbort));
        world.write_markers();
        assert_eq!(world.state(ID), Some(TxnState::CompleteAbort));
        assert_eq!(world.end(ID, who, true, 2), Err(ErrorCode::InvalidTxnState), "as Kafka: it looks like a retry");
        assert_eq!(world.add(ID, who, &[tp("t", 0)], AddKind::Explicit), ErrorCode::ProducerFenced);
    }
}

#[test]
fn a_decided_transaction_is_completed_after_a_restart() {
    for commit in [true, false] {
        let mut world = world(2);
        let who = world.init(ID).unwrap();
        begin(&mut world, who);
        let next = world.end(ID, who, commit, 2).unwrap();
        world.restart();
        let work = world.markers.front().unwrap();
        assert_eq!((work.marker.commit, work.marker.coordinator_epoch, work.epoch), (commit, 4, next.1));
        assert_eq!(work.partitions.len(), 2);
        world.write_markers();
        let state = if commit { TxnState::CompleteCommit } else { TxnState::CompleteAbort };
        assert_eq!(world.state(ID), Some(state));
        world.restart();
        assert_eq!((world.state(ID), world.markers.len()), (Some(state), 0));
        assert_eq!(world.end(ID, who, commit, 2), Ok(next), "a retry over the restart");
    }
}

#[test]
fn ids_that_nobody_uses_expire_and_only_they() {
    let mut world = world(2);
    world.init("idle").unwrap();
    let who = world.init(ID).unwrap();
    begin(&mut world, who);
    world.machine.numbers.timeout_ms_max = i32::MAX;
    world.machine.by_id.get_mut(ID).unwrap().metadata.timeout_ms = i32::MAX;
    world.tick(world.numbers.id_expiration_ms + 1);
    assert_eq!((world.state("idle"), world.state(ID)), (None, Some(TxnState::Ongoing)));
    assert!(world.log.last().unwrap().value.is_none());
    world.restart();
    assert_eq!(world.state("idle"), None);
}

#[test]
fn lists_are_filtered() {
    let mut world = world(2);
    let who = world.init("app-1").unwrap();
    world.init("app-2").unwrap();
    assert_eq!(world.add("app-1", who, &[tp("t", 0)], AddKind::Implicit), ErrorCode::None);
    world.tick(5_000);
    let mut ids = |filter: Filter| match world.answer(Request::List(filter)) {
        Answer::Listed(Ok(states)) => {
            let mut ids: Vec<_> = states.iter().map(|state| state.transactional_id.to_string()).collect();
            ids.sort();
            ids.join(" ")
        }
        other => panic!("{other:?}"),
    };
    let all = Filter { duration_ms: -1, ..Filter::default() };
    assert_eq!(ids(all.clone()), "app-1 app-2");
    assert_eq!(ids(Filter { states: Some(vec![TxnState::Ongoing]), ..all.clone() }), "app-1");
    assert_eq!(ids(Filter { states: Some(vec![]), ..all.clone() }), "", "only names nobody knows");
    assert_eq!(ids(Filter { producers: [who.0.0].into(), ..all.clone() }), "app-1");
    assert_eq!(ids(Filter { duration_ms: 5_000, ..all.clone() }), "app-2", "as Kafka: no transaction, no beginning");
    assert_eq!(ids(Filter { duration_ms: 4_999, ..all.clone() }), "app-1 app-2");
    assert_eq!(ids(Filter { pattern: regex::Regex::new("^(?:app-2)$").ok(), ..all }), "app-2");
}

#[test]
fn who_waits_when_the_coordinator_leaves_is_told() {
    use crate::coordinator::transaction::Effects;
    let mut world = world(2);
    let who = world.init(ID).unwrap();
    begin(&mut world, who);
    let next = world.end(ID, who, true, 2).unwrap();
    world.at_once = false;
    let parked = world.ask(Request::Add(add_of(ID, next, &[tp("t", 0)], AddKind::Implicit)));
    let without_id = world.ask(Request::Init(init_of("new")));
    let mut fx = Effects::default();
    world.machine.leave(world.now, &mut fx);
    let told: std::collections::HashMap<_, _> = fx.answers.into_iter().collect();
    assert_eq!(told[&parked], Answer::Added(vec![(tp("t", 0), ErrorCode::NotCoordinator)]));
    assert_eq!(told[&without_id], Answer::Producer(Err(ErrorCode::NotCoordinator)));
    assert!(fx.appends.is_empty() && fx.work.is_empty());
}
