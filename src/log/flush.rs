//! Making what is written durable.

use super::core::Log;
use super::files::{FileKind, LEADER_EPOCH_CHECKPOINT, PARTITION_METADATA};
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
    /// Begins a flush of everything that is written. `None` when all of it is on the device, or a flush is out.
    pub fn begin_flush(&mut self) -> Option<FlushJob> {
        if self.flushing || self.offline {
            return None;
        }
        let upto = self.written_offset();
        let unsynced = std::mem::take(&mut self.unsynced);
        let last = self.segments.len() - 1;
        let mut paths: Vec<PathBuf> = Vec::new();
        let mut closed = Vec::new();
        for segment in self.segments.iter().take(last).filter(|s| !s.synced) {
            closed.push(segment.base);
            for kind in [FileKind::Log, FileKind::OffsetIndex, FileKind::TimeIndex] {
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

    /// Takes a flush back: the recovery point moves up to what it covered.
    ///
    /// # Errors
    /// Its error; the log is offline then, and so must its log directory be: a later fsync may succeed although the
    /// bytes are lost.
    pub fn complete_flush(&mut self, job: FlushJob, result: io::Result<()>) -> io::Result<Offset> {
        self.flushing = false;
        if let Err(error) = result {
            self.offline = true;
            return Err(error);
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
