//! From one state of a transactional id to the next, as values (`TransactionMetadata.prepare*`). Who calls has made
//! sure that the state allows it.

use super::config::bumps_epochs;
use super::metadata::{Metadata, NO_EPOCH};
use super::state::TxnState;
use crate::base::{ErrorCode, ProducerEpoch, ProducerId, TimestampMs, TopicPartition};
use std::collections::BTreeSet;

const EPOCH_MAX: ProducerEpoch = ProducerEpoch(i16::MAX);

impl Metadata {
    fn to(&self, state: TxnState) -> Self {
        Self { state, previous_producer: self.producer, ..self.clone() }
    }

    fn raised(&self) -> ProducerEpoch {
        ProducerEpoch(self.epoch.0.saturating_add(1))
    }

    /// A producer begins: with the next epoch, or, where it asks again after a lost answer, with the one it got then.
    /// `expected`: the epoch it says it has.
    ///
    /// # Errors
    /// PRODUCER_FENCED: it has neither the newest epoch nor the one before.
    pub fn with_next_epoch(
        &self,
        timeout_ms: i32,
        expected: Option<ProducerEpoch>,
        now: TimestampMs,
    ) -> Result<Self, ErrorCode> {
        let (epoch, last_epoch) = match expected {
            None => (self.raised(), NO_EPOCH),
            Some(expected) if self.epoch == NO_EPOCH || expected == self.epoch => (self.raised(), self.epoch),
            Some(expected) if expected == self.last_epoch => (self.epoch, self.last_epoch),
            Some(_) => return Err(ErrorCode::ProducerFenced),
        };
        Ok(Self { epoch, last_epoch, ..self.begun(timeout_ms, now) })
    }

    /// A producer begins with a new id, because the epochs of the old one are used up.
    pub fn with_new_id(&self, producer: ProducerId, timeout_ms: i32, expected: bool, now: TimestampMs) -> Self {
        let last_epoch = if expected { self.epoch } else { NO_EPOCH };
        Self { producer, epoch: ProducerEpoch(0), last_epoch, ..self.begun(timeout_ms, now) }
    }

    fn begun(&self, timeout_ms: i32, now: TimestampMs) -> Self {
        let partitions = BTreeSet::new();
        Self { timeout_ms, partitions, started: TimestampMs::NONE, updated: now, ..self.to(TxnState::Empty) }
    }

    /// Partitions join the transaction; the first ones begin it.
    pub fn with_partitions(&self, added: &BTreeSet<TopicPartition>, client_version: i16, now: TimestampMs) -> Self {
        let started = if self.state == TxnState::Ongoing { self.started } else { now };
        let partitions = self.partitions.union(added).cloned().collect();
        Self { partitions, started, updated: now, client_version, ..self.to(TxnState::Ongoing) }
    }

    /// The transaction is decided. `next`: the producer's next id, where the epochs of this one are used up.
    pub fn decided(&self, commit: bool, client_version: i16, next: ProducerId, now: TimestampMs) -> Self {
        let state = if commit { TxnState::PrepareCommit } else { TxnState::PrepareAbort };
        let (epoch, last_epoch) = match bumps_epochs(client_version) {
            // Broken already: it ends without a new epoch, so that the producer can go on with another id.
            true if self.epoch == EPOCH_MAX => (self.epoch, self.epoch),
            true => (self.raised(), self.epoch),
            false => (self.epoch, self.last_epoch),
        };
        // A transaction without partitions has no beginning; its record must have one.
        let started = if self.state == TxnState::Ongoing { self.started } else { now };
        let next_producer = next;
        Self { epoch, last_epoch, next_producer, started, updated: now, client_version, ..self.to(state) }
    }

    /// The same by the coordinator itself, which raises the epoch so that the producer is fenced. With clients that do
    /// not raise epochs at each end the epoch is one that nobody is told.
    pub fn fenced(&self, server_version: i16, fence_failed: bool, next: ProducerId, now: TimestampMs) -> Self {
        if bumps_epochs(server_version) {
            return self.decided(false, server_version, next, now);
        }
        let epoch = if fence_failed { self.epoch } else { self.raised() };
        let fenced = Self { epoch, last_epoch: NO_EPOCH, ..self.clone() };
        fenced.decided(false, 0, ProducerId::NONE, now)
    }

    /// All markers are written.
    pub fn completed(&self, now: TimestampMs) -> Self {
        let state = match self.state {
            TxnState::PrepareCommit => TxnState::CompleteCommit,
            _ => TxnState::CompleteAbort,
        };
        let rotates = bumps_epochs(self.client_version) && self.next_producer != ProducerId::NONE;
        let (producer, epoch) =
            if rotates { (self.next_producer, ProducerEpoch(0)) } else { (self.producer, self.epoch) };
        let (next_producer, partitions) = (ProducerId::NONE, BTreeSet::new());
        Self { producer, epoch, next_producer, partitions, updated: now, ..self.to(state) }
    }
}
