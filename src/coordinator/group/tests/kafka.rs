//! A log that Apache Kafka 4.3.1 wrote: read as Kafka reads it, and written as Kafka wrote it.

use super::harness::*;
use crate::base::{Instant, Now, Offset, TimestampMs};
use crate::coordinator::group::offsets::OffsetAndMetadata;
use crate::coordinator::group::records::{self, Replayed};
use crate::coordinator::group::{Caller, Groups, Record, Request};
use crate::protocol::messages::describe_groups_response::DescribedGroup;
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use crate::protocol::messages::streams_group_describe_response::DescribedGroup as DescribedStreamsGroup;
use crate::record::batches;
use bytes::Bytes;

const LOG: &[u8] = include_bytes!("../../testdata/kafka-4.3.1-consumer-offsets.log");

/// Consumer groups: patterns, a migration from classic to consumer and back, a deleted group.
const CONSUMER_GROUPS: &[u8] = include_bytes!("../../testdata/kafka-4.3.1-consumer-groups.log");

/// Streams groups: `counting`, of two members of which one was killed, deleted; `second`, whose member was killed.
const STREAMS_GROUPS: &[u8] = include_bytes!("../../../tools/dump/testdata/streams/00000000000000000000.log");

fn records() -> Vec<Record> {
    records_of(LOG)
}

fn records_of(log: &[u8]) -> Vec<Record> {
    let mut all = Vec::new();
    for batch in batches(log) {
        let batch = batch.expect("whole batches");
        batch.check_crc().expect("a good checksum");
        assert_eq!(batch.header().base_offset(), Offset(all.len() as i64));
        for record in batch.records() {
            let record = record.expect("a whole record");
            let key = Bytes::copy_from_slice(record.key.expect("a key"));
            all.push(Record { key, value: record.value.map(Bytes::copy_from_slice) });
        }
    }
    all
}

/// A coordinator that has read the first `count` records.
fn loaded(count: usize) -> World {
    let mut w = world();
    w.log = records();
    w.log.truncate(count);
    // Shortly after the log was written.
    w.now = Now { mono: Instant(1), wall: TimestampMs(1_795_256_790_000) };
    w.restart();
    w
}

fn describe(w: &mut World, group: &str) -> DescribedGroup {
    let groups: Vec<DescribedGroup> = w.now(Request::Describe(Caller::default(), vec![group.into()]));
    groups.into_iter().next().expect("one group")
}

fn offsets(w: &mut World, group: &str) -> Vec<(i32, i64, i32)> {
    let request = OffsetFetchRequestGroup { group_id: group.into(), topics: None, ..Default::default() };
    let answer: OffsetFetchResponseGroup = w.now(Request::Fetch(request, true));
    let partitions = answer.topics.iter().flat_map(|t| &t.partitions);
    partitions.map(|p| (p.partition_index, p.committed_offset, p.committed_leader_epoch)).collect()
}

#[test]
fn groups_and_offsets_are_as_kafkas_tools_showed_them() {
    let mut w = loaded(usize::MAX);
    assert_eq!(offsets(&mut w, "dyn"), [(0, 20, 0), (1, 0, -1)]);
    assert_eq!(offsets(&mut w, "stat"), [(0, 20, 0), (1, 0, -1)]);
    assert_eq!(offsets(&mut w, "k848"), [(0, 20, 0), (1, 0, -1)]);
    assert_eq!(offsets(&mut w, "simple"), [(0, 3, -1)]);
    assert_eq!(offsets(&mut w, "gone"), []);
    let states: Vec<String> =
        ["dyn", "stat", "simple", "gone", "k848"].map(|g| describe(&mut w, g).group_state.to_string()).into();
    assert_eq!(states, ["Empty", "Empty", "Empty", "Dead", "Dead"]);
    assert_eq!(describe(&mut w, "dyn").protocol_type.as_str(), "consumer");
}

#[test]
fn a_static_member_of_kafkas_carries_on_here() {
    let mut w = loaded(41);
    let group = describe(&mut w, "stat");
    assert_eq!((group.group_state.as_str(), group.protocol_data.as_str()), ("Stable", "range"));
    let member = &group.members[0];
    assert_eq!(member.group_instance_id.as_deref(), Some("i1"));
    assert_eq!((member.client_id.as_str(), member.client_host.as_str()), ("st", "/127.0.0.1"));
    assert!(member.member_id.starts_with("i1-") && !member.member_assignment.is_empty());
    let request = crate::protocol::messages::HeartbeatRequest {
        group_id: "stat".into(),
        generation_id: 1,
        member_id: member.member_id.clone(),
        group_instance_id: Some("i1".into()),
    };
    let answer: crate::protocol::messages::HeartbeatResponse = w.now(Request::Heartbeat(request));
    assert_eq!(answer.error_code, 0);
}

#[test]
fn every_record_is_written_as_kafka_writes_it() {
    assert_eq!(compare(records()), records().len());
    let consumer_groups = records_of(CONSUMER_GROUPS);
    assert_eq!(compare(consumer_groups.clone()), consumer_groups.len());
    let streams_groups = records_of(STREAMS_GROUPS);
    assert_eq!(compare(streams_groups.clone()), streams_groups.len());
}

#[test]
fn groups_that_changed_their_protocol_are_as_kafka_left_them() {
    let mut w = world();
    w.log = records_of(CONSUMER_GROUPS);
    w.now = Now { mono: Instant(1), wall: TimestampMs(1_795_279_310_000) };
    w.restart();
    let committed: i64 = offsets(&mut w, "migrate").iter().map(|(_, offset, _)| offset).sum();
    assert_eq!((committed, describe(&mut w, "migrate").group_state.as_str()), (600, "Empty"));
    let mut kinds: Vec<(String, &str)> = Vec::new();
    kinds.extend(w.groups.groups.keys().map(|id| (id.to_string(), "classic")));
    kinds.extend(w.groups.consumers.values().map(|group| (group.id.to_string(), group.state().name())));
    kinds.sort();
    assert_eq!(kinds, [("migrate".into(), "classic"), ("patterns".into(), "Empty"), ("wrong".into(), "Empty")]);
}

#[test]
fn streams_groups_are_as_kafka_left_them() {
    let mut w = world();
    w.log = records_of(STREAMS_GROUPS);
    w.restart();
    let ids: Vec<String> = w.groups.streams.keys().map(|id| id.to_string()).collect();
    assert_eq!((ids, w.groups.len()), (vec!["second".to_owned()], 1));
    let described: Vec<DescribedStreamsGroup> = w.now(Request::StreamsDescribe(vec!["second".into()]));
    let [group] = &described[..] else { panic!("{described:?}") };
    assert_eq!((group.error_code, group.members.len()), (0, 1));
    let member = &group.members[0];
    assert_eq!((&*member.client_id, member.member_epoch), ("instance-3-StreamThread-1-consumer", group.group_epoch));
    let tasks: usize = member.assignment.active_tasks.iter().map(|tasks| tasks.partitions.len()).sum();
    assert_eq!((tasks, &member.assignment), (4, &member.target_assignment));
    let topology = group.topology.as_ref().expect("a topology");
    assert_eq!(topology.subtopologies.as_ref().expect("subtopologies").len(), 2);
}

/// How many records are written here as they were read.
fn compare(records: Vec<Record>) -> usize {
    let now = Now { mono: Instant(1), wall: TimestampMs(0) };
    let mut compared = 0;
    for (at, record) in records.into_iter().enumerate() {
        let ours = match records::read(&record.key, record.value.as_ref()).expect("a readable record") {
            Replayed::Offset(key, None) => records::offset_tombstone(&key),
            Replayed::Offset(key, Some(value)) => {
                let committed = OffsetAndMetadata {
                    offset: value.offset,
                    leader_epoch: value.leader_epoch,
                    metadata: (&*value.metadata).into(),
                    committed_at: TimestampMs(value.commit_timestamp),
                    expires_at: None,
                    topic_id: value.topic_id,
                    record_offset: Offset(-1),
                };
                records::offset(&key.group, &key.topic, key.partition, &committed)
            }
            Replayed::Group(id, None) => records::group_tombstone(&id),
            Replayed::Group(id, Some(value)) => {
                let mut groups = Groups::new(Default::default());
                let (at, producer) = (Offset(at as i64), crate::base::ProducerId::NONE);
                groups.replay(at, producer, &record.key, record.value.as_ref(), now).expect("a whole record");
                let group = groups.groups.get(&id).expect("the group");
                if value.protocol_type.is_empty() {
                    assert_eq!(records::empty_group(group), record, "record {at}");
                }
                records::group(group, &group.assignments())
            }
            Replayed::Share(group, entry) => crate::coordinator::group::share::record(&group, &entry),
            Replayed::Consumer(group, entry) => {
                let ours = entry.record(&group);
                assert_same(&ours, &record, at);
                compared += 1;
                continue;
            }
            Replayed::Streams(group, entry) => {
                assert_same(&entry.record(&group), &record, at);
                compared += 1;
                continue;
            }
            Replayed::Other(_) => continue,
        };
        assert_eq!(ours, record, "record {at}");
        compared += 1;
    }
    compared
}

/// The same bytes; but sets, which Kafka writes in the order of a hash table, may be in another order.
fn assert_same(ours: &Record, theirs: &Record, at: usize) {
    if ours != theirs {
        let read = |record: &Record| records::read(&record.key, record.value.as_ref()).expect("a readable record");
        let length = |record: &Record| (record.key.len(), record.value.as_ref().map(Bytes::len));
        assert_eq!((read(ours), length(ours)), (read(theirs), length(theirs)), "record {at}");
    }
}
