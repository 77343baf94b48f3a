//! One partition's log on disk: Kafka's segment files, byte for byte.
//!
//! A [`Log`] has one owner (its partition's shard); nothing in it blocks. Appending is two steps:
//!
//! 1. `append_as_leader` validates, assigns offsets and queues: the batch is *accepted*.
//! 2. `take_write` hands out everything queued as one [`WriteJob`] (one is in flight per log); the shard awaits
//!    `job.run()` without holding the log, then gives the job back to `complete_write`: the batches are *written*
//!    (in the page cache, readable). `begin_flush` / `complete_flush` make them *flushed* (on the device).
//!
//! ```text
//! start <= flushed <= written <= accepted
//! ```
//!
//! What has to look into files is split the same way: `read` and the look-ups by timestamp return an owned object
//! whose async `run` borrows nothing, so that nobody holds the log across an await. `docs/STORAGE.md` has the formats,
//! the states and the recovery.

pub mod aborted;
pub mod append;
mod check;
pub mod checkpoint;
pub mod cleaner;
pub mod close;
pub mod config;
pub mod core;
pub mod deleted;
pub mod dir;
pub mod dirs;
mod effort;
pub mod epochs;
pub mod error;
pub mod files;
pub mod flush;
mod found;
pub mod future;
pub mod health;
pub mod index;
pub mod mend;
pub mod names;
mod open;
mod produced;
pub mod producers;
pub mod progress;
pub mod read;
mod rebuild;
mod record_checks;
pub mod recover;
pub mod replace;
pub mod reserve;
pub mod retain;
mod scan;
mod segment;
mod shut;
pub mod snapshot;
#[cfg(test)]
pub(crate) mod tests;
pub mod timestamp;
pub mod txn_index;
mod txn_rebuild;
mod validate;
mod verification;
pub mod write;

pub use aborted::AbortedLookup;
pub use append::{AppendInfo, AppendOrigin};
pub use check::{Check, Checked};
pub use close::Closed;
pub use config::{CompressionChoice, LogConfig, TimestampType};
pub use core::Log;
pub use dir::{LogDir, LogDirError};
pub use dirs::{LogDirs, Wanted};
pub use epochs::EpochEnd;
pub use error::{AppendError, FaultKind, ReadError, RecordFault, WriteError};
pub use flush::FlushJob;
pub use produced::check_produced;
pub use read::{FileRange, Read, ReadLookup, ReadPlan};
pub use recover::{Recovery, UnrecoveredLog};
pub use timestamp::{TimestampLookup, TimestampOffset};
pub use validate::Refusal;
pub use verification::{Guard, Seen, Verification};
pub use write::{WriteJob, Written};
