//! Kafka's record batches (message format v2) as views over bytes.
//!
//! [`header`] the 61 bytes in front, [`batch`] one batch with its checks, [`records`] the records inside,
//! [`scan`] the same without holding them, [`compression`] what unpacks them,
//! [`compress`] what packs them, [`rewrite`] what compaction leaves of a batch, [`control`] the batches brokers write, [`builder`] making batches,
//! [`rebuild`] packing one anew, [`stream`] walking packed records, [`legacy`] recognising the formats 0 and 1 that old
//! segments still hold, [`legacy_records`] looking into those and making v2 batches of them.

pub mod batch;
pub mod builder;
pub mod compress;
pub mod compression;
pub mod control;
pub mod header;
pub mod legacy;
pub mod legacy_records;
pub mod rebuild;
pub mod records;
pub mod rewrite;
pub mod scan;
pub mod stream;
mod unpack;

pub use batch::{BatchError, BatchView, batches};
pub use builder::BatchBuilder;
pub use compression::Compression;
pub use control::ControlType;
pub use header::{BatchHeader, HEADER_LEN};
pub use records::{Record, RecordError, Records};
