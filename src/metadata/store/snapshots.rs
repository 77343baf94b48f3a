//! Snapshots of the metadata log: when one is due (`SnapshotGenerator`), writing it, finding those there are.

use super::checkpoint::{self, Content, SnapshotId};
use super::{MetadataLog, StoreError, voters::KRaftState};
use crate::base::{Now, Offset, TimestampMs};
use crate::metadata::image::MetadataImage;
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What Kafka puts behind the name of a snapshot on its way out.
pub(super) const DELETED_SUFFIX: &str = ".deleted";
/// What stands behind the name of a snapshot that cannot be read.
const DAMAGED_SUFFIX: &str = ".damaged";
/// As much of a snapshot's front as holds its first batch.
const FRONT: usize = 64 << 10;

/// A finished snapshot on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Its name.
    pub id: SnapshotId,
    /// Its size.
    pub bytes: u64,
    /// When the last record it stands for was appended.
    pub last_timestamp: TimestampMs,
}

/// The finished snapshots in `dir`, oldest first. Blocking.
pub fn list(dir: &Path) -> io::Result<Vec<SnapshotId>> {
    let mut found: Vec<_> = fs::read_dir(dir)?.iter().filter_map(|entry| SnapshotId::parse(&entry.name)).collect();
    found.sort();
    Ok(found)
}

/// The snapshots to keep at a start. Those that end before the log begins go, and what was never finished or only
/// half deleted (`KafkaMetadataLog.recoverSnapshots`). Those newer than `newest`, the newest that can be read, are
/// damaged: they are put aside, or the next cleaning would keep them and delete those that are whole. Blocking.
pub fn sift(dir: &Path, log_start: Offset, newest: Option<SnapshotId>) -> io::Result<Vec<SnapshotFile>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = dir.join(&entry.name);
        let unfinished =
            |suffix: &str| entry.name.strip_suffix(suffix).is_some_and(|name| SnapshotId::parse(name).is_some());
        match SnapshotId::parse(&entry.name) {
            Some(id) if newest.is_none_or(|newest| id > newest) => {
                fs::rename(&path, &dir.join(id.file_name() + DAMAGED_SUFFIX))?;
            }
            Some(id) if id.end_offset >= log_start => {
                let read = File::open(&path, OpenMode::Read).and_then(|file| {
                    let mut front = vec![0; FRONT];
                    let read = file.read_at(&mut front, 0)?;
                    Ok(checkpoint::last_timestamp(front.get(..read).unwrap_or_default()))
                })?;
                let last_timestamp = read.unwrap_or(TimestampMs(entry.mtime_ms));
                kept.push(SnapshotFile { id, bytes: entry.len, last_timestamp });
            }
            Some(_) => fs::remove_file(&path)?,
            None if [DELETED_SUFFIX, ".part", ".tmp"].iter().any(|suffix| unfinished(suffix)) => {
                fs::remove_file(&path)?;
            }
            None => {}
        }
    }
    kept.sort_by_key(|snapshot| snapshot.id);
    Ok(kept)
}

/// A snapshot to be written.
#[derive(Debug)]
pub struct SnapshotJob {
    pub(super) dir: PathBuf,
    pub(super) image: MetadataImage,
    pub(super) kraft: KRaftState,
    pub(super) now: TimestampMs,
}

impl SnapshotJob {
    /// Writes it, durably. Blocking.
    pub fn run(self) -> Result<SnapshotFile, StoreError> {
        let Self { dir, image, kraft, now } = self;
        let at = image.provenance();
        let id = SnapshotId { end_offset: at.offset.plus(1), epoch: at.epoch };
        let content = Content { last_timestamp: at.timestamp, control: kraft.control(), records: image.records() };
        let bytes = checkpoint::encode(&content, id.epoch, now, image.metadata_version())?;
        let path = dir.join(id.file_name());
        fs::write_atomic(&path, &bytes).map_err(|error| StoreError::io(&path, error))?;
        Ok(SnapshotFile { id, bytes: bytes.len() as u64, last_timestamp: TimestampMs(at.timestamp.0.max(0)) })
    }
}

impl MetadataLog {
    /// A snapshot to be written now: enough was appended since the last, or it is long enough ago. One at a time:
    /// [`snapshot_ended`](Self::snapshot_ended) says when it is done.
    pub fn due_snapshot(&mut self, now: Now) -> Option<SnapshotJob> {
        let due = self.bytes_since_snapshot >= self.config.snapshot_after_bytes
            || self.until_snapshot(now).is_some_and(|wait| wait.is_zero());
        if !due || self.snapshot_under_way || self.loader.in_transaction() {
            return None;
        }
        (self.snapshot_under_way, self.bytes_since_snapshot, self.snapshot_begun) = (true, 0, now.mono);
        let image = self.loader.image().clone();
        Some(SnapshotJob { dir: self.dir.clone(), image, kraft: self.kraft.clone(), now: now.wall })
    }

    /// How long until a snapshot is due by time; `None` where the newest has all there is, or time does not count.
    pub fn until_snapshot(&self, now: Now) -> Option<Duration> {
        let interval = Duration::from_millis(self.config.snapshot_interval_ms);
        let waits = self.bytes_since_snapshot > 0 && !interval.is_zero();
        waits.then(|| interval.saturating_sub(now.mono.since(self.snapshot_begun)))
    }

    /// Takes note of how the job went. That one failed is no error: the log has everything, and the next attempt comes
    /// with a later change.
    pub fn snapshot_ended(&mut self, outcome: Result<SnapshotFile, StoreError>) {
        self.snapshot_under_way = false;
        match outcome {
            Ok(snapshot) => {
                tracing::info!("metadata snapshot {} written", snapshot.id.file_name());
                if self.snapshots.iter().all(|known| known.id < snapshot.id) {
                    self.snapshots.push(snapshot);
                }
            }
            Err(error) => tracing::warn!("the metadata snapshot failed: {error}"),
        }
    }
}
