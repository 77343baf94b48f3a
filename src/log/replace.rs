//! Closed segments seen from outside, and compacted ones taking their place.
//!
//! The new segment's files are complete and on the device, under names that end in `.cleaned`, before the log hears of
//! it. Then, in this order (`LocalLog.replaceSegments`): they become `.swap` (from here on a start completes what
//! follows); the old files become `.deleted`; the new ones get their final names; the log's list changes. Whoever looks
//! into files meanwhile may meet old and new ones mixed: [`Log::generation`] tells, and the look begins again.

use super::core::Log;
use super::files::{CLEANED_SUFFIX, DELETED_SUFFIX, FileKind, SWAP_SUFFIX};
use super::segment::Segment;
use crate::base::Offset;
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The kinds of files a segment has, in the order in which they change their names.
pub const SEGMENT_FILES: [FileKind; 4] =
    [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::TxnIndex];

/// A segment that nothing is appended to any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedSegment {
    /// Its base offset.
    pub base: Offset,
    /// Bytes of its log file.
    pub size: u32,
    /// Bytes of its offset index.
    pub offset_index_bytes: u64,
    /// Bytes of its time index.
    pub time_index_bytes: u64,
}

/// A compacted segment and those it replaces.
#[derive(Debug)]
pub struct Replacement {
    /// Neighbours, ascending. The new segment begins where the first of them does.
    pub old: Vec<ClosedSegment>,
    /// The new one.
    pub(super) new: Segment,
    dir: Arc<Path>,
}

impl Replacement {
    /// `new` takes the place of `old` in the log in `dir`.
    pub(super) fn new(dir: Arc<Path>, old: Vec<ClosedSegment>, new: Segment) -> Self {
        Self { old, new, dir }
    }

    /// Gives the new files their names, and the old ones theirs. Blocking. Gives the files that may be removed now.
    ///
    /// # Errors
    /// Of a rename or an fsync: the partition's directory is then as after a crash, which only a start puts right.
    pub fn swap(&self) -> io::Result<Vec<PathBuf>> {
        let steps = self.steps();
        steps.iter().try_for_each(Step::perform)?;
        Ok(steps.into_iter().filter_map(|step| step.deletes()).collect())
    }

    /// Removes what the new segment has on disk, before [`Self::swap`]. Blocking.
    pub fn discard(&self) -> io::Result<()> {
        remove_cleaned(&self.dir, self.new.base)
    }

    /// Everything that happens to files, in order. A crash may come between any two of them.
    pub(super) fn steps(&self) -> Vec<Step> {
        let new = |suffix: &str, kind: FileKind| with_suffix(kind.path(&self.dir, self.new.base), suffix);
        // Only the transaction index may be absent.
        let rename = |kind: FileKind, from: PathBuf, to: PathBuf| match kind {
            FileKind::TxnIndex => Step::RenameIfThere(from, to),
            _ => Step::Rename(from, to),
        };
        let mut steps: Vec<Step> =
            SEGMENT_FILES.iter().map(|k| rename(*k, new(CLEANED_SUFFIX, *k), new(SWAP_SUFFIX, *k))).collect();
        steps.push(Step::SyncDir(self.dir.to_path_buf()));
        for old in &self.old {
            let mut kinds = SEGMENT_FILES.to_vec();
            // A producer snapshot inside a segment is of no use to a start.
            kinds.extend((old.base != self.new.base).then_some(FileKind::Snapshot));
            for path in kinds.into_iter().map(|kind| kind.path(&self.dir, old.base)) {
                steps.push(Step::RenameIfThere(path.clone(), with_suffix(path, DELETED_SUFFIX)));
            }
        }
        steps.extend(SEGMENT_FILES.iter().map(|k| rename(*k, new(SWAP_SUFFIX, *k), new("", *k))));
        steps.push(Step::SyncDir(self.dir.to_path_buf()));
        steps
    }
}

/// One change of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A file gets another name.
    Rename(PathBuf, PathBuf),
    /// The same; that there is none is no error.
    RenameIfThere(PathBuf, PathBuf),
    /// What was renamed is durable.
    SyncDir(PathBuf),
}

impl Step {
    pub(super) fn perform(&self) -> io::Result<()> {
        match self {
            Self::Rename(from, to) => fs::rename_unsynced(from, to),
            Self::RenameIfThere(from, to) => match fs::rename_unsynced(from, to) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            },
            Self::SyncDir(dir) => fs::sync_dir(dir),
        }
    }

    fn deletes(self) -> Option<PathBuf> {
        match self {
            Self::RenameIfThere(_, to) if to.to_string_lossy().ends_with(DELETED_SUFFIX) => Some(to),
            _ => None,
        }
    }
}

/// A path with something behind its name.
pub(super) fn with_suffix(path: PathBuf, suffix: &str) -> PathBuf {
    let mut name = path.into_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Removes the `.cleaned` files of a segment. Blocking.
pub(super) fn remove_cleaned(dir: &Path, base: Offset) -> io::Result<()> {
    SEGMENT_FILES.iter().try_for_each(|kind| fs::remove_file(&with_suffix(kind.path(dir, base), CLEANED_SUFFIX)))
}

impl Log {
    /// The segments that nothing is appended to any more, ascending.
    pub fn closed_segments(&self) -> Vec<ClosedSegment> {
        let closed = self.segments.iter().take(self.segments.len() - 1);
        closed.map(ClosedSegment::of).collect()
    }

    /// Where the segment begins that is appended to.
    pub fn active_base(&self) -> Offset {
        self.active().base
    }

    /// Changes whenever a segment's files are exchanged. What was found out in files holds if this is the same before
    /// and after, and [`Self::is_replacing`] is false.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// True while segments' files change their names.
    pub fn is_replacing(&self) -> bool {
        self.replacing
    }

    /// Begins to let a compacted segment take its place: call it before [`Replacement::swap`]. False when the segments
    /// it was made from are no more what they were (truncation, retention), or another one is under way: it is void.
    pub fn begin_replace(&mut self, replacement: &Replacement) -> bool {
        let closed = self.closed_segments();
        let same = replacement.old.first().is_some_and(|first| {
            let at = closed.partition_point(|s| s.base < first.base);
            closed.get(at..at + replacement.old.len()) == Some(&replacement.old[..])
        });
        let begins = same && replacement.dir == self.dir && !self.replacing && !self.is_offline();
        if begins {
            self.replacing = true;
            self.generation += 1;
        }
        begins
    }

    /// The files have their names ([`Replacement::swap`] succeeded): the log's list follows, in one step.
    pub fn complete_replace(&mut self, replacement: Replacement) {
        self.replacing = false;
        self.generation += 1;
        let (Some(first), Some(last)) = (replacement.old.first(), replacement.old.last()) else { return };
        let from = self.segments.partition_point(|s| s.base < first.base);
        let to = self.segments.partition_point(|s| s.base <= last.base);
        self.segments.drain(from..to);
        self.segments.insert(from, replacement.new);
        self.hints.clear();
        self.check_order();
    }

    /// The swap failed: the log is offline, and so must its log directory be.
    pub fn fail_replace(&mut self) {
        self.replacing = false;
        self.generation += 1;
        self.offline = true;
    }
}

impl ClosedSegment {
    fn of(segment: &Segment) -> Self {
        use super::index::{Entry, OffsetEntry, TimeEntry};
        Self {
            base: segment.base,
            size: segment.written.size,
            offset_index_bytes: u64::from(segment.offset_index.entries::<OffsetEntry>()) * OffsetEntry::SIZE as u64,
            time_index_bytes: u64::from(segment.time_index.entries::<TimeEntry>()) * TimeEntry::SIZE as u64,
        }
    }
}
