//! Step two of an append: one job writes everything that is queued, with one vectored write.

use super::core::Log;
use super::error::WriteError;
use super::files::{FileKind, LEADER_EPOCH_CHECKPOINT};
use super::index::{OffsetEntry, TimeEntry};
use super::producers::Undo;
use super::segment::{BatchMeta, Segment, TxnIndexState};
use super::txn_index::{self, AbortedTxn};
use crate::base::{Offset, TimestampMs};
use crate::ring::errno;
use crate::ring::file::{File, OpenMode};
use crate::ring::runtime;
use bytes::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Something accepted that waits for a write job.
#[derive(Debug)]
pub enum Queued {
    /// A new segment begins.
    Roll {
        /// Its base offset.
        base: Offset,
        /// The producer snapshot as of it.
        snapshot: Vec<u8>,
        /// When.
        created: TimestampMs,
    },
    /// A batch.
    Batch(QueuedBatch),
}

/// A batch ready to be written.
#[derive(Debug)]
pub struct QueuedBatch {
    /// The patched front.
    pub head: Bytes,
    /// The rest as it was received.
    pub rest: Bytes,
    /// What the segment needs to know of it.
    pub meta: BatchMeta,
    /// What to restore when it cannot be written.
    pub undo: Option<Undo>,
    /// The transaction it aborts.
    pub aborted: Option<AbortedTxn>,
}

/// A segment to close and one to open, before the data is written.
#[derive(Debug)]
struct Roll {
    base: Offset,
    created: TimestampMs,
    snapshot: Vec<u8>,
}

/// An index page to write.
#[derive(Clone, Debug)]
struct IndexWrite {
    path: PathBuf,
    at: u64,
    bytes: Vec<u8>,
}

/// The files to prepare before the data: done on the blocking pool, and seldom.
#[derive(Debug)]
struct Prelude {
    dir: Arc<Path>,
    /// The segment file the data goes to, if it is not open yet.
    open: Option<(PathBuf, OpenMode)>,
    indexes: Vec<IndexWrite>,
    snapshot: Option<(PathBuf, Vec<u8>)>,
    epochs: Option<String>,
}

/// Everything that was queued for one segment, to be written at once. Owns what it needs: the shard runs it without
/// holding the log, and must give it back to [`Log::complete_write`] whatever became of it.
#[derive(Debug)]
pub struct WriteJob {
    dir: Arc<Path>,
    prelude: Option<Prelude>,
    roll: Option<Roll>,
    file: Option<File>,
    position: u64,
    parts: Vec<Bytes>,
    batches: Vec<BatchMeta>,
    undo: Vec<Undo>,
    /// Transactions aborted in the job's segment.
    aborted: Vec<AbortedTxn>,
    /// Bytes of the offset and the time index that the prelude writes.
    index_bytes: (usize, usize),
}

/// What became of a write job.
#[derive(Debug)]
pub struct Written {
    /// Everything before this offset is written.
    pub end: Offset,
    /// The job failed: everything accepted at or after `end` is gone, also what was queued behind the job.
    pub failed: Option<WriteError>,
    /// More is queued: take the next job.
    pub more: bool,
    /// A segment was closed: a flush is due, in the background.
    pub rolled: bool,
}

impl Log {
    /// Takes what is queued, up to the next roll, as one job. `None` when nothing is queued or a job is out.
    pub fn take_write(&mut self) -> Option<WriteJob> {
        if self.writing || self.queue.is_empty() {
            return None;
        }
        let roll = match self.queue.front() {
            Some(Queued::Roll { .. }) => match self.queue.pop_front() {
                Some(Queued::Roll { base, snapshot, created }) => Some(Roll { base, created, snapshot }),
                _ => None,
            },
            _ => None,
        };
        let (mut parts, mut batches, mut undo, mut aborted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        while let Some(Queued::Batch(_)) = self.queue.front() {
            let Some(Queued::Batch(batch)) = self.queue.pop_front() else { break };
            parts.push(batch.head);
            if !batch.rest.is_empty() {
                parts.push(batch.rest);
            }
            batches.push(batch.meta);
            undo.extend(batch.undo);
            aborted.extend(batch.aborted);
        }
        let mut job = WriteJob {
            dir: self.dir.clone(),
            prelude: None,
            file: None,
            position: 0,
            parts,
            batches,
            undo,
            aborted,
            index_bytes: (0, 0),
            roll,
        };
        job.prelude = self.prepare(&mut job);
        self.writing = true;
        Some(job)
    }

    /// Decides where the job writes and what must be done before.
    fn prepare(&mut self, job: &mut WriteJob) -> Option<Prelude> {
        let dir = self.dir.clone();
        let rolling = job.roll.is_some();
        let active = self.active_mut();
        if rolling {
            active.finish_time_index();
        }
        let mut indexes = Vec::new();
        if rolling || active.offset_index.page_due() || active.time_index.page_due() {
            job.index_bytes = (active.offset_index.tail().len(), active.time_index.tail().len());
            indexes = index_writes(active, &dir, rolling);
        }
        if !job.aborted.is_empty() {
            let (base, entries) = job.roll.as_ref().map_or((active.base, active.txn_entries()), |roll| (roll.base, 0));
            indexes.push(IndexWrite {
                path: FileKind::TxnIndex.path(&dir, base),
                at: u64::from(entries) * txn_index::ENTRY_LEN as u64,
                bytes: txn_index::encode(&job.aborted),
            });
        }
        let open = match &job.roll {
            Some(roll) => Some((FileKind::Log.path(&dir, roll.base), OpenMode::Create)),
            None => {
                job.position = u64::from(active.written.size);
                job.file.clone_from(&active.file);
                job.file.is_none().then(|| (active.path(&dir), OpenMode::Create))
            }
        };
        let snapshot =
            job.roll.as_mut().map(|r| (FileKind::Snapshot.path(&dir, r.base), std::mem::take(&mut r.snapshot)));
        let unwritten = std::mem::take(&mut self.epochs_unwritten) | std::mem::take(&mut self.epoch_begun);
        let epochs = unwritten.then(|| self.epochs.encode());
        self.unsynced.epochs |= epochs.is_some();
        let needed = open.is_some() || !indexes.is_empty() || snapshot.is_some() || epochs.is_some();
        needed.then_some(Prelude { dir, open, indexes, snapshot, epochs })
    }

    /// Takes a job back. On success its batches are written and readable. On failure everything accepted behind them
    /// is dropped: the cursors, the producers and the epochs go back to what is written. After
    /// [`WriteError::Failed`] the log is offline; the shard takes the whole log directory offline.
    pub fn complete_write(&mut self, job: WriteJob, result: Result<(), WriteError>) -> Written {
        self.writing = false;
        let rolled = job.roll.is_some();
        let failed = match result {
            Ok(()) => {
                self.job_written(job);
                None
            }
            Err(error) => {
                self.roll_back(job);
                match &error {
                    WriteError::Failed(_) => self.fail(),
                    WriteError::DiskFull(e) if errno::is_disk_full(e) => self.health.set_full(),
                    WriteError::DiskFull(_) => {}
                }
                Some(error)
            }
        };
        self.check_order();
        let rolled = rolled && failed.is_none();
        Written { end: self.written_offset(), failed, more: !self.queue.is_empty(), rolled }
    }

    fn job_written(&mut self, job: WriteJob) {
        let interval = self.config.index_interval_bytes;
        let active = self.active_mut();
        active.offset_index.tail_written::<OffsetEntry>(job.index_bytes.0);
        active.time_index.tail_written::<TimeEntry>(job.index_bytes.1);
        if let Some(roll) = &job.roll {
            // The old file is opened again when somebody reads it.
            active.file = None;
            active.modified = None;
            self.segments.push_back(Segment::new(roll.base, roll.created));
            self.unsynced.snapshots.push(roll.base);
        }
        if job.opened_new() {
            self.unsynced.dir = true;
        }
        self.used = true;
        let active = self.active_mut();
        active.file = job.file;
        if !job.aborted.is_empty() {
            active.txn_index = TxnIndexState::Entries(active.txn_entries() + job.aborted.len() as u32);
        }
        for batch in &job.batches {
            active.batch_written(batch, interval);
        }
        let (base, next, size) = (active.base, active.written.next, active.written.size);
        self.hints.note(base, next, size);
    }

    fn roll_back(&mut self, job: WriteJob) {
        let queued = self.queue.drain(..).filter_map(|q| match q {
            Queued::Batch(batch) => batch.undo,
            Queued::Roll { .. } => None,
        });
        let mut undo = job.undo;
        undo.extend(queued);
        for one in undo.into_iter().rev() {
            self.producers.undo(one);
        }
        self.reset_accepted();
        self.epochs.pull_back(self.written_offset());
        self.epochs_unwritten = true;
    }
}

impl WriteJob {
    /// Bytes the job writes.
    pub fn len(&self) -> usize {
        self.parts.iter().map(Bytes::len).sum()
    }

    /// True when the job only rolls.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn opened_new(&self) -> bool {
        self.roll.is_some() || self.position == 0
    }

    /// Performs the job. Blocking steps (opening, rolling, index pages) run on the blocking pool. When the disk is
    /// full, the torn tail has been cut off before this returns.
    pub async fn run(&mut self) -> Result<(), WriteError> {
        let result = self.write().await;
        match result {
            Ok(()) => Ok(()),
            Err(error) if errno::is_disk_full(&error) || errno::is_out_of_descriptors(&error) => {
                match self.cut_torn_tail().await {
                    Ok(()) => Err(WriteError::DiskFull(error)),
                    Err(again) => Err(WriteError::Failed(again)),
                }
            }
            Err(error) => Err(WriteError::Failed(error)),
        }
    }

    async fn write(&mut self) -> io::Result<()> {
        if let Some(prelude) = self.prelude.take() {
            if let Some(file) = runtime::blocking(move || prelude.perform()).await? {
                self.file = Some(file);
            }
        }
        let Some(file) = &self.file else { return Err(io::Error::other("the segment is not open")) };
        file.write_vectored(std::mem::take(&mut self.parts), self.position).await
    }

    async fn cut_torn_tail(&self) -> io::Result<()> {
        let (file, position) = (self.file.clone(), self.position);
        let begun = self.roll.as_ref().map(|roll| (self.dir.clone(), roll.base));
        runtime::blocking(move || match begun {
            // What is accepted next may still go to the segment before: a file of a segment that never began would
            // cut that one off at the next start.
            Some((dir, base)) => [FileKind::Log, FileKind::Snapshot]
                .iter()
                .try_for_each(|kind| crate::ring::fs::remove_file(&kind.path(&dir, base))),
            None => file.map_or(Ok(()), |file| file.set_len(position)),
        })
        .await
    }
}

impl Prelude {
    /// Blocking. The epoch file comes before the first batch of its epoch.
    fn perform(self) -> io::Result<Option<File>> {
        for index in self.indexes {
            write_index(&index)?;
        }
        if let Some((path, bytes)) = self.snapshot {
            write_snapshot(&path, &bytes)?;
        }
        if let Some(text) = self.epochs {
            crate::ring::fs::write_replacing(&self.dir.join(LEADER_EPOCH_CHECKPOINT), text.as_bytes())?;
        }
        self.open.map(|(path, mode)| File::open(&path, mode)).transpose()
    }
}

/// The pages of both indexes that are not in their files; `all`: also when there is nothing, so that both files
/// exist.
fn index_writes(segment: &Segment, dir: &Path, all: bool) -> Vec<IndexWrite> {
    let write = |kind: FileKind, entries: u32, size: usize, tail: &[u8]| IndexWrite {
        path: kind.path(dir, segment.base),
        at: u64::from(entries) * size as u64,
        bytes: tail.to_vec(),
    };
    let (offset, time) = (&segment.offset_index, &segment.time_index);
    let mut writes = vec![
        write(FileKind::OffsetIndex, offset.entries_on_disk(), 8, offset.tail()),
        write(FileKind::TimeIndex, time.entries_on_disk(), 12, time.tail()),
    ];
    writes.retain(|w| all || !w.bytes.is_empty());
    writes
}

/// Writes an index page, and cuts what stood behind it: nothing valid does.
fn write_index(write: &IndexWrite) -> io::Result<()> {
    let file = File::open(&write.path, OpenMode::Create)?;
    file.write_at(&write.bytes, write.at)?;
    let end = write.at + write.bytes.len() as u64;
    // Cutting a file that ends there already would be a change of its inode.
    if file.len()? == end { Ok(()) } else { file.set_len(end) }
}

/// Writes a producer snapshot. A crash may leave a part of it: its checksum tells. Blocking.
pub(super) fn write_snapshot(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = File::open(path, OpenMode::Create)?;
    file.write_at(bytes, 0)?;
    if file.len()? == bytes.len() as u64 { Ok(()) } else { file.set_len(bytes.len() as u64) }
}

/// Writes what is missing in a segment's index files. Blocking.
pub(super) fn write_index_tails(segment: &mut Segment, dir: &Path) -> io::Result<()> {
    for write in index_writes(segment, dir, true) {
        write_index(&write)?;
    }
    let lens = (segment.offset_index.tail().len(), segment.time_index.tail().len());
    segment.offset_index.tail_written::<OffsetEntry>(lens.0);
    segment.time_index.tail_written::<TimeEntry>(lens.1);
    Ok(())
}
