//! The partitions of this core, as handlers reach them.

use super::Shard;
use crate::base::{ErrorCode, Instant, Now, TopicIdPartition};
use crate::partition::{AppendAsk, AppendOutcome, Appending, Partition};
use bytes::Bytes;
use std::rc::Rc;

impl Shard {
    /// The partition when this core owns it and has it open.
    pub fn partition(&self, id: &TopicIdPartition) -> Option<Rc<Partition>> {
        self.partitions.borrow().get(id).cloned()
    }

    /// The error for a partition that is not open here: its disk failed, it is being opened or
    /// deleted, or it does not exist.
    pub fn why_absent(&self, id: &TopicIdPartition) -> ErrorCode {
        if self.offline.borrow().contains(id) {
            ErrorCode::KafkaStorageError
        } else if self.image().partition(id).is_some() {
            ErrorCode::NotLeaderOrFollower
        } else {
            ErrorCode::UnknownTopicOrPartition
        }
    }

    /// The ordered step of a client's produce.
    pub fn append(self: &Rc<Self>, id: &TopicIdPartition, ask: AppendAsk, now: Now) -> Appending {
        let Some(partition) = self.partition(id) else {
            return Appending::failed(AppendOutcome::failed(self.why_absent(id)));
        };
        let appending = partition.append(ask, now);
        if appending.is_accepted() {
            self.stats.batches_appended.set(self.stats.batches_appended.get() + 1);
            self.mark_dirty(&partition);
        }
        appending
    }

    /// The ordered step of a coordinator's append; finished when it is committed.
    pub fn append_internal(self: &Rc<Self>, id: &TopicIdPartition, batch: Bytes, deadline: Instant) -> Appending {
        let Some(partition) = self.partition(id) else {
            return Appending::failed(AppendOutcome::failed(self.why_absent(id)));
        };
        let appending = partition.append_internal(batch, deadline, self.now());
        if appending.is_accepted() {
            self.mark_dirty(&partition);
        }
        appending
    }

    /// Partitions open on this core.
    pub fn open_partitions(&self) -> Vec<Rc<Partition>> {
        self.partitions.borrow().values().cloned().collect()
    }
}
