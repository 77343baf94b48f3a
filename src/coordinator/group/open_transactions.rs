//! Offsets in open transactions: what each producer's commits, and who holds an offset
//! (`OffsetMetadataManager.openTransactions`).

use super::offsets::{GroupOffsets, Key, OffsetAndMetadata, put, remove};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// By topic and partition: the producers whose transaction may change the offset.
type Holders = HashMap<Arc<str>, BTreeMap<i32, BTreeSet<i64>>>;

/// The offsets in all open transactions of one coordinator. Both maps hold the same offsets.
#[derive(Default)]
pub struct OpenTransactions {
    by_producer: HashMap<i64, HashMap<Arc<str>, GroupOffsets>>,
    holders: HashMap<Arc<str>, Holders>,
}

impl OpenTransactions {
    /// Takes an offset that counts once `producer_id`'s transaction commits.
    pub fn put(&mut self, producer_id: i64, key: Key, value: OffsetAndMetadata) {
        let topics = self.holders.entry(key.group.clone()).or_default();
        topics.entry(key.topic.clone()).or_default().entry(key.partition).or_default().insert(producer_id);
        put(self.by_producer.entry(producer_id).or_default(), key, value);
    }

    /// Forgets an offset in all transactions.
    pub fn remove(&mut self, key: &Key) {
        let Some(topics) = self.holders.get_mut(&key.group) else { return };
        let Some(partitions) = topics.get_mut(&key.topic) else { return };
        let producers = partitions.remove(&key.partition).unwrap_or_default();
        if partitions.is_empty() {
            topics.remove(&key.topic);
        }
        if topics.is_empty() {
            self.holders.remove(&key.group);
        }
        for producer in producers {
            let Some(groups) = self.by_producer.get_mut(&producer) else { continue };
            remove(groups, key);
            if groups.is_empty() {
                self.by_producer.remove(&producer);
            }
        }
    }

    /// Takes out what `producer_id`'s transaction holds: it has ended.
    pub fn end(&mut self, producer_id: i64) -> HashMap<Arc<str>, GroupOffsets> {
        let ended = self.by_producer.remove(&producer_id).unwrap_or_default();
        for (group, topics) in &ended {
            for (topic, partitions) in topics {
                partitions.keys().for_each(|partition| self.let_go(producer_id, group, topic, *partition));
            }
        }
        ended
    }

    fn let_go(&mut self, producer_id: i64, group: &str, topic: &str, partition: i32) {
        let Some(topics) = self.holders.get_mut(group) else { return };
        let Some(partitions) = topics.get_mut(topic) else { return };
        if let Some(producers) = partitions.get_mut(&partition) {
            producers.remove(&producer_id);
            if producers.is_empty() {
                partitions.remove(&partition);
            }
        }
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.holders.remove(group);
        }
    }

    /// True when a transaction may change this offset.
    pub fn hold(&self, group: &str, topic: &str, partition: i32) -> bool {
        let topics = self.holders.get(group).and_then(|topics| topics.get(topic));
        topics.is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// True when a transaction may change an offset of `group`.
    pub fn hold_any(&self, group: &str) -> bool {
        self.holders.contains_key(group)
    }

    /// The offsets of `group` in transactions.
    pub fn keys_of(&self, group: &Arc<str>) -> Vec<Key> {
        let topics = self.holders.get(group).into_iter().flatten();
        topics.flat_map(|(topic, p)| p.keys().map(move |partition| Key::new(group, topic, *partition))).collect()
    }

    /// What each transaction holds.
    pub fn by_producer(&self) -> impl Iterator<Item = &HashMap<Arc<str>, GroupOffsets>> {
        self.by_producer.values()
    }

    /// How many offsets some transaction may change.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.holders.values().flat_map(HashMap::values).map(BTreeMap::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, TimestampMs, Uuid};

    fn key(group: &str, partition: i32) -> Key {
        Key { group: group.into(), topic: "t".into(), partition }
    }

    fn at(offset: i64) -> OffsetAndMetadata {
        OffsetAndMetadata {
            offset,
            leader_epoch: -1,
            metadata: "".into(),
            committed_at: TimestampMs(0),
            expires_at: None,
            topic_id: Uuid::ZERO,
            record_offset: Offset(0),
        }
    }

    #[test]
    fn an_offset_is_held_until_the_last_of_its_transactions_has_ended() {
        let mut open = OpenTransactions::default();
        open.put(1, key("g", 0), at(5));
        open.put(2, key("g", 0), at(6));
        open.put(2, key("g", 1), at(7));
        open.put(2, key("h", 0), at(8));
        assert_eq!(open.len(), 3);
        let ended = open.end(2);
        assert_eq!((ended["g"]["t"].len(), ended["h"]["t"][&0].offset), (2, 8));
        assert!(open.hold("g", "t", 0) && !open.hold("g", "t", 1) && !open.hold("h", "t", 0));
        assert!(open.end(2).is_empty(), "it ends once");
        assert_eq!(open.end(1)["g"]["t"][&0].offset, 5);
        assert!(!open.hold("g", "t", 0) && open.len() == 0 && open.by_producer().next().is_none());
    }

    #[test]
    fn a_removed_offset_is_in_no_transaction() {
        let mut open = OpenTransactions::default();
        for producer in 1..=3 {
            open.put(producer, key("g", 0), at(5));
        }
        open.put(3, key("g", 1), at(6));
        open.remove(&key("g", 0));
        open.remove(&key("g", 9));
        let group: Arc<str> = "g".into();
        assert_eq!(open.keys_of(&group), [key("g", 1)]);
        assert_eq!((open.end(1).len(), open.end(2).len(), open.end(3)["g"]["t"].len()), (0, 0, 1));
        assert_eq!(open.len(), 0);
    }
}
