//! Every wrong heartbeat, commit and fetch has its code.

use super::support::*;
use crate::base::ErrorCode;
use crate::coordinator::group::tests::harness::World;
use crate::coordinator::group::{Caller, Request};
use crate::log::Verification;
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::protocol::messages::streams_group_heartbeat_request::{TaskIds, TaskOffset};
use crate::protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use crate::protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, StreamsGroupHeartbeatRequest,
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, offset_delete_request,
};

type Heartbeat = StreamsGroupHeartbeatRequest;

/// A group of a and b, both in epoch 3.
fn two() -> World {
    let mut world = streams_world();
    let mut members = vec![world.thread("a"), world.thread("b")];
    world.settle_streams(&mut members);
    assert_eq!((members[0].1, members[1].1), (3, 3));
    world
}

#[test]
fn requests_that_make_no_sense_are_invalid() {
    let first = || joining("a");
    let some = || Some(vec![TaskIds { subtopology_id: "0".into(), partitions: vec![0] }]);
    let regex = {
        let mut topology = word_count();
        topology.subtopologies[0].source_topic_regex = vec!["in.*".into()];
        Some(topology)
    };
    let cases: Vec<(&str, Heartbeat)> = vec![
        ("no member id", Heartbeat { member_id: "".into(), ..first() }),
        ("no group", Heartbeat { group_id: " ".into(), ..first() }),
        ("blank rack", Heartbeat { rack_id: Some(" ".into()), ..first() }),
        ("no rebalance timeout", Heartbeat { rebalance_timeout_ms: -1, ..first() }),
        ("does not say what it owns", Heartbeat { active_tasks: None, ..first() }),
        ("does not say what it follows", Heartbeat { standby_tasks: None, ..first() }),
        ("does not say what it warms up", Heartbeat { warmup_tasks: None, ..first() }),
        ("owns something", Heartbeat { active_tasks: some(), ..first() }),
        ("no topology", Heartbeat { topology: None, ..first() }),
        ("a static member", Heartbeat { instance_id: Some("i".into()), ..first() }),
        ("a static member leaves", Heartbeat { instance_id: Some("i".into()), ..beating("a", -2) }),
        ("static leave without instance", beating("a", -2)),
        ("epoch below -2", beating("a", -3)),
        ("offsets of tasks", Heartbeat { task_offsets: Some(vec![TaskOffset::default()]), ..first() }),
        ("ends of tasks", Heartbeat { task_end_offsets: Some(vec![]), ..first() }),
        ("warm-up tasks", Heartbeat { warmup_tasks: some(), ..first() }),
        ("patterns of sources", Heartbeat { topology: regex, ..first() }),
        ("a topology later on", Heartbeat { topology: Some(word_count()), ..beating("a", 3) }),
        ("one role alone", Heartbeat { active_tasks: some(), ..beating("a", 3) }),
    ];
    for (what, request) in cases {
        let mut world = streams_world();
        let answer = world.stream_answer(request);
        assert_eq!(answer.error_code, ErrorCode::InvalidRequest as i16, "{what}");
        assert!(answer.error_message.is_some(), "{what}");
        assert_eq!(world.groups.len(), 0, "{what}: nothing has come into being");
    }
}

#[test]
fn members_are_told_apart_by_id_and_epoch() {
    let a = two().tasks_of("a");
    let b = two().tasks_of("b");
    let cases: Vec<(&str, Heartbeat, ErrorCode)> = vec![
        ("no such group", Heartbeat { group_id: "h".into(), ..beating("a", 3) }, ErrorCode::GroupIdNotFound),
        ("no such group to leave", Heartbeat { group_id: "h".into(), ..beating("a", -1) }, ErrorCode::GroupIdNotFound),
        ("unknown member", beating("x", 3), ErrorCode::UnknownMemberId),
        ("unknown member leaves", beating("x", -1), ErrorCode::UnknownMemberId),
        ("later epoch", beating("a", 4), ErrorCode::FencedMemberEpoch),
        ("earlier epoch", beating("a", 1), ErrorCode::FencedMemberEpoch),
        ("the epoch before, but not saying what it owns", beating("a", 2), ErrorCode::FencedMemberEpoch),
        ("the epoch before, owning too much", owning("a", 2, &b), ErrorCode::FencedMemberEpoch),
        ("the epoch before, owning nothing else", owning("a", 2, &a), ErrorCode::None),
        ("the epoch before, owning nothing", owning("a", 2, &Has::default()), ErrorCode::None),
        ("its epoch", beating("a", 3), ErrorCode::None),
        ("begins anew", joining("a"), ErrorCode::None),
        ("a subtopology that is not", owning("a", 3, &active(&[("9", 0)])), ErrorCode::InvalidRequest),
        ("a task that is not", owning("a", 3, &active(&[("0", 3)])), ErrorCode::InvalidRequest),
        ("a task below zero", owning("a", 3, &active(&[("0", -1)])), ErrorCode::InvalidRequest),
    ];
    for (what, request, expected) in cases {
        let mut world = two();
        let before = world.streams_group();
        assert_eq!(world.stream(request).error, expected as i16, "{what}");
        if expected != ErrorCode::None {
            assert_eq!(world.streams_group(), before, "{what}: nothing has changed");
        }
    }
}

#[test]
fn a_full_group_takes_nobody_else() {
    let mut world = two();
    world.config.streams.members_per_group_max = 2;
    let config = world.config.clone();
    world.step(|groups, _| crate::coordinator::machine::Machine::configure(groups, &config));
    assert_eq!(world.stream(joining("c")).error, ErrorCode::GroupMaxSizeReached as i16);
    assert_eq!(world.stream(joining("a")).error, 0, "who is in may begin anew");
}

fn commit(member: &str, epoch: i32, topic: &str, partition: i32) -> OffsetCommitRequest {
    let mut request = World::commit_request(member, epoch, 5);
    request.topics[0].name = topic.into();
    request.topics[0].partitions[0].partition_index = partition;
    request
}

#[test]
fn who_may_commit() {
    let mut world = two();
    let a = world.tasks_of("a").active;
    let own = a.iter().find(|(s, _)| s == "0").unwrap().1;
    let other = (0..3).find(|p| !a.contains(&("0".to_owned(), *p))).unwrap();
    let cases: Vec<(&str, i16, OffsetCommitRequest, ErrorCode)> = vec![
        ("its epoch", 9, commit("a", 3, "in", own), ErrorCode::None),
        ("an old version", 8, commit("a", 3, "in", own), ErrorCode::UnsupportedVersion),
        ("nobody, while there are members", 9, commit("", -1, "in", own), ErrorCode::UnknownMemberId),
        ("an unknown member", 9, commit("x", 3, "in", own), ErrorCode::UnknownMemberId),
        ("a later epoch", 9, commit("a", 4, "in", own), ErrorCode::StaleMemberEpoch),
        ("an earlier one, of a task it had then", 9, commit("a", 2, "in", own), ErrorCode::None),
        ("an earlier one, before it had the task", 9, commit("a", 1, "in", own), ErrorCode::StaleMemberEpoch),
        ("an earlier one, another's task", 9, commit("a", 2, "in", other), ErrorCode::StaleMemberEpoch),
        ("an earlier one, no source", 9, commit("a", 2, "c", own), ErrorCode::StaleMemberEpoch),
    ];
    for (what, api_version, request, expected) in cases {
        let caller = Caller { api_version, ..Caller::default() };
        let answer: OffsetCommitResponse = {
            let token = world.ask(Request::Commit(caller, request));
            world.answer(token).expect("an answer")
        };
        assert_eq!(answer.topics[0].partitions[0].error_code, expected as i16, "{what}");
    }
    for member in ["a", "b"] {
        world.stream(beating(member, -1));
    }
    let token = world.commit_v(9, commit("", -1, "in", 0));
    assert_eq!(world.committed(token), Some(0), "an administrator, when all are gone");
}

#[test]
fn who_may_commit_in_a_transaction() {
    let mut world = two();
    let own = world.tasks_of("a").active.iter().find(|(s, _)| s == "0").unwrap().1;
    for (what, member, epoch, expected) in [
        ("its epoch", "a", 3, ErrorCode::None),
        ("a producer that names nobody", "", -1, ErrorCode::None),
        ("an earlier epoch, of a task it had then", "a", 2, ErrorCode::None),
        ("a later epoch", "a", 4, ErrorCode::IllegalGeneration),
        ("an unknown member", "x", 3, ErrorCode::UnknownMemberId),
    ] {
        let request = TxnOffsetCommitRequest {
            transactional_id: "x".into(),
            group_id: "g".into(),
            member_id: member.into(),
            generation_id: epoch,
            topics: vec![TxnOffsetCommitRequestTopic {
                name: "in".into(),
                partitions: vec![TxnOffsetCommitRequestPartition { partition_index: own, ..Default::default() }],
            }],
            ..Default::default()
        };
        let token = world.ask(Request::TxnCommit(Caller::default(), request, Verification::Off));
        let answer: TxnOffsetCommitResponse = world.answer(token).expect("an answer");
        assert_eq!(answer.topics[0].partitions[0].error_code, expected as i16, "{what}");
    }
}

#[test]
fn who_may_read_offsets() {
    let mut world = two();
    for (what, member, epoch, expected) in [
        ("nobody in particular", None, -1, ErrorCode::None),
        ("its epoch", Some("a"), 3, ErrorCode::None),
        ("another epoch", Some("a"), 2, ErrorCode::StaleMemberEpoch),
        ("an unknown member", Some("x"), 3, ErrorCode::UnknownMemberId),
    ] {
        let request = OffsetFetchRequestGroup {
            member_id: member.map(Into::into),
            member_epoch: epoch,
            ..World::fetch_request()
        };
        let answer: OffsetFetchResponseGroup = world.now(Request::Fetch(request, false));
        assert_eq!(answer.error_code, expected as i16, "{what}");
    }
}

#[test]
fn offsets_of_sources_stay_while_members_read_them() {
    let mut world = two();
    let own = world.tasks_of("a").active.iter().find(|(s, _)| s == "0").unwrap().1;
    let token = world.commit_v(9, commit("a", 3, "in", own));
    assert_eq!(world.committed(token), Some(0));
    let delete = |world: &mut World| {
        let partition = offset_delete_request::OffsetDeleteRequestPartition { partition_index: own };
        let request = OffsetDeleteRequest {
            group_id: "g".into(),
            topics: vec![offset_delete_request::OffsetDeleteRequestTopic {
                name: "in".into(),
                partitions: vec![partition],
            }],
        };
        let token = world.ask(Request::OffsetDelete(request));
        let answer: OffsetDeleteResponse = world.answer(token).expect("an answer");
        answer.topics[0].partitions[0].error_code
    };
    assert_eq!(delete(&mut world), ErrorCode::GroupSubscribedToTopic as i16);
    // Nobody commits for longer than offsets are kept: they stay, as somebody reads the topic.
    world.config.offsets_retention_ms = 60_000;
    world.config.offsets_retention_check_interval_ms = 10_000;
    world.restart();
    for _ in 0..4 {
        world.pass(40_000);
        for member in ["a", "b"] {
            assert_eq!(world.stream(beating(member, 3)).error, 0);
        }
    }
    assert!(world.groups.offsets.get("g", "in", own).is_some());
    for member in ["a", "b"] {
        world.stream(beating(member, -1));
    }
    world.pass(70_000);
    assert_eq!(world.groups.len(), 0, "the group goes with its last offset");
}
