//! What stays of a batch (`Cleaner.cleanInto`, `Cleaner.shouldRetainRecord`). Pure.

use super::map::OffsetMap;
use super::transactions::{Marker, Transactions};
use crate::base::{Offset, ProducerEpoch, TimestampMs};
use crate::log::producers::Producers;
use crate::log::txn_index::AbortedTxn;
use crate::record::compression::{self, DecompressError};
use crate::record::{BatchHeader, BatchView, Compression, Record, Records, rewrite};
use std::collections::HashMap;
use std::io::Read;

/// A batch that unpacks to more is not cleaned: nothing a producer may send comes near.
pub(super) const UNPACKED_MAX: u64 = 1 << 30;

/// The last thing a producer wrote: it stays, or a restart would forget the producer's sequence or epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    /// Its last data; none after a marker ended its transaction and a new epoch began.
    pub data: Option<Offset>,
    /// Its epoch.
    pub epoch: ProducerEpoch,
}

/// The last records of all producers of a log, by producer id.
pub fn last_records(producers: &Producers) -> HashMap<i64, LastRecord> {
    let last = producers.iter().map(|(id, entry)| {
        (id.0, LastRecord { data: entry.batches.back().map(|b| b.last_offset), epoch: entry.epoch })
    });
    last.collect()
}

/// What a round decides by.
pub struct Filter<'a> {
    /// The last offset of each key.
    pub map: &'a OffsetMap,
    /// The last records of the log's producers.
    pub producers: &'a HashMap<i64, LastRecord>,
    /// Where the round ends: its last batch stays, so that the offset is not lost.
    pub round_end: Offset,
    /// When the round began.
    pub now: TimestampMs,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
}

/// Buffers that batches share.
#[derive(Default)]
pub struct Scratch {
    pub(super) unpacked: Vec<u8>,
    pub(super) made: Vec<u8>,
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records it had.
    pub records: u64,
    /// Records that stay.
    pub kept: u64,
    /// Records without a key, which a compacted log cannot keep.
    pub keyless: u64,
    /// An aborted transaction whose marker stays: it belongs in the new transaction index.
    pub aborted: Option<AbortedTxn>,
}

/// The batch's records, unpacked into `scratch` where they are packed.
pub fn records_of<'a>(batch: &BatchView<'a>, scratch: &'a mut Vec<u8>) -> Result<Records<'a>, DecompressError> {
    let codec = batch.header().compression().ok_or(DecompressError::UnknownType)?;
    if codec == Compression::None {
        return Ok(batch.records());
    }
    scratch.clear();
    let taken = compression::reader(codec, batch.body())?.take(UNPACKED_MAX + 1).read_to_end(scratch)?;
    if taken as u64 > UNPACKED_MAX {
        return Err(DecompressError::TooLarge { bytes_max: UNPACKED_MAX as usize });
    }
    Ok(Records::new(scratch, batch.header().count()))
}

impl Filter<'_> {
    /// Appends what stays of `batch` to `out`: the batch as it is, one with fewer records, an empty one, or nothing.
    ///
    /// # Errors
    /// What is wrong with the batch's records, as a sentence.
    pub fn batch(
        &self,
        batch: &BatchView<'_>,
        transactions: &mut Transactions,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, String> {
        let header = batch.header();
        let control = header.is_control();
        let mut outcome = Outcome { records: u64::from(header.count().unsigned_abs()), ..Outcome::default() };
        let may_go = if control {
            let (may_go, aborted) = transactions.on_control(header, Marker::of(batch));
            outcome.aborted = aborted;
            may_go
        } else {
            transactions.on_data(header)
        };
        // A marker outlives its data by delete.retention.ms, counted from the round that found it without data.
        let discard = may_go && (!control || (header.has_delete_horizon() && header.base_timestamp() <= self.now));
        let stays_empty = self.is_last_of_producer(header) || header.next_offset() == self.round_end;
        let mut kept = Vec::new();
        if !discard {
            let Scratch { unpacked, made } = scratch;
            for record in records_of(batch, unpacked).map_err(|e| e.to_string())? {
                let record = record.map_err(|e| e.to_string())?;
                outcome.keyless += u64::from(record.key.is_none());
                if control || self.keeps(header, &record) {
                    kept.push(record);
                }
            }
            outcome.kept = kept.len() as u64;
            if !kept.is_empty() {
                let horizon = self.horizon(header, &kept, control && may_go);
                let as_it_was = kept.len() as u64 == outcome.records && horizon == horizon_of(header);
                if as_it_was {
                    out.extend_from_slice(batch.bytes());
                } else {
                    rewrite::rewrite(batch, &kept, horizon, made, out).map_err(|e| e.to_string())?;
                }
                return Ok(outcome);
            }
        }
        if stays_empty {
            rewrite::empty(header, out);
        }
        Ok(outcome)
    }

    /// Whether a data record stays: it is the last of its key, and no tombstone whose time is over.
    fn keeps(&self, header: &BatchHeader, record: &Record<'_>) -> bool {
        let offset = header.base_offset().plus(i64::from(record.offset_delta));
        if offset > self.map.latest() {
            return true;
        }
        let Some(key) = record.key else { return false };
        let superseded = self.map.get(key).is_some_and(|last| offset < last);
        let expired = record.value.is_none() && horizon_of(header).is_some_and(|horizon| self.now >= horizon);
        !superseded && !expired
    }

    /// The delete horizon of what stays: set once, when tombstones or a marker without data are first met.
    fn horizon(&self, header: &BatchHeader, kept: &[Record<'_>], idle_marker: bool) -> Option<TimestampMs> {
        let has = horizon_of(header);
        let needs = idle_marker || kept.iter().any(|record| record.value.is_none());
        if has.is_none() && needs {
            return Some(TimestampMs(self.now.0.saturating_add(self.delete_retention_ms)));
        }
        has
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let last = if header.has_producer() { self.producers.get(&header.producer_id().0) } else { None };
        last.is_some_and(|last| match last.data {
            Some(offset) => header.last_offset() == offset,
            // The last thing it wrote is a marker: that has the epoch which fences it.
            None => header.is_control() && header.producer_epoch() == last.epoch,
        })
    }
}

fn horizon_of(header: &BatchHeader) -> Option<TimestampMs> {
    header.has_delete_horizon().then(|| header.base_timestamp())
}
