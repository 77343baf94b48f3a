//! What the scenarios share.

use crate::base::{Instant, LeaderEpoch, Now, Offset, ProducerEpoch, ProducerId, TimestampMs, TopicPartition};
use crate::log::{
    AppendError, AppendInfo, AppendOrigin, Log, LogConfig, Read, ReadError, ReadPlan, Recovery, TimestampLookup,
    TimestampOffset, UnrecoveredLog, Written,
};
use crate::record::{BatchBuilder, BatchView, batches};
use bytes::Bytes;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

pub const NOW_MS: i64 = 1_700_000_000_000;
pub const CLEAN: Recovery = Recovery { clean: true, recovery_point: Offset(0), log_start: Offset(0) };
pub const UNCLEAN: Recovery = Recovery { clean: false, recovery_point: Offset(0), log_start: Offset(0) };

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits without a ring: files then block, and the blocking pool wakes this thread. Thousands of these cost nothing.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

pub fn now() -> Now {
    Now { mono: Instant(0), wall: TimestampMs(NOW_MS) }
}

pub fn open(dir: &Path, config: &LogConfig, recovery: Recovery) -> Log {
    try_open(dir, config, recovery).unwrap()
}

pub fn try_open(dir: &Path, config: &LogConfig, recovery: Recovery) -> std::io::Result<Log> {
    UnrecoveredLog::open(dir.join("t-0"), TopicPartition::new("t", 0), config.clone())?.recover(recovery, now())
}

/// `count` records dated from `NOW_MS + at` on, a millisecond apart.
pub fn batch(count: usize, value_len: usize, at: i64) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0));
    for i in 0..count {
        let value = vec![b'a' + (i % 26) as u8; value_len];
        builder.append(TimestampMs(NOW_MS + at + i as i64), Some(b"key"), Some(&value), &[]);
    }
    builder.build()
}

pub fn idempotent(id: i64, epoch: i16, sequence: i32, count: usize) -> Bytes {
    let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(id), ProducerEpoch(epoch), sequence);
    for _ in 0..count {
        builder.append(TimestampMs(NOW_MS), None, Some(b"value"), &[]);
    }
    builder.build()
}

/// Accepts as leader of epoch 0.
pub fn accept(log: &mut Log, bytes: Bytes) -> Result<AppendInfo, AppendError> {
    log.append_as_leader(bytes, AppendOrigin::Client, LeaderEpoch(0), now())
}

/// Runs write jobs until nothing is queued.
pub fn write(log: &mut Log) {
    wait(write_async(log));
}

pub async fn write_async(log: &mut Log) {
    while let Some(mut job) = log.take_write() {
        let result = job.run().await;
        let Written { failed, .. } = log.complete_write(job, result);
        assert!(failed.is_none(), "{failed:?}");
    }
}

/// Accepts and writes.
pub fn append(log: &mut Log, bytes: Bytes) -> AppendInfo {
    let info = accept(log, bytes).unwrap();
    write(log);
    info
}

pub fn flush(log: &mut Log) {
    wait(async {
        while let Some(job) = log.begin_flush() {
            let result = job.run().await;
            log.complete_flush(job, result).unwrap();
        }
    });
}

pub async fn plan(log: &mut Log, from: i64, max: u32, upto: i64, one: bool) -> Result<ReadPlan, ReadError> {
    let plan = match log.read(Offset(from), max, Offset(upto), one)? {
        Read::Ready(plan) => plan,
        Read::Lookup(lookup) => lookup.run().await?,
    };
    log.remember(&plan);
    Ok(plan)
}

pub async fn fetch(log: &mut Log, from: i64, max: u32, upto: i64, one: bool) -> Result<Bytes, ReadError> {
    let plan = plan(log, from, max, upto, one).await?;
    Ok(match plan.range {
        Some(range) => range.file.read(range.position, range.len as usize).await?,
        None => Bytes::new(),
    })
}

pub fn read(log: &mut Log, from: i64, max: u32, upto: i64, one: bool) -> Result<Bytes, ReadError> {
    wait(fetch(log, from, max, upto, one))
}

/// Base and last offset of every batch from the start to the written end, checksums verified.
pub fn all(log: &mut Log) -> Vec<(i64, i64)> {
    let (mut at, end) = (log.start_offset().0, log.written_offset().0);
    let mut seen = Vec::new();
    wait(async {
        while at < end {
            let bytes = fetch(log, at, u32::MAX, end, true).await.unwrap();
            for found in batches(&bytes) {
                let found: BatchView<'_> = found.unwrap();
                found.check_crc().unwrap();
                seen.push((found.header().base_offset().0, found.header().last_offset().0));
                at = found.header().next_offset().0;
            }
            if bytes.is_empty() {
                break;
            }
        }
    });
    seen
}

pub fn look(lookup: TimestampLookup) -> Option<TimestampOffset> {
    wait(lookup.run()).unwrap()
}

pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
