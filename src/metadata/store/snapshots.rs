//! Snapshot files of the metadata log: finding, writing, deleting. Blocking: for the start and the blocking pool.

use super::checkpoint::{self, Content, SnapshotId};
use super::{StoreError, voters::KRaftState};
use crate::base::TimestampMs;
use crate::metadata::image::MetadataImage;
use crate::ring::fs;
use std::io;
use std::path::Path;

/// The finished snapshots in `dir`, oldest first.
pub fn list(dir: &Path) -> io::Result<Vec<SnapshotId>> {
    let mut found: Vec<_> = fs::read_dir(dir)?.iter().filter_map(|entry| SnapshotId::parse(&entry.name)).collect();
    found.sort();
    Ok(found)
}

/// Writes `image` as a snapshot, unless there is one that reaches as far, and deletes those before it.
pub fn write(
    dir: &Path,
    image: &MetadataImage,
    kraft: &KRaftState,
    now: TimestampMs,
) -> Result<SnapshotId, StoreError> {
    let at = image.provenance();
    let id = SnapshotId { end_offset: at.offset.plus(1), epoch: at.epoch };
    let before = list(dir).map_err(|error| StoreError::io(dir, error))?;
    if before.last().is_some_and(|last| last.end_offset >= id.end_offset) {
        return Ok(id);
    }
    let content = Content { last_timestamp: at.timestamp, control: kraft.control(), records: image.records() };
    let bytes = checkpoint::encode(&content, id.epoch, now, image.metadata_version())?;
    let path = dir.join(id.file_name());
    fs::write_atomic(&path, &bytes).map_err(|error| StoreError::io(&path, error))?;
    for old in before {
        let path = dir.join(old.file_name());
        fs::remove_file(&path).map_err(|error| StoreError::io(&path, error))?;
    }
    Ok(id)
}
