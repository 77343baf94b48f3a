//! Making what is written durable.

use super::core::Log;
use super::files::{FileKind, LEADER_EPOCH_CHECKPOINT, PARTITION_METADATA};
use super::replace::SEGMENT_FILES;
use crate::base::Offset;
use crate::ring::file::File;
use crate::ring::{fs, runtime};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One flush: everything that was written when it began. Owns what it needs.
#[derive(Debug)]
pub struct FlushJob {
    upto: Offset,
    dir: Arc<Path>,
    /// The active segment.
    active: Option<File>,
    /// Closed segments' files, snapshots, the epoch file.
    paths: Vec<PathBuf>,
    /// Base offsets of the closed segments among them.
    closed: Vec<Offset>,
    sync_dir: bool,
    created: bool,
}

impl Log {
    /// True when so much is written and not flushed as `flush.messages` does not allow. With `flush.messages=1`, the
    /// sync class, that is anything at all.
    pub fn must_flush(&self) -> bool {
        self.written_offset().since(self.flushed) >= self.config.flush_messages.max(1)
    }

    /// How far records may be acknowledged and shown: all that is written, but what [`Self::must_flush`] only to where
    /// it is flushed.
    pub fn committable_offset(&self) -> Offset {
        if self.must_flush() { self.flushed } else { self.written_offset() }
    }

    /// Begins a flush of everything that is written. `None` when all of it is on the device, or a flush is out.
    pub fn begin_flush(&mut self) -> Option<FlushJob> {
        if self.flushing || self.is_offline() {
            return None;
        }
        let upto = self.written_offset();
        let unsynced = std::mem::take(&mut self.unsynced);
        let last = self.segments.len() - 1;
        let mut paths: Vec<PathBuf> = Vec::new();
        let mut closed = Vec::new();
        for segment in self.segments.iter().take(last).filter(|s| !s.synced) {
            closed.push(segment.base);
            for kind in SEGMENT_FILES {
                paths.push(kind.path(&self.dir, segment.base));
            }
        }
        paths.extend(unsynced.snapshots.iter().map(|s| FileKind::Snapshot.path(&self.dir, *s)));
        if unsynced.epochs {
            paths.push(self.dir.join(LEADER_EPOCH_CHECKPOINT));
        }
        if upto <= self.flushed && paths.is_empty() && !unsynced.dir {
            self.unsynced = unsynced;
            return None;
        }
        self.flushing = true;
        let active = self.active();
        let active_file = active.file.clone().filter(|_| active.written.size > 0);
        if active.file.is_none() && active.written.size > 0 {
            paths.push(active.path(&self.dir));
        }
        let created = unsynced.created;
        let sync_dir = created || unsynced.dir || unsynced.epochs || !unsynced.snapshots.is_empty();
        Some(FlushJob { upto, dir: self.dir.clone(), active: active_file, paths, closed, sync_dir, created })
    }

    /// Flushes what recovery kept, where `flush.messages` ask for that: it is shown from now on, and must not vanish
    /// with a power cut. Blocking.
    pub(super) fn flush_recovered(&mut self) -> io::Result<()> {
        if !self.must_flush() {
            return Ok(());
        }
        let Some(job) = self.begin_flush() else { return Ok(()) };
        let synced = sync_all(&job.paths, job.sync_dir.then_some(&*job.dir), job.created);
        let synced = synced.and_then(|()| job.active.as_ref().map_or(Ok(()), File::sync_data));
        self.complete_flush(job, synced).map(drop)
    }

    /// Takes a flush back: the recovery point moves up to what it covered.
    ///
    /// # Errors
    /// Its error; the log is offline then, and so must its log directory be: a later fsync may succeed although the
    /// bytes are lost.
    pub fn complete_flush(&mut self, job: FlushJob, result: io::Result<()>) -> io::Result<Offset> {
        self.flushing = false;
        if let Err(error) = result {
            self.fail();
            return Err(error);
        }
        if self.is_offline() {
            return Ok(self.flushed);
        }
        self.flushed = self.flushed.max(job.upto.min(self.written_offset()));
        for segment in &mut self.segments {
            segment.synced |= job.closed.contains(&segment.base);
        }
        self.check_order();
        Ok(self.flushed)
    }
}

impl FlushJob {
    /// True when closed segments are part of it.
    pub fn closes_segments(&self) -> bool {
        !self.closed.is_empty()
    }

    /// Performs the flush.
    pub async fn run(&self) -> io::Result<()> {
        if !self.paths.is_empty() || self.sync_dir {
            let (paths, dir) = (self.paths.clone(), self.dir.clone());
            let (sync_dir, created) = (self.sync_dir, self.created);
            runtime::blocking(move || sync_all(&paths, sync_dir.then_some(&*dir), created)).await?;
        }
        match &self.active {
            Some(file) => file.fdatasync().await,
            None => Ok(()),
        }
    }
}

/// Syncs files and the directory they are in; where that was `created`, its `partition.metadata` and its parent too.
/// A file that is gone was deleted by retention meanwhile. Blocking.
pub(super) fn sync_all(paths: &[PathBuf], dir: Option<&Path>, created: bool) -> io::Result<()> {
    for path in paths {
        sync_if_there(path)?;
    }
    let Some(dir) = dir else { return Ok(()) };
    if created {
        sync_if_there(&dir.join(PARTITION_METADATA))?;
    }
    fs::sync_dir(dir)?;
    match dir.parent().filter(|_| created) {
        Some(parent) => fs::sync_dir(parent),
        None => Ok(()),
    }
}

fn sync_if_there(path: &Path) -> io::Result<()> {
    match fs::sync_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
