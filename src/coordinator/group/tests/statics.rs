//! Static members (KIP-345, KIP-814).

use super::harness::*;
use crate::base::ErrorCode;
use crate::protocol::messages::{JoinGroupRequest, JoinGroupResponse};

/// Two static members in a Stable group of generation 1: ids of `i1` and `i2`, the leader first.
fn two_stable(w: &mut World) -> [(String, String); 2] {
    let tokens = ["i1", "i2"].map(|i| (i, w.join(static_join(i))));
    w.pass(6_000);
    let mut members = tokens.map(|(i, token)| (i, w.joins(token).expect("a generation")));
    members.sort_by_key(|(_, m)| m.leader != m.member_id);
    let ids = members.map(|(i, m)| (i.to_string(), m.member_id.to_string()));
    let token = w.sync(&ids[0].1, 1, &[(&ids[0].1, "a"), (&ids[1].1, "b")]);
    assert_eq!(w.synced(token), Some((0, "a".into())));
    let token = w.sync(&ids[1].1, 1, &[]);
    assert_eq!(w.synced(token), Some((0, "b".into())));
    ids
}

fn back(w: &mut World, version: i16, instance: &str) -> JoinGroupResponse {
    let token = w.join_v(version, static_join(instance));
    w.joins(token).expect("an answer without a rebalance")
}

#[test]
fn a_static_member_joins_in_one_step_and_its_id_begins_with_its_name() {
    let mut w = world();
    let token = w.join(static_join("i1"));
    w.pass(6_000);
    assert!(w.joins(token).expect("a generation").member_id.starts_with("i1-"));
}

#[test]
fn a_follower_bounces_without_a_rebalance_and_its_old_id_is_fenced() {
    let mut w = world();
    let [(_, _), (instance, old)] = two_stable(&mut w);
    let records = w.log.len();
    let answer = back(&mut w, 9, &instance);
    assert_eq!((answer.error_code, answer.generation_id, w.state().as_str()), (0, 1, "Stable"));
    assert_ne!(answer.member_id.as_str(), old);
    assert!(!answer.skip_assignment && answer.members.is_empty());
    assert_eq!(w.log.len(), records + 1, "the new id is in the log");
    let token = w.sync(&answer.member_id, 1, &[]);
    assert_eq!(w.synced(token), Some((0, "b".into())), "it keeps its share");
    assert_eq!(w.heartbeat_as(&old, 1, Some(&instance)), 82);
    assert_eq!(w.heartbeat(&old, 1), 25);
    assert_eq!(w.heartbeat_as(&answer.member_id, 1, Some(&instance)), 0);
}

#[test]
fn a_leader_bounces_and_is_told_to_skip_its_assignment() {
    let mut w = world();
    let [(instance, old), _] = two_stable(&mut w);
    let answer = back(&mut w, 9, &instance);
    assert_eq!((answer.error_code, answer.generation_id), (0, 1));
    assert!(answer.skip_assignment);
    assert_eq!((answer.leader.clone(), answer.members.len()), (answer.member_id.clone(), 2));
    // Older clients are told that their old id leads, so that they do not compute one.
    let older = back(&mut w, 8, &instance);
    assert_eq!(older.leader, answer.member_id);
    assert!(!older.skip_assignment && older.members.is_empty());
    assert_ne!(older.member_id, answer.member_id);
    assert_ne!(older.member_id.as_str(), old);
}

#[test]
fn a_bounce_with_other_protocols_rebalances() {
    let mut w = world();
    let [_, (instance, _)] = two_stable(&mut w);
    let both = JoinGroupRequest {
        protocols: vec![protocol("sticky", &["t"]), protocol("range", &["t"])],
        ..static_join(&instance)
    };
    let token = w.join(both);
    assert_eq!(w.joins(token).expect("range is still what all speak").error_code, 0);
    assert_eq!(w.state(), "Stable");
}

#[test]
fn a_bounce_while_the_assignment_is_awaited_rebalances() {
    let mut w = world();
    let tokens = ["i1", "i2"].map(|i| w.join(static_join(i)));
    w.pass(6_000);
    assert!(tokens.iter().all(|token| w.joins(*token).is_some()));
    assert_eq!(w.state(), "CompletingRebalance");
    let token = w.join(static_join("i2"));
    assert!(w.joins(token).is_none());
    assert_eq!(w.state(), "PreparingRebalance");
}

#[test]
fn a_bounce_during_a_rebalance_fences_the_parked_join() {
    let mut w = world();
    let first = w.join(static_join("i1"));
    let second = w.join(static_join("i1"));
    let fenced = w.joins(first).expect("fenced");
    assert_eq!(fenced.error_code, 82);
    w.pass(6_000);
    let answer = w.joins(second).expect("a generation");
    assert_eq!((answer.error_code, answer.members.len()), (0, 1));
}

#[test]
fn a_new_id_that_cannot_be_written_is_taken_back() {
    let mut w = world();
    let [_, (instance, old)] = two_stable(&mut w);
    w.commits_at_once = false;
    let token = w.join(static_join(&instance));
    w.fail_next(ErrorCode::NotEnoughReplicas);
    assert_eq!(w.joins(token).expect("refused").error_code, 15);
    assert_eq!(w.heartbeat_as(&old, 1, Some(&instance)), 0);
    assert_eq!(w.state(), "Stable");
}

#[test]
fn a_silent_static_member_stays_for_the_next_generation_until_its_session_ends() {
    let mut w = world();
    let long = |i: &str| JoinGroupRequest { session_timeout_ms: 60_000, ..static_join(i) };
    let tokens = ["i1", "i2"].map(|i| w.join(long(i)));
    w.pass(6_000);
    let ids = tokens.map(|t| w.joins(t).expect("a generation").member_id.to_string());
    let token = w.join(JoinGroupRequest {
        protocols: vec![protocol("range", &["u"])],
        member_id: ids[0].as_str().into(),
        ..long("i1")
    });
    w.pass(i64::from(REBALANCE_MS));
    let answer = w.joins(token).expect("the rebalance timeout is over");
    let sees = if answer.members.is_empty() { 2 } else { answer.members.len() };
    assert_eq!((answer.generation_id, sees), (2, 2), "both are in generation 2");
}

#[test]
fn an_administrator_removes_static_members_by_name() {
    let mut w = world();
    let [(first, _), (second, id)] = two_stable(&mut w);
    let token = w.leave(&[("", Some("nobody")), ("", Some(&first)), ("wrong-id", Some(&second))]);
    assert_eq!(w.left(token), Some(vec![25, 0, 82]));
    assert_eq!(w.state(), "PreparingRebalance");
    let token = w.leave(&[(&id, Some(&second))]);
    assert_eq!(w.left(token), Some(vec![0]));
    assert_eq!(w.state(), "Empty");
}

#[test]
fn an_unknown_static_member_with_an_id_is_refused() {
    let mut w = world();
    two_stable(&mut w);
    let token = w.join(JoinGroupRequest { member_id: "x".into(), ..static_join("i9") });
    assert_eq!(w.joins(token).expect("refused").error_code, 25);
    let token = w.join(JoinGroupRequest { member_id: "x".into(), ..static_join("i1") });
    assert_eq!(w.joins(token).expect("refused").error_code, 82);
}
