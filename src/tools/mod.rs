//! Looking into a stopped node's files: what the command line offers beside serving. Nothing here changes a file.

pub mod dump;
mod segment_file;
pub mod verify;

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong with which file.
#[derive(Debug)]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// A clause that says what.
    pub why: String,
}

impl FileError {
    fn new(path: &Path, why: impl std::fmt::Display) -> Self {
        Self { path: path.to_owned(), why: why.to_string() }
    }

    /// For `map_err`.
    fn of(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |error| Self::new(path, error)
    }
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for FileError {}
