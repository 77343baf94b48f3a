//! The composition root: the order of starting and stopping. Nothing imports it.
//!
//! Start: log dirs locked and read, addresses bound, cores up, metadata replayed, partitions
//! opened, registered, then served. Stop: connections closed, coordinators resigned, logs flushed
//! and closed, checkpoints, the metadata log, and only then the clean-shutdown file.

mod banner;
mod bind;
mod cores;
mod metadata_log;
mod run;
mod stop;

pub use run::run;

/// Why the broker could not start or had to end.
#[derive(Debug)]
pub struct Failure(pub String);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}
