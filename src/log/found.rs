//! What is in a partition's directory, after the leftovers of interrupted work were put right (`LogLoader`).
//! Blocking.

use super::files::{CLEANED_SUFFIX, DELETED_SUFFIX, FileKind, SWAP_SUFFIX};
use super::scan::Scanner;
use crate::base::Offset;
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// One segment's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundSegment {
    /// Bytes of `.log`.
    pub size: u64,
    /// When it was last written, in ms since 1970.
    pub mtime_ms: i64,
    /// Bytes of `.index`, if there is one.
    pub offset_index: Option<u64>,
    /// Bytes of `.timeindex`, if there is one.
    pub time_index: Option<u64>,
    /// Bytes of `.txnindex`, if there is one.
    pub txn_index: Option<u64>,
}

/// The files of a partition.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// By base offset.
    pub segments: BTreeMap<Offset, FoundSegment>,
    /// Producer snapshots.
    pub snapshots: BTreeSet<Offset>,
}

/// KRaft snapshots on their way out are the metadata log's to delete.
const CHECKPOINT_DELETED: &str = ".checkpoint.deleted";

/// Cleans up and lists.
pub fn find(dir: &Path) -> io::Result<Found> {
    if tidy(dir)? {
        finish_swaps(dir)?;
    }
    let mut found = Found::default();
    let mut indexes = Vec::new();
    for entry in fs::read_dir(dir)?.into_iter().filter(|e| !e.is_dir) {
        match FileKind::parse(&entry.name) {
            Some((FileKind::Log, base)) => {
                let segment = found.segments.entry(base).or_default();
                segment.size = entry.len;
                segment.mtime_ms = entry.mtime_ms;
            }
            Some((FileKind::Snapshot, offset)) => {
                found.snapshots.insert(offset);
            }
            Some((kind, base)) => indexes.push((kind, base, entry.len)),
            None => {}
        }
    }
    for (kind, base, len) in indexes {
        match (found.segments.get_mut(&base), kind) {
            (Some(segment), FileKind::OffsetIndex) => segment.offset_index = Some(len),
            (Some(segment), FileKind::TimeIndex) => segment.time_index = Some(len),
            (Some(segment), FileKind::TxnIndex) => segment.txn_index = Some(len),
            (Some(_), _) => {}
            (None, _) => {
                tracing::warn!("deleting an index without its segment: {}", kind.path(dir, base).display());
                fs::remove_file(&kind.path(dir, base))?;
            }
        }
    }
    Ok(found)
}

/// Deletes `.deleted` and `.cleaned` files, and `.swap` files of a split that was not finished. True when `.swap`
/// files are left.
fn tidy(dir: &Path) -> io::Result<bool> {
    let entries = fs::read_dir(dir)?;
    let base = |name: &str| name.get(..20).and_then(|d| d.parse::<i64>().ok());
    let is = |name: &str, suffix: &str| name.ends_with(suffix);
    let min_cleaned = entries.iter().filter(|e| is(&e.name, CLEANED_SUFFIX)).filter_map(|e| base(&e.name)).min();
    let mut swaps = false;
    for entry in entries.iter().filter(|e| !e.is_dir) {
        let name = entry.name.as_str();
        let unfinished = is(name, SWAP_SUFFIX) && min_cleaned.is_some_and(|min| base(name).is_none_or(|b| b >= min));
        if is(name, DELETED_SUFFIX) && !is(name, CHECKPOINT_DELETED) || is(name, CLEANED_SUFFIX) || unfinished {
            fs::remove_file(&dir.join(name))?;
        } else if is(name, SWAP_SUFFIX) {
            swaps = true;
        }
    }
    Ok(swaps)
}

/// Lets finished compactions take the place of the segments they were made from.
fn finish_swaps(dir: &Path) -> io::Result<()> {
    let entries = fs::read_dir(dir)?;
    let swaps: Vec<&str> = entries.iter().filter_map(|e| e.name.strip_suffix(SWAP_SUFFIX)).collect();
    let (mut from, mut to) = (Offset(i64::MAX), Offset(i64::MIN));
    for name in &swaps {
        if let Some((FileKind::Log, base)) = FileKind::parse(name) {
            from = from.min(base);
            to = to.max(next_offset_of(&dir.join(format!("{name}{SWAP_SUFFIX}")), base)?);
        }
    }
    for entry in entries.iter().filter(|e| !e.is_dir) {
        if FileKind::parse(&entry.name).is_some_and(|(_, offset)| offset >= from && offset < to) {
            tracing::info!("deleting {}: it was compacted, its successor is in place", entry.name);
            fs::remove_file(&dir.join(&entry.name))?;
        }
    }
    for name in swaps {
        fs::rename(&dir.join(format!("{name}{SWAP_SUFFIX}")), &dir.join(name))?;
    }
    Ok(())
}

fn next_offset_of(path: &Path, base: Offset) -> io::Result<Offset> {
    let file = File::open(path, OpenMode::Read)?;
    let len = file.len()?;
    let mut scanner = Scanner::new(file, 0, len, false);
    let mut next = base;
    while let Some(Ok(batch)) = scanner.next()? {
        next = batch.meta.last.plus(1);
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::TimestampMs;
    use crate::record::BatchBuilder;

    fn touch(dir: &Path, name: &str, content: &[u8]) {
        std::fs::write(dir.join(name), content).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        fs::read_dir(dir).unwrap().into_iter().map(|e| e.name).collect()
    }

    #[test]
    fn leftovers_go_and_orphan_indexes_too() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "00000000000000000000.log.deleted",
            "00000000000000000005.log.cleaned",
            "00000000000000000007.log.swap",
            "00000000000000000009.index",
            "00000000000000000010.log",
            "00000000000000000010.timeindex",
            "00000000000000000020-0000000001.checkpoint.deleted",
            "leader-epoch-checkpoint",
        ] {
            touch(dir.path(), name, b"");
        }
        let found = find(dir.path()).unwrap();
        assert_eq!(found.segments.keys().collect::<Vec<_>>(), [&Offset(10)]);
        assert_eq!(
            names(dir.path()),
            [
                "00000000000000000010.log",
                "00000000000000000010.timeindex",
                "00000000000000000020-0000000001.checkpoint.deleted",
                "leader-epoch-checkpoint"
            ]
        );
    }

    #[test]
    fn a_finished_compaction_replaces_what_it_was_made_from() {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = BatchBuilder::new(Offset(3));
        for _ in 0..7 {
            builder.append(TimestampMs(1), None, None, &[]);
        }
        let batch = builder.build();
        touch(dir.path(), "00000000000000000000.log.swap", &batch);
        touch(dir.path(), "00000000000000000000.index.swap", b"");
        for old in ["00000000000000000000.log", "00000000000000000005.log", "00000000000000000005.index"] {
            touch(dir.path(), old, b"old");
        }
        touch(dir.path(), "00000000000000000010.log", b"");
        let found = find(dir.path()).unwrap();
        assert_eq!(found.segments.keys().collect::<Vec<_>>(), [&Offset(0), &Offset(10)]);
        assert_eq!(found.segments[&Offset(0)].size, batch.len() as u64);
        assert_eq!(
            names(dir.path()),
            ["00000000000000000000.index", "00000000000000000000.log", "00000000000000000010.log"]
        );
    }
}
