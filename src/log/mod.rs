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
//! What has to look into files is split the same way: `read`, `offset_for_timestamp` and `flush` return an owned
//! object whose async `run` borrows nothing, so that nobody holds the log across an await.

pub mod config;
pub mod error;

pub use config::{LogConfig, TimestampType};
pub use error::{AppendError, ReadError, RecordFault, WriteError};
