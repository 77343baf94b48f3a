//! A partition as a queue of one share group: who holds which records, until when, how often each was delivered
//! (`SharePartition` of Kafka 4.3, KIP-932, KIP-1222, KIP-1206).
//!
//! Pure: offsets of fetched batches, acknowledgements and the time come in; what is acquired, and what is to be
//! persisted, goes out. Nothing is read or written here. docs/SHARE.md tells the whole story.

mod acknowledge;
mod acquire;
mod partition;
mod release;
mod runs;
mod state;
#[cfg(test)]
mod tests;
mod transition;

pub use acknowledge::{AcknowledgeError, AcknowledgementBatch};
pub use acquire::{AcquireAsk, AcquireMode, Acquired, LogBatch};
pub use partition::{Limits, SharePartition};
pub use state::{RecordState, StateBatch};
pub use transition::{TransitionId, Write};
