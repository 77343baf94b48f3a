//! Committed offsets by group, topic and partition, and those an open transaction may commit
//! (`OffsetMetadataManager`).

use crate::base::{Offset, TimestampMs, Uuid};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A committed offset (`OffsetAndMetadata`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetAndMetadata {
    /// The next offset the group wants to read.
    pub offset: i64,
    /// The leader epoch of the last record read; -1 unknown.
    pub leader_epoch: i32,
    /// The client's own words.
    pub metadata: Arc<str>,
    /// When it was committed.
    pub committed_at: TimestampMs,
    /// When it ends, where the client (up to version 4) said so.
    pub expires_at: Option<TimestampMs>,
    /// The topic's id; zero in records older than version 4.
    pub topic_id: Uuid,
    /// Where the record stands in `__consumer_offsets`.
    pub record_offset: Offset,
}

/// Names a committed offset.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The group.
    pub group: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
}

impl Key {
    /// The offset of `group` in `topic`-`partition`.
    pub fn new(group: &Arc<str>, topic: &Arc<str>, partition: i32) -> Self {
        Self { group: group.clone(), topic: topic.clone(), partition }
    }
}

/// The offsets of one group.
pub type GroupOffsets = BTreeMap<Arc<str>, BTreeMap<i32, OffsetAndMetadata>>;

/// All offsets of one coordinator.
#[derive(Default)]
pub struct Offsets {
    by_group: HashMap<Arc<str>, GroupOffsets>,
    /// By producer id, until the transaction's marker.
    pending: HashMap<i64, HashMap<Arc<str>, GroupOffsets>>,
}

fn put(groups: &mut HashMap<Arc<str>, GroupOffsets>, key: Key, value: OffsetAndMetadata) {
    groups.entry(key.group).or_default().entry(key.topic).or_default().insert(key.partition, value);
}

fn remove(groups: &mut HashMap<Arc<str>, GroupOffsets>, key: &Key) {
    let Some(topics) = groups.get_mut(&key.group) else { return };
    let Some(partitions) = topics.get_mut(&key.topic) else { return };
    partitions.remove(&key.partition);
    if partitions.is_empty() {
        topics.remove(&key.topic);
    }
    if topics.is_empty() {
        groups.remove(&key.group);
    }
}

impl Offsets {
    /// The offsets of a group.
    pub fn group(&self, group: &str) -> Option<&GroupOffsets> {
        self.by_group.get(group)
    }

    /// One offset.
    pub fn get(&self, group: &str, topic: &str, partition: i32) -> Option<&OffsetAndMetadata> {
        self.by_group.get(group)?.get(topic)?.get(&partition)
    }

    /// Takes a committed offset.
    pub fn put(&mut self, key: Key, value: OffsetAndMetadata) {
        put(&mut self.by_group, key, value);
    }

    /// Takes an offset that counts once `producer_id`'s transaction commits.
    pub fn put_pending(&mut self, producer_id: i64, key: Key, value: OffsetAndMetadata) {
        put(self.pending.entry(producer_id).or_default(), key, value);
    }

    /// Forgets an offset, also where a transaction would commit it.
    pub fn remove(&mut self, key: &Key) {
        remove(&mut self.by_group, key);
        self.pending.retain(|_, groups| {
            remove(groups, key);
            !groups.is_empty()
        });
    }

    /// `producer_id`'s transaction has ended. Of a committed one, offsets count that are not older
    /// in the log than what stands there.
    pub fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        let Some(groups) = self.pending.remove(&producer_id).filter(|_| committed) else { return };
        for (group, topics) in groups {
            for (topic, partitions) in topics {
                for (partition, value) in partitions {
                    let standing = self.get(&group, &topic, partition);
                    if standing.is_none_or(|s| value.record_offset > s.record_offset) {
                        put(&mut self.by_group, Key::new(&group, &topic, partition), value);
                    }
                }
            }
        }
    }

    /// True when an open transaction may change this offset.
    pub fn is_unstable(&self, group: &str, topic: &str, partition: i32) -> bool {
        let holds = |groups: &HashMap<Arc<str>, GroupOffsets>| {
            groups.get(group).and_then(|t| t.get(topic)).is_some_and(|p| p.contains_key(&partition))
        };
        self.pending.values().any(holds)
    }

    /// Offsets of `group` in open transactions.
    pub fn pending_keys(&self, group: &Arc<str>) -> Vec<Key> {
        let topics = self.pending.values().filter_map(|groups| groups.get(group)).flatten();
        topics.flat_map(|(topic, p)| p.keys().map(move |partition| Key::new(group, topic, *partition))).collect()
    }

    /// Every committed offset.
    pub fn committed(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, i32, &OffsetAndMetadata)> {
        let topics = self.by_group.iter().flat_map(|(group, topics)| topics.iter().map(move |(t, p)| (group, t, p)));
        topics.flat_map(|(group, topic, p)| p.iter().map(move |(partition, value)| (group, topic, *partition, value)))
    }

    /// Every committed and pending offset of the topics `gone` picks by name and id.
    pub fn keys_of_topics(&self, gone: impl Fn(&str, Uuid) -> bool) -> Vec<Key> {
        let mut keys = Vec::new();
        for groups in std::iter::once(&self.by_group).chain(self.pending.values()) {
            for (group, topics) in groups {
                for (topic, partitions) in topics {
                    let matching = partitions.iter().filter(|(_, value)| gone(topic, value.topic_id));
                    keys.extend(matching.map(|(partition, _)| Key::new(group, topic, *partition)));
                }
            }
        }
        keys
    }
}
