//! The log directories of a node as a whole: formatting them, telling about them, and taking them into use
//! (`kafka-storage.sh`, and the beginning of every start).

mod command;
pub mod features;
mod format;
mod info;
mod open;
mod scram;
pub mod takeover;

pub use command::{Outcome, run};
pub use format::{FormatError, FormatRequest, Quorum, format};
pub use open::{Opened, open};

use crate::base::Uuid;
use crate::config::Config;
use crate::ring::process;
use std::path::PathBuf;

/// A new random id, such as for a cluster or a directory.
pub fn random_uuid() -> Uuid {
    loop {
        let mut bytes = [0; 16];
        process::random_bytes(&mut bytes);
        if let Some(id) = Uuid::from_random(bytes) {
            return id;
        }
    }
}

/// All directories that must be formatted, each once: that of the metadata log first.
fn all_dirs(config: &Config) -> Vec<PathBuf> {
    let mut dirs = vec![config.metadata_log_dir.clone()];
    dirs.extend(config.log_dirs.iter().filter(|dir| **dir != config.metadata_log_dir).cloned());
    dirs
}
