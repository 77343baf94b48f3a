//! Offset and time indexes, compared with their segment.

use super::segment::UNPACKED_BYTES_MAX;
use super::{DumpError, DumpRequest, Faults, note};
use crate::base::Offset;
use crate::log::files::FileKind;
use crate::log::index::{Entry, OffsetEntry, TimeEntry};
use crate::record::Records;
use crate::ring::fs;
use crate::tools::FileError;
use crate::tools::segment_file::{Format, RawBatch, SegmentFile};
use std::io::Write;
use std::path::Path;

/// The whole entries of an index file, and whether its size is a multiple of theirs. Zeros that were preallocated are
/// entries like others here.
fn read_entries<E: Entry>(path: &Path, base: Offset) -> Result<(Vec<E>, bool), FileError> {
    let bytes = fs::read(path).map_err(FileError::of(path))?;
    let chunks = bytes.chunks_exact(E::SIZE);
    let whole = chunks.remainder().is_empty();
    Ok((chunks.map(|chunk| E::parse(chunk, base)).collect(), whole))
}

fn segment_of(path: &Path, base: Offset) -> Result<SegmentFile, FileError> {
    let path = FileKind::Log.path(path.parent().unwrap_or(Path::new("")), base);
    SegmentFile::open(&path).map_err(FileError::of(&path))
}

/// What a start asks of an index (`AbstractIndex.sanityCheck`).
fn check_sanity(path: &Path, whole: bool, last: Option<Offset>, base: Offset) -> Result<(), FileError> {
    if !whole {
        return Err(FileError::new(path, "Index file is corrupt: its size is no multiple of an entry's"));
    }
    match last {
        Some(last) if last < base => Err(FileError::new(
            path,
            format!("Index file is corrupt: its last offset {last} is less than the base offset {base}"),
        )),
        _ => Ok(()),
    }
}

/// What it asks of a time index besides: zeros at its end, which are not cut off by an unclean stop, fail here.
fn check_times(path: &Path, entries: &[TimeEntry]) -> Result<(), FileError> {
    match (entries.first(), entries.last()) {
        (Some(first), Some(last)) if last.timestamp < first.timestamp => Err(FileError::new(
            path,
            format!(
                "Index file is corrupt: its last timestamp {} is less than its first one {}",
                last.timestamp, first.timestamp
            ),
        )),
        _ => Ok(()),
    }
}

/// Prints an offset index.
pub fn dump(
    path: &Path,
    base: Offset,
    request: &DumpRequest,
    out: &mut dyn Write,
    faults: &mut Faults,
) -> Result<(), DumpError> {
    let mut segment = segment_of(path, base)?;
    let (entries, whole) = read_entries::<OffsetEntry>(path, base)?;
    if entries.is_empty() {
        return Ok(writeln!(out, "{} is empty.", path.display())?);
    }
    if request.index_sanity_only {
        check_sanity(path, whole, entries.last().map(|entry| entry.offset), base)?;
        return Ok(writeln!(out, "{} passed sanity check.", path.display())?);
    }
    let mut mismatches = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        if i > 0 && entry.offset == base {
            break; // preallocated
        }
        let position = u64::from(entry.position);
        let end = position.saturating_add(request.message_bytes_max);
        let batch = segment.batch_at(position, end).map_err(FileError::of(path))?;
        let Some(batch) = batch else {
            return Err(FileError::new(path, format!("no batch at position {position} of the segment")).into());
        };
        if batch.last_offset() != entry.offset.0 {
            mismatches.push((entry.offset.0, batch.last_offset()));
        }
        if !request.verify_only {
            writeln!(out, "offset: {} position: {}", entry.offset, entry.position)?;
        }
    }
    // Kafka tells the last first.
    mismatches.into_iter().rev().for_each(|pair| note(&mut faults.index_mismatches, path, pair));
    Ok(())
}

/// Prints a time index.
pub fn dump_time(
    path: &Path,
    base: Offset,
    request: &DumpRequest,
    out: &mut dyn Write,
    faults: &mut Faults,
) -> Result<(), DumpError> {
    let mut segment = segment_of(path, base)?;
    let index = FileKind::OffsetIndex.path(path.parent().unwrap_or(Path::new("")), base);
    let (offsets, _) = read_entries::<OffsetEntry>(&index, base)?;
    let (entries, whole) = read_entries::<TimeEntry>(path, base)?;
    if request.index_sanity_only {
        check_sanity(path, whole, entries.last().map(|entry| entry.offset), base)?;
        check_times(path, &entries)?;
        return Ok(writeln!(out, "{} passed sanity check.", path.display())?);
    }
    // Preallocated entries of the offset index are not to be searched.
    let used = offsets.iter().skip(1).position(|entry| entry.offset == base).map_or(offsets.len(), |at| at + 1);
    let offsets = offsets.get(..used).unwrap_or_default();
    let mut before = -1;
    for (i, entry) in entries.iter().enumerate() {
        if i > 0 && entry.offset == base {
            break; // preallocated
        }
        let from = offsets.partition_point(|known| known.offset <= entry.offset);
        let position = from.checked_sub(1).and_then(|at| offsets.get(at)).map_or(0, |known| u64::from(known.position));
        compare(path, entry, before, &mut segment, position, faults)?;
        if !request.verify_only {
            writeln!(out, "timestamp: {} offset: {}", entry.timestamp, entry.offset)?;
        }
        before = entry.timestamp.0;
    }
    Ok(())
}

fn compare(
    path: &Path,
    entry: &TimeEntry,
    before: i64,
    segment: &mut SegmentFile,
    mut position: u64,
    faults: &mut Faults,
) -> Result<(), FileError> {
    while let Some(batch) = segment.batch_at(position, u64::MAX).map_err(FileError::of(path))? {
        position += batch.bytes.len() as u64;
        let last = batch.last_offset();
        if last < entry.offset.0 {
            continue;
        }
        if last != entry.offset.0 {
            note(&mut faults.time_not_found, path, (entry.offset.0, last));
            return Ok(());
        }
        let newest = newest(&batch).map_err(|why| FileError::new(path, why))?;
        if newest != entry.timestamp.0 {
            note(&mut faults.time_mismatches, path, (entry.timestamp.0, newest));
        }
        if before >= entry.timestamp.0 {
            note(&mut faults.time_out_of_order, path, (entry.timestamp.0, before));
        }
        return Ok(());
    }
    note(&mut faults.time_not_found, path, (entry.offset.0, -1));
    Ok(())
}

/// The largest timestamp of a batch's records.
fn newest(batch: &RawBatch<'_>) -> Result<i64, String> {
    match batch.format() {
        Format::V2(header, _) if header.is_log_append_time() => Ok(header.max_timestamp().0),
        Format::V2(header, view) => {
            let body = view.unpacked(UNPACKED_BYTES_MAX).map_err(|e| e.to_string())?;
            Records::new(&body, header.count()).try_fold(-1, |newest, record| match record {
                Ok(record) => Ok(newest.max(header.base_timestamp().0.wrapping_add(record.timestamp_delta))),
                Err(error) => Err(error.to_string()),
            })
        }
        Format::Legacy(entry) => Ok(entry.timestamp.0),
        Format::Unknown(magic) => Err(format!("a batch of unknown magic {magic}")),
    }
}
