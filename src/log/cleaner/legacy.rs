//! What stays of an entry in the formats 0 and 1: a v2 batch (`MemoryRecords.filterTo`, which converts as of 4.0). Pure.

use super::filter::{Filter, Outcome, Scratch, UNPACKED_MAX};
use super::map::OffsetMap;
use crate::base::{Offset, TimestampMs};
use crate::record::legacy_records::{LegacyRecord, LegacyView, convert, empty};

impl Filter<'_> {
    /// Appends what stays of `entry` to `out`. Tombstones have no delete horizon in these formats: they stay until what
    /// was written `delete.retention.ms` after them is clean (`keep_tombstones` is false then), or get a horizon now.
    ///
    /// # Errors
    /// What is wrong with the entry's records, as a sentence.
    pub fn legacy(
        &self,
        view: &LegacyView<'_>,
        keep_tombstones: bool,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, String> {
        let Scratch { unpacked, made } = scratch;
        let records = view.records(unpacked, UNPACKED_MAX as usize).map_err(|e| e.to_string())?;
        let keyless = records.iter().filter(|record| record.key.is_none()).count() as u64;
        let count = records.len() as u64;
        let stays = |record: &LegacyRecord<'_>| self.keeps_legacy(record, keep_tombstones);
        let kept: Vec<_> = records.into_iter().filter(stays).collect();
        let tombstones = kept.iter().any(|record| record.value.is_none());
        let horizon = tombstones.then(|| TimestampMs(self.now.0.saturating_add(self.delete_retention_ms)));
        if !kept.is_empty() {
            convert(&view.entry, &kept, horizon, made, out).map_err(|e| e.to_string())?;
        } else if view.entry.offset.plus(1) == self.round_end {
            empty(&view.entry, out).map_err(|e| e.to_string())?;
        }
        Ok(Outcome { records: count, kept: kept.len() as u64, keyless, aborted: None })
    }

    fn keeps_legacy(&self, record: &LegacyRecord<'_>, keep_tombstones: bool) -> bool {
        if record.offset > self.map.latest() {
            return true;
        }
        let Some(key) = record.key else { return false };
        let superseded = self.map.get(key).is_some_and(|last| record.offset < last);
        !superseded && (record.value.is_some() || keep_tombstones)
    }
}

/// Puts the keys of an entry's records at `from` and after into the map; false when it is full.
pub fn map_legacy(
    view: &LegacyView<'_>,
    from: Offset,
    map: &mut OffsetMap,
    unpacked: &mut Vec<u8>,
) -> Result<bool, String> {
    if view.entry.offset < from {
        return Ok(true);
    }
    for record in view.records(unpacked, UNPACKED_MAX as usize).map_err(|e| e.to_string())? {
        if let Some(key) = record.key.filter(|_| record.offset >= from)
            && !map.put(key, record.offset)
        {
            return Ok(false);
        }
    }
    map.advance(view.entry.offset);
    Ok(true)
}
