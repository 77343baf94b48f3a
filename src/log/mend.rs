//! Writing the indexes of a closed segment anew, after a look-up found that one of them does not agree with the segment.
//!
//! They are made from the segment's heads on the blocking pool, each is written beside the old one, synced, and renamed
//! over it: a crash leaves the old or the new one. Meanwhile look-ups go through the segment itself.

use super::core::Log;
use super::files::FileKind;
use super::index::{Index, OffsetEntry, TimeEntry};
use super::scan::Scanner;
use super::segment::Segment;
use crate::base::{Offset, TimestampMs};
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The segments whose indexes look-ups found wrong. Shared by a log and its look-ups.
#[derive(Clone, Debug, Default)]
pub struct Suspects(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    any: AtomicBool,
    bases: Mutex<BTreeSet<Offset>>,
}

impl Suspects {
    /// An index of the segment `base` is wrong. True when that is news.
    pub(super) fn add(&self, base: Offset) -> bool {
        self.0.any.store(true, Ordering::Relaxed);
        self.0.bases.lock().unwrap_or_else(PoisonError::into_inner).insert(base)
    }

    fn first(&self) -> Option<Offset> {
        self.0.bases.lock().unwrap_or_else(PoisonError::into_inner).first().copied()
    }

    fn remove(&self, base: Offset) {
        let mut bases = self.0.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases.remove(&base);
        self.0.any.store(!bases.is_empty(), Ordering::Relaxed);
    }

    fn any(&self) -> bool {
        self.0.any.load(Ordering::Relaxed)
    }
}

/// One segment's indexes to be made. Owns what it needs.
#[derive(Debug)]
pub struct Mending {
    dir: Arc<Path>,
    base: Offset,
    size: u32,
    interval: u32,
    generation: u64,
}

/// What came of it.
#[derive(Debug)]
pub struct Mended {
    offset_entries: u32,
    time_entries: u32,
}

impl Log {
    /// True when [`Self::begin_mend`] has something to do.
    pub fn has_suspects(&self) -> bool {
        self.suspects.any()
    }

    /// The next closed segment whose indexes are to be written anew. Keep the cleaner from the log until
    /// [`Self::complete_mend`]: a compacted segment has the name of one that it replaces.
    pub fn begin_mend(&mut self) -> Option<Mending> {
        while let Some(base) = self.suspects.first() {
            let closed = self.closed_segments().into_iter().find(|segment| segment.base == base);
            match closed.filter(|_| !self.is_offline() && !self.is_replacing()) {
                // The active segment's indexes are written by whoever appends; a start makes them anew.
                None => self.suspects.remove(base),
                Some(segment) => {
                    let (dir, generation) = (self.shared_dir(), self.generation());
                    let interval = self.config().index_interval_bytes;
                    return Some(Mending { dir, base, size: segment.size, interval, generation });
                }
            }
        }
        None
    }

    /// Takes the new indexes into use; `None`: they could not be made. Gives the job back if its segment is not what it
    /// was: its files are to be removed, then.
    pub fn complete_mend(&mut self, job: Mending, mended: Option<Mended>) -> Option<Mending> {
        self.suspects.remove(job.base);
        let mended = mended?;
        let same = self.generation() == job.generation;
        let last = self.segments.len() - 1;
        let mut closed = self.segments.iter_mut().take(last);
        let Some(segment) = closed.find(|s| same && s.base == job.base && s.written.size == job.size) else {
            return Some(job);
        };
        segment.offset_index = Index::on_disk(mended.offset_entries);
        segment.time_index = Index::on_disk(mended.time_entries);
        self.hints.clear();
        None
    }
}

impl Mending {
    /// The segment.
    pub fn base(&self) -> Offset {
        self.base
    }

    /// Makes the indexes. Blocking.
    ///
    /// # Errors
    /// `InvalidData` where the segment itself is damaged: nothing is changed. Else of the file system.
    pub fn run(&self) -> io::Result<Mended> {
        let file = File::open(&FileKind::Log.path(&self.dir, self.base), OpenMode::Read)?;
        let mut segment = Segment::new(self.base, TimestampMs::NONE);
        let mut scanner = Scanner::new(file, 0, u64::from(self.size), false);
        while let Some(batch) = scanner.next()? {
            let batch = batch.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why.to_string()))?;
            segment.batch_written(&batch.meta, self.interval);
        }
        segment.finish_time_index();
        let (offsets, times) = (&segment.offset_index, &segment.time_index);
        fs::write_atomic(&FileKind::OffsetIndex.path(&self.dir, self.base), offsets.tail())?;
        fs::write_atomic(&FileKind::TimeIndex.path(&self.dir, self.base), times.tail())?;
        Ok(Mended { offset_entries: offsets.entries::<OffsetEntry>(), time_entries: times.entries::<TimeEntry>() })
    }

    /// Removes indexes whose segment is gone. Blocking.
    pub fn remove(&self) -> io::Result<()> {
        if fs::exists(&FileKind::Log.path(&self.dir, self.base)) {
            return Ok(());
        }
        fs::remove_file(&FileKind::OffsetIndex.path(&self.dir, self.base))?;
        fs::remove_file(&FileKind::TimeIndex.path(&self.dir, self.base))
    }
}
