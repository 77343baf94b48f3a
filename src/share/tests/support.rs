//! What the tests share.

use crate::base::{Instant, Offset};
use crate::share::{
    AcknowledgementBatch, AcquireAsk, AcquireMode, Acquired, Limits, LogBatch, RecordState, SharePartition, StateBatch,
    Write,
};
use std::sync::Arc;
use std::time::Duration;

pub const LIMITS: Limits =
    Limits { delivery_count_max: 5, record_locks_max: 200, lock_duration: Duration::from_secs(30), renews: true };
pub const LOCK_NS: u64 = 30_000_000_000;

pub fn empty(start: i64) -> SharePartition {
    SharePartition::new(LIMITS, Offset(start), &[]).expect("nothing to contradict")
}

pub fn log(ranges: &[(i64, i64)]) -> Vec<LogBatch> {
    ranges.iter().map(|(a, b)| LogBatch { base: Offset(*a), last: Offset(*b) }).collect()
}

/// Batches of ten from `from` on, `n` of them.
pub fn tens(from: i64, n: i64) -> Vec<LogBatch> {
    (0..n).map(|i| LogBatch { base: Offset(from + 10 * i), last: Offset(from + 10 * i + 9) }).collect()
}

pub struct Fetch {
    pub mode: AcquireMode,
    pub batch_size: i64,
    pub max: i64,
    pub aborted: Vec<LogBatch>,
    pub now: Instant,
}

impl Default for Fetch {
    fn default() -> Self {
        Self { mode: AcquireMode::BatchOptimized, batch_size: 500, max: 500, aborted: Vec::new(), now: Instant(1) }
    }
}

impl Fetch {
    pub fn run(&self, partition: &mut SharePartition, member: &str, batches: &[LogBatch]) -> Vec<(i64, i64, i16)> {
        let member: Arc<str> = member.into();
        let fetch_offset = partition.next_fetch_offset();
        // As the log answers: from the batch that holds the offset on.
        let from = batches.iter().position(|b| b.last >= fetch_offset).unwrap_or(batches.len());
        let ask = AcquireAsk {
            member: &member,
            mode: self.mode,
            batch_size: self.batch_size,
            records_max: self.max,
            fetch_offset,
            batches: &batches[from..],
            aborted: &self.aborted,
        };
        partition.acquire(ask, self.now).iter().map(plain).collect()
    }
}

fn plain(a: &Acquired) -> (i64, i64, i16) {
    (a.first.0, a.last.0, a.delivery_count)
}

pub fn fetch(partition: &mut SharePartition, member: &str, batches: &[LogBatch]) -> Vec<(i64, i64, i16)> {
    Fetch::default().run(partition, member, batches)
}

pub fn ack(first: i64, last: i64, types: &[i8]) -> AcknowledgementBatch {
    AcknowledgementBatch { first: Offset(first), last: Offset(last), types: types.to_vec() }
}

/// Acknowledges and persists; the states written.
pub fn acked(
    partition: &mut SharePartition,
    member: &str,
    batches: &[AcknowledgementBatch],
) -> Vec<(i64, i64, i8, i16)> {
    let write = partition.acknowledge(member, batches, Instant(1)).expect("held by the member");
    written(partition, write)
}

pub fn written(partition: &mut SharePartition, write: Option<Write>) -> Vec<(i64, i64, i8, i16)> {
    let Some(write) = write else { return Vec::new() };
    partition.complete(write.id, true, Instant(1));
    write.batches.iter().map(|b| (b.first.0, b.last.0, b.state, b.delivery_count)).collect()
}

pub fn state(first: i64, last: i64, state: RecordState, delivery_count: i16) -> StateBatch {
    StateBatch { first: Offset(first), last: Offset(last), state: state.id(), delivery_count }
}

pub fn cursors(partition: &mut SharePartition) -> (i64, i64, i64) {
    (partition.start_offset().0, partition.end_offset().0, partition.next_fetch_offset().0)
}
