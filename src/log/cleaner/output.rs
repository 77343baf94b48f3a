//! The segment a round writes: its files under `.cleaned` names, complete and on the device when it is finished.
//! Blocking.

use super::error::CleanError;
use crate::base::{Offset, TimestampMs};
use crate::log::append::header_of;
use crate::log::files::{CLEANED_SUFFIX, FileKind};
use crate::log::index::{Entry, Index, OffsetEntry, TimeEntry};
use crate::log::replace::{ClosedSegment, Replacement, remove_cleaned, with_suffix};
use crate::log::segment::{BatchMeta, Segment};
use crate::log::txn_index::AbortedTxn;
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A segment grows no larger: positions are i32 in the indexes.
const SIZE_MAX: u64 = i32::MAX as u64;

/// See the module.
pub struct Output {
    dir: Arc<Path>,
    segment: Segment,
    file: File,
    offset_index: File,
    time_index: File,
    interval: u32,
    aborted: Vec<AbortedTxn>,
    /// Its bytes shall not stay in the page cache: those it is made from were not there either.
    passing: bool,
}

impl Output {
    /// Begins the segment `base`. What a former try left is overwritten.
    pub fn create(
        dir: Arc<Path>,
        base: Offset,
        interval: u32,
        created: TimestampMs,
        passing: bool,
    ) -> Result<Self, CleanError> {
        let open = |kind| File::open(&cleaned(&dir, base, kind), OpenMode::CreateNew);
        let opened = remove_cleaned(&dir, base)
            .and_then(|()| Ok((open(FileKind::Log)?, open(FileKind::OffsetIndex)?, open(FileKind::TimeIndex)?)));
        let (file, offset_index, time_index) = opened.map_err(CleanError::Write)?;
        let segment = Segment::new(base, created);
        Ok(Self { dir, segment, file, offset_index, time_index, interval, aborted: Vec::new(), passing })
    }

    /// Bytes so far.
    pub fn size(&self) -> u32 {
        self.segment.written.size
    }

    /// Adds an aborted transaction whose marker is in this segment.
    pub fn aborted(&mut self, txn: AbortedTxn) {
        self.aborted.push(txn);
    }

    /// Appends whole batches.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), CleanError> {
        let at = u64::from(self.segment.written.size);
        if at + bytes.len() as u64 > SIZE_MAX {
            return Err(CleanError::uncleanable(self.segment.base, "what stays of it does not fit one segment"));
        }
        let written = if self.passing { self.file.write_at_passing(bytes, at) } else { self.file.write_at(bytes, at) };
        written.map_err(CleanError::Write)?;
        let mut rest = bytes;
        while let Some((meta, behind)) = meta_of(rest) {
            self.segment.batch_written(&meta, self.interval);
            rest = behind;
        }
        if self.segment.offset_index.page_due() || self.segment.time_index.page_due() {
            self.write_indexes().map_err(CleanError::Write)?;
        }
        Ok(())
    }

    /// Completes the segment, which takes the place of `old`, and makes it durable. It ends before `next` and is dated as
    /// the last of those it replaces, for retention by time.
    pub fn finish(mut self, old: Vec<ClosedSegment>, next: Offset) -> Result<Replacement, CleanError> {
        self.segment.finish_time_index();
        self.write_and_sync(old.last().map(|last| last.base)).map_err(CleanError::Write)?;
        self.segment.written.next = next;
        self.segment.synced = true;
        self.segment.file = None;
        Ok(Replacement::new(self.dir, old, self.segment))
    }

    fn write_and_sync(&mut self, dated_as: Option<Offset>) -> io::Result<()> {
        self.write_indexes()?;
        let (dir, base) = (self.dir.clone(), self.segment.base);
        let mut files = vec![FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex];
        if !self.aborted.is_empty() {
            let path = cleaned(&dir, base, FileKind::TxnIndex);
            let file = File::open(&path, OpenMode::CreateNew)?;
            file.write_at(&crate::log::txn_index::encode(&self.aborted), 0)?;
            files.push(FileKind::TxnIndex);
        }
        let modified = dated_as.map(|old| fs::mtime_ms(&FileKind::Log.path(&dir, old))).transpose()?;
        self.segment.modified = modified.map(TimestampMs);
        for kind in files {
            let path = cleaned(&dir, base, kind);
            if let Some(modified) = modified {
                fs::set_mtime_ms(&path, modified)?;
            }
            fs::sync_file(&path)?;
        }
        if self.passing {
            self.file.forget_cached();
        }
        Ok(())
    }

    fn write_indexes(&mut self) -> io::Result<()> {
        write_tail::<OffsetEntry>(&self.offset_index, &mut self.segment.offset_index)?;
        write_tail::<TimeEntry>(&self.time_index, &mut self.segment.time_index)
    }

    /// Gives up: its files go.
    pub fn discard(self) -> io::Result<()> {
        remove_cleaned(&self.dir, self.segment.base)
    }
}

fn write_tail<E: Entry>(file: &File, index: &mut Index) -> io::Result<()> {
    file.write_at(index.tail(), u64::from(index.entries_on_disk()) * E::SIZE as u64)?;
    let written = index.tail().len();
    index.tail_written::<E>(written);
    Ok(())
}

fn cleaned(dir: &Path, base: Offset, kind: FileKind) -> PathBuf {
    with_suffix(kind.path(dir, base), CLEANED_SUFFIX)
}

/// The batch in front of `bytes`, and what follows it.
fn meta_of(bytes: &[u8]) -> Option<(BatchMeta, &[u8])> {
    let header = header_of(bytes)?;
    let size = header.size()?;
    let meta = BatchMeta {
        base: header.base_offset(),
        last: header.last_offset(),
        size: u32::try_from(size).ok()?,
        max_timestamp: header.max_timestamp(),
    };
    Some((meta, bytes.get(size..)?))
}
