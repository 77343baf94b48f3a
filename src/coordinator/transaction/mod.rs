//! The transaction coordinator of one partition of `__transaction_state`, as a pure state machine
//! (`TransactionCoordinator`, `TransactionStateManager`, `TransactionMarkerChannelManager` of Kafka 4.3).
//!
//! In: requests, outcomes of appends, producer ids and markers written, time. Out: [`Effects`]. docs/TRANSACTIONS.md
//! tells the whole story.

mod add;
mod complaints;
mod config;
mod end;
mod expiry;
mod in_flight;
mod init;
mod list;
mod machine;
mod markers;
mod metadata;
mod parked;
mod records;
mod replay;
mod request;
mod state;
mod survey;
#[cfg(test)]
mod tests;
mod timers;
mod transit;

pub use config::{TransactionNumbers, bumps_epochs};
pub use list::Filter;
pub use request::{Add, AddKind, Answer, End, Init, InitAnswer, MarkerWork, Request, Work};
pub use state::TxnState;
pub use survey::{Counts, TransactionFacts};

use super::machine::{AppendId, Token};
use crate::base::{LeaderEpoch, ProducerId};
use complaints::Complaints;
use in_flight::Then;
use metadata::Metadata;
use parked::Parked;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use timers::Timers;

/// The outcome of one step, in order.
pub type Effects = super::machine::Effects<Transactions>;
/// One step of the machine.
pub type Step<'a> = super::machine::Step<'a, Transactions>;

/// The transactions of one partition. Owned by the partition's shard.
pub struct Transactions {
    numbers: TransactionNumbers,
    /// The leader epoch of the partition; markers carry it.
    epoch: LeaderEpoch,
    by_id: HashMap<Arc<str>, Transaction>,
    timers: Timers,
    in_flight: VecDeque<(AppendId, Then)>,
    last_append: AppendId,
    /// An id that nobody has yet.
    spare: Option<ProducerId>,
    /// Requests that need an id, oldest first; one was asked for each.
    waiting_for_ids: VecDeque<(Token, Request)>,
    /// Records of unknown versions, met while loading.
    passed_over: u64,
    counts: Counts,
    complaints: Complaints,
}

/// One transactional id.
struct Transaction {
    /// What stands in the log, less the partitions whose marker is written.
    metadata: Metadata,
    /// What it is about to become; nothing else may begin meanwhile.
    pending: Option<TxnState>,
    /// An epoch was raised to fence a producer and could not be written: it is not raised again.
    fence_failed: bool,
    /// How often markers were tried in vain.
    marker_tries: u32,
    /// Who waits for `pending` to be over.
    parked: Vec<Parked>,
}

impl Transaction {
    fn new(metadata: Metadata) -> Self {
        Self { metadata, pending: None, fence_failed: false, marker_tries: 0, parked: Vec::new() }
    }
}

impl Transactions {
    /// Nothing loaded yet.
    pub fn new(numbers: TransactionNumbers) -> Self {
        Self {
            numbers,
            epoch: LeaderEpoch::UNKNOWN,
            by_id: HashMap::new(),
            timers: Timers::default(),
            in_flight: VecDeque::new(),
            last_append: AppendId(0),
            spare: None,
            waiting_for_ids: VecDeque::new(),
            passed_over: 0,
            counts: Counts::default(),
            complaints: Complaints::default(),
        }
    }

    /// Lets `request` wait for an id that it needs; it is begun anew then.
    fn wait_for_id(&mut self, request: Request, step: &mut Step) {
        self.waiting_for_ids.push_back((step.token, request));
        step.fx.work.push(Work::ProducerId);
    }
}
