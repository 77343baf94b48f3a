//! Looking at a stopped node's metadata without changing it: for the checks before a start and for tools.

use super::batch;
use super::checkpoint;
use super::quorum_state::QuorumState;
use super::replay::{newest_snapshot, segments_from};
use super::voters::KRaftState;
use super::{METADATA_PARTITION_DIR, StoreError};
use crate::base::Offset;
use crate::log::files::FileKind;
use crate::metadata::image::MetadataImage;
use crate::metadata::loader::Loader;
use crate::ring::fs;
use std::path::Path;

/// What the metadata log says.
#[derive(Debug)]
pub struct Peeked {
    /// The image, as far as the log can be read.
    pub image: MetadataImage,
    /// The voters the log names; empty where the properties file names them.
    pub voters: Vec<i32>,
    /// Why reading ended before the end of the files: a torn write, after an unclean stop.
    pub torn: Option<String>,
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
    let mut kraft = KRaftState::default();
    let (mut loader, snapshot) = newest_snapshot(&dir, &mut kraft)?;
    let from = snapshot.map_or(Offset::ZERO, |id| id.end_offset);
    let torn = read(&dir, from, &mut loader, &mut kraft)?;
    let voters = kraft.voters.as_ref().filter(|_| kraft.version > 0);
    let voters = voters.map(|record| record.voters.iter().map(|voter| voter.voter_id).collect()).unwrap_or_default();
    Ok(Some(Peeked { image: loader.image().clone(), voters, torn }))
}

/// Applies the batches from `from` on, up to the first that cannot be read; gives why that is.
fn read(dir: &Path, from: Offset, loader: &mut Loader, kraft: &mut KRaftState) -> Result<Option<String>, StoreError> {
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
                Err(batch::BatchContentError::Batch(why)) => return Ok(Some(format!("{}: {why}", path.display()))),
                Err(other) => return Err(other.into()),
            };
            if batch.end.offset >= from {
                kraft.note(batch.control, true);
                loader.apply(&batch.records, batch.end)?;
            }
        }
    }
    Ok(None)
}

/// Whether the bytes of a snapshot are whole. The error is a clause saying what is wrong.
pub fn check_snapshot(bytes: &[u8]) -> Result<(), String> {
    checkpoint::decode(bytes).map(drop).map_err(|error| error.to_string())
}

/// Whether the bytes of `quorum-state` can be read. The error is a clause saying what is wrong.
pub fn check_quorum_state(bytes: &[u8]) -> Result<(), String> {
    QuorumState::parse(bytes).map(drop)
}
