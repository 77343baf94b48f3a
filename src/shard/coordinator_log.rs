//! A partition as its coordinator sees it.

use super::Shard;
use crate::base::{ErrorCode, Instant, LeaderEpoch, Offset, TopicIdPartition, TopicPartition, Uuid};
use crate::coordinator::machine::Batch;
use crate::coordinator::{CoordinatorLog, Pending};
use crate::log::{AppendOrigin, Verification};
use crate::partition::{Partition, ReadAsk, Reader};
use bytes::Bytes;
use std::rc::{Rc, Weak};

/// How much of a partition one read of loading takes.
const LOAD_BYTES: u32 = 1 << 20;

/// See the module.
pub(super) struct PartitionLog {
    shard: Weak<Shard>,
    /// Weak: a partition that is closed must not be kept by its coordinator.
    partition: Weak<Partition>,
    id: TopicIdPartition,
}

impl PartitionLog {
    /// The log of `partition`, which it does not keep open.
    pub fn of(shard: &Rc<Shard>, partition: &Rc<Partition>) -> Self {
        Self { shard: Rc::downgrade(shard), partition: Rc::downgrade(partition), id: partition.id }
    }
}

impl CoordinatorLog for PartitionLog {
    fn append(&self, batch: Bytes, of: Batch) -> Pending<Result<Offset, ErrorCode>> {
        let Some(shard) = self.shard.upgrade() else {
            return Box::pin(std::future::ready(Err(ErrorCode::NotLeaderOrFollower)));
        };
        // Without a deadline: what may still be committed must not be given up.
        let terms = match of {
            Batch::Own | Batch::Marker(.., false) => (AppendOrigin::Coordinator, Verification::Off),
            Batch::Marker(.., true) => (AppendOrigin::RaisedMarker, Verification::Off),
            Batch::Transactional(_, _, verification) => (AppendOrigin::Coordinator, verification),
        };
        let appending = shard.append_internal(&self.id, batch, terms, Instant(u64::MAX));
        let base = appending.base_offset();
        Box::pin(async move {
            match appending.finish().await.error {
                // It is committed: that it would be refused now changes nothing of what the log says.
                ErrorCode::None | ErrorCode::NotEnoughReplicasAfterAppend => Ok(base),
                error => Err(error),
            }
        })
    }

    fn batch_bytes_max(&self) -> usize {
        let bytes = self.partition.upgrade().map(|partition| partition.with_log(|log| log.config().max_message_bytes));
        bytes.map_or(0, |bytes| bytes as usize)
    }

    fn file_of(&self, offset: Offset) -> String {
        self.partition.upgrade().map_or_else(String::new, |partition| partition.file_of(offset).display().to_string())
    }

    fn start_offset(&self) -> Offset {
        self.partition.upgrade().map_or(Offset(0), |partition| partition.start_offset())
    }

    fn read(&self, from: Offset) -> Pending<Result<Bytes, ErrorCode>> {
        let partition = self.partition.clone();
        let shard = self.shard.clone();
        let node = self.shard.upgrade().map(|shard| shard.shared.identity.node_id);
        Box::pin(async move {
            let id = node.ok_or(ErrorCode::NotLeaderOrFollower)?;
            let partition = partition.upgrade().ok_or(ErrorCode::NotLeaderOrFollower)?;
            let ask = ReadAsk {
                offset: from,
                max_bytes: LOAD_BYTES,
                current_leader_epoch: LeaderEpoch::UNKNOWN,
                last_fetched_epoch: LeaderEpoch::UNKNOWN,
                // To the log's end, as one of its replicas.
                reader: Reader::Replica { id, epoch: -1 },
            };
            let fetched = partition.read(ask, true).await;
            shard.upgrade().into_iter().for_each(|shard| shard.holds_files(&partition));
            if fetched.error != ErrorCode::None {
                return Err(fetched.error);
            }
            let Some(range) = fetched.records else { return Ok(Bytes::new()) };
            range.file.read(range.position, range.len as usize).await.map_err(|error| {
                tracing::error!(partition = %partition.name, %error, "a coordinator's log cannot be read");
                ErrorCode::KafkaStorageError
            })
        })
    }
    fn own_end_after_crash(&self) -> Option<Offset> {
        let name = self.partition.upgrade()?.name.clone();
        self.end_after_crash(&name).map(|(_, end)| end)
    }

    fn end_after_crash(&self, partition: &TopicPartition) -> Option<(Uuid, Offset)> {
        self.shard.upgrade()?.shared.log_dirs.end_after_crash(partition)
    }
}
