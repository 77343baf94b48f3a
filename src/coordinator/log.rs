//! What a coordinator needs of the partition that holds its state.

use super::machine::Batch;
use crate::base::{ErrorCode, Offset, TopicPartition, Uuid};
use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;

/// A future of this core.
pub type Pending<T> = Pin<Box<dyn Future<Output = T>>>;

/// The partition of an internal topic, as its coordinator sees it. The shard provides it.
pub trait CoordinatorLog {
    /// Accepts a batch, in the order of the calls; the future ends when the batch is committed
    /// (below the high watermark), with the offset of its first record, or when it is certain that
    /// it never will be. It must not give up before: an answer may be late, state may not be wrong.
    fn append(&self, batch: Bytes, of: Batch) -> Pending<Result<Offset, ErrorCode>>;

    /// The largest batch it takes, in bytes (`max.message.bytes`).
    fn batch_bytes_max(&self) -> usize;

    /// The file that holds `offset`, for messages.
    fn file_of(&self, offset: Offset) -> String;

    /// The first offset there is.
    fn start_offset(&self) -> Offset;

    /// Batches from the one with `from` on, at least one whole one unless the end is reached: then
    /// nothing. The last may be cut off. Reads up to the log's end, not the high watermark.
    fn read(&self, from: Offset) -> Pending<Result<Bytes, ErrorCode>>;

    /// Where this log ended when the broker's start found it after a crash; `None` after a clean stop.
    fn own_end_after_crash(&self) -> Option<Offset>;

    /// The same of any partition of this node, with its topic's id.
    fn end_after_crash(&self, partition: &TopicPartition) -> Option<(Uuid, Offset)>;
}
