//! Transactions as the metrics tell of them.

use super::Transactions;
use std::collections::BTreeMap;

/// What a coordinator did since it was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Transactions that committed, all markers written.
    pub committed: u64,
    /// Transactions that were aborted, all markers written.
    pub aborted: u64,
    /// Transactions aborted because they were open for too long.
    pub timed_out: u64,
    /// Transactions aborted because another producer began.
    pub fenced: u64,
}

/// The transactional ids of a coordinator, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionFacts {
    /// How many there are in each state.
    pub by_state: BTreeMap<&'static str, usize>,
    /// Those whose markers, or whose last record, could not be written and are tried again.
    pub retrying: usize,
    /// See there.
    pub counts: Counts,
}

impl TransactionFacts {
    /// Takes another coordinator's in.
    pub fn add(&mut self, other: Self) {
        other.by_state.into_iter().for_each(|(state, count)| *self.by_state.entry(state).or_default() += count);
        self.retrying += other.retrying;
        let (all, more) = (&mut self.counts, other.counts);
        all.committed += more.committed;
        all.aborted += more.aborted;
        all.timed_out += more.timed_out;
        all.fenced += more.fenced;
    }
}

impl Transactions {
    /// All transactional ids, counted.
    pub fn facts(&self) -> TransactionFacts {
        let mut facts = TransactionFacts { counts: self.counts, ..Default::default() };
        for transaction in self.by_id.values() {
            *facts.by_state.entry(transaction.metadata.state.name()).or_default() += 1;
            facts.retrying += usize::from(transaction.marker_tries > 0);
        }
        facts
    }
}
