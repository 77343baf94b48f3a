//! How members come into a group.

use super::harness::*;
use crate::coordinator::group::GroupConfig;
use crate::protocol::messages::JoinGroupRequest;

#[test]
fn a_member_without_an_id_is_given_one_and_told_to_come_again() {
    let mut w = world();
    let id = w.new_id();
    assert!(id.starts_with("c-") && id.len() == 2 + 36, "{id}");
    assert_eq!(w.log.len(), 1, "the new group is in the log");
    assert_eq!(w.state(), "Empty");
    let token = w.join(join_request(&id));
    assert_eq!(w.state(), "PreparingRebalance");
    w.pass(2_999);
    assert!(w.joins(token).is_none(), "the first rebalance waits for others");
    w.pass(1);
    let answer = w.joins(token).expect("a generation");
    assert_eq!((answer.error_code, answer.generation_id), (0, 1));
    assert_eq!((answer.leader.as_str(), answer.protocol_name.as_deref()), (id.as_str(), Some("range")));
    assert_eq!(answer.members.len(), 1);
    assert_eq!(w.state(), "CompletingRebalance");
}

#[test]
fn before_version_4_a_member_joins_in_one_step() {
    let mut w = world();
    let token = w.join_v(3, join_request(""));
    w.pass(3_000);
    assert_eq!(w.joins(token).expect("a generation").error_code, 0);
}

#[test]
fn version_0_has_no_rebalance_timeout_and_uses_the_sessions() {
    let mut w = world();
    w.join_v(0, JoinGroupRequest { rebalance_timeout_ms: -1, ..join_request("") });
    w.pass(1_000);
    w.join_v(0, JoinGroupRequest { rebalance_timeout_ms: -1, ..join_request("") });
    w.pass(2_000);
    assert_eq!(w.state(), "PreparingRebalance");
    w.pass(3_000);
    assert_eq!(w.state(), "CompletingRebalance", "6 s are within the 10 s of the session");
}

#[test]
fn joins_prolong_the_first_rebalance_up_to_the_rebalance_timeout() {
    let mut w = world();
    let (_, first) = w.joined();
    for _ in 0..20 {
        w.pass(2_000);
        w.joined();
    }
    // Joins every 2 s would prolong it for ever: the limit is 30 s.
    let answer = w.joins(first).expect("a generation after 40 s");
    assert_eq!(answer.error_code, 0);
    assert_eq!(answer.generation_id, 1);
    assert!((14..=16).contains(&answer.members.len()), "{}", answer.members.len());
}

#[test]
fn bad_joins_are_refused() {
    let mut w = world();
    let mut refused = |request: JoinGroupRequest| {
        let token = w.join(request);
        w.joins(token).expect("an immediate answer").error_code
    };
    assert_eq!(refused(JoinGroupRequest { group_id: "".into(), ..join_request("") }), 24);
    assert_eq!(refused(JoinGroupRequest { session_timeout_ms: 5_999, ..join_request("") }), 26);
    assert_eq!(refused(JoinGroupRequest { session_timeout_ms: 1_800_001, ..join_request("") }), 26);
    assert_eq!(refused(join_request("never-given")), 25);
    assert_eq!(refused(JoinGroupRequest { protocols: vec![], ..join_request("") }), 23);
    assert_eq!(refused(JoinGroupRequest { protocol_type: "".into(), ..join_request("") }), 23);
}

#[test]
fn a_member_must_share_type_and_protocol_with_the_group() {
    let mut w = world();
    w.three_stable();
    let other_type = w.join(JoinGroupRequest { protocol_type: "connect".into(), ..join_request("") });
    assert_eq!(w.joins(other_type).expect("refused").error_code, 23);
    let other_protocol = w.join(JoinGroupRequest { protocols: vec![protocol("sticky", &["t"])], ..join_request("") });
    assert_eq!(w.joins(other_protocol).expect("refused").error_code, 23);
    assert_eq!(w.state(), "Stable");
}

#[test]
fn the_protocol_most_members_want_is_chosen_among_those_all_speak() {
    let mut w = world();
    // `c` is not spoken by all, so the last member's vote goes to `b`: three against one.
    let wants: [&[&str]; 4] = [&["a", "b"], &["b", "a"], &["b", "a"], &["c", "b", "a"]];
    let tokens = wants.map(|names| {
        let protocols = names.iter().map(|n| protocol(n, &["t"])).collect();
        w.join_v(3, JoinGroupRequest { protocols, ..join_request("") })
    });
    w.pass(30_000);
    for token in tokens {
        assert_eq!(w.joins(token).expect("a generation").protocol_name.as_deref(), Some("b"));
    }
}

#[test]
fn group_max_size_turns_the_next_away() {
    let mut w = world_with(GroupConfig { members_per_group_max: 2, ..GroupConfig::default() });
    w.joined();
    w.joined();
    let token = w.join(join_request(""));
    assert_eq!(w.joins(token).expect("refused").error_code, 81);
    w.pass(6_000);
    assert_eq!(w.state(), "CompletingRebalance");
    let token = w.join(join_request(""));
    assert_eq!(w.joins(token).expect("refused").error_code, 81);
}

#[test]
fn the_number_of_members_of_all_groups_is_bounded() {
    let mut w = world_with(GroupConfig { members_max: 10, ..GroupConfig::default() });
    let answers: Vec<i16> = (0..100)
        .map(|i| {
            let group_id = format!("g{i}").as_str().into();
            let token = w.join(JoinGroupRequest { group_id, ..join_request("") });
            w.joins(token).expect("an immediate answer").error_code
        })
        .collect();
    assert_eq!(answers.iter().filter(|e| **e == 79).count(), 9, "{answers:?}");
    assert!(answers[9..].iter().all(|e| *e == 81));
    w.pass(i64::from(SESSION_MS));
    assert_eq!(w.new_id().len(), 38, "unused ids make room again");
}

#[test]
fn a_pending_member_that_never_returns_does_not_hold_up_the_others() {
    let mut w = world();
    let ids = w.three_stable();
    w.new_id();
    let tokens: Vec<_> = ids.iter().map(|id| w.join(join_request(id))).collect();
    assert_eq!(w.state(), "PreparingRebalance", "the fourth has an id and may still come");
    w.pass(i64::from(SESSION_MS));
    for token in tokens {
        assert_eq!(w.joins(token).expect("a generation").generation_id, 2);
    }
}

#[test]
fn a_new_members_parked_join_ends_after_five_minutes() {
    let mut w = world();
    let ids = w.three_stable();
    let slow = JoinGroupRequest { rebalance_timeout_ms: 600_000, ..join_request("") };
    let first = w.join(JoinGroupRequest { rebalance_timeout_ms: 600_000, ..join_request(&ids[0]) });
    let token = w.join(slow.clone());
    let id = w.joins(token).expect("an id").member_id;
    let token = w.join(JoinGroupRequest { member_id: id, ..slow });
    for _ in 0..149 {
        w.pass(2_000);
        // The others stay alive but do not rejoin.
        for id in &ids[1..] {
            assert_eq!(w.heartbeat(id, 1), 27);
        }
    }
    assert!(w.joins(token).is_none());
    w.pass(2_000);
    assert_eq!(w.joins(token).expect("told to begin anew").error_code, 25);
    assert!(w.joins(first).is_none());
}

#[test]
fn a_second_join_of_the_same_member_takes_the_place_of_the_first() {
    let mut w = world();
    let (id, first) = w.joined();
    let second = w.join(join_request(&id));
    assert_eq!(w.joins(first).expect("an answer").error_code, 27);
    w.pass(6_000);
    assert_eq!(w.joins(second).expect("a generation").generation_id, 1);
}
