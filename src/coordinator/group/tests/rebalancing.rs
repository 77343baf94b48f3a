//! Generations: members come, go, die, come too late.

use super::harness::*;
use crate::base::{ErrorCode, TimestampMs};
use crate::protocol::messages::JoinGroupRequest;

#[test]
fn four_members_join_leave_and_die() {
    let mut w = world();
    let mut ids = w.three_stable();
    // A fourth joins: the others learn of it by heartbeat and come again.
    let (fourth, token) = w.joined();
    for id in &ids {
        assert_eq!(w.heartbeat(id, 1), 27);
    }
    let tokens: Vec<_> = ids.iter().map(|id| w.join(join_request(id))).collect();
    for token in tokens.into_iter().chain([token]) {
        assert_eq!(w.joins(token).expect("no delay but the first time").generation_id, 2);
    }
    ids.push(fourth);
    let leader = w.sync(&ids[0], 2, &[(&ids[3], "all of it")]);
    assert_eq!(w.synced(leader), Some((0, String::new())));
    let late = w.sync(&ids[3], 2, &[]);
    assert_eq!(w.synced(late), Some((0, "all of it".into())));
    for id in &ids[1..3] {
        let token = w.sync(id, 2, &[]);
        assert_eq!(w.synced(token), Some((0, String::new())));
    }
    // One leaves, one dies: two are left in generation 3.
    let token = w.leave(&[(&ids[3], None)]);
    assert_eq!(w.left(token), Some(vec![0]));
    let tokens: Vec<_> = ids[..2].iter().map(|id| w.join(join_request(id))).collect();
    w.pass(i64::from(SESSION_MS));
    for token in tokens {
        let answer = w.joins(token).expect("the dead one is not waited for longer than its session");
        assert_eq!((answer.generation_id, answer.error_code), (3, 0));
    }
    assert_eq!(w.heartbeat(&ids[2], 2), 25, "the dead one is no member any more");
}

#[test]
fn a_member_that_does_not_rejoin_in_time_is_out_although_it_is_alive() {
    let mut w = world();
    let ids = w.three_stable();
    let tokens: Vec<_> = ids[..2].iter().map(|id| w.join(join_request(id))).collect();
    for _ in 0..6 {
        assert_eq!(w.heartbeat(&ids[2], 1), 27);
        w.pass(4_900);
    }
    w.pass(600);
    for token in tokens {
        assert_eq!(w.joins(token).expect("the rebalance timeout is over").generation_id, 2);
    }
    assert_eq!(w.heartbeat(&ids[2], 1), 25);
}

#[test]
fn a_leader_that_does_not_rejoin_loses_the_lead() {
    let mut w = world();
    let ids = w.three_stable();
    let token = w.join(JoinGroupRequest { protocols: vec![protocol("range", &["u"])], ..join_request(&ids[1]) });
    w.join(join_request(&ids[2]));
    w.pass(i64::from(SESSION_MS));
    let answer = w.joins(token).expect("the old leader's session is over");
    assert_ne!(answer.leader.as_str(), ids[0]);
}

#[test]
fn a_leader_that_never_syncs_is_out_after_the_rebalance_timeout() {
    let mut w = world();
    let ids = w.three_stable();
    for id in &ids {
        w.join(join_request(id));
    }
    let followers: Vec<_> = ids[1..].iter().map(|id| w.sync(id, 2, &[])).collect();
    for _ in 0..6 {
        // It heartbeats all the same.
        assert_eq!(w.heartbeat(&ids[0], 2), 0);
        w.pass(4_900);
    }
    assert_eq!(w.state(), "CompletingRebalance");
    w.pass(600);
    assert_eq!(w.state(), "PreparingRebalance");
    for token in followers {
        assert_eq!(w.synced(token).expect("told to join again").0, 27);
    }
    assert_eq!(w.heartbeat(&ids[0], 2), 25);
    let tokens: Vec<_> = ids[1..].iter().map(|id| w.join(join_request(id))).collect();
    for token in tokens {
        assert_eq!(w.joins(token).expect("a generation").generation_id, 3);
    }
}

#[test]
fn a_follower_that_never_syncs_is_out_after_the_rebalance_timeout() {
    let mut w = world();
    let ids = w.three_stable();
    for id in &ids {
        w.join(join_request(id));
    }
    let leader = w.sync(&ids[0], 2, &[]);
    assert_eq!(w.synced(leader).expect("written").0, 0);
    let token = w.sync(&ids[1], 2, &[]);
    assert_eq!(w.synced(token).expect("Stable").0, 0);
    for _ in 0..6 {
        for id in &ids {
            assert_eq!(w.heartbeat(id, 2), 0);
        }
        w.pass(4_900);
    }
    w.pass(600);
    assert_eq!(w.state(), "PreparingRebalance");
    assert_eq!(w.heartbeat(&ids[2], 2), 25);
    assert_eq!(w.heartbeat(&ids[1], 2), 27);
}

#[test]
fn a_zombie_of_an_old_generation_is_told_so() {
    let mut w = world();
    let ids = w.three_stable();
    for id in &ids {
        w.join(join_request(id));
    }
    assert_eq!(w.heartbeat(&ids[1], 1), 22);
    let token = w.sync(&ids[1], 1, &[]);
    assert_eq!(w.synced(token).expect("refused").0, 22);
    let token = w.commit(&ids[1], 1, 7);
    assert_eq!(w.committed(token), Some(22));
}

#[test]
fn an_assignment_reaches_the_members_only_when_it_is_in_the_log() {
    let mut w = world();
    let ids = w.three_stable();
    for id in &ids {
        w.join(join_request(id));
    }
    w.commits_at_once = false;
    let follower = w.sync(&ids[1], 2, &[]);
    let leader = w.sync(&ids[0], 2, &[(&ids[1], "share")]);
    assert_eq!((w.synced(follower), w.synced(leader)), (None, None));
    assert_eq!(w.state(), "CompletingRebalance");
    w.commit_all();
    assert_eq!(w.state(), "Stable");
    assert_eq!(w.synced(follower), Some((0, "share".into())));
}

#[test]
fn an_assignment_that_cannot_be_written_sends_everybody_back() {
    for (error, told) in [
        (ErrorCode::NotEnoughReplicas, 15),
        (ErrorCode::KafkaStorageError, 16),
        (ErrorCode::NotLeaderOrFollower, 16),
        (ErrorCode::MessageTooLarge, -1),
    ] {
        let mut w = world();
        let ids = w.three_stable();
        for id in &ids {
            w.join(join_request(id));
        }
        w.commits_at_once = false;
        let follower = w.sync(&ids[1], 2, &[]);
        let leader = w.sync(&ids[0], 2, &[(&ids[1], "share")]);
        w.fail_next(error);
        assert_eq!(w.synced(follower), Some((told, String::new())));
        assert_eq!(w.synced(leader), Some((told, String::new())));
        assert_eq!(w.state(), "PreparingRebalance");
    }
}

#[test]
fn a_rebalance_that_begins_while_the_assignment_is_written_wins() {
    let mut w = world();
    let ids = w.three_stable();
    for id in &ids {
        w.join(join_request(id));
    }
    w.commits_at_once = false;
    let leader = w.sync(&ids[0], 2, &[(&ids[1], "share")]);
    w.joined();
    assert_eq!(w.synced(leader).expect("told to join again").0, 27);
    w.commit_all();
    assert_eq!(w.state(), "PreparingRebalance");
}

#[test]
fn sync_checks_the_protocol_it_is_told() {
    let mut w = world();
    let ids = w.three_stable();
    let mut sync = |protocol_type: &str, name: &str| {
        use crate::coordinator::group::Request;
        use crate::protocol::messages::{SyncGroupRequest, SyncGroupResponse};
        let request = SyncGroupRequest {
            group_id: "g".into(),
            generation_id: 1,
            member_id: ids[1].as_str().into(),
            protocol_type: Some(protocol_type.into()),
            protocol_name: Some(name.into()),
            ..Default::default()
        };
        w.now::<SyncGroupResponse>(Request::Sync(request)).error_code
    };
    assert_eq!(sync("consumer", "range"), 0);
    assert_eq!(sync("connect", "range"), 23);
    assert_eq!(sync("consumer", "sticky"), 23);
}

#[test]
fn a_step_of_the_wall_clock_expires_nobody() {
    let mut w = world();
    let ids = w.three_stable();
    w.now.wall = TimestampMs(w.now.wall.0 + 365 * 24 * 60 * 60 * 1000);
    w.pass(1_000);
    w.now.wall = TimestampMs(0);
    w.pass(1_000);
    assert_eq!(w.state(), "Stable");
    for id in &ids {
        assert_eq!(w.heartbeat(id, 1), 0);
    }
}

#[test]
fn cooperative_members_join_twice_and_keep_what_they_have() {
    // The broker does not look inside: the second round is the leader's own joining again.
    let mut w = world();
    let cooperative = |id: &str, round: &str| JoinGroupRequest {
        protocols: vec![protocol("cooperative-sticky", &["t", round])],
        ..join_request(id)
    };
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let token = w.join(cooperative("", "0"));
            w.joins(token).expect("an id").member_id.to_string()
        })
        .collect();
    let tokens: Vec<_> = ids.iter().map(|id| w.join(cooperative(id, "0"))).collect();
    w.pass(6_000);
    let leader = w.joins(tokens[0]).expect("a generation").leader.to_string();
    let follower = ids.iter().find(|id| **id != leader).expect("the other").clone();
    for round in 1..=2 {
        let shares = [(leader.as_str(), "0-5"), (follower.as_str(), if round == 1 { "" } else { "6-11" })];
        let token = w.sync(&leader, round, &shares);
        assert_eq!(w.synced(token), Some((0, "0-5".into())));
        let token = w.sync(&follower, round, &[]);
        assert_eq!(w.synced(token), Some((0, shares[1].1.into())));
        // Having given up partitions, the leader asks for the next round; the follower sees 27.
        let token = w.join(cooperative(&leader, &round.to_string()));
        assert_eq!(w.heartbeat(&follower, round), 27);
        w.join(cooperative(&follower, &round.to_string()));
        assert_eq!(w.joins(token).expect("a generation").generation_id, round + 1);
    }
}
