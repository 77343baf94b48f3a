//! Partitions of a transaction: added by name, added by writing to them, or verified
//! (`handleAddPartitionsToTransaction`, `handleVerifyPartitionsInTransaction`).

use super::in_flight::After;
use super::request::{Add, AddKind, Answer};
use super::state::TxnState;
use super::{Step, Transactions};
use crate::base::{ErrorCode, Instant};

impl Transactions {
    pub(super) fn add(&mut self, add: Add, step: &mut Step) {
        let until = step.now.mono.plus_ms(self.numbers.parked_ms_max);
        self.add_until(add, until, step);
    }

    /// Adds partitions; who writes to them may wait until `until` for the transaction before to be over.
    pub(super) fn add_until(&mut self, add: Add, until: Instant, step: &mut Step) {
        if add.kind == AddKind::Verify {
            let verified = self.verify(&add).unwrap_or_else(|error| add.all(error));
            return step.answer(Answer::Added(verified));
        }
        match self.may_add(&add) {
            Ok(()) => {}
            Err(ErrorCode::ConcurrentTransactions) if add.kind == AddKind::Implicit => {
                return self.park(add, until, step);
            }
            Err(error) => return step.answer(Answer::Added(add.all(error))),
        }
        let id = add.transactional_id.clone();
        let Some(transaction) = self.by_id.get(&id) else { return };
        // transaction.version 2 is what tells a client to leave the adding to its writes.
        let client_version = if add.kind == AddKind::Implicit { 2 } else { 0 };
        let to = transaction.metadata.with_partitions(&add.partitions, client_version, step.now.wall);
        self.transit(&id, to, After::Added(step.token, add), step);
    }

    /// Why nothing is to be added: an error, or `None` where all are in the transaction.
    fn may_add(&self, add: &Add) -> Result<(), ErrorCode> {
        if add.transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let transaction = self.by_id.get(&add.transactional_id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        let metadata = &transaction.metadata;
        // First of all: what is pending may bring the very producer id that asks.
        if transaction.pending.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if metadata.producer != add.producer {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if metadata.epoch != add.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if metadata.state.decision().is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if metadata.state == TxnState::Ongoing && metadata.partitions.is_superset(&add.partitions) {
            return Err(ErrorCode::None);
        }
        Ok(())
    }

    /// What is pending is not looked at: the partition itself has the last word when the batch is appended.
    fn verify(&self, add: &Add) -> Result<Vec<(crate::base::TopicPartition, ErrorCode)>, ErrorCode> {
        if add.transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let transaction = self.by_id.get(&add.transactional_id).ok_or(ErrorCode::InvalidProducerIdMapping)?;
        let metadata = &transaction.metadata;
        if metadata.producer != add.producer {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if metadata.epoch != add.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        if metadata.state.decision().is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let verdict = |partition| match metadata.partitions.contains(partition) {
            true => ErrorCode::None,
            false => ErrorCode::TransactionAbortable,
        };
        Ok(add.partitions.iter().map(|partition| (partition.clone(), verdict(partition))).collect())
    }
}
