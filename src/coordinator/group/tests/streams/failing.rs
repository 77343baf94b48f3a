//! The log fails, or is slow.

use super::support::*;
use crate::base::{ErrorCode, Offset};
use crate::coordinator::group::streams::Answered;
use crate::coordinator::group::tests::harness::World;

fn fail_all(world: &mut World) {
    while !world.writing.is_empty() {
        world.fail_next(ErrorCode::KafkaStorageError);
    }
}

#[test]
fn an_answer_waits_for_the_log() {
    let mut world = streams_world();
    world.commits_at_once = false;
    let token = world.ask_streams(joining("a"));
    assert!(world.answer::<Answered>(token).is_none());
    // Nothing new, but what it was told before is not in the log yet.
    let second = world.ask_streams(beating("a", 2));
    assert!(world.answer::<Answered>(second).is_none());
    world.commit_all();
    assert_eq!(told(world.answer(token).unwrap()).error, 0);
    assert_eq!(told(world.answer(second).unwrap()).error, 0);
}

#[test]
fn a_group_that_could_not_be_written_has_not_come_into_being() {
    let mut world = streams_world();
    world.commits_at_once = false;
    let token = world.ask_streams(joining("a"));
    fail_all(&mut world);
    assert_eq!(told(world.answer(token).unwrap()).error, ErrorCode::NotCoordinator as i16);
    assert_eq!(world.groups.len(), 0);
    world.commits_at_once = true;
    assert_eq!(world.stream(joining("a")).epoch, 2);
}

#[test]
fn a_step_that_could_not_be_written_is_taken_back_with_those_after_it() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a")];
    world.settle_streams(&mut members);
    let before = world.streams_group();
    world.commits_at_once = false;
    world.ask_streams(joining("b"));
    world.ask_streams(owning("a", 2, &members[0].2));
    world.ask_streams(joining("c"));
    assert_ne!(world.streams_group(), before);
    fail_all(&mut world);
    let mut after = world.streams_group();
    after.topology.clone_from(&before.topology);
    assert_eq!(after, before);
    world.commits_at_once = true;
    members.push(world.thread("b"));
    world.settle_streams(&mut members);
}

#[test]
fn what_is_written_after_a_failure_counts_as_the_log_has_it() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a")];
    world.settle_streams(&mut members);
    world.commits_at_once = false;
    world.ask_streams(joining("b"));
    world.ask_streams(joining("c"));
    world.fail_next(ErrorCode::NotEnoughReplicas);
    // Until it is clear what the log holds, nobody builds on it.
    let waiting = world.ask_streams(beating("a", 2));
    assert!(world.answer::<Answered>(waiting).is_none());
    let next = world.writing.pop_front().unwrap();
    let first = Offset(world.log.len() as i64);
    world.log.extend(next.records);
    world.step(|groups, step| groups.on_append(next.id, Ok(first), step));
    world.commit_all();
    assert_eq!(told(world.answer(waiting).unwrap()).error, 0);
    let lived = world.streams_group();
    world.restart();
    let mut read = world.streams_group();
    read.topology.clone_from(&lived.topology);
    assert_eq!(read, lived, "memory and log say the same");
}

#[test]
fn the_coordinator_goes_and_everybody_is_told() {
    let mut world = streams_world();
    world.commits_at_once = false;
    let token = world.ask_streams(joining("a"));
    let now = world.now;
    world.step(|groups, step| groups.resign(now, step.fx));
    assert_eq!(told(world.answer(token).unwrap()).error, ErrorCode::NotCoordinator as i16);
}
