//! Topics that are missing, do not fit, come and grow.

use super::support::*;
use crate::base::Uuid;
use crate::coordinator::group::tests::consumer::{removed, topic};
use crate::protocol::messages::StreamsGroupHeartbeatRequest;
use crate::protocol::messages::streams_group_heartbeat_request::{CopartitionGroup, Subtopology, Topology};

/// A join of two sources whose keys are changed: both through repartition topics.
fn join_of(left: &str, right: &str, fixed: i32) -> Topology {
    let mapping = |id: &str, source: &str, sink: &str| Subtopology {
        subtopology_id: id.into(),
        source_topics: vec![source.into()],
        repartition_sink_topics: vec![sink.into()],
        ..Default::default()
    };
    let joining = Subtopology {
        subtopology_id: "2".into(),
        repartition_source_topics: vec![info("rl", 0), info("rr", fixed)],
        state_changelog_topics: vec![info("cl", 0)],
        copartition_groups: vec![CopartitionGroup { repartition_source_topics: vec![0, 1], ..Default::default() }],
        ..Default::default()
    };
    Topology { epoch: 0, subtopologies: vec![mapping("0", left, "rl"), mapping("1", right, "rr"), joining] }
}

fn with(topology: Topology) -> StreamsGroupHeartbeatRequest {
    StreamsGroupHeartbeatRequest { topology: Some(topology), ..joining("a") }
}

fn missing(all: &[(&str, i32)]) -> std::collections::BTreeMap<String, i32> {
    all.iter().map(|(name, partitions)| ((*name).to_owned(), *partitions)).collect()
}

#[test]
fn from_no_topics_at_all_to_tasks() {
    let mut world = bare_world();
    let told = world.stream(joining("a"));
    assert_eq!((told.error, told.epoch, told.statuses), (0, 2, vec![1]));
    assert_eq!(world.streams_state(), "NotReady");
    world.metadata(topic("in", IN, 0..3));
    let told = world.stream(beating("a", 2));
    assert_eq!((told.statuses, told.missing), (vec![3], missing(&[("c", 3), ("r", 3)])));
    assert_eq!(world.streams_state(), "NotReady");
    world.metadata(topic("r", REPARTITION, 0..3));
    assert_eq!(world.stream(beating("a", told.epoch)).missing, missing(&[("c", 3)]));
    world.metadata(topic("c", CHANGELOG, 0..3));
    let told = world.stream(beating("a", 4));
    assert_eq!((told.error, told.statuses, told.has.unwrap().active.len()), (0, vec![], 6));
    assert_eq!(world.streams_state(), "Stable");
}

#[test]
fn what_is_missing_is_told_until_it_is_there() {
    let mut world = bare_world();
    world.metadata(topic("in", IN, 0..2));
    let epoch = world.stream(joining("a")).epoch;
    for _ in 0..3 {
        let told = world.stream(beating("a", epoch));
        assert_eq!((told.epoch, told.statuses, told.missing.len()), (epoch, vec![3], 2));
    }
}

#[test]
fn an_internal_topic_of_another_size_stands_in_the_way() {
    let mut world = bare_world();
    world.metadata(topic("in", IN, 0..3));
    world.metadata(topic("r", REPARTITION, 0..3));
    world.metadata(topic("c", CHANGELOG, 0..2));
    let told = world.stream(joining("a"));
    assert_eq!((told.error, told.statuses, told.missing.len()), (0, vec![2], 0));
    world.metadata(topic("c", CHANGELOG, 2..3));
    let told = world.stream(beating("a", told.epoch));
    assert_eq!((told.statuses, told.has.unwrap().active.len()), (vec![], 6));
}

#[test]
fn a_source_that_grows_no_longer_fits_what_follows_from_it() {
    let mut world = streams_world();
    let mut members = vec![world.thread("a")];
    world.settle_streams(&mut members);
    world.metadata(topic("in", IN, 3..5));
    let told = world.stream(beating("a", 2));
    assert_eq!(told.statuses, [2]);
    assert_eq!(world.streams_state(), "NotReady");
}

#[test]
fn a_source_that_goes_takes_the_tasks_with_it() {
    let mut world = streams_world();
    let (_, _, has) = world.thread("a");
    world.metadata(removed(IN));
    let told = world.stream(owning("a", 2, &has));
    assert_eq!((told.statuses, told.has), (vec![1], Some(Has::default())));
}

#[test]
fn joined_repartition_topics_are_as_wide_as_the_widest() {
    let mut world = bare_world();
    world.metadata(topic("l", Uuid([1; 16]), 0..2));
    world.metadata(topic("w", Uuid([2; 16]), 0..5));
    let told = world.stream(with(join_of("l", "w", 0)));
    assert_eq!(told.missing, missing(&[("cl", 5), ("rl", 5), ("rr", 5)]));
}

#[test]
fn what_was_asked_for_counts_for_all_that_are_joined() {
    let mut world = bare_world();
    world.metadata(topic("l", Uuid([1; 16]), 0..2));
    world.metadata(topic("w", Uuid([2; 16]), 0..5));
    let told = world.stream(with(join_of("l", "w", 4)));
    assert_eq!(told.missing, missing(&[("cl", 4), ("rl", 4), ("rr", 4)]));
}

#[test]
fn sources_that_are_joined_must_have_as_many_partitions() {
    let group = CopartitionGroup { source_topics: vec![0, 1], ..Default::default() };
    let joined = |topology: &mut Topology| {
        topology.subtopologies = vec![Subtopology {
            subtopology_id: "0".into(),
            source_topics: vec!["l".into(), "w".into()],
            copartition_groups: vec![group.clone()],
            ..Default::default()
        }];
    };
    let mut topology = word_count();
    joined(&mut topology);
    let mut world = bare_world();
    world.metadata(topic("l", Uuid([1; 16]), 0..2));
    world.metadata(topic("w", Uuid([2; 16]), 0..3));
    let told = world.stream(with(topology.clone()));
    assert_eq!((told.error, told.statuses), (0, vec![2]));
    world.metadata(topic("l", Uuid([1; 16]), 2..3));
    assert_eq!(world.stream(beating("a", told.epoch)).has.unwrap().active.len(), 3);
}

#[test]
fn a_topology_out_of_which_no_numbers_follow_is_refused() {
    let subtopology = |id: &str| Subtopology { subtopology_id: id.into(), ..Default::default() };
    let of = |subtopologies: Vec<Subtopology>| Topology { epoch: 0, subtopologies };
    let reads = |topic: &str, partitions: i32| Subtopology {
        repartition_source_topics: vec![info(topic, partitions)],
        ..subtopology("0")
    };
    let in_circles = Subtopology { repartition_sink_topics: vec!["r".into()], ..reads("r", 0) };
    let group = CopartitionGroup { source_topics: vec![1], ..Default::default() };
    let negative = CopartitionGroup { repartition_source_topics: vec![-1], ..Default::default() };
    let cases = [
        ("no sources", of(vec![subtopology("0")])),
        ("read, never written", of(vec![reads("r", 0)])),
        ("written from itself", of(vec![in_circles])),
        ("partitions below 1", of(vec![reads("r", -2)])),
        ("a changelog with partitions", {
            let mut topology = word_count();
            topology.subtopologies[1].state_changelog_topics = vec![info("c", 3)];
            topology
        }),
        ("two of a name", of(vec![subtopology("0"), subtopology("0")])),
        ("a negative epoch", Topology { epoch: -1, ..word_count() }),
        ("a copartition group beyond", {
            let mut topology = word_count();
            topology.subtopologies[0].copartition_groups = vec![group];
            topology
        }),
        ("a copartition group before", {
            let mut topology = word_count();
            topology.subtopologies[1].copartition_groups = vec![negative];
            topology
        }),
    ];
    for (what, topology) in cases {
        let mut world = streams_world();
        let answer = world.stream_answer(with(topology));
        assert_eq!(answer.error_code, 130, "{what}");
        assert!(answer.error_message.is_some(), "{what}");
        assert_eq!(world.groups.len(), 0, "{what}: nothing has come into being");
    }
}

#[test]
fn a_topology_that_fits_no_record_is_refused() {
    let mut world = streams_world();
    world.config.topology_bytes_max = 1_000;
    let config = world.config.clone();
    world.step(|groups, _| crate::coordinator::machine::Machine::configure(groups, &config));
    let mut topology = word_count();
    topology.subtopologies[0].source_topics.extend((0..200).map(|i| format!("topic-{i}").into()));
    assert_eq!(world.stream(with(topology)).error, 130);
    assert_eq!(world.groups.len(), 0);
    assert_eq!(world.stream(joining("a")).error, 0);
}

#[test]
fn the_topology_stays_what_it_was_first() {
    let mut world = streams_world();
    let later = Topology { epoch: 1, ..word_count() };
    assert_eq!(world.stream(with(later.clone())).error, 0);
    // An older one joins, and is told; another one of the same epoch does not.
    let old = StreamsGroupHeartbeatRequest { member_id: "b".into(), process_id: Some("b".into()), ..joining("b") };
    let told = world.stream(old);
    assert_eq!((told.error, told.statuses), (0, vec![0]));
    let mut swapped = later.clone();
    swapped.subtopologies.reverse();
    let same = StreamsGroupHeartbeatRequest { topology: Some(swapped), ..joining("c") };
    assert_eq!(world.stream(same).error, 0, "the order does not matter");
    let mut other = later.clone();
    other.subtopologies[0].source_topics.push("more".into());
    let other = StreamsGroupHeartbeatRequest { topology: Some(other), ..joining("d") };
    assert_eq!(world.stream(other).error, 42);
    let newer = StreamsGroupHeartbeatRequest { topology: Some(Topology { epoch: 2, ..later }), ..joining("d") };
    assert_eq!(world.stream(newer).error, 42);
}
