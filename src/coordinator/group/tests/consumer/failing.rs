//! The log fails, or is slow.

use super::support::*;
use crate::base::ErrorCode;
use crate::coordinator::group::Request;
use crate::coordinator::group::tests::harness::World;
use crate::protocol::messages::list_groups_response::ListedGroup;
use crate::protocol::messages::{ConsumerGroupHeartbeatResponse, ListGroupsRequest};

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
    assert_eq!(world.group(), before, "what is on its way is not told");
    fail_all(&mut world);
    assert_eq!(world.group(), before);
    world.commits_at_once = true;
    members.push(world.member("b", &["t"]));
    world.settle(&mut members);
}

#[test]
fn what_was_decided_on_a_failure_is_not_written() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"])];
    world.settle(&mut members);
    world.commits_at_once = false;
    let (before, written) = (world.group(), world.log.len());
    let b = world.ask_beat_v(1, joining("b", &["t"]));
    let c = world.ask_beat_v(1, joining("c", &["t"]));
    world.fail_next(ErrorCode::NotEnoughReplicas);
    for token in [b, c] {
        let answer: ConsumerGroupHeartbeatResponse = world.answer(token).unwrap();
        assert_eq!(answer.error_code, ErrorCode::CoordinatorNotAvailable as i16);
    }
    assert!(world.writing.is_empty());
    assert_eq!((world.group(), world.log.len()), (before, written));
    world.commits_at_once = true;
    assert_eq!(world.beat(beating("a", 2)).error, 0);
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

#[test]
fn a_group_is_described_and_listed_as_the_log_has_it() {
    let mut world = consumer_world();
    world.commits_at_once = false;
    let listed = |world: &mut World| -> Vec<String> {
        let groups: Result<Vec<ListedGroup>, ErrorCode> = world.now(Request::List(ListGroupsRequest::default()));
        groups.unwrap().iter().map(|group| group.group_state.to_string()).collect()
    };
    world.ask_beat_v(1, joining("a", &["t"]));
    assert_eq!((world.group().error_code, listed(&mut world)), (ErrorCode::GroupIdNotFound as i16, vec![]));
    world.ask_beat_v(1, joining("b", &["t"]));
    assert_eq!(world.group().error_code, ErrorCode::GroupIdNotFound as i16);
    world.commit_next();
    let group = world.group();
    let members: Vec<&str> = group.members.iter().map(|member| &*member.member_id).collect();
    assert_eq!((members, group.group_epoch, listed(&mut world)), (vec!["a"], 2, vec!["Stable".to_owned()]));
    world.commit_all();
    let group = world.group();
    assert_eq!((group.members.len(), group.group_epoch), (2, 3));
    assert_eq!(world.groups.facts().counts.consumer_rebalances, 2);
}
