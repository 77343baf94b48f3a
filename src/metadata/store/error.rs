//! Why the metadata log cannot be opened or written: each a sentence for whoever started the node.

use super::batch::BatchContentError;
use crate::log::{AppendError, WriteError};
use crate::metadata::features::{METADATA_VERSION_LATEST, METADATA_VERSION_MIN};
use crate::metadata::image::ApplyError;
use crate::protocol::EncodeError;
use std::io;
use std::path::{Path, PathBuf};

/// See the variants. None of them is passing, but a full disk: the process ends.
#[derive(Debug)]
pub enum StoreError {
    /// The disk.
    Io(PathBuf, io::Error),
    /// A file is not what it should be.
    Damaged(PathBuf, String),
    /// A batch of the log cannot be read.
    Content(BatchContentError),
    /// The log contradicts itself.
    Apply(ApplyError),
    /// A record cannot be written: a defect of ours.
    Encode(EncodeError),
    /// The log took no batch.
    Append(AppendError),
    /// The log could not be written.
    Write(WriteError),
    /// The log begins after offset 0 and no snapshot covers what is missing.
    NoSnapshot(i64),
    /// Others vote too.
    ForeignVoters(Vec<i32>),
    /// Nobody votes.
    NoVoters,
    /// The log is of a `metadata.version` this corelog does not know.
    MetadataVersion(i16),
}

impl StoreError {
    /// True where a change found no space, and the log is as it was before.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Write(WriteError::DiskFull(_)))
    }

    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io(path.to_owned(), error)
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Damaged(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Content(error) => write!(f, "the metadata log cannot be read: {error}"),
            Self::Apply(error) => write!(f, "the metadata log contradicts itself: {error}"),
            Self::Encode(error) => write!(f, "a metadata record cannot be written: {error}"),
            Self::Append(error) => write!(f, "the metadata log takes no batch: {error}"),
            Self::Write(error) => write!(f, "the metadata log cannot be written: {error}"),
            Self::NoSnapshot(start) => {
                write!(f, "the metadata log begins at offset {start} and there is no snapshot of what came before")
            }
            Self::ForeignVoters(voters) => write!(
                f,
                "the controller quorum's voters are {voters:?}: corelog cannot join a cluster yet and runs only where \
                 this node is the only voter"
            ),
            Self::MetadataVersion(version) => write!(
                f,
                "the metadata log has metadata.version {version}; this corelog knows {METADATA_VERSION_MIN} to \
                 {METADATA_VERSION_LATEST}"
            ),
            Self::NoVoters => f.write_str(
                "the metadata log names no voters and controller.quorum.voters is not set: set it to this node itself, \
                 or format with --standalone",
            ),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<BatchContentError> for StoreError {
    fn from(error: BatchContentError) -> Self {
        Self::Content(error)
    }
}

impl From<ApplyError> for StoreError {
    fn from(error: ApplyError) -> Self {
        Self::Apply(error)
    }
}

impl From<EncodeError> for StoreError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<AppendError> for StoreError {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}
