//! The partitions of this core, as handlers reach them.

use super::{Shard, ShardIndex};
use crate::base::{ErrorCode, Instant, Now, TopicIdPartition};
use crate::log::{AppendOrigin, Verification};
use crate::partition::{AppendAsk, AppendOutcome, Appending, CheckStep, Partition};
use crate::ring::runtime;
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

    /// The ordered step of a client's produce, which came over a connection of core `from`.
    pub fn append(self: &Rc<Self>, id: &TopicIdPartition, ask: AppendAsk, from: ShardIndex, now: Now) -> Appending {
        let Some(partition) = self.partition(id) else {
            return Appending::failed(AppendOutcome::failed(self.why_absent(id)));
        };
        self.note_asked(&partition, from);
        let bytes = ask.records.len();
        let appending = partition.append(ask, now);
        self.note_append(&partition, &appending, bytes);
        if partition.take_check_due() {
            runtime::spawn(self.clone().check_in_order(partition)).detach();
        }
        appending
    }

    fn note_append(&self, partition: &Rc<Partition>, appending: &Appending, bytes: usize) {
        let stats = &self.stats;
        if appending.is_accepted() {
            stats.batches_appended.set(stats.batches_appended.get() + 1);
            self.mark_dirty(partition);
        } else if appending.is_queued() || appending.is_unsure() {
            // Counted when it has had its turn, or the transaction's coordinator has been asked.
            return;
        } else {
            stats.produces_failed.set(stats.produces_failed.get() + 1);
        }
        self.count_append(partition, appending, bytes);
    }

    fn count_append(&self, partition: &Partition, appending: &Appending, bytes: usize) {
        let bytes = if appending.is_accepted() { bytes as u64 } else { 0 };
        let records = partition.counts.produced(bytes, partition.end_offset());
        self.stats.produces.set(self.stats.produces.get() + 1);
        self.stats.bytes_in.set(self.stats.bytes_in.get() + bytes);
        self.stats.records_in.set(self.stats.records_in.get() + records);
    }

    /// Goes through the appends of a partition that wait for a check: those that take long are checked on the blocking
    /// pool, one after the other.
    async fn check_in_order(self: Rc<Self>, partition: Rc<Partition>) {
        while let Some(queued) = partition.next_queued() {
            let appending = match partition.begin_check(&queued, self.now()) {
                CheckStep::Done(appending) => appending,
                CheckStep::Elsewhere(check) => {
                    let checked = runtime::blocking(move || check.run()).await;
                    partition.finish_check(&queued, checked, self.now())
                }
            };
            self.note_append(&partition, &appending, queued.bytes());
            queued.tell(appending);
            runtime::yield_now().await;
        }
    }

    /// The ordered step of a coordinator's append; finished when it is committed.
    pub fn append_internal(
        self: &Rc<Self>,
        id: &TopicIdPartition,
        batch: Bytes,
        terms: (AppendOrigin, Verification),
        deadline: Instant,
    ) -> Appending {
        let Some(partition) = self.partition(id) else {
            return Appending::failed(AppendOutcome::failed(self.why_absent(id)));
        };
        let bytes = batch.len();
        let appending = partition.append_internal(batch, terms, deadline, self.now());
        self.count_append(&partition, &appending, bytes);
        if appending.is_accepted() {
            self.mark_dirty(&partition);
        }
        appending
    }

    /// How many partitions of this core are on a failed directory.
    pub fn offline_partitions(&self) -> usize {
        self.offline.borrow().len()
    }

    /// Partitions open on this core.
    pub fn open_partitions(&self) -> Vec<Rc<Partition>> {
        self.partitions.borrow().values().cloned().collect()
    }
}
