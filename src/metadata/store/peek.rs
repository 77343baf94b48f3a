//! Looking at a stopped node's metadata without changing it: for the checks before a start and for tools.

use super::batch;
use super::checkpoint::{self, SnapshotId};
use super::quorum_state::QuorumState;
use super::replay::{newest_snapshot, segments_from};
use super::snapshots;
use super::voters::KRaftState;
use super::{METADATA_PARTITION_DIR, StoreError};
use crate::base::Offset;
use crate::log::files::FileKind;
use crate::metadata::image::MetadataImage;
use crate::metadata::loader::Loader;
use crate::ring::fs;
use std::path::Path;

/// What the metadata log says. A start that finds the log as it was need not read its records again.
#[derive(Debug)]
pub struct Peeked {
    pub(super) loader: Loader,
    pub(super) kraft: KRaftState,
    /// The snapshot that reading began with.
    pub(super) snapshot: Option<SnapshotId>,
    /// The offset after the last batch.
    pub(super) end: Offset,
    /// Bytes of the log behind the snapshot.
    pub(super) bytes: u64,
    /// Why reading ended before the end of the files: a torn write, after an unclean stop.
    pub torn: Option<String>,
}

impl Peeked {
    /// The newest snapshot in the metadata partition's directory, without what the log says since.
    pub(super) fn snapshot_alone(dir: &Path) -> Result<Self, StoreError> {
        let mut kraft = KRaftState::default();
        let (loader, snapshot) = newest_snapshot(dir, &mut kraft)?;
        let end = snapshot.map_or(Offset::ZERO, |id| id.end_offset);
        Ok(Self { loader, kraft, snapshot, end, bytes: 0, torn: None })
    }

    /// Whether the directory holds what was read, now that its log was checked and ends at `end`: nobody wrote, or
    /// made a snapshot, between the look and the lock.
    pub(super) fn still_holds(&self, dir: &Path, end: Offset) -> bool {
        let newest = snapshots::list(dir).ok().and_then(|all| all.last().copied());
        self.torn.is_none() && self.end == end && self.snapshot == newest
    }

    /// The image, as far as the log can be read.
    pub fn image(&self) -> &MetadataImage {
        self.loader.image()
    }

    /// The voters the log names; empty where the properties file names them.
    pub fn voters(&self) -> Vec<i32> {
        let voters = self.kraft.voters.as_ref().filter(|_| self.kraft.version > 0);
        voters.map(|record| record.voters.iter().map(|voter| voter.voter_id).collect()).unwrap_or_default()
    }
}

/// Reads snapshot and log below a metadata log directory; `None` when there is no metadata log yet. Blocking.
///
/// # Errors
/// A log that cannot be understood; also what would be lost were it begun anew.
pub fn peek(metadata_log_dir: &Path) -> Result<Option<Peeked>, StoreError> {
    let dir = metadata_log_dir.join(METADATA_PARTITION_DIR);
    if !fs::exists(&dir) {
        return Ok(None);
    }
    let mut peeked = Peeked::snapshot_alone(&dir)?;
    read(&dir, &mut peeked)?;
    Ok(Some(peeked))
}

/// Applies the batches behind the snapshot, up to the first that cannot be read.
fn read(dir: &Path, peeked: &mut Peeked) -> Result<(), StoreError> {
    let from = peeked.end;
    let bases = segments_from(dir, from)?;
    if let Some(first) = bases.first().filter(|first| **first > from) {
        return Err(StoreError::NoSnapshot(first.0));
    }
    for base in bases {
        let path = FileKind::Log.path(dir, base);
        let bytes = fs::read(&path).map_err(|error| StoreError::io(&path, error))?;
        for batch in batch::decode(&bytes) {
            let batch = match batch {
                Ok(batch) => batch,
                Err(batch::BatchContentError::Batch(why)) => {
                    peeked.torn = Some(format!("{}: {why}", path.display()));
                    return Ok(());
                }
                Err(other) => return Err(other.into()),
            };
            if batch.end.offset >= from {
                peeked.kraft.note(batch.control, true);
                peeked.loader.apply(&batch.records, batch.end)?;
                (peeked.end, peeked.bytes) = (batch.end.offset.plus(1), peeked.bytes + batch.size);
            }
        }
    }
    Ok(())
}

/// Whether the bytes of a snapshot are whole. The error is a clause saying what is wrong.
pub fn check_snapshot(bytes: &[u8]) -> Result<(), String> {
    checkpoint::decode(bytes).map(drop).map_err(|error| error.to_string())
}

/// Whether the bytes of `quorum-state` can be read. The error is a clause saying what is wrong.
pub fn check_quorum_state(bytes: &[u8]) -> Result<(), String> {
    QuorumState::parse(bytes).map(drop)
}
