//! The log fails, or is slow.

use super::support::*;
use crate::base::ErrorCode;
use crate::coordinator::group::Request;
use crate::coordinator::group::streams::Answered;
use crate::coordinator::group::tests::harness::World;
use crate::protocol::messages::ListGroupsRequest;
use crate::protocol::messages::list_groups_response::ListedGroup;

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
    assert_eq!(world.streams_group(), before, "what is on its way is not told");
    fail_all(&mut world);
    let mut after = world.streams_group();
    after.topology.clone_from(&before.topology);
    assert_eq!(after, before);
    world.commits_at_once = true;
    members.push(world.thread("b"));
    world.settle_streams(&mut members);
}

#[test]
fn what_was_decided_on_a_failure_is_not_written() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a")];
    world.settle_streams(&mut members);
    world.commits_at_once = false;
    let written = world.log.len();
    let b = world.ask_streams(joining("b"));
    let c = world.ask_streams(joining("c"));
    world.fail_next(ErrorCode::NotEnoughReplicas);
    for token in [b, c] {
        assert_eq!(told(world.answer(token).unwrap()).error, ErrorCode::CoordinatorNotAvailable as i16);
    }
    assert!(world.writing.is_empty());
    assert_eq!(world.log.len(), written);
    world.commits_at_once = true;
    assert_eq!(world.stream(beating("a", 2)).error, 0);
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

#[test]
fn a_group_is_described_and_listed_as_the_log_has_it() {
    let mut world = streams_world();
    world.commits_at_once = false;
    let listed = |world: &mut World| -> Vec<String> {
        let groups: Result<Vec<ListedGroup>, ErrorCode> = world.now(Request::List(ListGroupsRequest::default()));
        groups.unwrap().iter().map(|group| group.group_state.to_string()).collect()
    };
    world.ask_streams(joining("a"));
    assert_eq!((world.streams_group().error_code, listed(&mut world)), (ErrorCode::GroupIdNotFound as i16, vec![]));
    world.ask_streams(joining("b"));
    assert_eq!(world.streams_group().error_code, ErrorCode::GroupIdNotFound as i16);
    world.commit_next();
    let group = world.streams_group();
    let members: Vec<&str> = group.members.iter().map(|member| &*member.member_id).collect();
    assert_eq!((members, group.group_epoch, listed(&mut world).len()), (vec!["a"], 2, 1));
    world.commit_all();
    let group = world.streams_group();
    assert_eq!((group.members.len(), group.group_epoch), (2, 3));
    assert_eq!(world.groups.facts().counts.streams_rebalances, 2);
}
