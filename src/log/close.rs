//! Ending and cutting a log: clean close, truncation, deletion. Blocking: the owner takes the log out of its cell,
//! with no job out, and runs these on the blocking pool.

use super::core::{Log, Unsynced};
use super::files::{FileKind, LEADER_EPOCH_CHECKPOINT};
use super::flush::sync_all;
use super::rebuild::replay_producers;
use super::recover::{create_segment_file, delete_segment};
use super::replace::SEGMENT_FILES;
use super::scan::Scanner;
use super::segment::{Segment, TxnIndexState};
use super::snapshot;
use super::txn_rebuild;
use super::write::{write_index_tails, write_snapshot};
use crate::base::{Offset, TimestampMs, Uuid};
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the checkpoints shall say of a log that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// For `recovery-point-offset-checkpoint`.
    pub recovery_point: Offset,
    /// For `log-start-offset-checkpoint`.
    pub start_offset: Offset,
}

impl Log {
    /// Closes the log so that the next start (or Java's) finds it clean: index files complete and trimmed, a producer
    /// snapshot at the end, everything on the device. What was accepted and not written is not waited for.
    pub fn close(self) -> io::Result<Closed> {
        let (closed, loose) = self.finish()?;
        loose.sync()?;
        Ok(closed)
    }

    /// The first half of [`Self::close`]: all files are written, what is not on the device is named.
    pub fn finish(mut self) -> io::Result<(Closed, Loose)> {
        if self.is_offline() {
            return Err(io::Error::other("the log directory is offline"));
        }
        let end = self.written_offset();
        let dir = self.dir.clone();
        let dirty = end > self.flushed || self.epochs_unwritten || self.unsynced.any();
        let last = self.segments.len() - 1;
        let mut paths = Vec::new();
        for (i, segment) in self.segments.iter_mut().enumerate().filter(|(_, s)| !s.synced) {
            let unchanged = i == last && !dirty && segment.offset_index.tail().is_empty();
            if segment.written.size == 0 || unchanged {
                continue;
            }
            segment.finish_time_index();
            write_index_tails(segment, &dir)?;
            paths.extend(SEGMENT_FILES.map(|k| k.path(&dir, segment.base)));
        }
        if self.epochs_unwritten {
            fs::write_replacing(&dir.join(LEADER_EPOCH_CHECKPOINT), self.epochs.encode().as_bytes())?;
            self.unsynced.epochs = true;
        }
        if self.unsynced.epochs {
            paths.push(dir.join(LEADER_EPOCH_CHECKPOINT));
        }
        if dirty && end > Offset::ZERO {
            let path = FileKind::Snapshot.path(&dir, end);
            write_snapshot(&path, &snapshot::encode(&self.producers))?;
            paths.push(path);
        }
        paths.extend(self.unsynced.snapshots.iter().map(|s| FileKind::Snapshot.path(&dir, *s)));
        let loose = !paths.is_empty() || (self.unsynced.any() && end > Offset::ZERO);
        let loose = Loose { dir: loose.then_some(dir), paths, created: self.unsynced.created };
        Ok((Closed { recovery_point: end, start_offset: self.start }, loose))
    }

    /// Cuts the log so that it ends at `target` or, where a batch spans it, before that batch. What was accepted and
    /// not written is dropped. True when the log became shorter.
    pub fn truncate_to(&mut self, target: Offset) -> io::Result<bool> {
        self.assert_no_job("truncated")?;
        self.queue.clear();
        self.reset_accepted();
        if target >= self.written_offset() {
            self.epochs_unwritten |= self.epochs.truncate_from_end(self.written_offset());
            return Ok(false);
        }
        if self.segments.front().is_some_and(|s| s.base > target) {
            self.truncate_fully_and_start_at(target)?;
            return Ok(true);
        }
        while self.active().base > target {
            let Some(segment) = self.segments.pop_back() else { break };
            delete_segment(&self.dir, segment.base)?;
        }
        let (dir, interval) = (self.dir.clone(), self.config.index_interval_bytes);
        let active = self.active_mut();
        let file = File::open(&active.path(&dir), OpenMode::ReadWrite)?;
        let cut = cut_segment(active, &file, target, interval)?;
        file.set_len(u64::from(cut.written.size))?;
        file.sync_data()?;
        *active = cut;
        active.txn_index = TxnIndexState::Entries(txn_rebuild::cut(&dir, active)?);
        write_index_tails(active, &dir)?;
        active.file = Some(file);
        let end = self.written_offset();
        self.epochs.truncate_from_end(end);
        fs::write_replacing(&self.dir.join(LEADER_EPOCH_CHECKPOINT), self.epochs.encode().as_bytes())?;
        self.start = self.start.min(end);
        self.flushed = self.flushed.min(end);
        let snapshots = self.snapshots_upto(end)?;
        self.producers = replay_producers(&self.dir, self.segments.make_contiguous(), &snapshots, end)?;
        self.after_truncation();
        Ok(true)
    }

    /// Deletes everything and begins anew, empty, at `offset`.
    pub fn truncate_fully_and_start_at(&mut self, offset: Offset) -> io::Result<()> {
        self.assert_no_job("truncated")?;
        self.queue.clear();
        for segment in std::mem::take(&mut self.segments) {
            delete_segment(&self.dir, segment.base)?;
        }
        let mut segment = Segment::new(offset, TimestampMs::NONE);
        segment.written.created = self.accepted.created;
        self.segments.push_back(segment);
        self.active_mut().file = Some(create_segment_file(&self.dir.clone(), offset)?);
        self.epochs.clear();
        fs::write_replacing(&self.dir.join(LEADER_EPOCH_CHECKPOINT), self.epochs.encode().as_bytes())?;
        self.start = offset;
        self.flushed = offset;
        for snapshot in self.snapshots_upto(Offset(-1))? {
            fs::remove_file(&self.file_path(FileKind::Snapshot, snapshot))?;
        }
        self.producers.clear();
        self.after_truncation();
        Ok(())
    }

    fn after_truncation(&mut self) {
        self.epochs_unwritten = false;
        self.epoch_begun = false;
        self.unsynced = Unsynced { dir: true, epochs: true, snapshots: Vec::new(), ..self.unsynced };
        self.hints.clear();
        self.reset_accepted();
        self.check_order();
    }

    /// Producer snapshots at or before `end`; those after it are deleted.
    fn snapshots_upto(&self, end: Offset) -> io::Result<Vec<Offset>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            if let Some((FileKind::Snapshot, offset)) = FileKind::parse(&entry.name) {
                if offset <= end {
                    kept.push(offset);
                } else {
                    fs::remove_file(&self.dir.join(&entry.name))?;
                }
            }
        }
        Ok(kept)
    }

    /// Renames the directory to `topic-N.<id>-delete` and gives the new path; [`delete_dir`] removes it later.
    pub fn rename_for_delete(mut self, id: Uuid) -> io::Result<PathBuf> {
        self.offline = true;
        let name = super::names::suffixed(&self.partition, id, super::names::DELETE);
        let path = self.dir.parent().map_or_else(|| PathBuf::from(&name), |p| p.join(&name));
        fs::rename(&self.dir, &path)?;
        Ok(path)
    }

    fn assert_no_job(&self, what: &str) -> io::Result<()> {
        if self.writing || self.flushing || self.replacing {
            return Err(io::Error::other(format!("{}: cannot be {what} while a job is out", self.partition)));
        }
        Ok(())
    }
}

/// Files of a closed log that are not on the device yet.
#[derive(Debug)]
pub struct Loose {
    /// The partition's directory; `None`: there is nothing to sync.
    dir: Option<Arc<Path>>,
    paths: Vec<PathBuf>,
    created: bool,
}

impl Loose {
    /// How many syncs it takes.
    pub fn count(&self) -> usize {
        self.dir.as_ref().map_or(0, |_| self.paths.len() + 1 + 2 * usize::from(self.created))
    }

    /// The other half of a close. Blocking.
    pub fn sync(&self) -> io::Result<()> {
        match &self.dir {
            Some(dir) => sync_all(&self.paths, Some(dir), self.created),
            None => Ok(()),
        }
    }
}

impl Unsynced {
    fn any(&self) -> bool {
        self.created || self.dir || self.epochs || !self.snapshots.is_empty()
    }
}

/// Deletes a partition's directory and all that is in it.
pub fn delete_dir(path: &std::path::Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

/// The segment as it is when it ends before the batch that holds `target`; its indexes wait in memory.
fn cut_segment(segment: &Segment, file: &File, target: Offset, interval: u32) -> io::Result<Segment> {
    let mut cut = Segment::new(segment.base, segment.written.created);
    let mut scanner = Scanner::new(file.clone(), 0, u64::from(segment.written.size), false);
    while let Some(Ok(batch)) = scanner.next()? {
        if batch.meta.last >= target {
            break;
        }
        cut.batch_written(&batch.meta, interval);
    }
    Ok(cut)
}
