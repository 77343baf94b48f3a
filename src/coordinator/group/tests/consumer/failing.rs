//! The log fails, or is slow.

use super::support::*;
use crate::base::{ErrorCode, Offset};
use crate::coordinator::group::tests::harness::World;
use crate::protocol::messages::ConsumerGroupHeartbeatResponse;

fn fail_all(world: &mut World) {
    while !world.writing.is_empty() {
        world.fail_next(ErrorCode::KafkaStorageError);
    }
}

#[test]
fn an_answer_waits_for_the_log() {
    let mut world = consumer_world();
    world.commits_at_once = false;
    let token = world.ask_beat_v(1, joining("a", &["t"]));
    assert!(world.answer::<ConsumerGroupHeartbeatResponse>(token).is_none());
    // Nothing new, but what it was told before is not in the log yet.
    let second = world.ask_beat_v(1, beating("a", 2));
    assert!(world.answer::<ConsumerGroupHeartbeatResponse>(second).is_none());
    world.commit_all();
    assert_eq!(world.answer::<ConsumerGroupHeartbeatResponse>(token).unwrap().error_code, 0);
    assert_eq!(world.answer::<ConsumerGroupHeartbeatResponse>(second).unwrap().error_code, 0);
}

#[test]
fn a_group_that_could_not_be_written_has_not_come_into_being() {
    let mut world = consumer_world();
    world.commits_at_once = false;
    let token = world.ask_beat_v(1, joining("a", &["t"]));
    fail_all(&mut world);
    let answer: ConsumerGroupHeartbeatResponse = world.answer(token).unwrap();
    assert_eq!(answer.error_code, ErrorCode::NotCoordinator as i16);
    assert_eq!(world.groups.len(), 0);
    world.commits_at_once = true;
    assert_eq!(world.beat(joining("a", &["t"])).epoch, 2);
}

#[test]
fn a_step_that_could_not_be_written_is_taken_back_with_those_after_it() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"])];
    world.settle(&mut members);
    let before = world.group();
    world.commits_at_once = false;
    world.ask_beat_v(1, joining("b", &["t"]));
    world.ask_beat_v(1, beating("a", 2));
    world.ask_beat_v(1, joining("c", &["t"]));
    assert_ne!(world.group(), before);
    fail_all(&mut world);
    assert_eq!(world.group(), before);
    world.commits_at_once = true;
    members.push(world.member("b", &["t"]));
    world.settle(&mut members);
}

#[test]
fn what_is_written_after_a_failure_counts_as_the_log_has_it() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"])];
    world.settle(&mut members);
    world.commits_at_once = false;
    world.ask_beat_v(1, joining("b", &["t"]));
    world.ask_beat_v(1, joining("c", &["t"]));
    world.fail_next(ErrorCode::NotEnoughReplicas);
    // Until it is clear what the log holds, nobody builds on it.
    let waiting = world.ask_beat_v(1, beating("a", 2));
    assert!(world.answer::<ConsumerGroupHeartbeatResponse>(waiting).is_none());
    let next = world.writing.pop_front().unwrap();
    let first = Offset(world.log.len() as i64);
    world.log.extend(next.records);
    world.step(|groups, step| groups.on_append(next.id, Ok(first), step));
    world.commit_all();
    let answer: ConsumerGroupHeartbeatResponse = world.answer(waiting).unwrap();
    assert_eq!(answer.error_code, 0);
    let lived = world.group();
    world.restart();
    assert_eq!(world.group(), lived, "memory and log say the same");
}

#[test]
fn the_coordinator_goes_and_everybody_is_told() {
    let mut world = consumer_world();
    world.commits_at_once = false;
    let token = world.ask_beat_v(1, joining("a", &["t"]));
    let now = world.now;
    world.step(|groups, step| groups.resign(now, step.fx));
    let answer: ConsumerGroupHeartbeatResponse = world.answer(token).unwrap();
    assert_eq!(answer.error_code, ErrorCode::NotCoordinator as i16);
}
