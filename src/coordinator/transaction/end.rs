//! EndTxn (`TransactionCoordinator.endTransaction`): to v4 a producer keeps its epoch from transaction to transaction,
//! from v5 on each end raises it (KIP-890).

use super::in_flight::After;
use super::metadata::{EPOCH_LAST, Metadata, NO_EPOCH};
use super::request::{Answer, End, Request};
use super::state::TxnState;
use super::{Step, Transaction, Transactions, bumps_epochs};
use crate::base::{ErrorCode, ProducerId};

/// What EndTxn leads to, where it is no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It is decided now.
    Decide,
    /// It was decided so, and the client did not hear of it.
    Done,
}

impl Transactions {
    pub(super) fn end(&mut self, end: End, step: &mut Step) {
        let id = end.transactional_id.clone();
        let bumps = bumps_epochs(end.client_version);
        let verdict = match self.by_id.get(&id) {
            _ if id.is_empty() => Err(ErrorCode::InvalidRequest),
            None => Err(ErrorCode::InvalidProducerIdMapping),
            Some(transaction) if bumps => judge(transaction, &end),
            Some(transaction) => judge_without_bump(transaction, &end),
        };
        if let Err(error) = verdict {
            tracing::debug!(transactional_id = %id, commit = end.commit, ?error, "EndTxn is refused");
        }
        let Some(transaction) = self.by_id.get(&id).filter(|_| verdict == Ok(Verdict::Decide)) else {
            let answer = verdict.map(|_| self.by_id.get(&id).filter(|_| bumps).map_or(UNTOLD, current));
            return step.answer(Answer::Producer(answer));
        };
        let exhausted = bumps && transaction.metadata.is_exhausted();
        let next = match self.spare.filter(|_| exhausted) {
            None if exhausted => return self.wait_for_id(Request::End(end), step),
            None => ProducerId::NONE,
            Some(producer) => producer,
        };
        let to = transaction.metadata.decided(end.commit, end.client_version, next, step.now.wall);
        if exhausted {
            self.spare = None;
        }
        self.transit(&id, to, After::Ended(step.token), step);
    }
}

/// What clients that do not care are told.
const UNTOLD: (ProducerId, crate::base::ProducerEpoch) = (ProducerId::NONE, NO_EPOCH);

fn current(transaction: &Transaction) -> (ProducerId, crate::base::ProducerEpoch) {
    (transaction.metadata.producer, transaction.metadata.epoch)
}

fn judge_without_bump(transaction: &Transaction, end: &End) -> Result<Verdict, ErrorCode> {
    let metadata = &transaction.metadata;
    if metadata.producer != end.producer {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if metadata.epoch != end.epoch {
        return Err(ErrorCode::ProducerFenced);
    }
    if transaction.pending.is_some() {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    match (metadata.state, end.commit) {
        (TxnState::Ongoing, _) => Ok(Verdict::Decide),
        (TxnState::CompleteCommit, true) | (TxnState::CompleteAbort, false) => Ok(Verdict::Done),
        (TxnState::PrepareCommit, true) | (TxnState::PrepareAbort, false) => Err(ErrorCode::ConcurrentTransactions),
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

fn judge(transaction: &Transaction, end: &End) -> Result<Verdict, ErrorCode> {
    let metadata = &transaction.metadata;
    let (epoch, now) = (i32::from(end.epoch.0), i32::from(metadata.epoch.0));
    // The answer to the same request was lost, and the epoch has been raised since, or the id changed.
    let new_id = metadata.previous_producer == end.producer && end.epoch == EPOCH_LAST && now == 0;
    let raised = now == epoch + 1;
    // First of all: what is pending may bring the very producer id that asks.
    if transaction.pending.is_some() {
        return Err(ErrorCode::ConcurrentTransactions);
    }
    if metadata.producer != end.producer && !new_id {
        return Err(ErrorCode::InvalidProducerIdMapping);
    }
    if !suits_epoch(metadata, raised, new_id, now == epoch) {
        return Err(ErrorCode::ProducerFenced);
    }
    let again = raised || new_id;
    match (metadata.state, end.commit) {
        (TxnState::Ongoing, _) | (TxnState::Empty, false) => Ok(Verdict::Decide),
        (TxnState::CompleteCommit, true) | (TxnState::CompleteAbort, false) if again => Ok(Verdict::Done),
        // A transaction to which nothing was written is aborted for the sake of its epoch.
        (TxnState::CompleteCommit | TxnState::CompleteAbort, false) if !again => Ok(Verdict::Decide),
        (TxnState::PrepareCommit, true) | (TxnState::PrepareAbort, false) => Err(ErrorCode::ConcurrentTransactions),
        _ => Err(ErrorCode::InvalidTxnState),
    }
}

/// Where ends raise the epoch, state and equal epoch do not tell a repeated request from the next one: the epoch does.
fn suits_epoch(metadata: &Metadata, raised: bool, new_id: bool, same: bool) -> bool {
    match metadata.state {
        TxnState::PrepareCommit | TxnState::PrepareAbort => raised,
        TxnState::CompleteCommit | TxnState::CompleteAbort => raised || new_id || same,
        TxnState::Empty | TxnState::Ongoing | TxnState::Dead | TxnState::PrepareEpochFence => same,
    }
}
