//! What the deadlines of transactions are for.

use crate::coordinator::timers;
use std::sync::Arc;

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// A transaction has been open too long.
    Timeout(Arc<str>),
    /// Markers are tried again.
    Markers(Arc<str>),
    /// The completion of a transaction is written again.
    Completion(Arc<str>),
    /// A write has waited long enough for the transaction before.
    Parked(Arc<str>),
    /// Transactional ids are looked over for expiry.
    Expiry,
}

/// The deadlines of one coordinator.
pub type Timers = timers::Timers<Timer>;
