//! Producer snapshots and transaction indexes.

use super::segment::optional;
use super::{DumpError, Streams};
use crate::log::snapshot;
use crate::ring::fs;
use crate::tools::FileError;
use std::io::Write;
use std::path::Path;

/// Prints a producer snapshot. One that is malformed is told of, and the dump goes on.
pub fn dump_producers(path: &Path, streams: &mut Streams<'_>) -> Result<(), DumpError> {
    let bytes = fs::read(path).map_err(FileError::of(path))?;
    let Some(entries) = snapshot::entries(&bytes) else {
        return Ok(writeln!(
            streams.err,
            "Snapshot {} is corrupt: its checksum, version or size is wrong",
            path.display()
        )?);
    };
    for (id, entry) in entries {
        write!(
            streams.out,
            "producerId: {id} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {} lastTimestamp: {}",
            entry.epoch,
            entry.coordinator_epoch,
            optional(entry.txn_first_offset.map(|offset| offset.0)),
            entry.last_timestamp,
        )?;
        if let Some(batch) = entry.batches.front() {
            write!(
                streams.out,
                " firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
                batch.first_sequence(),
                batch.last_sequence,
                batch.last_offset,
                batch.offset_delta,
                batch.timestamp,
            )?;
        }
        writeln!(streams.out)?;
    }
    Ok(())
}

/// Bytes of an entry of a transaction index: i16 version, then producer id, first, last and last stable offset.
const ABORTED_LEN: usize = 34;

/// Prints a transaction index.
pub fn dump_aborted(path: &Path, out: &mut dyn Write) -> Result<(), DumpError> {
    let bytes = fs::read(path).map_err(FileError::of(path))?;
    let chunks = bytes.chunks_exact(ABORTED_LEN);
    let left = chunks.remainder().len();
    for chunk in chunks {
        let i64_at = |at: usize| chunk.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_be_bytes);
        let version = chunk.get(..2).and_then(|b| b.try_into().ok()).map_or(0, i16::from_be_bytes);
        if version > 0 {
            return Err(FileError::new(path, format!("an aborted transaction of unknown version {version}")).into());
        }
        writeln!(
            out,
            "version: {version} producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
            i64_at(2),
            i64_at(10),
            i64_at(18),
            i64_at(26)
        )?;
    }
    match left {
        0 => Ok(()),
        left => Err(FileError::new(path, format!("{left} bytes behind the last whole entry")).into()),
    }
}
