//! What the deadlines of groups are for.

use crate::coordinator::timers;
use std::sync::Arc;

/// A deadline of a group that cannot be touched now comes again so much later, in ms.
pub const BUSY_MS: i64 = 20;

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// A member of a group has been silent too long, or a pending member id was never used.
    Session(Arc<str>, Arc<str>),
    /// The join phase of a group ends.
    Join(Arc<str>),
    /// The sync phase of a group ends.
    Sync(Arc<str>),
    /// A member of a consumer group has not given up what it was told to in time.
    Revocation(Arc<str>, Arc<str>),
    /// A classic member of a consumer group has not joined again in time.
    Rejoin(Arc<str>, Arc<str>),
    /// A classic member of a consumer group has not asked for its assignment in time.
    Resync(Arc<str>, Arc<str>),
    /// The patterns of a consumer group are to be looked up, or the look-up goes on.
    Regex(Arc<str>),
    /// A streams group has waited for more members long enough.
    StreamsStart(Arc<str>),
    /// Offsets are to be looked over for expiry.
    Expiry,
}

/// The deadlines of one coordinator.
pub type Timers = timers::Timers<Timer>;
