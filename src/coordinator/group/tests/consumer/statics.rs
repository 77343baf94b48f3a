//! Static members go for a while and come back.

use super::support::*;
use crate::protocol::messages::ConsumerGroupHeartbeatRequest;

fn as_i(request: ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest { instance_id: Some("i".into()), ..request }
}

#[test]
fn a_static_member_finds_its_partitions_again_under_a_new_id() {
    let mut world = consumer_world();
    let mut members = vec![world.member("a", &["t"])];
    let first = world.beat(as_i(joining("s1", &["t"])));
    members.push(("s1".into(), first.epoch, first.assigned.unwrap()));
    for _ in 0..4 {
        let a = world.beat(owning("a", members[0].1, &members[0].2));
        members[0].1 = a.epoch;
        members[0].2 = a.assigned.unwrap_or(members[0].2.clone());
        let s = world.beat(as_i(beating("s1", members[1].1)));
        members[1].1 = s.epoch;
        members[1].2 = s.assigned.unwrap_or(members[1].2.clone());
    }
    let held = members[1].2.clone();
    assert_eq!((members[0].2.len(), held.len()), (2, 1));
    let epoch = world.group().group_epoch;
    let left = world.beat(as_i(beating("s1", -2)));
    assert_eq!((left.error, left.epoch), (0, -2));
    assert_eq!(world.beat(beating("a", members[0].1)).assigned, None, "nobody gets what it had");
    let back = world.beat(as_i(joining("s2", &["t"])));
    assert_eq!((back.error, back.assigned), (0, Some(held)));
    assert_eq!(world.group().group_epoch, epoch, "no rebalance");
    assert_eq!(world.beat(as_i(beating("s1", 3))).error, 82);
    world.restart();
    let ids: Vec<String> = world.group().members.iter().map(|m| m.member_id.to_string()).collect();
    assert_eq!(ids, ["a", "s2"]);
}

#[test]
fn a_static_member_that_stays_away_loses_its_place() {
    let mut world = consumer_world();
    let mut a = vec![world.member("a", &["t"])];
    world.beat(as_i(joining("s1", &["t"])));
    world.settle(&mut a);
    world.beat(as_i(beating("s1", -2)));
    for _ in 0..3 {
        world.pass(20_000);
        world.settle(&mut a);
    }
    assert_eq!(a[0].2, parts(T, &[0, 1, 2]));
    assert_eq!(world.group().members.len(), 1);
}
