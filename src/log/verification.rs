//! Making sure that the transaction coordinator knows of a transaction before its first batch is written to a partition
//! (KIP-890; `VerificationGuard`, `VerificationStateEntry`): a batch that came late must not begin a transaction that
//! nobody will end.
//!
//! The first batch is refused with a guard. Who sent it asks the coordinator and appends again with the guard; it holds
//! as long as no marker of the producer came in between. From the first batch on the open transaction speaks for itself.

use super::error::AppendError;
use super::producers::ProducerEntry;
use crate::base::{ProducerEpoch, ProducerId, TimestampMs};
use crate::record::BatchHeader;
use std::collections::HashMap;

/// Names one attempt to make sure; never used twice in a log's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard(u64);

/// How sure it is that the coordinator knows of a batch's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Nobody asks: it is turned off, or the batch is in no transaction.
    Off,
    /// Not asked yet.
    Wanted {
        /// The producer's epoch is raised at each end (`transaction.version` 2): it begins with sequence 0.
        raises_epochs: bool,
    },
    /// The coordinator said yes to who held this guard; none: the transaction was open here.
    Given(Option<Guard>),
}

/// The batch for which the coordinator is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whose.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// Its first sequence number; -1 for offsets of a group.
    pub sequence: i32,
    /// When.
    pub at: TimestampMs,
    /// See [`Verification::Wanted`].
    pub raises_epochs: bool,
}

#[derive(Clone, Debug)]
struct Verifying {
    guard: Guard,
    epoch: ProducerEpoch,
    lowest_sequence: i32,
    since: TimestampMs,
    raises_epochs: bool,
}

/// The attempts under way in one log, by producer. They live in memory only.
#[derive(Clone, Debug, Default)]
pub struct Verifications {
    by_producer: HashMap<i64, Verifying>,
    last: u64,
}

impl Verifications {
    /// The guard of the producer's attempt; a new one where none is under way.
    pub(super) fn begin(&mut self, seen: Seen) -> Guard {
        let entry = self.by_producer.entry(seen.producer.0).or_insert_with(|| {
            self.last += 1;
            Verifying {
                guard: Guard(self.last),
                epoch: seen.epoch,
                lowest_sequence: seen.sequence,
                since: seen.at,
                raises_epochs: seen.raises_epochs,
            }
        });
        if seen.epoch > entry.epoch {
            (entry.epoch, entry.lowest_sequence) = (seen.epoch, seen.sequence);
        } else if seen.epoch == entry.epoch {
            entry.lowest_sequence = entry.lowest_sequence.min(seen.sequence);
        }
        entry.guard
    }

    /// True where the attempt under way is the one of `guard`.
    pub(super) fn holds(&self, producer: ProducerId, guard: Option<Guard>) -> bool {
        guard.is_some() && self.by_producer.get(&producer.0).map(|v| v.guard) == guard
    }

    /// A batch must not overtake an earlier one whose transaction is being made sure of.
    pub(super) fn check_sequence(
        &self,
        header: &BatchHeader,
        known: Option<&ProducerEntry>,
    ) -> Result<(), AppendError> {
        let Some(verifying) = self.by_producer.get(&header.producer_id().0) else { return Ok(()) };
        let first = header.base_sequence();
        let none_yet = known.is_none_or(|entry| entry.batches.is_empty());
        if (verifying.raises_epochs && first != 0 && none_yet) || first > verifying.lowest_sequence {
            let last = known.map_or(-1, ProducerEntry::last_sequence);
            return Err(AppendError::OutOfOrderSequence { producer: header.producer_id(), incoming: first, last });
        }
        Ok(())
    }

    /// A batch or marker of a transaction was written: the attempt is over. Not by a marker of the very epoch that is
    /// being made sure of, where ends raise epochs: it ended the transaction before.
    pub(super) fn written(&mut self, header: &BatchHeader) {
        let id = header.producer_id().0;
        let next = |v: &Verifying| v.raises_epochs && header.is_control() && header.producer_epoch() == v.epoch;
        if !self.by_producer.get(&id).is_some_and(next) {
            self.by_producer.remove(&id);
        }
    }

    /// Forgets all attempts; their guards stay used.
    pub(super) fn clear(&mut self) {
        self.by_producer.clear();
    }

    /// Forgets attempts nobody came back to.
    pub(super) fn expire(&mut self, now: TimestampMs, expiration_ms: i64) {
        self.by_producer.retain(|_, v| now.0.saturating_sub(v.since.0) < expiration_ms);
    }
}
