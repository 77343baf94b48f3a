//! One id, groups of several kinds: what each kind's requests are told, and groups that change their kind.

use super::support::*;
use crate::base::ErrorCode;
use crate::coordinator::group::tests::harness::{World, join_request};
use crate::coordinator::group::{Answer, Caller, Request};
use crate::protocol::messages::list_groups_response::ListedGroup;
use crate::protocol::messages::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, HeartbeatRequest, HeartbeatResponse,
    JoinGroupResponse, ListGroupsRequest, ShareGroupHeartbeatRequest,
};

fn join(world: &mut World) -> i16 {
    let token = world.join(join_request(""));
    world.answer::<JoinGroupResponse>(token).expect("an answer").error_code
}

fn consumer(world: &mut World) -> i16 {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "k".into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_names: Some(vec!["in".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let caller = Caller { api_version: 1, ..Caller::default() };
    let token = world.ask(Request::ConsumerHeartbeat(caller, request));
    world.answer::<ConsumerGroupHeartbeatResponse>(token).expect("an answer").error_code
}

fn share(world: &mut World) -> i16 {
    let request = ShareGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "k".into(),
        subscribed_topic_names: Some(vec!["in".into()]),
        ..Default::default()
    };
    let token = world.ask(Request::ShareHeartbeat(Caller::default(), request));
    match world.answer::<Answer>(token).expect("an answer") {
        Answer::ShareHeartbeat((response, _)) => response.error_code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_protocols_are_turned_away_from_a_streams_group() {
    let mut world = streams_world();
    world.thread("a");
    assert_eq!(join(&mut world), ErrorCode::InconsistentGroupProtocol as i16);
    assert_eq!(consumer(&mut world), ErrorCode::GroupIdNotFound as i16);
    assert_eq!(share(&mut world), ErrorCode::GroupIdNotFound as i16);
    let request =
        HeartbeatRequest { group_id: "g".into(), member_id: "a".into(), generation_id: 2, ..Default::default() };
    let answer: HeartbeatResponse = world.now(Request::Heartbeat(request));
    assert_eq!(answer.error_code, ErrorCode::UnknownMemberId as i16);
    world.stream(beating("a", -1));
    assert_eq!(consumer(&mut world), ErrorCode::GroupIdNotFound as i16, "not even when it is empty");
    assert_eq!(share(&mut world), ErrorCode::GroupIdNotFound as i16);
}

#[test]
fn a_streams_member_is_turned_away_from_other_groups() {
    for other in [consumer, share] {
        let mut world = streams_world();
        assert_eq!(other(&mut world), 0);
        assert_eq!(world.stream(joining("a")).error, ErrorCode::GroupIdNotFound as i16);
        assert_eq!(world.streams_group().error_code, ErrorCode::GroupIdNotFound as i16);
    }
    let mut world = streams_world();
    world.three_stable();
    assert_eq!(world.stream(joining("a")).error, ErrorCode::GroupIdNotFound as i16);
}

#[test]
fn an_empty_streams_group_becomes_a_classic_one_and_the_other_way_round() {
    let mut world = streams_world();
    world.thread("a");
    world.stream(beating("a", -1));
    assert_eq!(join(&mut world), ErrorCode::MemberIdRequired as i16);
    assert_eq!(world.streams_group().error_code, ErrorCode::GroupIdNotFound as i16);
    world.restart();
    assert_eq!(world.state(), "Empty", "a classic group, also after a restart");
    let (_, _, has) = world.thread("a");
    assert_eq!(has.active.len(), 6);
    assert_eq!(world.state(), "Dead");
    world.restart();
    assert_eq!(world.streams_state(), "Stable");
    assert_eq!(world.groups.len(), 1);
}

#[test]
fn offsets_of_a_simple_group_are_the_streams_groups() {
    let mut world = streams_world();
    let token = world.commit("", -1, 7);
    assert_eq!(world.committed(token), Some(0));
    world.thread("a");
    assert_eq!(world.offset(), 7);
    world.restart();
    assert_eq!((world.offset(), world.groups.len()), (7, 1));
}

#[test]
fn what_could_not_be_written_leaves_the_group_of_the_kind_it_was() {
    let mut world = streams_world();
    let token = world.commit("", -1, 7);
    assert_eq!(world.committed(token), Some(0));
    world.commits_at_once = false;
    let token = world.ask_streams(joining("a"));
    while !world.writing.is_empty() {
        world.fail_next(ErrorCode::KafkaStorageError);
    }
    let told = told(world.answer(token).expect("an answer"));
    assert_eq!(told.error, ErrorCode::NotCoordinator as i16);
    assert_eq!(world.state(), "Empty");
    world.commits_at_once = true;
    world.thread("a");
    world.stream(beating("a", -1));
    world.commits_at_once = false;
    let token = world.join(join_request(""));
    while !world.writing.is_empty() {
        world.fail_next(ErrorCode::KafkaStorageError);
    }
    assert!(world.answer::<JoinGroupResponse>(token).is_some());
    assert_eq!(world.streams_state(), "Empty");
}

#[test]
fn groups_are_listed_by_type_and_state() {
    let mut world = bare_world();
    world.stream(joining("a"));
    for (types, states, found) in [
        (&[][..], &[][..], 1),
        (&["streams"], &[], 1),
        (&["Streams"], &["NotReady"], 1),
        (&[], &["not_ready"], 1),
        (&["consumer"], &[], 0),
        (&["streams"], &["Stable"], 0),
    ] {
        let strs = |all: &[&str]| all.iter().map(|text| (*text).into()).collect();
        let request = ListGroupsRequest { types_filter: strs(types), states_filter: strs(states) };
        let token = world.ask(Request::List(request));
        let listed: Result<Vec<ListedGroup>, ErrorCode> = world.answer(token).expect("an answer");
        let listed = listed.unwrap();
        assert_eq!(listed.len(), found, "{types:?} {states:?}");
        for group in listed {
            assert_eq!(
                (&*group.group_type, &*group.protocol_type, &*group.group_state),
                ("streams", "streams", "NotReady")
            );
        }
    }
}
