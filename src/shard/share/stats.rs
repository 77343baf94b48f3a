//! What share consumers did, counted (`BrokerTopicMetrics`, `ShareGroupMetrics`, `SharePartitionMetrics`).

use crate::base::{TopicIdPartition, Uuid};
use crate::shard::stats::{ByTopic, Counted};
use crate::share::AcknowledgementBatch;
use std::cell::Cell;
use std::collections::BTreeMap;

/// The types of acknowledgements, by their number; 0 says that there is no such record.
pub const ACKNOWLEDGE_TYPES: [&str; 5] = ["Gap", "Accept", "Release", "Reject", "Renew"];

/// Counts of a core since the start of the process.
#[derive(Debug, Default)]
pub struct ShareStats {
    /// Requests of share consumers over connections of this core, by topic.
    pub requests: ByTopic<ShareRequests>,
    /// Records acknowledged in share partitions of this core, by [`ACKNOWLEDGE_TYPES`].
    pub acknowledged: Cell<[u64; ACKNOWLEDGE_TYPES.len()]>,
    /// Records that were held for too long.
    pub locks_timed_out: Cell<u64>,
}

/// Topics' shares of the requests of share consumers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShareRequests {
    /// Fetches.
    pub fetches: u64,
    /// Those with an error in a partition of the topic.
    pub fetches_failed: u64,
    /// Acknowledgements, those that come with fetches included.
    pub acknowledgements: u64,
    /// Those with an error in a partition of the topic.
    pub acknowledgements_failed: u64,
}

impl Counted for ShareRequests {
    fn plus(self, other: Self) -> Self {
        Self {
            fetches: self.fetches + other.fetches,
            fetches_failed: self.fetches_failed + other.fetches_failed,
            acknowledgements: self.acknowledgements + other.acknowledgements,
            acknowledgements_failed: self.acknowledgements_failed + other.acknowledgements_failed,
        }
    }
}

impl ShareStats {
    /// A share fetch was answered: its partitions, and which of them with an error. Topics that do not `exist` get no
    /// counter: clients name what they like.
    pub fn fetched(&self, partitions: impl Iterator<Item = (TopicIdPartition, bool)>, exists: impl Fn(&Uuid) -> bool) {
        for (topic, failed) in by_topic(partitions, exists) {
            self.requests.count(
                topic,
                ShareRequests { fetches: 1, fetches_failed: u64::from(failed), ..ShareRequests::default() },
            );
        }
    }

    /// Acknowledgements were answered, as in [`fetched`](Self::fetched).
    pub fn acknowledged(
        &self,
        partitions: impl Iterator<Item = (TopicIdPartition, bool)>,
        exists: impl Fn(&Uuid) -> bool,
    ) {
        for (topic, failed) in by_topic(partitions, exists) {
            let acknowledgements_failed = u64::from(failed);
            self.requests.count(
                topic,
                ShareRequests { acknowledgements: 1, acknowledgements_failed, ..ShareRequests::default() },
            );
        }
    }

    /// A share partition took these acknowledgements.
    pub fn took(&self, batches: &[AcknowledgementBatch]) {
        let mut counts = self.acknowledged.get();
        let mut add = |kind: i8, records: u64| {
            if let Some(count) = usize::try_from(kind).ok().and_then(|kind| counts.get_mut(kind)) {
                *count = count.saturating_add(records);
            }
        };
        for batch in batches {
            match batch.types.as_slice() {
                [kind] => add(*kind, batch.last.0.abs_diff(batch.first.0).saturating_add(1)),
                kinds => kinds.iter().for_each(|kind| add(*kind, 1)),
            }
        }
        self.acknowledged.set(counts);
    }

    /// So many records were held for too long.
    pub fn timed_out(&self, records: u64) {
        self.locks_timed_out.set(self.locks_timed_out.get() + records);
    }
}

/// Each topic once, with an error if any of its partitions has one; those that do not exist together.
fn by_topic(
    partitions: impl Iterator<Item = (TopicIdPartition, bool)>,
    exists: impl Fn(&Uuid) -> bool,
) -> BTreeMap<Uuid, bool> {
    let mut topics = BTreeMap::new();
    for (id, failed) in partitions {
        let topic = if exists(&id.topic_id) { id.topic_id } else { Uuid::ZERO };
        *topics.entry(topic).or_insert(false) |= failed;
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Offset;

    #[test]
    fn a_topic_counts_once_in_a_request_and_fails_with_any_partition() {
        let stats = ShareStats::default();
        let (known, unknown) = (Uuid([1; 16]), Uuid([2; 16]));
        let at = |topic_id, partition, failed| (TopicIdPartition { topic_id, partition }, failed);
        let exists = |id: &Uuid| *id == known;
        stats.fetched([at(known, 0, false), at(known, 1, true), at(unknown, 0, true)].into_iter(), exists);
        stats.acknowledged([at(known, 0, false), at(known, 1, false)].into_iter(), exists);
        let of_known = ShareRequests { fetches: 1, fetches_failed: 1, acknowledgements: 1, ..Default::default() };
        assert_eq!(stats.requests.by_topic(|_| true), [(known, of_known)]);
        let all = ShareRequests { fetches: 2, fetches_failed: 2, ..of_known };
        assert_eq!(stats.requests.all.get(), all);
    }

    #[test]
    fn records_are_counted_by_what_was_said_of_them() {
        let stats = ShareStats::default();
        let batch = |first, last, types: &[i8]| AcknowledgementBatch {
            first: Offset(first),
            last: Offset(last),
            types: types.to_vec(),
        };
        stats.took(&[batch(0, 9, &[1]), batch(10, 13, &[0, 2, 3, 4]), batch(14, 14, &[9])]);
        assert_eq!(stats.acknowledged.get(), [1, 10, 1, 1, 1]);
        stats.took(&[batch(i64::MIN, i64::MAX, &[1])]);
        assert_eq!(stats.acknowledged.get()[1], u64::MAX, "no overflow, whatever is said");
    }
}
