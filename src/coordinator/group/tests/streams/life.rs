//! A group's life: members come, share the tasks, go, fall silent.

use super::support::*;
use crate::coordinator::group::Request;
use crate::coordinator::group::tests::consumer::group_setting;
use crate::protocol::messages::StreamsGroupHeartbeatRequest;
use crate::protocol::messages::delete_groups_response::DeletableGroupResult;

#[test]
fn the_first_member_gets_all_tasks_at_once() {
    let mut world = streams_world();
    let (_, epoch, has) = world.thread("a");
    assert_eq!(epoch, 2);
    assert_eq!(has.active.len(), 6);
    assert_eq!(world.streams_state(), "Stable");
    let quiet = world.stream(beating("a", 2));
    assert_eq!((quiet.error, quiet.epoch, quiet.has, quiet.statuses), (0, 2, None, vec![]));
}

#[test]
fn tasks_go_to_the_next_only_when_they_are_given_up() {
    let mut world = streams_world();
    let (a, _, had) = world.thread("a");
    let b = world.stream(joining("b"));
    assert_eq!((b.epoch, b.has), (3, Some(Has::default())), "a has them all");
    assert_eq!(world.streams_state(), "Reconciling");
    let told = world.stream(owning(&a, 2, &had));
    let keeps = told.has.expect("fewer tasks");
    assert_eq!((told.epoch, keeps.active.len()), (2, 3));
    // Not before it says so.
    assert_eq!(world.stream(beating("b", 3)).has, None);
    assert_eq!(world.stream(owning(&a, 2, &had)).epoch, 2);
    let told = world.stream(owning(&a, 2, &keeps));
    assert_eq!((told.epoch, told.has), (3, None));
    let b = world.stream(beating("b", 3));
    let b = b.has.expect("the other tasks").active;
    assert_eq!(b.len(), 3);
    assert!(b.is_disjoint(&keeps.active));
    assert_eq!(world.streams_state(), "Stable");
}

#[test]
fn who_does_not_give_up_in_time_is_out() {
    let mut world = streams_world();
    let (a, _, had) = world.thread("a");
    let mut b = vec![world.thread("b")];
    world.stream(owning(&a, 2, &had));
    for _ in 0..4 {
        world.pass(7_400);
        world.stream(owning(&a, 2, &had));
        world.stream(beating("b", 3));
    }
    world.pass(1_000);
    assert_eq!(world.stream(owning(&a, 2, &had)).error, 25);
    world.settle_streams(&mut b);
    assert_eq!(b[0].2.active.len(), 6);
}

#[test]
fn a_silent_member_is_out_and_its_tasks_go_to_the_others() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a"), world.thread("b")];
    world.settle_streams(&mut members);
    members.pop();
    for _ in 0..5 {
        world.pass(10_000);
        world.settle_streams(&mut members);
    }
    assert_eq!(members[0].2.active.len(), 6);
    assert_eq!(world.stream(beating("b", 3)).error, 25);
}

#[test]
fn a_member_leaves_and_an_empty_group_can_be_deleted() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a"), world.thread("b")];
    world.settle_streams(&mut members);
    let delete = |world: &mut crate::coordinator::group::tests::harness::World| {
        let results: Vec<DeletableGroupResult> = world.now(Request::Delete(vec!["g".into()]));
        results[0].error_code
    };
    assert_eq!(delete(&mut world), 68);
    for member in ["a", "b"] {
        let answer = world.stream_answer(beating(member, -1));
        assert_eq!((answer.error_code, answer.member_epoch, &*answer.member_id), (0, -1, member));
        assert_eq!(answer.status, Some(vec![]));
    }
    assert_eq!(world.streams_state(), "Empty");
    assert_eq!(delete(&mut world), 0);
    assert_eq!(world.streams_group().error_code, 69);
    world.restart();
    assert_eq!(world.groups.len(), 0, "the tombstones end all of it");
}

#[test]
fn standby_tasks_are_never_where_the_active_one_is() {
    let mut world = standby_world(1);
    let mut members = vec![world.thread("a"), world.thread("b"), world.thread("c")];
    world.settle_streams(&mut members);
    for (id, _, has) in &members {
        assert!(has.active.is_disjoint(&has.standby), "{id}");
        assert!(has.standby.iter().all(|(subtopology, _)| subtopology == "1"), "0 keeps no state");
    }
    let standbys: usize = members.iter().map(|(_, _, has)| has.standby.len()).sum();
    assert_eq!(standbys, 3);
    // Whoever followed a task takes it over.
    let gone = members.pop().unwrap();
    let followed: Vec<All> = members.iter().map(|(_, _, has)| has.standby.clone()).collect();
    world.stream(beating(&gone.0, -1));
    world.settle_streams(&mut members);
    for task in gone.2.active.iter().filter(|(subtopology, _)| subtopology == "1") {
        let heir = members.iter().position(|(_, _, has)| has.active.contains(task)).expect("an heir");
        assert!(followed[heir].contains(task), "{task:?}");
    }
}

#[test]
fn a_new_group_waits_for_more_members() {
    let mut world = streams_world();
    world.metadata(group_setting("streams.initial.rebalance.delay.ms", Some("3000")));
    let a = world.stream(joining("a"));
    assert_eq!((a.epoch, a.has, a.statuses), (1, Some(Has::default()), vec![5]));
    world.pass(1_000);
    let b = world.stream(joining("b"));
    assert_eq!((b.epoch, b.statuses), (1, vec![5]));
    assert_eq!(world.streams_state(), "Assigning");
    world.pass(2_001);
    let a = world.stream(beating("a", 1));
    assert_eq!((a.epoch, a.has.unwrap().active.len(), a.statuses), (3, 3, vec![]));
    assert_eq!(world.stream(beating("b", 1)).has.unwrap().active.len(), 3);
}

#[test]
fn targets_follow_each_other_no_faster_than_the_interval() {
    let mut world = streams_world();
    world.metadata(group_setting("streams.assignment.interval.ms", Some("1000")));
    world.thread("a");
    let b = world.stream(joining("b"));
    assert_eq!((b.has, b.statuses), (Some(Has::default()), vec![5]));
    world.pass(999);
    assert_eq!(world.stream(beating("b", b.epoch)).statuses, [5]);
    world.pass(1);
    let told = world.stream(beating("b", b.epoch));
    assert_eq!((told.epoch, told.statuses), (3, vec![]));
}

#[test]
fn other_standby_replicas_make_another_target() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a"), world.thread("b")];
    world.settle_streams(&mut members);
    world.metadata(group_setting("streams.num.standby.replicas", Some("1")));
    world.settle_streams(&mut members);
    let standbys: usize = members.iter().map(|(_, _, has)| has.standby.len()).sum();
    assert_eq!(standbys, 3);
}

#[test]
fn one_member_stops_the_whole_application() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a"), world.thread("b")];
    world.settle_streams(&mut members);
    let fatal = StreamsGroupHeartbeatRequest { shutdown_application: true, ..beating("a", 3) };
    assert_eq!(world.stream(fatal).statuses, [4]);
    assert_eq!(world.stream(beating("b", 3)).statuses, [4]);
    for member in ["a", "b"] {
        world.stream(beating(member, -1));
    }
    assert!(world.stream(joining("a")).statuses.is_empty(), "the next run begins anew");
}

#[test]
fn a_member_that_goes_can_stop_the_others() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a"), world.thread("b")];
    world.settle_streams(&mut members);
    let fatal = StreamsGroupHeartbeatRequest { shutdown_application: true, ..beating("a", -1) };
    assert_eq!(world.stream(fatal).error, 0);
    assert_eq!(world.stream(beating("b", 3)).statuses, [4]);
}

#[test]
fn members_are_told_who_can_be_asked_for_what() {
    let mut world = standby_world(1);
    let first =
        StreamsGroupHeartbeatRequest { user_endpoint: at("one"), endpoint_information_epoch: -1, ..joining("a") };
    let answer = world.stream_answer(first);
    // As in Kafka, whose group is not there yet when it counts.
    assert_eq!(answer.endpoint_information_epoch, 0);
    let known = |answer: crate::protocol::messages::StreamsGroupHeartbeatResponse| {
        answer.partitions_by_user_endpoint.map(|all| {
            let count = |topics: &[crate::protocol::messages::streams_group_heartbeat_response::TopicPartition]| {
                topics.iter().map(|topic| (topic.topic.to_string(), topic.partitions.len())).collect::<Vec<_>>()
            };
            all.iter()
                .map(|e| (e.user_endpoint.host.to_string(), count(&e.active_partitions), count(&e.standby_partitions)))
                .collect::<Vec<_>>()
        })
    };
    let topics =
        |partitions: &[(&str, usize)]| partitions.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect::<Vec<_>>();
    let all = vec![("one".to_owned(), topics(&[("in", 3), ("r", 3)]), topics(&[]))];
    assert_eq!(known(answer), Some(all));
    let up_to_date = StreamsGroupHeartbeatRequest { endpoint_information_epoch: 0, ..beating("a", 2) };
    assert_eq!(known(world.stream_answer(up_to_date.clone())), None);
    // Who has none learns of those that have; nothing changes for the others.
    let second = world.stream_answer(StreamsGroupHeartbeatRequest { endpoint_information_epoch: -1, ..joining("b") });
    assert_eq!((second.endpoint_information_epoch, known(second).unwrap().len()), (0, 1));
    // What its own change is to the others it is to itself.
    let answer = world.stream_answer(up_to_date);
    assert_eq!(answer.endpoint_information_epoch, 1);
    let has: usize = known(answer).unwrap()[0].1.iter().map(|(_, count)| count).sum();
    assert_eq!(has, 3);
}

#[test]
fn a_member_that_missed_an_answer_is_told_again() {
    let mut world = streams_world();
    let (_, _, has) = world.thread("a");
    let again = world.stream(owning("a", 2, &Has::default()));
    assert_eq!((again.epoch, again.has), (2, Some(has.clone())));
    assert_eq!(world.stream(owning("a", 2, &has)).has, None);
    assert_eq!(world.stream(beating("a", 2)).has, None);
    // Nor is it forgotten what it was told to give up.
    world.stream(joining("b"));
    let keeps = world.stream(owning("a", 2, &has)).has.expect("fewer tasks");
    assert_eq!(world.stream(owning("a", 2, &has)).has, Some(keeps.clone()));
    assert_eq!(world.stream(owning("a", 2, &keeps)).has, None);
}

#[test]
fn all_of_it_is_read_back() {
    let mut world = standby_world(1);
    let mut members = vec![world.thread("a"), world.thread("b")];
    world.settle_streams(&mut members);
    world.stream(joining("c"));
    world.stream(owning("a", 3, &members[0].2));
    let lived = world.streams_group();
    world.restart();
    let mut read = world.streams_group();
    assert_eq!(read.topology.as_ref().unwrap().epoch, 0);
    // How many partitions internal topics have is known again with the next heartbeat.
    read.topology.clone_from(&lived.topology);
    assert_eq!(read, lived);
    assert_eq!(world.stream(beating("c", 4)).error, 0);
    assert_eq!(world.streams_group(), lived);
    // Sessions begin anew, also of those who never come back.
    world.pass(46_000);
    assert_eq!(world.streams_state(), "Empty");
}
