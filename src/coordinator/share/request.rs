//! Requests as the share coordinator takes them: one share partition each, as its partitions are spread by all three
//! parts of the key.

use crate::base::{ErrorCode, TopicIdPartition, Uuid};
use crate::share::StateBatch;
use std::sync::Arc;

/// A share partition (`SharePartitionKey`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The group.
    pub group: Arc<str>,
    /// The topic.
    pub topic_id: Uuid,
    /// The partition of the topic.
    pub partition: i32,
}

impl Key {
    /// The partition `id` in `group`.
    pub fn new(group: &str, id: TopicIdPartition) -> Self {
        Self { group: group.into(), topic_id: id.topic_id, partition: id.partition }
    }

    /// The text whose hash decides about the coordinator, and which FindCoordinator takes.
    pub fn coordinator_key(&self) -> String {
        format!("{}:{}:{}", self.group, self.topic_id, self.partition)
    }

    /// Reads that text.
    pub fn parse(text: &str) -> Option<Self> {
        let (rest, partition) = text.rsplit_once(':')?;
        let (group, topic_id) = rest.rsplit_once(':')?;
        let key = Self { group: group.into(), topic_id: Uuid::parse(topic_id)?, partition: partition.parse().ok()? };
        (!group.is_empty() && key.partition >= 0).then_some(key)
    }
}

/// New states of a share partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteAsk {
    /// The state epoch the leader knows, -1 for none.
    pub state_epoch: i32,
    /// The leader epoch of the partition, -1 for none.
    pub leader_epoch: i32,
    /// The start offset, -1 for "as before".
    pub start_offset: i64,
    /// Offsets behind it that are done with, -1 where unknown.
    pub delivery_complete_count: i32,
    /// What changes.
    pub batches: Vec<StateBatch>,
}

/// A request to one coordinator partition; its topic and partition exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Begins a share partition anew: state epoch, start offset (-1: where the group's configuration says).
    Initialize(Key, i32, i64),
    /// The state, for the leader in this epoch (-1: for nobody in particular).
    Read(Key, i32),
    /// New states.
    Write(Key, WriteAsk),
    /// The end of a share partition.
    Delete(Key),
    /// Start offset and epochs alone.
    Summarize(Key),
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub error: ErrorCode,
    /// Words beside it, where the code says too little.
    pub message: Option<&'static str>,
}

impl From<ErrorCode> for Refusal {
    fn from(error: ErrorCode) -> Self {
        Self { error, message: None }
    }
}

/// A share partition in few words; the defaults are those of one that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The state epoch.
    pub state_epoch: i32,
    /// The leader epoch.
    pub leader_epoch: i32,
    /// -1 where it has not begun.
    pub start_offset: i64,
    /// -1 where unknown.
    pub delivery_complete_count: i32,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done and committed.
    Done,
    /// The state: state epoch, start offset, batches.
    State(i32, i64, Vec<StateBatch>),
    /// The summary.
    Summary(Summary),
    /// Nothing was done.
    Refused(Refusal),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_and_read_as_kafka_does() {
        let id = Uuid([7; 16]);
        let key = Key { group: "a:b".into(), topic_id: id, partition: 3 };
        assert_eq!(key.coordinator_key(), format!("a:b:{id}:3"));
        assert_eq!(Key::parse(&key.coordinator_key()), Some(key));
        for wrong in ["", "g", "g:x:1", &format!(":{id}:1"), &format!("g:{id}:-1"), &format!("g:{id}:x")] {
            assert_eq!(Key::parse(wrong), None, "{wrong}");
        }
    }
}
