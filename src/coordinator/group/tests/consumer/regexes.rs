//! Patterns of topics.

use super::support::*;
use crate::base::{ErrorCode, Uuid};
use crate::protocol::messages::ConsumerGroupHeartbeatRequest;

fn matching(member: &str, pattern: &str) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: None,
        subscribed_topic_regex: Some(pattern.into()),
        ..joining(member, &[])
    }
}

#[test]
fn a_pattern_is_looked_up_beside_the_heartbeats_and_again_when_topics_come() {
    let mut world = consumer_world();
    let told = world.beat(matching("a", "t.*"));
    assert_eq!((told.error, told.assigned), (0, Some(Parts::new())), "it is not known yet what it stands for");
    world.pass(1);
    let mut members = vec![("a".to_owned(), told.epoch, Parts::new())];
    world.settle(&mut members);
    assert_eq!(members[0].2, parts(T, &[0, 1, 2]));
    world.metadata(topic("t2", Uuid([5; 16]), 0..2));
    world.settle(&mut members);
    assert_eq!(members[0].2.len(), 3, "not more often than every ten seconds");
    world.pass(11_000);
    world.settle(&mut members);
    world.pass(1);
    world.settle(&mut members);
    assert_eq!(members[0].2.len(), 5);
    world.restart();
    let unchanged = members.clone();
    world.settle(&mut members);
    assert_eq!(members, unchanged);
}

#[test]
fn the_same_pattern_of_a_second_member_is_known_at_once() {
    let mut world = consumer_world();
    let a = world.beat(matching("a", "t|u"));
    world.pass(1);
    let mut members = vec![("a".to_owned(), a.epoch, Parts::new())];
    world.settle(&mut members);
    let b = world.beat(matching("b", "t|u"));
    members.push(("b".to_owned(), b.epoch, b.assigned.unwrap()));
    world.settle(&mut members);
    assert_eq!(members.iter().map(|m| m.2.len()).sum::<usize>(), 5);
    assert!(members.iter().all(|m| m.2.len() >= 2));
}

#[test]
fn a_pattern_that_nobody_has_any_more_is_forgotten() {
    let mut world = consumer_world();
    let told = world.beat(matching("a", "t.*"));
    world.pass(1);
    let mut members = vec![("a".to_owned(), told.epoch, Parts::new())];
    world.settle(&mut members);
    let request = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: Some(vec!["u".into()]),
        subscribed_topic_regex: Some("".into()),
        ..owning("a", members[0].1, &members[0].2)
    };
    let told = world.beat(request);
    members = vec![("a".to_owned(), told.epoch, Parts::new())];
    world.settle(&mut members);
    assert_eq!(members[0].2, parts(U, &[0, 1]));
    world.beat(beating("a", -1));
    world.restart();
    assert_eq!(world.group().members.len(), 0);
}

#[test]
fn a_bad_pattern_is_refused_and_changes_nothing() {
    let mut world = consumer_world();
    let told = world.beat(matching("a", "(t"));
    assert_eq!(told.error, ErrorCode::InvalidRegularExpression as i16);
    assert_eq!((world.groups.len(), world.log.len()), (0, 0));
}

#[test]
fn many_topics_are_looked_at_in_pieces() {
    let mut world = consumer_world();
    let many = 4_500u32;
    let new = |index: u32| {
        let mut id = [3; 16];
        id[..4].copy_from_slice(&index.to_be_bytes());
        topic(&format!("m{index}"), Uuid(id), 0..1)
    };
    world.metadata((0..many).flat_map(new).collect());
    let told = world.beat(matching("a", "m.*"));
    let mut members = vec![("a".to_owned(), told.epoch, Parts::new())];
    world.pass(10);
    world.settle(&mut members);
    assert_eq!(members[0].2.len(), many as usize);
}
