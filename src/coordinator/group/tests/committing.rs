//! Offsets: committing, reading, deleting, growing old.

use super::harness::*;
use crate::base::{ErrorCode, Offset, ProducerId};
use crate::coordinator::group::{GroupConfig, Request, Step, offsets::Key, records};
use crate::protocol::messages::list_groups_response::ListedGroup;
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::protocol::messages::{JoinGroupRequest, ListGroupsRequest, OffsetCommitRequest};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

fn groups_listed(w: &mut World) -> Vec<String> {
    let listed: Result<Vec<ListedGroup>, ErrorCode> = w.now(Request::List(ListGroupsRequest::default()));
    listed.expect("a list").iter().map(|g| g.group_id.to_string()).collect()
}

#[test]
fn an_offset_counts_when_it_is_in_the_log() {
    let mut w = world();
    w.commits_at_once = false;
    let token = w.commit("", -1, 42);
    assert_eq!((w.committed(token), w.offset()), (None, -1));
    w.commit_all();
    assert_eq!((w.committed(token), w.offset()), (Some(0), 42));
}

#[test]
fn a_failed_commit_changes_nothing() {
    for (error, told) in [(ErrorCode::NotEnoughReplicas, 15), (ErrorCode::KafkaStorageError, 16)] {
        let mut w = world();
        w.commit("", -1, 1);
        w.commits_at_once = false;
        let token = w.commit("", -1, 2);
        w.fail_next(error);
        assert_eq!((w.committed(token), w.offset()), (Some(told), 1));
    }
}

#[test]
fn commits_to_groups_that_do_not_exist() {
    let mut w = world();
    let mut commit = |version: i16, generation: i32| {
        let token = w.commit_v(version, World::commit_request("m", generation, 1));
        w.committed(token).expect("an answer")
    };
    assert_eq!(commit(8, 1), 22);
    assert_eq!(commit(9, 1), 69);
    assert_eq!(commit(9, -1), 0, "a simple consumer's group comes into being");
    assert_eq!(commit(9, 1), 25, "it is Empty now");
    assert_eq!(w.state(), "Empty");
}

#[test]
fn metadata_is_bounded_in_utf16_units() {
    let mut w = world();
    let mut commit = |metadata: String| {
        let mut request = World::commit_request("", -1, 1);
        request.topics[0].partitions[0].committed_metadata = Some(metadata.into());
        let token = w.commit_v(9, request);
        w.committed(token).expect("an answer")
    };
    assert_eq!(commit("ä".repeat(4_096)), 0);
    assert_eq!(commit("a".repeat(4_097)), 12);
}

#[test]
fn a_commit_keeps_its_member_alive() {
    let mut w = world();
    let ids = w.three_stable();
    for _ in 0..5 {
        w.pass(i64::from(SESSION_MS) - 1);
        for id in &ids {
            let token = w.commit(id, 1, 1);
            assert_eq!(w.committed(token), Some(0));
        }
    }
    assert_eq!(w.state(), "Stable");
}

#[test]
fn a_static_members_commit_is_fenced_under_its_old_id() {
    let mut w = world();
    let token = w.join(static_join("i1"));
    w.pass(6_000);
    let id = w.joins(token).expect("a generation").member_id;
    let token = w.sync(&id, 1, &[]);
    assert_eq!(w.synced(token).expect("assigned").0, 0);
    let mut commit = |member: &str| {
        let request =
            OffsetCommitRequest { group_instance_id: Some("i1".into()), ..World::commit_request(member, 1, 3) };
        let token = w.commit_v(9, request);
        w.committed(token).expect("an answer")
    };
    assert_eq!(commit("old"), 82);
    assert_eq!(commit(&id), 0);
}

#[test]
fn a_stable_fetch_waits_for_commits_under_way() {
    let mut w = world();
    w.commit("", -1, 1);
    w.commits_at_once = false;
    w.commit("", -1, 2);
    let token = w.ask(Request::Fetch(World::fetch_request(), true));
    assert!(w.answer::<OffsetFetchResponseGroup>(token).is_none());
    w.commit("", -1, 3);
    assert_eq!(w.offset(), 1, "an ordinary one reads what is committed");
    w.commit_all();
    let answer: OffsetFetchResponseGroup = w.answer(token).expect("an answer");
    assert_eq!(answer.topics[0].partitions[0].committed_offset, 2);
}

#[test]
fn fetching_all_topics_and_those_of_another_id() {
    let mut w = world();
    w.commit("", -1, 7);
    let all = OffsetFetchRequestGroup { topics: None, ..World::fetch_request() };
    let answer: OffsetFetchResponseGroup = w.now(Request::Fetch(all, false));
    let partition = &answer.topics[0].partitions[0];
    assert_eq!((answer.topics.len(), &*answer.topics[0].name), (1, "t"));
    assert_eq!((partition.committed_offset, partition.metadata.as_deref()), (7, Some("m")));
    let mut other = World::fetch_request();
    other.topics.as_mut().unwrap()[0].topic_id = crate::base::Uuid([9; 16]);
    let answer: OffsetFetchResponseGroup = w.now(Request::Fetch(other, false));
    assert_eq!(answer.topics[0].partitions[0].committed_offset, -1);
    let nobody = OffsetFetchRequestGroup { group_id: "nobody".into(), ..World::fetch_request() };
    let answer: OffsetFetchResponseGroup = w.now(Request::Fetch(nobody, false));
    assert_eq!((answer.error_code, answer.topics[0].partitions[0].committed_offset), (0, -1));
}

#[test]
fn an_offset_in_an_open_transaction_is_unstable() {
    let mut w = world();
    w.commit("", -1, 1);
    let record = w.log.last().expect("a commit").clone();
    let now = w.now;
    w.groups.replay(Offset(50), ProducerId(9), &record.key, record.value.as_ref(), now).expect("a whole record");
    let answer: OffsetFetchResponseGroup = w.now(Request::Fetch(World::fetch_request(), true));
    assert_eq!(answer.topics[0].partitions[0].error_code, 88);
    assert_eq!(w.offset(), 1);
    w.groups.replay_marker(ProducerId(9), false);
    let answer: OffsetFetchResponseGroup = w.now(Request::Fetch(World::fetch_request(), true));
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
}

#[test]
fn offsets_of_an_empty_group_go_seven_days_after_its_last_member() {
    let mut w = world();
    let ids = w.three_stable();
    let token = w.commit(&ids[0], 1, 5);
    assert_eq!(w.committed(token), Some(0));
    for id in &ids {
        w.leave(&[(id, None)]);
    }
    w.pass(1_000 * 60);
    assert_eq!(w.state(), "Empty");
    w.pass(7 * DAY_MS - 20 * 60_000);
    assert_eq!(w.offset(), 5);
    w.pass(30 * 60_000);
    assert_eq!(w.offset(), -1);
    assert_eq!(groups_listed(&mut w), [""; 0], "the group goes with its last offset");
    let last_two: Vec<bool> = w.log.iter().rev().take(2).map(|r| r.value.is_none()).collect();
    assert_eq!(last_two, [true, true]);
}

#[test]
fn offsets_of_a_simple_consumer_go_seven_days_after_their_commit() {
    let mut w = world();
    w.commit("", -1, 5);
    w.pass(6 * DAY_MS);
    w.commit("", -1, 6);
    w.pass(6 * DAY_MS);
    assert_eq!(w.offset(), 6);
    w.pass(DAY_MS + 60 * 60_000);
    assert_eq!(w.offset(), -1);
}

#[test]
fn offsets_of_a_live_group_stay_except_of_topics_nobody_wants() {
    let mut w = world();
    let token = w.join_v(3, JoinGroupRequest { session_timeout_ms: 1_800_000, ..join_request("") });
    w.pass(3_000);
    let id = w.joins(token).expect("a generation").member_id;
    let token = w.sync(&id, 1, &[]);
    assert_eq!(w.synced(token).expect("assigned").0, 0);
    let mut request = World::commit_request(&id, 1, 5);
    let mut other = request.topics[0].clone();
    other.name = "unwanted".into();
    request.topics.push(other);
    w.commit_v(9, request);
    for _ in 0..(8 * DAY_MS / 1_700_000) {
        w.pass(1_700_000);
        assert_eq!(w.heartbeat(&id, 1), 0);
    }
    let all = OffsetFetchRequestGroup { topics: None, ..World::fetch_request() };
    let answer: OffsetFetchResponseGroup = w.now(Request::Fetch(all, false));
    let names: Vec<&str> = answer.topics.iter().map(|t| &*t.name).collect();
    assert_eq!(names, ["t"]);
}

#[test]
fn a_retention_the_client_names_is_kept() {
    let mut w = world();
    w.commit_v(4, OffsetCommitRequest { retention_time_ms: DAY_MS, ..World::commit_request("", -1, 5) });
    w.pass(DAY_MS - 20 * 60_000);
    assert_eq!(w.offset(), 5);
    w.pass(40 * 60_000);
    assert_eq!(w.offset(), -1);
}

#[test]
fn expired_offsets_go_in_bounded_steps() {
    let mut w = world();
    for n in 0..1_200 {
        let group_id = format!("g{n}").into();
        w.commit_v(9, OffsetCommitRequest { group_id, ..World::commit_request("", -1, 5) });
    }
    assert_eq!(w.groups.len(), 1_200);
    w.pass(7 * DAY_MS - 60_000);
    let mut left = vec![w.groups.len()];
    while w.groups.len() > 0 {
        let due = w.groups.next_deadline().expect("it goes on").since(w.now.mono);
        w.pass(due.as_millis() as i64);
        let now = w.groups.len();
        left.extend((left.last() != Some(&now)).then_some(now));
    }
    // A group and its offset count as two.
    assert_eq!(left, [1_200, 700, 200, 0]);
    let due = w.groups.next_deadline().expect("another look").since(w.now.mono);
    assert!(due.as_millis() > 1_000, "the next look is an interval later");
    let counts = w.groups.facts().counts;
    assert_eq!((counts.offset_commits, counts.offsets_expired, counts.offsets_removed), (1_200, 1_200, 1_200));
}

#[test]
fn offsets_go_with_their_topic() {
    let mut w = world();
    w.commit("", -1, 5);
    w.step(|groups, step| groups.topics_deleted(&[("t".into(), crate::base::Uuid([9; 16]))], step));
    assert_eq!(w.offset(), 5, "another topic of the same name");
    w.step(|groups, step: &mut Step| groups.topics_deleted(&[("t".into(), TOPIC_ID)], step));
    assert_eq!(w.offset(), -1);
    let (topic, group) = ("t".into(), "g".into());
    assert_eq!(w.log.last(), Some(&records::offset_tombstone(&Key { group, topic, partition: 0 })));
}

#[test]
fn deleting_a_group_takes_its_offsets_also_those_under_way() {
    let mut w = world();
    w.commit("", -1, 5);
    w.commits_at_once = false;
    w.commit("", -1, 6);
    let token = w.ask(Request::Delete(vec!["g".into(), "nobody".into()]));
    let told = w.commit("", -1, 7);
    assert_eq!(w.committed(told), Some(15), "the group is on its way out");
    w.commit_all();
    let results: Vec<crate::protocol::messages::delete_groups_response::DeletableGroupResult> =
        w.answer(token).expect("an answer");
    assert_eq!(results.iter().map(|r| r.error_code).collect::<Vec<_>>(), [0, 69]);
    assert_eq!(w.offset(), -1);
    w.restart();
    assert_eq!((w.offset(), groups_listed(&mut w).len()), (-1, 0));
}

#[test]
fn lists_are_filtered_by_state_and_type() {
    let mut w = world();
    w.three_stable();
    let simple = OffsetCommitRequest { group_id: "simple".into(), ..World::commit_request("", -1, 1) };
    w.commit_v(9, simple);
    let mut list = |states: &[&str], types: &[&str]| {
        let request = ListGroupsRequest {
            states_filter: states.iter().map(|s| (*s).into()).collect(),
            types_filter: types.iter().map(|s| (*s).into()).collect(),
        };
        let listed: Result<Vec<ListedGroup>, ErrorCode> = w.now(Request::List(request));
        let mut names: Vec<String> = listed.expect("a list").iter().map(|g| g.group_id.to_string()).collect();
        names.sort();
        names
    };
    assert_eq!(list(&[], &[]), ["g", "simple"]);
    assert_eq!(list(&["stable"], &[]), ["g"]);
    assert_eq!(list(&["Empty", "Dead"], &["Classic"]), ["simple"]);
    assert_eq!(list(&[], &["consumer"]), [""; 0]);
    assert_eq!(list(&["nonsense"], &[]), [""; 0]);
}

#[test]
fn the_number_of_groups_clients_make_is_bounded() {
    let mut w = world_with(GroupConfig { groups_max: 2, ..GroupConfig::default() });
    let mut commit = |group: &str| {
        let token = w.commit_v(9, OffsetCommitRequest { group_id: group.into(), ..World::commit_request("", -1, 1) });
        w.committed(token).expect("an answer")
    };
    assert_eq!([commit("a"), commit("b"), commit("c"), commit("a")], [0, 0, 15, 0]);
}
