//! A group's life: members come, share, go, and topics change.

use super::support::*;
use crate::base::ErrorCode;
use crate::coordinator::group::Request;
use crate::coordinator::group::tests::harness::World;
use crate::protocol::messages::delete_groups_response::DeletableGroupResult;
use crate::protocol::messages::list_groups_response::ListedGroup;
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, ListGroupsRequest};

#[test]
fn the_first_member_gets_everything_with_its_first_heartbeat() {
    let mut world = consumer_world();
    let told = world.beat(joining("a", &["t"]));
    assert_eq!(told, Told { error: 0, epoch: 2, assigned: Some(parts(T, &[0, 1, 2])) });
    assert_eq!(world.group_state(), "Stable");
    let told = world.beat(beating("a", 2));
    assert_eq!(told, Told { error: 0, epoch: 2, assigned: None });
}

#[test]
fn a_partition_is_given_up_before_somebody_else_gets_it() {
    let mut world = consumer_world();
    world.beat(joining("a", &["t"]));
    // b's epoch is the group's, but what it is to get is still a's.
    let b = world.beat(joining("b", &["t"]));
    assert_eq!(b, Told { error: 0, epoch: 3, assigned: Some(Parts::new()) });
    assert_eq!(world.group_state(), "Reconciling");
    // a is told to give something up and stays in its epoch until it has.
    let a = world.beat(beating("a", 2));
    assert_eq!((a.epoch, a.assigned.as_ref().map(Parts::len)), (2, Some(2)));
    let kept = a.assigned.unwrap();
    assert_eq!(world.beat(owning("a", 2, &parts(T, &[0, 1, 2]))), Told { error: 0, epoch: 2, assigned: None });
    assert_eq!(world.beat(beating("b", 3)).assigned, None);
    // It has: now the epoch rises, and b gets the rest.
    assert_eq!(world.beat(owning("a", 2, &kept)).epoch, 3);
    let b = world.beat(beating("b", 3));
    let all: Parts = kept.union(b.assigned.as_ref().unwrap()).copied().collect();
    assert_eq!((b.epoch, all), (3, parts(T, &[0, 1, 2])));
    assert_eq!(world.group_state(), "Stable");
}

#[test]
fn whoever_leaves_frees_its_partitions_at_once() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"]), world.member("b", &["t"])];
    world.settle(&mut members);
    let left = world.beat(beating("b", -1));
    assert_eq!((left.error, left.epoch), (0, -1));
    world.settle(&mut members[..1]);
    assert_eq!(members[0].2, parts(T, &[0, 1, 2]));
    world.beat(beating("a", -1));
    assert_eq!(world.group_state(), "Empty");
}

#[test]
fn silence_ends_a_membership() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"]), world.member("b", &["t"])];
    world.settle(&mut members);
    world.pass(30_000);
    assert_eq!(world.beat(beating("a", 3)).error, 0);
    world.pass(20_000);
    assert_eq!(world.beat(beating("b", 3)).error, ErrorCode::UnknownMemberId as i16);
    world.settle(&mut members[..1]);
    assert_eq!(members[0].2, parts(T, &[0, 1, 2]));
}

#[test]
fn who_does_not_give_up_in_time_is_out() {
    let mut world = consumer_world();
    world.beat(joining("a", &["t"]));
    world.beat(joining("b", &["t"]));
    assert_eq!(world.beat(beating("a", 2)).epoch, 2);
    for _ in 0..4 {
        world.pass(10_000);
        world.beat(beating("b", 3));
        world.beat(beating("a", 2));
    }
    assert_eq!(world.beat(beating("a", 2)).error, ErrorCode::UnknownMemberId as i16);
    assert_eq!(world.held("b"), parts(T, &[0, 1, 2]));
}

#[test]
fn topics_that_come_grow_and_go_change_the_target() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t", "later"]), world.member("b", &["t", "later"])];
    world.settle(&mut members);
    let late = crate::base::Uuid([5; 16]);
    world.metadata(topic("later", late, 0..2));
    world.settle(&mut members);
    assert_eq!(members.iter().map(|m| m.2.len()).sum::<usize>(), 5);
    world.metadata(topic("later", late, 2..6));
    world.settle(&mut members);
    assert_eq!(members.iter().map(|m| m.2.len()).sum::<usize>(), 9);
    world.metadata(removed(late));
    world.settle(&mut members);
    assert_eq!(members.iter().map(|m| m.2.len()).sum::<usize>(), 3);
    let epoch = members[0].1;
    world.metadata(topic("unrelated", crate::base::Uuid([6; 16]), 0..2));
    world.settle(&mut members);
    assert_eq!(members[0].1, epoch, "a topic nobody asks for is nobody's affair");
}

#[test]
fn another_subscription_takes_what_is_not_wanted_any_more() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"])];
    let request = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec!["u".into()]),
        ..owning("a", members[0].1, &members[0].2)
    };
    let told = world.beat(request);
    assert_eq!((told.error, told.assigned), (0, Some(Parts::new())));
    members[0].2 = Parts::new();
    members[0].1 = told.epoch;
    world.settle(&mut members);
    assert_eq!(members[0].2, parts(U, &[0, 1]));
}

#[test]
fn targets_keep_their_distance_in_time() {
    let mut world = consumer_world();
    world.metadata(group_setting("consumer.assignment.interval.ms", Some("1000")));
    world.beat(joining("a", &["t"]));
    let b = world.beat(joining("b", &["t"]));
    assert_eq!((b.epoch, world.group_state().as_str()), (2, "Assigning"), "b has to wait for the next target");
    world.pass(1_000);
    assert_eq!(world.beat(beating("b", 2)).epoch, 3);
}

#[test]
fn a_groups_own_settings_count_within_bounds() {
    let mut world = consumer_world();
    world.metadata(group_setting("consumer.session.timeout.ms", Some("50000")));
    world.metadata(group_setting("consumer.heartbeat.interval.ms", Some("99999")));
    let answer = world.beat_v(1, joining("a", &["t"]));
    assert_eq!(answer.heartbeat_interval_ms, 15_000, "no more than group.consumer.max.heartbeat.interval.ms");
    world.pass(49_000);
    assert_eq!(world.group_state(), "Stable");
    world.pass(2_000);
    assert_eq!(world.group_state(), "Empty");
    world.metadata(group_setting("consumer.heartbeat.interval.ms", None));
    assert_eq!(world.beat_v(1, joining("a", &["t"])).heartbeat_interval_ms, 5_000);
}

#[test]
fn a_group_lives_through_a_restart() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"]), world.member("b", &["t"])];
    world.settle(&mut members);
    let before = world.group();
    world.restart();
    assert_eq!(world.group(), before);
    let unchanged = members.clone();
    world.settle(&mut members);
    assert_eq!(members, unchanged);
    world.pass(46_000);
    assert_eq!(world.group_state(), "Empty", "sessions begin anew after loading");
}

#[test]
fn members_beyond_the_limits_are_turned_away() {
    let mut world = consumer_world();
    world.config.consumer.members_per_group_max = 1;
    world.restart();
    world.beat(joining("a", &["t"]));
    assert_eq!(world.beat(joining("b", &["t"])).error, ErrorCode::GroupMaxSizeReached as i16);
    world.config.consumer.members_per_group_max = 100;
    world.config.members_max = 1;
    world.restart();
    assert_eq!(world.beat(joining("b", &["t"])).error, ErrorCode::GroupMaxSizeReached as i16);
    world.config.groups_max = 1;
    world.config.members_max = 100;
    world.restart();
    let other = ConsumerGroupHeartbeatRequest { group_id: "h".into(), ..joining("a", &["t"]) };
    assert_eq!(world.beat(other).error, ErrorCode::CoordinatorNotAvailable as i16);
}

fn delete(world: &mut World) -> i16 {
    let results: Vec<DeletableGroupResult> = world.now(Request::Delete(vec!["g".into()]));
    results[0].error_code
}

#[test]
fn an_empty_group_can_be_deleted_and_is_listed_until_then() {
    let mut world = consumer_world();
    world.beat(joining("a", &["t"]));
    let commit = world.commit("a", 2, 5);
    assert_eq!((world.committed(commit), world.offset()), (Some(0), 5));
    assert_eq!(delete(&mut world), ErrorCode::NonEmptyGroup as i16);
    let listed: Result<Vec<ListedGroup>, ErrorCode> = world.now(Request::List(ListGroupsRequest::default()));
    let listed = listed.unwrap();
    assert_eq!(
        (&*listed[0].group_type, &*listed[0].group_state, &*listed[0].protocol_type),
        ("consumer", "Stable", "consumer")
    );
    let classic = ListGroupsRequest { types_filter: vec!["classic".into()], ..Default::default() };
    let none: Result<Vec<ListedGroup>, ErrorCode> = world.now(Request::List(classic));
    assert_eq!(none.unwrap().len(), 0);
    world.beat(beating("a", -1));
    assert_eq!(delete(&mut world), 0);
    assert_eq!((world.offset(), world.groups.len()), (-1, 0));
    world.restart();
    assert_eq!((world.offset(), world.groups.len()), (-1, 0));
}

#[test]
fn offsets_of_topics_that_members_ask_for_do_not_grow_old() {
    let mut world = consumer_world();
    world.beat(joining("a", &["t"]));
    world.commit("a", 2, 5);
    for _ in 0..20 {
        world.pass(30_000);
        world.beat(beating("a", 2));
    }
    world.now.wall.0 += 8 * 24 * 3_600_000;
    world.pass(30_000);
    world.beat(beating("a", 2));
    world.pass(10_000);
    assert_eq!(world.offset(), 5);
    world.beat(beating("a", -1));
    world.pass(1_200_000);
    assert_eq!((world.offset(), world.groups.len()), (-1, 0), "the group goes with its last offset");
}
