//! Making what is written durable.

use super::core::Log;
use super::files::{FileKind, LEADER_EPOCH_CHECKPOINT};
use crate::base::Offset;
use crate::ring::file::{File, OpenMode};
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
            return None;
        }
        self.flushing = true;
        let active = self.active();
        let active_file = active.file.clone().filter(|_| active.written.size > 0);
        if active.file.is_none() && active.written.size > 0 {
            paths.push(active.path(&self.dir));
        }
        let sync_dir = unsynced.dir || unsynced.epochs || !unsynced.snapshots.is_empty();
        Some(FlushJob { upto, dir: self.dir.clone(), active: active_file, paths, closed, sync_dir })
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
            let (paths, dir, sync_dir) = (self.paths.clone(), self.dir.clone(), self.sync_dir);
            runtime::blocking(move || sync_all(&paths, sync_dir.then_some(&*dir))).await?;
        }
        match &self.active {
            Some(file) => file.fdatasync().await,
            None => Ok(()),
        }
    }
}

/// Syncs files, and the directory they are in. A file that is gone was deleted by retention meanwhile. Blocking.
pub(super) fn sync_all(paths: &[PathBuf], dir: Option<&Path>) -> io::Result<()> {
    for path in paths {
        match File::open(path, OpenMode::Read) {
            Ok(file) => file.sync_data()?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    dir.map_or(Ok(()), fs::sync_dir)
}
