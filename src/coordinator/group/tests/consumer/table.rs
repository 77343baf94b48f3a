//! Every wrong heartbeat, commit and fetch has its code.

use super::support::*;
use crate::base::ErrorCode;
use crate::coordinator::group::tests::harness::{World, join_request};
use crate::coordinator::group::{Answer, Caller, Request};
use crate::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, JoinGroupResponse, OffsetCommitResponse};

type Heartbeat = ConsumerGroupHeartbeatRequest;

/// A group of a (dynamic, epoch 3) and s (static, epoch 3).
fn two() -> World {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"])];
    let told = world.beat(Heartbeat { instance_id: Some("i".into()), ..joining("s", &["t"]) });
    members.push(("s".into(), told.epoch, told.assigned.unwrap()));
    world.settle(&mut members);
    assert_eq!((members[0].1, members[1].1), (3, 3));
    world
}

#[test]
fn requests_that_make_no_sense_are_invalid() {
    let first = || joining("a", &["t"]);
    let cases: Vec<(&str, i16, Heartbeat)> = vec![
        ("no member id in v1", 1, Heartbeat { member_id: "".into(), ..first() }),
        ("no member id in an epoch", 0, Heartbeat { member_id: "".into(), ..beating("", 1) }),
        ("no member id to leave", 0, beating("", -1)),
        ("no group", 1, Heartbeat { group_id: " ".into(), ..first() }),
        ("blank instance", 1, Heartbeat { instance_id: Some("".into()), ..first() }),
        ("blank rack", 1, Heartbeat { rack_id: Some(" ".into()), ..first() }),
        ("no rebalance timeout", 1, Heartbeat { rebalance_timeout_ms: -1, ..first() }),
        ("does not say what it owns", 1, Heartbeat { topic_partitions: None, ..first() }),
        (
            "owns something",
            1,
            Heartbeat { topic_partitions: owning("a", 0, &parts(T, &[0])).topic_partitions, ..first() },
        ),
        ("asks for nothing", 1, Heartbeat { subscribed_topic_names: None, ..first() }),
        ("static leave without instance", 1, beating("a", -2)),
        ("epoch below -2", 1, beating("a", -3)),
    ];
    for (what, version, request) in cases {
        let mut world = consumer_world();
        let answer = world.beat_v(version, request);
        assert_eq!(answer.error_code, ErrorCode::InvalidRequest as i16, "{what}");
        assert!(answer.error_message.is_some(), "{what}");
        assert_eq!(world.groups.len(), 0, "{what}: nothing has come into being");
    }
    let mut world = consumer_world();
    let unknown = Heartbeat { server_assignor: Some("best".into()), ..first() };
    assert_eq!(world.beat(unknown).error, ErrorCode::UnsupportedAssignor as i16);
}

#[test]
fn members_are_told_apart_by_id_instance_and_epoch() {
    let owner = |request: Heartbeat| Heartbeat { instance_id: Some("i".into()), ..request };
    let cases: Vec<(&str, Heartbeat, ErrorCode)> = vec![
        ("no such group", Heartbeat { group_id: "h".into(), ..beating("a", 3) }, ErrorCode::GroupIdNotFound),
        ("no such group to leave", Heartbeat { group_id: "h".into(), ..beating("a", -1) }, ErrorCode::GroupIdNotFound),
        ("unknown member", beating("x", 3), ErrorCode::UnknownMemberId),
        ("unknown member leaves", beating("x", -1), ErrorCode::UnknownMemberId),
        ("later epoch", beating("a", 4), ErrorCode::FencedMemberEpoch),
        ("earlier epoch", beating("a", 1), ErrorCode::FencedMemberEpoch),
        ("the epoch before, but not saying what it owns", beating("a", 2), ErrorCode::FencedMemberEpoch),
        ("the epoch before, owning too much", owning("a", 2, &parts(T, &[0, 1, 2])), ErrorCode::FencedMemberEpoch),
        ("the epoch before, owning nothing else", owning("a", 2, &Parts::new()), ErrorCode::None),
        ("its epoch", beating("a", 3), ErrorCode::None),
        (
            "unknown instance",
            Heartbeat { instance_id: Some("j".into()), ..beating("s", 3) },
            ErrorCode::UnknownMemberId,
        ),
        ("another's instance", owner(beating("a", 3)), ErrorCode::FencedInstanceId),
        ("another's instance leaves", owner(beating("a", -1)), ErrorCode::FencedInstanceId),
        ("another's instance joins", owner(joining("n", &["t"])), ErrorCode::UnreleasedInstanceId),
        ("its instance", owner(beating("s", 3)), ErrorCode::None),
        ("its instance, earlier epoch", owner(beating("s", 1)), ErrorCode::FencedMemberEpoch),
    ];
    for (what, request, expected) in cases {
        assert_eq!(two().beat(request).error, expected as i16, "{what}");
    }
}

#[test]
fn a_member_without_an_id_is_given_one_in_version_0() {
    let mut world = consumer_world();
    let answer = world.beat_v(0, Heartbeat { member_id: "".into(), ..joining("", &["t"]) });
    assert_eq!(answer.error_code, 0);
    assert_eq!(answer.member_id.unwrap().len(), 22, "an id as Kafka writes it");
}

#[test]
fn offsets_are_committed_by_members_in_their_epoch() {
    // s holds fewer than a: whoever holds t-0 may commit it also with an epoch since it has had it.
    let mut world = two();
    let (holder, other) = if world.held("a").contains(&(T, 0)) { ("a", "s") } else { ("s", "a") };
    let cases = [
        (9, holder, 3, ErrorCode::None),
        (9, holder, 4, ErrorCode::StaleMemberEpoch),
        (9, other, 3, ErrorCode::None),
        (9, other, 2, ErrorCode::StaleMemberEpoch),
        (9, "x", 3, ErrorCode::UnknownMemberId),
        (9, "", -1, ErrorCode::UnknownMemberId),
        (8, holder, 3, ErrorCode::UnsupportedVersion),
    ];
    for (version, member, epoch, expected) in cases {
        let request = World::commit_request(member, epoch, 1);
        let token = world.commit_v(version, request);
        assert_eq!(world.committed(token), Some(expected as i16), "v{version} {member} {epoch}");
    }
    let since = if holder == "a" { 2 } else { 3 };
    let token = world.commit(holder, since, 7);
    assert_eq!((world.committed(token), world.offset()), (Some(0), 7), "it has had the partition since then");
    for id in ["a", "s"] {
        world.beat(Heartbeat { instance_id: (id == "s").then(|| "i".into()), ..beating(id, -1) });
    }
    let token = world.commit("", -1, 9);
    assert_eq!((world.committed(token), world.offset()), (Some(0), 9), "anybody may commit for an empty group");
}

#[test]
fn offsets_are_read_by_members_in_their_epoch_and_by_administrators() {
    let mut world = two();
    let cases = [
        (None, -1, ErrorCode::None),
        (Some("a"), 3, ErrorCode::None),
        (Some("a"), 2, ErrorCode::StaleMemberEpoch),
        (Some("a"), 4, ErrorCode::StaleMemberEpoch),
        (Some("x"), 3, ErrorCode::UnknownMemberId),
    ];
    for (member, epoch, expected) in cases {
        let mut request = World::fetch_request();
        (request.member_id, request.member_epoch) = (member.map(Into::into), epoch);
        let answer: OffsetFetchResponseGroup = world.now(Request::Fetch(request, false));
        assert_eq!(answer.error_code, expected as i16, "{member:?} {epoch}");
    }
}

#[test]
fn the_classic_apis_say_that_the_group_is_another_kind() {
    let mut world = two();
    let groups: Vec<crate::protocol::messages::describe_groups_response::DescribedGroup> =
        world.now(Request::Describe(Caller { api_version: 6, ..Default::default() }, vec!["g".into()]));
    assert_eq!(groups[0].error_code, ErrorCode::GroupIdNotFound as i16);
    assert_eq!(groups[0].error_message.as_deref(), Some("Group g is not a classic group."));
    assert_eq!(world.heartbeat("a", 3), ErrorCode::UnknownMemberId as i16);
    let token = world.sync("a", 3, &[]);
    assert_eq!(world.synced(token).unwrap().0, ErrorCode::UnknownMemberId as i16);
    let odd = crate::protocol::messages::JoinGroupRequest { protocol_type: "connect".into(), ..join_request("") };
    let token = world.join(odd);
    let joined: JoinGroupResponse = world.answer(token).unwrap();
    assert_eq!(joined.error_code, ErrorCode::InconsistentGroupProtocol as i16);
    assert_eq!(world.group().error_code, 0);
    let Answer::Commit(OffsetCommitResponse { topics, .. }) =
        Request::Commit(Caller::default(), World::commit_request("a", 3, 1)).refuse(ErrorCode::NotCoordinator)
    else {
        panic!("a commit's answer")
    };
    assert_eq!(topics[0].partitions[0].error_code, 16);
}
