//! The transaction indexes at a start: taken as they are where nothing is in doubt, made anew from the batches where the
//! segment had to be read. Blocking.

use super::append::replay_producer;
use super::files::FileKind;
use super::rebuild::replay_producers;
use super::scan::Scanner;
use super::segment::{Segment, TxnIndexState};
use super::txn_index::{self, AbortedTxn};
use crate::base::Offset;
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::Path;

/// Brings the indexes of segments that were read at this start in line with their batches, and learns how many entries
/// the active segment's has. `snapshots` are the producer snapshots, ascending.
pub(super) fn restore(dir: &Path, segments: &mut [Segment], snapshots: &[Offset]) -> io::Result<()> {
    for at in 0..segments.len() {
        let Some(segment) = segments.get(at) else { continue };
        let entries = match segment.txn_index {
            TxnIndexState::Entries(_) => continue,
            TxnIndexState::AsFound if at + 1 < segments.len() => continue,
            TxnIndexState::AsFound => as_found(dir, segment)?,
            TxnIndexState::Stale => None,
        };
        let entries = match entries {
            Some(entries) => entries,
            None => rebuild(dir, segments, at, snapshots)?,
        };
        if let Some(segment) = segments.get_mut(at) {
            segment.txn_index = TxnIndexState::Entries(entries);
        }
    }
    Ok(())
}

/// How many entries the file has; `None` when it is no index of this segment.
fn as_found(dir: &Path, segment: &Segment) -> io::Result<Option<u32>> {
    match txn_index::read(&FileKind::TxnIndex.path(dir, segment.base), segment.base) {
        Ok(entries) if entries.last().is_some_and(|txn| txn.last >= segment.written.next) => Ok(None),
        Ok(entries) => Ok(u32::try_from(entries.len()).ok()),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            tracing::warn!("{e}: it is made anew");
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

/// Writes the index of one segment anew; gives how many entries it has.
fn rebuild(dir: &Path, segments: &[Segment], at: usize, snapshots: &[Offset]) -> io::Result<u32> {
    let (before, from) = segments.split_at(at);
    let Some(segment) = from.first() else { return Ok(0) };
    let path = FileKind::TxnIndex.path(dir, segment.base);
    let mut aborted: Vec<AbortedTxn> = Vec::new();
    if segment.written.size > 0 {
        let usable: Vec<Offset> = snapshots.iter().copied().filter(|s| *s <= segment.base).collect();
        let mut producers = replay_producers(dir, before, &usable, segment.base)?;
        let mut scanner = scan(dir, segment)?;
        while let Some(Ok(batch)) = scanner.next()? {
            match (batch.whole, batch.header) {
                (Some(whole), _) => aborted.extend(replay_producer(&mut producers, &whole)),
                (None, Some(header)) if header.has_producer() && !header.is_control() => {
                    producers.append(&header, header.base_offset(), header.max_timestamp());
                }
                _ => {}
            }
        }
    }
    if aborted.is_empty() {
        fs::remove_file(&path)?;
    } else {
        fs::write_replacing(&path, &txn_index::encode(&aborted))?;
    }
    Ok(u32::try_from(aborted.len()).unwrap_or(u32::MAX))
}

fn scan(dir: &Path, segment: &Segment) -> io::Result<Scanner> {
    let file = File::open(&segment.path(dir), OpenMode::Read)?;
    Ok(Scanner::new(file, 0, u64::from(segment.written.size), false))
}

/// After the segment was cut: entries of markers that are gone go. Gives how many are left.
pub(super) fn cut(dir: &Path, segment: &Segment) -> io::Result<u32> {
    let path = FileKind::TxnIndex.path(dir, segment.base);
    let entries = match txn_index::read(&path, segment.base) {
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Vec::new(),
        other => other?,
    };
    let kept: Vec<AbortedTxn> = entries.iter().copied().filter(|txn| txn.last < segment.written.next).collect();
    if kept.is_empty() {
        fs::remove_file(&path)?;
    } else if kept.len() < entries.len() {
        fs::write_replacing(&path, &txn_index::encode(&kept))?;
    }
    Ok(u32::try_from(kept.len()).unwrap_or(u32::MAX))
}
