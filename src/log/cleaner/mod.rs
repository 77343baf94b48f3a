//! Compaction: of the records of a key the last one stays (`Cleaner`, `LogCleaner`, `LogCleanerManager`).
//!
//! [`range`] what of a log may be cleaned and how urgent it is; [`round`] one round over one log, in steps; [`map`] the
//! last offset of each key; [`transactions`] which batches are void; [`filter`] what stays of a batch, [`legacy`] of an
//! entry in an old format; [`groups`] which segments become one; [`source`] and [`output`] the segments read and written; [`throttle`] the rate. How a new
//! segment takes the place of old ones is [`super::replace`]. When and where rounds run is decided above, in `shard`.

mod error;
mod filter;
mod groups;
mod legacy;
mod map;
mod output;
pub mod range;
pub mod round;
mod source;
#[cfg(test)]
mod tests;
mod throttle;
mod times;
mod transactions;

pub use error::CleanError;
pub use filter::{LastRecord, last_records};
pub use round::{Round, RoundPlan, RoundStats, RoundStep};
pub use throttle::Throttle;
pub use times::FileTimes;
