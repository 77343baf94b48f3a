//! InitProducerId with a transactional id (`TransactionCoordinator.handleInitProducerId`; KIP-98, 360, 890).

use super::in_flight::After;
use super::metadata::{EPOCH_LAST, Metadata, NO_EPOCH, TIMEOUT_NEVER_MS};
use super::request::{Answer, Init, Request};
use super::state::TxnState;
use super::{Step, Transaction, Transactions, bumps_epochs};
use crate::base::{ErrorCode, ProducerId};
use std::sync::Arc;

/// What InitProducerId leads to.
enum Course {
    /// The producer begins.
    Begin(Metadata),
    /// Its open transaction is aborted first.
    Fence(Metadata),
    /// A new producer id is needed first.
    NeedsId,
}

impl Transactions {
    pub(super) fn init(&mut self, request: Init, step: &mut Step) {
        if let Err(error) = self.check_init(&request) {
            return step.answer(Answer::Producer(Err(error)));
        }
        let timeout_ms = if request.enable_2pc { TIMEOUT_NEVER_MS } else { request.timeout_ms };
        let id = request.transactional_id.clone();
        if !self.by_id.contains_key(&id) {
            if self.by_id.len() >= self.numbers.ids_max {
                return step.answer(Answer::Producer(Err(ErrorCode::CoordinatorNotAvailable)));
            }
            let Some(producer) = self.spare.take() else { return self.wait_for_id(Request::Init(request), step) };
            let metadata = Metadata::new(producer, timeout_ms, step.now.wall);
            self.by_id.insert(id.clone(), Transaction::new(metadata));
        }
        match self.course(&request, timeout_ms, step) {
            Ok(Course::Begin(to)) => self.transit(&id, to, After::Begun(step.token), step),
            Ok(Course::Fence(to)) => {
                tracing::info!(transactional_id = %id, "a new producer ends the transaction of the one before");
                self.transit(&id, to, After::Fenced(step.token), step);
            }
            Ok(Course::NeedsId) => self.wait_for_id(Request::Init(request), step),
            Err(error) => {
                tracing::debug!(transactional_id = %id, ?error, "InitProducerId is refused");
                step.answer(Answer::Producer(Err(error)));
            }
        }
    }

    fn check_init(&self, request: &Init) -> Result<(), ErrorCode> {
        if request.transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        if request.enable_2pc && !self.numbers.two_phase_commit {
            return Err(ErrorCode::TransactionalIdAuthorizationFailed);
        }
        if request.keep_prepared {
            return Err(ErrorCode::UnsupportedVersion);
        }
        if !request.enable_2pc && !(1..=self.numbers.timeout_ms_max).contains(&request.timeout_ms) {
            return Err(ErrorCode::InvalidTransactionTimeout);
        }
        Ok(())
    }

    fn course(&mut self, request: &Init, timeout_ms: i32, step: &Step) -> Result<Course, ErrorCode> {
        let now = step.now.wall;
        let transaction = self.by_id.get(&request.transactional_id).ok_or(ErrorCode::NotCoordinator)?;
        let metadata = &transaction.metadata;
        if transaction.pending.is_some() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        if !is_known(metadata, request) {
            return Err(ErrorCode::ProducerFenced);
        }
        let expected = request.expected.map(|(_, epoch)| epoch);
        match metadata.state {
            TxnState::PrepareCommit | TxnState::PrepareAbort => Err(ErrorCode::ConcurrentTransactions),
            TxnState::Ongoing => Ok(self.fence(&request.transactional_id, step).map_or(Course::NeedsId, Course::Fence)),
            TxnState::Empty | TxnState::CompleteCommit | TxnState::CompleteAbort => {
                if !metadata.is_exhausted() || expected.is_some_and(|epoch| epoch != metadata.epoch) {
                    return metadata.with_next_epoch(timeout_ms, expected, now).map(Course::Begin);
                }
                let Some(producer) = self.spare.take() else { return Ok(Course::NeedsId) };
                Ok(Course::Begin(metadata.with_new_id(producer, timeout_ms, expected.is_some(), now)))
            }
            TxnState::Dead | TxnState::PrepareEpochFence => Err(ErrorCode::UnknownServerError),
        }
    }

    /// What the open transaction of `id` becomes when its producer is fenced; `None` where an id is needed first.
    fn fence(&mut self, id: &str, step: &Step) -> Option<Metadata> {
        let transaction = self.by_id.get(id)?;
        let version = self.numbers.version;
        let next = match bumps_epochs(version) && transaction.metadata.is_exhausted() {
            true => self.spare.take()?,
            false => ProducerId::NONE,
        };
        Some(transaction.metadata.fenced(version, transaction.fence_failed, next, step.now.wall))
    }

    /// The time of `id`'s transaction is up (`abortTimedOutTransactions`).
    pub(super) fn abort(&mut self, id: Arc<str>, step: &mut Step) {
        let Some(transaction) = self.by_id.get(&id).filter(|t| t.pending.is_none()) else { return };
        let Some(until) = transaction.metadata.times_out() else { return };
        if until >= step.now.wall {
            return self.settled(&id, step); // the wall clock was set back, or it is another transaction
        }
        match self.fence(&id, step) {
            Some(to) => self.transit(&id, to, After::TimedOut, step),
            None => {
                step.token = crate::coordinator::machine::Token(0);
                self.wait_for_id(Request::Abort(id), step);
            }
        }
    }
}

/// Whether a producer that says who it is may go on (`isValidProducerId`): nobody ever began, it has the id, or it had
/// the one before up to its last epoch and did not hear of the new one.
fn is_known(metadata: &Metadata, request: &Init) -> bool {
    request.expected.is_none_or(|(producer, epoch)| {
        metadata.epoch == NO_EPOCH
            || producer == metadata.producer
            || (producer == metadata.previous_producer && epoch >= EPOCH_LAST)
    })
}
