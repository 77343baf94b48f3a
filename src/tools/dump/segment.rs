//! Segments and metadata snapshots: a line a batch, and below it a line a record.

use super::record;
use super::{DumpError, DumpRequest, Faults, note};
use crate::base::Offset;
use crate::metadata::store::{BOOTSTRAP_CHECKPOINT, SnapshotId};
use crate::record::header::{CRC_FROM, LOG_APPEND_TIME_BIT};
use crate::record::legacy::LegacyEntry;
use crate::record::{BatchHeader, BatchView, Compression, Records};
use crate::tools::segment_file::{Format, RawBatch, SegmentFile};
use crate::tools::{FileError, FileError as Error};
use std::io::Write;
use std::path::Path;

/// What a compressed batch may unpack to.
pub(super) const UNPACKED_BYTES_MAX: usize = 1 << 30;

/// Prints a segment that begins at `base`, or a snapshot of the metadata.
pub fn dump(
    path: &Path,
    base: Option<Offset>,
    request: &DumpRequest,
    out: &mut dyn Write,
    faults: &mut Faults,
) -> Result<(), DumpError> {
    title(path, base, out)?;
    let mut file = SegmentFile::open(path).map_err(FileError::of(path))?;
    let end = request.bytes_max.unwrap_or(u64::MAX).min(file.len());
    let (mut position, mut last) = (0, -1);
    while let Some(batch) = file.batch_at(position, end).map_err(FileError::of(path))? {
        position += batch.bytes.len() as u64;
        batch_line(path, &batch, out)?;
        if request.deep {
            records(path, &batch, request, out, &mut |offset| {
                if offset != last + 1 {
                    note(&mut faults.gaps, path, (last, offset));
                }
                last = offset;
            })?;
        }
    }
    let left = end - position;
    if left > 0 && request.bytes_max.is_none() {
        let name = path.file_name().unwrap_or_default().display();
        writeln!(out, "Found {left} invalid bytes at the end of {name}")?;
    }
    Ok(())
}

fn title(path: &Path, base: Option<Offset>, out: &mut dyn Write) -> Result<(), DumpError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match (base, SnapshotId::parse(name)) {
        (Some(base), _) => writeln!(out, "Log starting offset: {base}")?,
        _ if name == BOOTSTRAP_CHECKPOINT => writeln!(out, "KRaft bootstrap snapshot")?,
        (None, Some(id)) => writeln!(out, "Snapshot end offset: {}, epoch: {}", id.end_offset, id.epoch)?,
        (None, None) => {
            return Err(Error::new(path, "the name is not that of a snapshot: <offset>-<epoch>.checkpoint").into());
        }
    }
    Ok(())
}

/// `OptionalLong.toString`
pub(super) fn optional(value: Option<i64>) -> String {
    value.map_or_else(|| "OptionalLong.empty".into(), |value| format!("OptionalLong[{value}]"))
}

fn compression_name(attributes: i16) -> &'static str {
    match Compression::from_id(attributes & 7) {
        Some(Compression::None) => "none",
        Some(Compression::Gzip) => "gzip",
        Some(Compression::Snappy) => "snappy",
        Some(Compression::Lz4) => "lz4",
        Some(Compression::Zstd) => "zstd",
        None => "unknown",
    }
}

fn batch_line(path: &Path, batch: &RawBatch<'_>, out: &mut dyn Write) -> Result<(), DumpError> {
    match batch.format() {
        Format::V2(header, view) => v2_line(batch.position, header, &view, out),
        Format::Legacy(entry) => legacy_line(batch, &entry, out),
        Format::Unknown(magic) => {
            Err(Error::new(path, format!("a batch of unknown magic {magic} at position {}", batch.position)).into())
        }
    }
}

fn v2_line(position: u64, h: &BatchHeader, view: &BatchView<'_>, out: &mut dyn Write) -> Result<(), DumpError> {
    let horizon = h.has_delete_horizon().then(|| h.base_timestamp().0);
    write!(
        out,
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {}",
        h.base_offset(),
        h.last_offset(),
        h.count(),
        h.base_sequence(),
        h.last_sequence(),
        h.producer_id(),
        h.producer_epoch(),
        h.leader_epoch(),
        h.is_transactional(),
        h.is_control(),
        optional(horizon),
    )?;
    writeln!(
        out,
        " position: {position} {}: {} size: {} magic: {} compresscodec: {} crc: {} isvalid: {}",
        record::timestamp_type(h),
        h.max_timestamp(),
        view.size(),
        h.magic(),
        compression_name(h.attributes()),
        h.crc(),
        view.check_crc().is_ok(),
    )?;
    Ok(())
}

fn legacy_line(batch: &RawBatch<'_>, entry: &LegacyEntry, out: &mut dyn Write) -> Result<(), DumpError> {
    let attributes = i16::from(batch.bytes.get(17).copied().unwrap_or_default());
    let time = match entry.magic {
        0 => "NoTimestampType",
        _ if attributes & LOG_APPEND_TIME_BIT != 0 => "LogAppendTime",
        _ => "CreateTime",
    };
    // The checksum stands before the magic byte in these formats.
    let crc = batch.bytes.get(12..16).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    const { assert!(CRC_FROM > 16) };
    writeln!(
        out,
        "offset: {} position: {} {time}: {} size: {} magic: {} compresscodec: {} crc: {crc} isvalid: {}",
        entry.offset,
        batch.position,
        entry.timestamp,
        batch.bytes.len(),
        entry.magic,
        compression_name(attributes),
        LegacyEntry::parse_checked(batch.bytes).is_ok(),
    )?;
    Ok(())
}

/// A line for each record; `seen` is told each offset.
fn records(
    path: &Path,
    batch: &RawBatch<'_>,
    request: &DumpRequest,
    out: &mut dyn Write,
    seen: &mut dyn FnMut(i64),
) -> Result<(), DumpError> {
    let Format::V2(header, view) = batch.format() else {
        return Ok(writeln!(out, "| records of the formats 0 and 1 are not looked into")?);
    };
    let broken = |why: String| FileError::new(path, format!("batch at offset {}: {why}", header.base_offset()));
    let body = view.unpacked(UNPACKED_BYTES_MAX).map_err(|e| broken(e.to_string()))?;
    for record in Records::new(&body, header.count()) {
        let record = record.map_err(|e| broken(e.to_string()))?;
        seen(header.base_offset().0 + i64::from(record.offset_delta));
        record::line(path, header, &record, request, out)?;
    }
    Ok(())
}
