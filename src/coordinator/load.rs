//! Reading a coordinator's partition from its start to its end.

use super::log::CoordinatorLog;
use super::machine::{Entry, Unreadable};
use crate::base::{ErrorCode, Offset, ProducerId};
use crate::record::{BatchView, ControlType, Record, batches};
use crate::ring::runtime;
use bytes::Bytes;

/// The most one compressed batch may unpack to.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// Why a log was not read to its end.
#[derive(Debug)]
pub enum LoadError {
    /// It could not be read, or nobody wants it any more.
    Read(ErrorCode),
    /// A record makes no sense.
    Unreadable(Unreadable),
}

impl From<ErrorCode> for LoadError {
    fn from(error: ErrorCode) -> Self {
        Self::Read(error)
    }
}

/// Hands every record to `take`, in order; returns the log's end. `go_on` is asked between reads.
pub async fn load(
    log: &dyn CoordinatorLog,
    mut take: impl FnMut(Entry) -> Result<(), Unreadable>,
    go_on: impl Fn() -> bool,
) -> Result<Offset, LoadError> {
    let mut next = log.start_offset();
    loop {
        let chunk = log.read(next).await?;
        if chunk.is_empty() {
            return Ok(next);
        }
        let before = next;
        for batch in batches(&chunk) {
            let Ok(batch) = batch else { break };
            next = replay(&batch, next, &mut take)?;
        }
        if next == before {
            return Err(unreadable(next, "the batch cannot be read"));
        }
        // A long log must not keep its core from everything else.
        runtime::yield_now().await;
        if !go_on() {
            return Err(ErrorCode::NotCoordinator.into());
        }
    }
}

/// Replays what lies at or above `from`; returns the offset after the batch.
fn replay(
    batch: &BatchView,
    from: Offset,
    take: &mut impl FnMut(Entry) -> Result<(), Unreadable>,
) -> Result<Offset, LoadError> {
    let header = batch.header();
    let end = header.next_offset();
    let transactional = header.is_transactional();
    let producer = if transactional { header.producer_id() } else { ProducerId::NONE };
    let base = header.base_offset();
    batch.check_crc().map_err(|_| unreadable(base, "the batch is damaged: its checksum is another"))?;
    let body = batch.unpacked(UNPACKED_BYTES_MAX).map_err(|_| unreadable(base, "the batch cannot be unpacked"))?;
    for record in crate::record::Records::new(&body, header.count()) {
        let record = record.map_err(|_| unreadable(base, "a record of the batch cannot be read"))?;
        let offset = header.base_offset().plus(i64::from(record.offset_delta));
        if offset < from {
            continue;
        }
        if header.is_control() {
            marker(&record, header.producer_id(), take)?;
        } else if let Some(key) = record.key {
            let (key, value) = (Bytes::copy_from_slice(key), record.value.map(Bytes::copy_from_slice));
            take(Entry::Record { offset, producer, key: &key, value: value.as_ref() })
                .map_err(LoadError::Unreadable)?;
        }
    }
    Ok(end.max(from))
}

fn marker(
    record: &Record,
    producer: ProducerId,
    take: &mut impl FnMut(Entry) -> Result<(), Unreadable>,
) -> Result<(), LoadError> {
    match record.key.and_then(ControlType::of_key) {
        Some(ControlType::Commit) => take(Entry::Marker { producer, committed: true }),
        Some(ControlType::Abort) => take(Entry::Marker { producer, committed: false }),
        _ => Ok(()),
    }
    .map_err(LoadError::Unreadable)
}

fn unreadable(offset: Offset, why: &str) -> LoadError {
    LoadError::Unreadable(Unreadable { offset, why: why.to_owned() })
}
