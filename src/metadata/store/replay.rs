//! Reading the metadata log at start: the newest snapshot, then the log behind it. Blocking.

use super::batch;
use super::checkpoint::{self, SnapshotId};
use super::quorum_state::{QUORUM_STATE, QuorumState};
use super::snapshots::{self, SnapshotFile};
use super::voters::KRaftState;
use super::{METADATA_PARTITION_DIR, MetadataLog, Peeked, StoreConfig, StoreError};
use crate::base::topic::CLUSTER_METADATA_TOPIC;
use crate::base::{LeaderEpoch, Now, Offset, TimestampMs, TopicPartition, Uuid};
use crate::log::files::{FileKind, write_partition_metadata};
use crate::log::{Log, LogConfig, Recovery, UnrecoveredLog};
use crate::metadata::features::{METADATA_VERSION_LATEST, METADATA_VERSION_MIN};
use crate::metadata::image::{MetadataImage, Provenance};
use crate::metadata::loader::Loader;
use crate::ring::fs;
use std::path::{Path, PathBuf};

/// The metadata as it was when the node last stopped; nothing is written yet.
pub struct ReplayedLog {
    pub(super) config: StoreConfig,
    pub(super) dir: PathBuf,
    pub(super) log: Log,
    pub(super) loader: Loader,
    pub(super) kraft: KRaftState,
    pub(super) quorum: Option<QuorumState>,
    pub(super) snapshots: Vec<SnapshotFile>,
    /// Bytes of the log behind the newest snapshot.
    pub(super) bytes_since_snapshot: u64,
}

impl MetadataLog {
    /// Reads snapshot and log below `config.dir`. Nothing there is an empty log. Where they are as `peeked` found them the
    /// records are not read again; checksums and order are checked in any case. Blocking: for the start.
    pub fn replay(config: StoreConfig, now: Now, peeked: Option<Peeked>) -> Result<ReplayedLog, StoreError> {
        let dir = config.dir.join(METADATA_PARTITION_DIR);
        let failed = |error| StoreError::io(&dir, error);
        let partition = TopicPartition::new(CLUSTER_METADATA_TOPIC, 0);
        let unrecovered = UnrecoveredLog::open(dir.clone(), partition, log_config(&config)).map_err(failed)?;
        if unrecovered.topic_id().is_none() {
            write_partition_metadata(&dir, Uuid::ONE).map_err(failed)?;
        }
        // Kafka too checks the whole metadata log at each start: it is small, and all that is known hangs on it.
        let recovery = Recovery { clean: false, recovery_point: Offset::ZERO, log_start: Offset::ZERO };
        let mut log = unrecovered.recover(recovery, now).map_err(failed)?;
        let peeked = match peeked.filter(|peeked| peeked.still_holds(&dir, log.end_offset())) {
            Some(peeked) => peeked,
            None => Peeked::snapshot_alone(&dir)?,
        };
        let from = peeked.snapshot.map_or(Offset::ZERO, |id| id.end_offset);
        if log.end_offset() < from {
            tracing::warn!(
                "the metadata log ends at {} before its snapshot {from}: it begins anew there",
                log.end_offset()
            );
            log.truncate_fully_and_start_at(from).map_err(failed)?;
        }
        if log.start_offset() > from {
            return Err(StoreError::NoSnapshot(log.start_offset().0));
        }
        let Peeked { mut loader, mut kraft, snapshot, end, mut bytes, .. } = peeked;
        if end < log.end_offset() {
            bytes += read_segments(&dir, end, log.end_offset(), &mut loader, &mut kraft)?;
        }
        kraft.check(&config)?;
        match loader.image().metadata_version() {
            0 | METADATA_VERSION_MIN..=METADATA_VERSION_LATEST => {}
            other => return Err(StoreError::MetadataVersion(other)),
        }
        let quorum = read_quorum_state(&dir)?;
        let snapshots = snapshots::sift(&dir, log.start_offset(), snapshot).map_err(failed)?;
        Ok(ReplayedLog { config, dir, log, loader, kraft, quorum, snapshots, bytes_since_snapshot: bytes })
    }
}

impl ReplayedLog {
    /// The metadata as it was.
    pub fn image(&self) -> &MetadataImage {
        self.loader.image()
    }
}

fn log_config(config: &StoreConfig) -> LogConfig {
    LogConfig {
        segment_bytes: config.segment_bytes,
        segment_ms: config.segment_ms,
        max_message_bytes: batch::BATCH_BYTES_MAX as u32,
        // Segments go when a snapshot has them, and for no other reason.
        retention_ms: -1,
        retention_bytes: -1,
        ..LogConfig::default()
    }
}

/// Loads the newest snapshot that can be read; without one the image is empty. Files that were never finished go.
pub(super) fn newest_snapshot(dir: &Path, kraft: &mut KRaftState) -> Result<(Loader, Option<SnapshotId>), StoreError> {
    let mut found: Vec<SnapshotId> = snapshots::list(dir).map_err(|error| StoreError::io(dir, error))?;
    while let Some(id) = found.pop() {
        let path = dir.join(id.file_name());
        let bytes = fs::read(&path).map_err(|error| StoreError::io(&path, error))?;
        let content = match checkpoint::decode(&bytes) {
            Ok(content) => content,
            Err(error) => {
                tracing::error!("{}: {error}; an older snapshot is tried", path.display());
                continue;
            }
        };
        kraft.note(content.control, id != SnapshotId::BOOTSTRAP);
        let mut loader = Loader::default();
        let end = Provenance {
            offset: id.end_offset.plus(-1),
            epoch: id.epoch,
            timestamp: TimestampMs(content.last_timestamp.0),
        };
        loader.apply(&content.records, end)?;
        return Ok((loader, Some(id)));
    }
    Ok((Loader::default(), None))
}

/// The base offsets of the segments that hold `from` and what follows, in order; all of them where the first begins
/// later.
pub(super) fn segments_from(dir: &Path, from: Offset) -> Result<Vec<Offset>, StoreError> {
    let entries = fs::read_dir(dir).map_err(|error| StoreError::io(dir, error))?;
    let bases = entries.iter().filter_map(|entry| match FileKind::parse(&entry.name) {
        Some((FileKind::Log, base)) => Some(base),
        _ => None,
    });
    let mut bases: Vec<Offset> = bases.collect();
    bases.sort();
    let first = bases.iter().rposition(|base| *base <= from).unwrap_or(0);
    Ok(bases.split_off(first))
}

/// Applies the batches of `dir` from `from` up to `end`; recovery has cut what cannot be read. Gives their bytes.
fn read_segments(
    dir: &Path,
    from: Offset,
    end: Offset,
    loader: &mut Loader,
    kraft: &mut KRaftState,
) -> Result<u64, StoreError> {
    let mut read = 0;
    for base in segments_from(dir, from)? {
        let path = FileKind::Log.path(dir, base);
        let bytes = fs::read(&path).map_err(|error| StoreError::io(&path, error))?;
        for batch in batch::decode(&bytes) {
            let batch = batch?;
            if batch.end.offset >= end {
                return Ok(read);
            }
            if batch.end.offset < from {
                continue;
            }
            kraft.note(batch.control, true);
            loader.apply(&batch.records, batch.end)?;
            read += batch.size;
        }
    }
    Ok(read)
}

fn read_quorum_state(dir: &Path) -> Result<Option<QuorumState>, StoreError> {
    let path = dir.join(QUORUM_STATE);
    match fs::read(&path) {
        Ok(bytes) => QuorumState::parse(&bytes).map(Some).map_err(|why| StoreError::Damaged(path, why)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(&path, error)),
    }
}

/// The epoch after all this node has seen.
pub(super) fn next_epoch(quorum: Option<&QuorumState>, log: &Log) -> LeaderEpoch {
    let seen = quorum.map_or(0, |state| state.epoch.0).max(log.latest_epoch().map_or(0, |epoch| epoch.0));
    LeaderEpoch(seen.saturating_add(1))
}
