//! Why a round of cleaning ended early.

use crate::base::Offset;
use std::io;

/// See the module.
#[derive(Debug)]
pub enum CleanError {
    /// A segment holds what cannot be cleaned: the partition is left alone until somebody looks at it.
    Uncleanable {
        /// The segment.
        segment: Offset,
        /// What was found.
        why: String,
    },
    /// A segment or index could not be read.
    Read(io::Error),
    /// The new segment could not be written, synced or renamed.
    Write(io::Error),
}

impl CleanError {
    /// Something in `segment` that is not as it must be.
    pub fn uncleanable(segment: Offset, why: impl ToString) -> Self {
        Self::Uncleanable { segment, why: why.to_string() }
    }
}

impl std::fmt::Display for CleanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uncleanable { segment, why } => write!(f, "segment {segment}: {why}"),
            Self::Read(error) => write!(f, "reading: {error}"),
            Self::Write(error) => write!(f, "writing: {error}"),
        }
    }
}

impl std::error::Error for CleanError {}
