//! Indexes beside a segment, compared with its batches as they pass: memory is what the index takes.

use super::report::Report;
use super::segment::Spot;
use crate::base::Offset;
use crate::log::files::FileKind;
use crate::log::index::{Entry, OffsetEntry, TimeEntry};
use crate::ring::fs;
use crate::tools::FileError;
use std::path::{Path, PathBuf};

/// An index file's entries; those not reached yet from `at` on.
struct Entries<E> {
    path: PathBuf,
    entries: Vec<E>,
    at: usize,
}

impl<E: Entry + PartialEq> Entries<E> {
    /// Reads it. Zeros at the end of the active segment's were preallocated.
    fn read(
        dir: &Path,
        kind: FileKind,
        base: Offset,
        active: bool,
        report: &mut Report<'_>,
    ) -> Result<Self, FileError> {
        let path = kind.path(dir, base);
        let mut none = Self { path: path.clone(), entries: Vec::new(), at: 0 };
        if !fs::exists(&path) {
            // corelog writes them when there is something to write.
            if !active {
                report.finding(&path, "is missing: a start makes it anew");
            }
            return Ok(none);
        }
        let bytes = fs::read(&path).map_err(FileError::of(&path))?;
        if bytes.len() % E::SIZE != 0 {
            report.finding(&path, format_args!("{} bytes are no whole entries of {}", bytes.len(), E::SIZE));
        }
        let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let entries = |len: usize| len.div_ceil(E::SIZE).min(bytes.len() / E::SIZE);
        // One entry of zeros is one: the first batch, at the front, of one record.
        let (used, all) = (entries(used), entries(bytes.len()));
        if used + 1 < all && !active {
            report.finding(&path, format_args!("{} entries of zeros at the end", all - used));
        }
        let kept = if used + 1 == all { all } else { used };
        none.entries = bytes.chunks_exact(E::SIZE).take(kept).map(|chunk| E::parse(chunk, base)).collect();
        for (before, after) in none.entries.iter().zip(none.entries.iter().skip(1)) {
            if after.key() <= before.key() {
                report.finding(&path, "its entries do not ascend");
                break;
            }
        }
        Ok(none)
    }

    fn next(&self) -> Option<E> {
        self.entries.get(self.at).copied()
    }
}

/// `.index`
pub struct OffsetIndex {
    inner: Entries<OffsetEntry>,
    /// The entry whose append has begun and not ended: Kafka's followers append several batches at once.
    begun: Option<OffsetEntry>,
}

impl OffsetIndex {
    /// Reads the file.
    pub fn read(dir: &Path, base: Offset, active: bool, report: &mut Report<'_>) -> Result<Self, FileError> {
        Ok(Self { inner: Entries::read(dir, FileKind::OffsetIndex, base, active, report)?, begun: None })
    }

    /// A batch passes.
    pub fn pass(&mut self, spot: &Spot, report: &mut Report<'_>) {
        while let Some(entry) = self.inner.next().filter(|entry| u64::from(entry.position) <= spot.position) {
            self.inner.at += 1;
            self.abandon(report);
            if u64::from(entry.position) == spot.position {
                self.begun = Some(entry);
            } else {
                let what =
                    format_args!("offset {} at position {}, where no batch begins", entry.offset, entry.position);
                report.finding(&self.inner.path, what);
            }
        }
        if self.begun.is_some_and(|entry| entry.offset == spot.last) {
            self.begun = None;
        } else if self.begun.is_some_and(|entry| entry.offset < spot.last) {
            self.abandon(report);
        }
    }

    fn abandon(&mut self, report: &mut Report<'_>) {
        if let Some(entry) = self.begun.take() {
            let what = format_args!("offset {} at position {}: no batch there ends so", entry.offset, entry.position);
            report.finding(&self.inner.path, what);
        }
    }

    /// The segment has ended.
    pub fn end(&mut self, report: &mut Report<'_>) {
        self.abandon(report);
        if let Some(entry) = self.inner.next() {
            let left = self.inner.entries.len() - self.inner.at;
            report.finding(
                &self.inner.path,
                format_args!("{left} entries point beyond the segment, the first at position {}", entry.position),
            );
        }
    }
}

/// `.timeindex`
pub struct TimeIndex {
    inner: Entries<TimeEntry>,
    newest: i64,
}

impl TimeIndex {
    /// Reads the file.
    pub fn read(dir: &Path, base: Offset, active: bool, report: &mut Report<'_>) -> Result<Self, FileError> {
        Ok(Self { inner: Entries::read(dir, FileKind::TimeIndex, base, active, report)?, newest: -1 })
    }

    /// A batch passes.
    pub fn pass(&mut self, spot: &Spot, report: &mut Report<'_>) {
        self.newest = self.newest.max(spot.max_timestamp);
        while let Some(entry) = self.inner.next().filter(|entry| entry.offset <= spot.last) {
            self.inner.at += 1;
            if entry.offset < spot.base || entry.timestamp.0 != self.newest {
                report.finding(
                    &self.inner.path,
                    format_args!(
                        "timestamp {} at offset {}; the log says {}",
                        entry.timestamp, entry.offset, self.newest
                    ),
                );
            }
        }
    }

    /// The segment has ended.
    pub fn end(&mut self, report: &mut Report<'_>) {
        if let Some(entry) = self.inner.next() {
            report.finding(
                &self.inner.path,
                format_args!("timestamp {} at offset {}, beyond the segment", entry.timestamp, entry.offset),
            );
        }
    }
}

/// `.txnindex`
pub struct Aborted;

/// Bytes of an entry: i16 version, then producer id, first, last and last stable offset.
const ABORTED_LEN: usize = 34;

impl Aborted {
    /// Looks at the file, if there is one, of a segment that ends at `end`.
    pub fn verify(dir: &Path, base: Offset, end: Offset, report: &mut Report<'_>) -> Result<(), FileError> {
        let path = FileKind::TxnIndex.path(dir, base);
        if !fs::exists(&path) {
            return Ok(());
        }
        let bytes = fs::read(&path).map_err(FileError::of(&path))?;
        let chunks = bytes.chunks_exact(ABORTED_LEN);
        if !chunks.remainder().is_empty() {
            report.finding(&path, format_args!("{} bytes are no whole entries of {ABORTED_LEN}", bytes.len()));
        }
        let mut before = -1;
        for chunk in chunks {
            let i64_at =
                |at: usize| chunk.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, i64::from_be_bytes);
            let (producer, first, last, stable) = (i64_at(2), i64_at(10), i64_at(18), i64_at(26));
            let ordered = before < last && (0..=last).contains(&first) && stable >= 0 && producer >= 0;
            if !chunk.starts_with(&[0, 0]) || !ordered || last >= end.0 || last < base.0 {
                report.finding(
                    &path,
                    format_args!(
                        "producer {producer}, offsets {first} to {last}, stable to {stable}: not in this segment"
                    ),
                );
            }
            before = last;
        }
        Ok(())
    }
}
