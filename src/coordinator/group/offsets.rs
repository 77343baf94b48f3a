//! Committed offsets by group, topic and partition, and those an open transaction may commit
//! (`OffsetMetadataManager`).

use super::open_transactions::OpenTransactions;
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
    /// How many are in `by_group`.
    count: usize,
    /// Until each transaction's marker.
    pending: OpenTransactions,
}

/// True where there was none before.
pub(super) fn put(groups: &mut HashMap<Arc<str>, GroupOffsets>, key: Key, value: OffsetAndMetadata) -> bool {
    groups.entry(key.group).or_default().entry(key.topic).or_default().insert(key.partition, value).is_none()
}

/// True where there was one.
pub(super) fn remove(groups: &mut HashMap<Arc<str>, GroupOffsets>, key: &Key) -> bool {
    let Some(topics) = groups.get_mut(&key.group) else { return false };
    let Some(partitions) = topics.get_mut(&key.topic) else { return false };
    let removed = partitions.remove(&key.partition).is_some();
    if partitions.is_empty() {
        topics.remove(&key.topic);
    }
    if topics.is_empty() {
        groups.remove(&key.group);
    }
    removed
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
        self.count += usize::from(put(&mut self.by_group, key, value));
    }

    /// How many committed offsets there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Takes an offset that counts once `producer_id`'s transaction commits.
    pub fn put_pending(&mut self, producer_id: i64, key: Key, value: OffsetAndMetadata) {
        self.pending.put(producer_id, key, value);
    }

    /// Forgets an offset, also where a transaction would commit it.
    pub fn remove(&mut self, key: &Key) {
        self.count -= usize::from(remove(&mut self.by_group, key));
        self.pending.remove(key);
    }

    /// `producer_id`'s transaction has ended. Of a committed one, offsets count that are not older
    /// in the log than what stands there.
    pub fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        let ended = self.pending.end(producer_id);
        for (group, topics) in ended.into_iter().filter(|_| committed) {
            for (topic, partitions) in topics {
                for (partition, value) in partitions {
                    let standing = self.get(&group, &topic, partition);
                    if standing.is_none_or(|s| value.record_offset > s.record_offset) {
                        self.put(Key::new(&group, &topic, partition), value);
                    }
                }
            }
        }
    }

    /// True when an open transaction may change this offset.
    pub fn is_unstable(&self, group: &str, topic: &str, partition: i32) -> bool {
        self.pending.hold(group, topic, partition)
    }

    /// True when an open transaction holds an offset of `group`.
    pub fn has_pending(&self, group: &str) -> bool {
        self.pending.hold_any(group)
    }

    /// Offsets of `group` in open transactions.
    pub fn pending_keys(&self, group: &Arc<str>) -> Vec<Key> {
        self.pending.keys_of(group)
    }

    /// Every committed offset.
    pub fn committed(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, i32, &OffsetAndMetadata)> {
        let topics = self.by_group.iter().flat_map(|(group, topics)| topics.iter().map(move |(t, p)| (group, t, p)));
        topics.flat_map(|(group, topic, p)| p.iter().map(move |(partition, value)| (group, topic, *partition, value)))
    }

    /// Every committed and pending offset of the topics `gone` picks by name and id.
    pub fn keys_of_topics(&self, gone: impl Fn(&str, Uuid) -> bool) -> Vec<Key> {
        let mut keys = Vec::new();
        for groups in std::iter::once(&self.by_group).chain(self.pending.by_producer()) {
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
