//! `corelog verify DIR`: is what lies in a log directory, or in one partition's, whole? Nothing is changed.

mod indexes;
mod log_dir;
mod partition;
mod report;
mod segment;
#[cfg(test)]
mod tests;

pub use report::{Report, Summary};

use super::FileError;
use crate::config::meta_properties::META_PROPERTIES;
use crate::log::names;
use crate::ring::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What to look at.
#[derive(Clone, Debug)]
pub struct VerifyRequest {
    /// A log directory or a partition's.
    pub dir: PathBuf,
    /// Look although a broker uses it: what it is writing just now may look broken.
    pub running: bool,
}

/// Looks, and writes a line for each finding and one at the end. Blocking.
///
/// # Errors
/// The directory cannot be looked at: it is in use, or is neither a log directory nor a partition's.
pub fn verify(request: &VerifyRequest, out: &mut dyn Write) -> Result<Summary, FileError> {
    let dir = &request.dir;
    let entries = fs::read_dir(dir).map_err(FileError::of(dir))?;
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    let name = fs::canonical(dir).ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    let as_partition = name.as_deref().and_then(names::parse);
    let is_log_dir = has(META_PROPERTIES) || entries.iter().any(|e| e.is_dir && names::parse(&e.name).is_some());
    let root = if is_log_dir { dir.clone() } else { parent(dir) };
    let in_use = fs::is_locked(&root.join(".lock")).map_err(FileError::of(&root))?;
    if in_use && !request.running {
        return Err(FileError::new(
            &root,
            "a broker uses this directory (its .lock is held): stop it, or ask for a look with --running",
        ));
    }
    let mut report = Report::new(out, in_use);
    match (is_log_dir, as_partition) {
        (true, _) => log_dir::verify(dir, &mut report)?,
        (false, Some((_, partition))) => {
            let gaps = partition::may_have_gaps(&root, &partition);
            partition::verify(dir, &partition, gaps, &mut report)?;
        }
        (false, None) => {
            return Err(FileError::new(dir, "neither a log directory nor one of a partition, <topic>-<number>"));
        }
    }
    report.finish().map_err(FileError::of(dir))
}

fn parent(dir: &Path) -> PathBuf {
    let whole = fs::canonical(dir).unwrap_or_else(|_| dir.to_owned());
    whole.parent().map_or_else(|| dir.to_owned(), Path::to_owned)
}
