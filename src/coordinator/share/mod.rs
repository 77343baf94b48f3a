//! The share coordinator of one partition of `__share_group_state`, as a pure state machine: how far share groups have
//! come in each partition (`ShareCoordinatorShard` of Kafka 4.3).
//!
//! A state takes effect twice: for later requests when it is taken, for readers when its record is committed. A failed
//! append takes the first back, and what was decided on it is not written either. docs/SHARE.md tells the whole story.

mod combine;
mod machine;
mod records;
mod request;
mod state;
#[cfg(test)]
mod tests;
mod upkeep;

pub use machine::{READ_UNINITIALIZED, WRITE_UNINITIALIZED};
pub use request::{Answer, Key, Refusal, Request, Summary, WriteAsk};
pub use state::ShareState;
pub use upkeep::Work;

use super::machine::{Append, AppendId, Subject, Token};
use crate::base::{Instant, Offset};
use state::{Change, Entry};
use std::collections::{HashMap, VecDeque};

type Step<'a> = super::machine::Step<'a, ShareStates>;
type Effects = super::machine::Effects<ShareStates>;

/// Numbers of the share coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareStateConfig {
    /// `share.coordinator.snapshot.update.records.per.snapshot`.
    pub updates_per_snapshot: u32,
}

/// What waits for an append.
struct InFlight {
    id: AppendId,
    key: Key,
    change: Change,
    /// The request and its answer; none for upkeep, or when it was given up.
    answer: Option<(Token, Answer)>,
}

/// The share partitions of one coordinator partition. Owned by that partition's core.
pub struct ShareStates {
    config: ShareStateConfig,
    entries: HashMap<Key, Entry>,
    in_flight: VecDeque<InFlight>,
    last_append: AppendId,
    /// When old records and cold states are looked for.
    upkeep_at: Option<Instant>,
    /// Everything before was asked to be deleted.
    pruned: Offset,
    /// Where the newest snapshots or tombstones stand.
    last_snapshot: Option<Offset>,
}

impl ShareStates {
    fn write(&mut self, key: Key, change: Change, answer: Option<(Token, Answer)>, fx: &mut Effects) {
        self.last_append.0 += 1;
        let id = self.last_append;
        let append = Append::own(id, vec![records::record(&key, &change)]);
        fx.appends.push(append.about(vec![Subject::of(&key)]));
        let entry = self.entries.entry(key.clone()).or_default();
        entry.take(&change);
        self.in_flight.push_back(InFlight { id, key, change, answer });
    }
}
