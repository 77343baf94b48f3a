//! Every state against every event: where the group goes, and what the one who asks is told.

use super::harness::*;
use crate::base::ErrorCode;
use crate::coordinator::group::{Answer, Request};
use crate::protocol::messages::JoinGroupRequest;
use crate::protocol::messages::delete_groups_response::DeletableGroupResult;

/// Events; member 0 leads, 1 and 2 follow. A generation number is the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    NewMemberJoins,
    FollowerJoinsAgain,
    LeaderJoinsAgain,
    FollowerJoinsWithOtherTopics,
    FollowerSyncs,
    LeaderSyncs,
    FollowerHeartbeats,
    ZombieHeartbeats,
    FollowerLeaves,
    AllLeave,
    FollowerGoesSilent,
    AllGoSilent,
    FollowerCommits,
    AdministratorCommits,
    GroupIsDeleted,
}
use Event::*;

/// What the one who asks is told: an error code, or that it has to wait.
const WAITS: i16 = i16::MIN;
/// Nobody asks.
const SILENCE: i16 = i16::MAX;

#[rustfmt::skip]
const TABLE: &[(&str, Event, &str, i16)] = &[
    ("Empty", NewMemberJoins, "PreparingRebalance", WAITS),
    ("Empty", FollowerJoinsAgain, "Empty", 25),
    ("Empty", LeaderJoinsAgain, "Empty", 25),
    ("Empty", FollowerJoinsWithOtherTopics, "Empty", 25),
    ("Empty", FollowerSyncs, "Empty", 25),
    ("Empty", LeaderSyncs, "Empty", 25),
    ("Empty", FollowerHeartbeats, "Empty", 25),
    ("Empty", ZombieHeartbeats, "Empty", 25),
    ("Empty", FollowerLeaves, "Empty", 25),
    ("Empty", AllLeave, "Empty", 25),
    ("Empty", FollowerGoesSilent, "Empty", SILENCE),
    ("Empty", AllGoSilent, "Empty", SILENCE),
    ("Empty", FollowerCommits, "Empty", 25),
    ("Empty", AdministratorCommits, "Empty", 0),
    ("Empty", GroupIsDeleted, "Dead", 0),

    ("PreparingRebalance", NewMemberJoins, "PreparingRebalance", WAITS),
    ("PreparingRebalance", FollowerJoinsAgain, "PreparingRebalance", WAITS),
    ("PreparingRebalance", LeaderJoinsAgain, "PreparingRebalance", WAITS),
    ("PreparingRebalance", FollowerJoinsWithOtherTopics, "PreparingRebalance", WAITS),
    ("PreparingRebalance", FollowerSyncs, "PreparingRebalance", 27),
    ("PreparingRebalance", LeaderSyncs, "PreparingRebalance", 27),
    ("PreparingRebalance", FollowerHeartbeats, "PreparingRebalance", 27),
    ("PreparingRebalance", ZombieHeartbeats, "PreparingRebalance", 22),
    ("PreparingRebalance", FollowerLeaves, "PreparingRebalance", 0),
    ("PreparingRebalance", AllLeave, "Empty", 0),
    ("PreparingRebalance", FollowerGoesSilent, "PreparingRebalance", SILENCE),
    ("PreparingRebalance", AllGoSilent, "CompletingRebalance", SILENCE),
    ("PreparingRebalance", FollowerCommits, "PreparingRebalance", 0),
    ("PreparingRebalance", AdministratorCommits, "PreparingRebalance", 25),
    ("PreparingRebalance", GroupIsDeleted, "PreparingRebalance", 68),

    ("CompletingRebalance", NewMemberJoins, "PreparingRebalance", WAITS),
    ("CompletingRebalance", FollowerJoinsAgain, "CompletingRebalance", 0),
    ("CompletingRebalance", LeaderJoinsAgain, "CompletingRebalance", 0),
    ("CompletingRebalance", FollowerJoinsWithOtherTopics, "PreparingRebalance", WAITS),
    ("CompletingRebalance", FollowerSyncs, "CompletingRebalance", WAITS),
    ("CompletingRebalance", LeaderSyncs, "Stable", 0),
    ("CompletingRebalance", FollowerHeartbeats, "CompletingRebalance", 0),
    ("CompletingRebalance", ZombieHeartbeats, "CompletingRebalance", 22),
    ("CompletingRebalance", FollowerLeaves, "PreparingRebalance", 0),
    ("CompletingRebalance", AllLeave, "Empty", 0),
    ("CompletingRebalance", FollowerGoesSilent, "PreparingRebalance", SILENCE),
    ("CompletingRebalance", AllGoSilent, "Empty", SILENCE),
    ("CompletingRebalance", FollowerCommits, "CompletingRebalance", 27),
    ("CompletingRebalance", AdministratorCommits, "CompletingRebalance", 25),
    ("CompletingRebalance", GroupIsDeleted, "CompletingRebalance", 68),

    ("Stable", NewMemberJoins, "PreparingRebalance", WAITS),
    ("Stable", FollowerJoinsAgain, "Stable", 0),
    ("Stable", LeaderJoinsAgain, "PreparingRebalance", WAITS),
    ("Stable", FollowerJoinsWithOtherTopics, "PreparingRebalance", WAITS),
    ("Stable", FollowerSyncs, "Stable", 0),
    ("Stable", LeaderSyncs, "Stable", 0),
    ("Stable", FollowerHeartbeats, "Stable", 0),
    ("Stable", ZombieHeartbeats, "Stable", 22),
    ("Stable", FollowerLeaves, "PreparingRebalance", 0),
    ("Stable", AllLeave, "Empty", 0),
    ("Stable", FollowerGoesSilent, "PreparingRebalance", SILENCE),
    ("Stable", AllGoSilent, "Empty", SILENCE),
    ("Stable", FollowerCommits, "Stable", 0),
    ("Stable", AdministratorCommits, "Stable", 25),
    ("Stable", GroupIsDeleted, "Stable", 68),

    ("Dead", NewMemberJoins, "Dead", 15),
    ("Dead", FollowerJoinsAgain, "Dead", 15),
    ("Dead", LeaderJoinsAgain, "Dead", 15),
    ("Dead", FollowerJoinsWithOtherTopics, "Dead", 15),
    ("Dead", FollowerSyncs, "Dead", 15),
    ("Dead", LeaderSyncs, "Dead", 15),
    ("Dead", FollowerHeartbeats, "Dead", 15),
    ("Dead", ZombieHeartbeats, "Dead", 15),
    ("Dead", FollowerLeaves, "Dead", 15),
    ("Dead", AllLeave, "Dead", 15),
    ("Dead", FollowerGoesSilent, "Dead", SILENCE),
    ("Dead", AllGoSilent, "Dead", SILENCE),
    ("Dead", FollowerCommits, "Dead", 15),
    ("Dead", AdministratorCommits, "Dead", 15),
    ("Dead", GroupIsDeleted, "Dead", 69),
];

/// A group of three in `state`; members, and its generation.
fn group_in(state: &str, w: &mut World) -> (Vec<String>, i32) {
    let ids = w.three_stable();
    let all: Vec<(&str, Option<&str>)> = ids.iter().map(|id| (id.as_str(), None)).collect();
    let generation = match state {
        "Stable" => 1,
        "PreparingRebalance" => {
            // The leader wants a rebalance and waits for the others.
            w.join(join_request(&ids[0]));
            1
        }
        "CompletingRebalance" => {
            for id in &ids {
                w.join(join_request(id));
            }
            2
        }
        "Empty" => {
            w.leave(&all);
            2
        }
        "Dead" => {
            w.leave(&all);
            w.commits_at_once = false;
            w.ask(Request::Delete(vec!["g".into()]));
            2
        }
        other => unreachable!("{other}"),
    };
    assert_eq!(w.state(), state);
    (ids, generation)
}

fn do_it(event: Event, w: &mut World, ids: &[String], generation: i32) -> i16 {
    let other_topics = JoinGroupRequest { protocols: vec![protocol("range", &["u"])], ..join_request(&ids[1]) };
    match event {
        NewMemberJoins => join_error(w, 3, join_request("")),
        FollowerJoinsAgain => join_error(w, 9, join_request(&ids[1])),
        LeaderJoinsAgain => join_error(w, 9, join_request(&ids[0])),
        FollowerJoinsWithOtherTopics => join_error(w, 9, other_topics),
        FollowerSyncs => sync_error(w, &ids[1], generation),
        LeaderSyncs => sync_error(w, &ids[0], generation),
        FollowerHeartbeats => w.heartbeat(&ids[1], generation),
        ZombieHeartbeats => w.heartbeat(&ids[1], generation - 1),
        FollowerLeaves => leave_error(w, &[(&ids[1], None)]),
        AllLeave => leave_error(w, &[(&ids[0], None), (&ids[1], None), (&ids[2], None)]),
        FollowerGoesSilent => {
            for _ in 0..3 {
                w.pass(4_000);
                for id in [&ids[0], &ids[2]] {
                    w.heartbeat(id, generation);
                }
            }
            SILENCE
        }
        AllGoSilent => {
            w.pass(i64::from(SESSION_MS));
            SILENCE
        }
        FollowerCommits => commit_error(w, &ids[1], generation),
        AdministratorCommits => commit_error(w, "", -1),
        GroupIsDeleted => {
            w.commits_at_once = false;
            let token = w.ask(Request::Delete(vec!["g".into()]));
            let state_while_deleting = w.state();
            w.commit_all();
            let results: Vec<DeletableGroupResult> = w.answer(token).expect("an answer");
            assert_eq!(state_while_deleting == "Dead", [0, 69].contains(&results[0].error_code));
            results[0].error_code
        }
    }
}

fn join_error(w: &mut World, version: i16, request: JoinGroupRequest) -> i16 {
    let token = w.join_v(version, request);
    w.joins(token).map_or(WAITS, |answer| answer.error_code)
}

fn sync_error(w: &mut World, id: &str, generation: i32) -> i16 {
    let token = w.sync(id, generation, &[]);
    w.synced(token).map_or(WAITS, |(error, _)| error)
}

fn leave_error(w: &mut World, members: &[(&str, Option<&str>)]) -> i16 {
    let token = w.leave(members);
    w.left(token).map_or(WAITS, |errors| errors[0])
}

fn commit_error(w: &mut World, id: &str, generation: i32) -> i16 {
    let token = w.commit(id, generation, 5);
    w.committed(token).map_or(WAITS, |error| error)
}

#[test]
fn every_event_in_every_state() {
    for &(state, event, expected_state, expected_answer) in TABLE {
        let mut w = world();
        let (ids, generation) = group_in(state, &mut w);
        let answer = do_it(event, &mut w, &ids, generation);
        assert_eq!(answer, expected_answer, "the answer to {event:?} in {state}");
        assert_eq!(w.state(), expected_state, "after {event:?} in {state}");
    }
    assert_eq!(TABLE.len(), 5 * 15);
}

#[test]
fn a_dead_group_lives_on_when_its_tombstones_cannot_be_written() {
    let mut w = world();
    let (_, _) = group_in("Empty", &mut w);
    w.commits_at_once = false;
    let token = w.ask(Request::Delete(vec!["g".into()]));
    assert_eq!(w.state(), "Dead");
    w.fail_next(ErrorCode::NotEnoughReplicas);
    let results: Vec<DeletableGroupResult> = w.answer::<Vec<DeletableGroupResult>>(token).expect("an answer");
    assert_eq!(results[0].error_code, 15);
    assert_eq!(w.state(), "Empty");
}

#[test]
fn answers_are_of_the_requests_kind() {
    let mut w = world();
    let token = w.ask(Request::List(Default::default()));
    assert!(w.answer::<Answer>(token).is_some_and(|a| matches!(a, Answer::List(Ok(_)))));
}
