//! Groups change their protocol member by member, there and back.

use super::support::*;
use crate::base::ErrorCode;
use crate::coordinator::group::GroupConfig;
use crate::coordinator::group::config::Migration;
use crate::coordinator::group::tests::harness::{World, join_request, protocol, static_join, world_with};
use crate::protocol::messages::{
    ConsumerGroupHeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupResponse,
};
use bytes::Bytes;

/// An assignment in the consumer protocol's version 0.
fn assignment(topic: &str, partitions: &[i32]) -> Bytes {
    let mut bytes = vec![0, 0, 0, 0, 0, 1];
    bytes.extend((topic.len() as i16).to_be_bytes());
    bytes.extend(topic.bytes());
    bytes.extend((partitions.len() as i32).to_be_bytes());
    bytes.extend(partitions.iter().flat_map(|p| p.to_be_bytes()));
    bytes.extend((-1i32).to_be_bytes());
    bytes.into()
}

fn synced(world: &mut World, id: &str, generation: i32) -> (i16, Bytes) {
    let token = world.sync(id, generation, &[]);
    let answer: SyncGroupResponse = world.answer(token).expect("an answer");
    (answer.error_code, answer.assignment)
}

fn joined(world: &mut World, request: JoinGroupRequest) -> JoinGroupResponse {
    let token = world.join(request);
    world.answer(token).expect("an answer")
}

/// A classic group of two, each with its part of t.
fn classic() -> (World, Vec<String>) {
    let mut world = consumer_world();
    let joins: Vec<_> = (0..2).map(|_| world.joined()).collect();
    world.pass(6_000);
    let answers: Vec<JoinGroupResponse> = joins.iter().map(|(_, token)| world.joins(*token).unwrap()).collect();
    let leader = answers[0].leader.to_string();
    let mut ids: Vec<String> = answers.iter().map(|a| a.member_id.to_string()).collect();
    ids.sort_by_key(|id| *id != leader);
    let request = crate::protocol::messages::SyncGroupRequest {
        group_id: "g".into(),
        generation_id: 1,
        member_id: ids[0].as_str().into(),
        assignments: [(0, vec![0, 1]), (1, vec![2])]
            .map(|(member, all)| crate::protocol::messages::sync_group_request::SyncGroupRequestAssignment {
                member_id: ids[member].as_str().into(),
                assignment: assignment("t", &all),
            })
            .into(),
        ..Default::default()
    };
    world.ask(crate::coordinator::group::Request::Sync(request));
    assert_eq!(world.state(), "Stable");
    (world, ids)
}

#[test]
fn a_rolling_migration_goes_through_one_group_of_both_protocols() {
    let (mut world, ids) = classic();
    let n = world.beat(joining("n", &["t"]));
    assert_eq!((n.error, n.epoch), (0, 2));
    let group = world.group();
    assert_eq!((group.members.len(), &*group.group_state), (3, "Reconciling"));
    assert_eq!(group.members.iter().filter(|m| m.member_type == 0).count(), 2);
    // The classic members are told to join again, and each gives up or keeps what it has.
    let mut left = Vec::new();
    for id in &ids {
        assert_eq!(world.heartbeat(id, 1), ErrorCode::RebalanceInProgress as i16);
        let answer = joined(&mut world, join_request(id));
        assert_eq!((answer.error_code, &*answer.leader), (0, ""));
        left.push((id.clone(), answer.generation_id));
    }
    for (id, generation) in &left {
        assert_eq!(synced(&mut world, id, *generation).0, 0);
    }
    // What they had to give up they have given up with the next join.
    for (id, generation) in &mut left {
        if world.heartbeat(id, *generation) == ErrorCode::RebalanceInProgress as i16 {
            *generation = joined(&mut world, join_request(id)).generation_id;
            assert_eq!(synced(&mut world, id, *generation).0, 0);
        }
        assert_eq!(world.heartbeat(id, *generation), 0);
    }
    let mut n = vec![("n".to_owned(), n.epoch, Parts::new())];
    world.settle(&mut n);
    assert_eq!((n[0].2.len(), world.group_state().as_str()), (1, "Stable"));
    // The classic ones go, the group stays one of the new protocol.
    let leave = world.leave(&[(&ids[0], None), (&ids[1], None)]);
    assert_eq!(world.left(leave), Some(vec![0, 0]));
    world.settle(&mut n);
    assert_eq!(n[0].2, parts(T, &[0, 1, 2]));
    world.restart();
    assert_eq!(world.group().members.len(), 1);
}

#[test]
fn the_last_member_of_the_new_protocol_leaves_a_classic_group_behind() {
    for silent in [false, true] {
        let (mut world, ids) = classic();
        world.beat(joining("n", &["t"]));
        for id in &ids {
            world.heartbeat(id, 1);
            let generation = joined(&mut world, join_request(id)).generation_id;
            synced(&mut world, id, generation);
        }
        if silent {
            for _ in 0..6 {
                world.pass(8_000);
                for id in &ids {
                    let epoch = world.group().members.iter().find(|m| *m.member_id == **id).map(|m| m.member_epoch);
                    if world.heartbeat(id, epoch.unwrap_or(0)) == ErrorCode::RebalanceInProgress as i16
                        && world.groups.groups.is_empty()
                    {
                        let generation = joined(&mut world, join_request(id)).generation_id;
                        synced(&mut world, id, generation);
                    }
                }
            }
        } else {
            assert_eq!(world.beat(beating("n", -1)).error, 0);
        }
        assert_eq!(world.state(), "PreparingRebalance", "silent: {silent}");
        let first = world.join(join_request(&ids[0]));
        let second = world.join(join_request(&ids[1]));
        let (first, second) = (world.joins(first).unwrap(), world.joins(second).unwrap());
        assert_eq!((first.error_code, first.generation_id), (0, second.generation_id));
        assert!([&ids[0], &ids[1]].contains(&&first.leader.to_string()));
        world.restart();
        assert_eq!(world.groups.consumers.len(), 0, "silent: {silent}");
    }
}

#[test]
fn an_empty_group_changes_its_kind_without_ado() {
    let mut world = consumer_world();
    world.beat(joining("a", &["t"]));
    world.commit("a", 2, 4);
    world.beat(beating("a", -1));
    let token = world.join_v(3, join_request(""));
    world.pass(6_000);
    let answer = world.joins(token).unwrap();
    assert_eq!((answer.error_code, answer.generation_id), (0, 1));
    let leave = world.leave(&[(&answer.member_id, None)]);
    assert_eq!(world.left(leave), Some(vec![0]));
    assert_eq!(world.beat(joining("b", &["t"])).error, 0);
    assert_eq!(world.offset(), 4, "the offsets stay");
    world.restart();
    assert_eq!((world.groups.consumers.len(), world.groups.groups.len(), world.offset()), (1, 0, 4));
}

#[test]
fn a_static_member_comes_back_with_the_other_protocol() {
    let mut world = consumer_world();
    let request = ConsumerGroupHeartbeatRequest { instance_id: Some("i".into()), ..joining("s", &["t"]) };
    assert_eq!(world.beat(request).error, 0);
    let answer = joined(&mut world, static_join("i"));
    assert_eq!(answer.error_code, 0);
    assert_eq!(world.state(), "Stable");
    let (error, share) = synced(&mut world, &answer.member_id, answer.generation_id);
    assert_eq!((error, share), (0, assignment("t", &[0, 1, 2])));
    world.restart();
    assert_eq!(world.state(), "Stable");
}

#[test]
fn the_policy_decides() {
    let policy = |text: &str| {
        let mut config = GroupConfig::default();
        config.consumer.migration = Migration::of(text);
        config.consumer.assignment_interval_ms.default = 0;
        let mut world = world_with(config);
        world.metadata(topic("t", T, 0..3));
        world
    };
    for (text, upgrades, downgrades, mixes) in [
        ("disabled", false, false, false),
        ("upgrade", true, false, true),
        ("DOWNGRADE", false, true, true),
        ("bidirectional", true, true, true),
    ] {
        let mut world = policy(text);
        let token = world.join_v(3, join_request(""));
        world.pass(6_000);
        let classic = world.joins(token).unwrap();
        let error = world.beat(joining("n", &["t"])).error;
        let expected = if upgrades { ErrorCode::None } else { ErrorCode::GroupIdNotFound };
        assert_eq!(error, expected as i16, "{text}");
        assert_eq!(world.groups.groups.len(), usize::from(!upgrades), "{text}");
        drop(classic);
        let mut world = policy(text);
        world.beat(joining("n", &["t"]));
        let token = world.join_v(3, join_request(""));
        let answer: JoinGroupResponse = world.answer(token).unwrap();
        let expected = if mixes { ErrorCode::None } else { ErrorCode::InconsistentGroupProtocol };
        assert_eq!(answer.error_code, expected as i16, "{text}");
        if mixes {
            world.beat(beating("n", -1));
            assert_eq!(world.groups.groups.len(), usize::from(downgrades), "{text}");
        }
    }
}

#[test]
fn a_group_that_consumers_cannot_read_stays_classic() {
    let mut world = consumer_world();
    let odd = JoinGroupRequest { protocol_type: "connect".into(), ..join_request("") };
    let token = world.join_v(3, odd);
    world.pass(6_000);
    world.joins(token).unwrap();
    assert_eq!(world.beat(joining("n", &["t"])).error, ErrorCode::GroupIdNotFound as i16);
    let mut world = consumer_world();
    let mut broken = join_request("");
    broken.protocols = vec![protocol("range", &["t"])];
    broken.protocols[0].metadata = Bytes::from_static(b"\0");
    let token = world.join_v(3, broken);
    world.pass(6_000);
    world.joins(token).unwrap();
    assert_eq!(world.beat(joining("n", &["t"])).error, ErrorCode::GroupIdNotFound as i16);
}

#[test]
fn requests_wait_while_a_group_changes_its_kind() {
    let (mut world, ids) = classic();
    let answers_before = world.answers_left();
    world.commits_at_once = false;
    let upgrade = world.ask_beat_v(1, joining("n", &["t"]));
    let heartbeat =
        world.ask(crate::coordinator::group::Request::Heartbeat(crate::protocol::messages::HeartbeatRequest {
            group_id: "g".into(),
            generation_id: 1,
            member_id: ids[0].as_str().into(),
            group_instance_id: None,
        }));
    assert_eq!(world.answers_left(), answers_before);
    world.commits_at_once = true;
    world.commit_all();
    let upgrade: crate::protocol::messages::ConsumerGroupHeartbeatResponse = world.answer(upgrade).unwrap();
    let heartbeat: crate::protocol::messages::HeartbeatResponse = world.answer(heartbeat).unwrap();
    assert_eq!((upgrade.error_code, heartbeat.error_code), (0, ErrorCode::RebalanceInProgress as i16));
}

#[test]
fn a_change_of_kind_that_could_not_be_written_has_not_happened() {
    let (mut world, ids) = classic();
    world.commits_at_once = false;
    world.ask_beat_v(1, joining("n", &["t"]));
    world.fail_next(ErrorCode::NotEnoughReplicas);
    world.commits_at_once = true;
    world.commit_all();
    assert_eq!(world.state(), "Stable");
    assert_eq!(world.heartbeat(&ids[0], 1), 0);
}
