//! Writes that begin a transaction while the one before is being completed. A client of `transaction.version` 2 writes
//! at once, so this is common; Kafka's partition leader asks again and again, here the question waits.

use super::request::{Add, Answer};
use super::timers::Timer;
use super::{Step, Transactions};
use crate::base::{ErrorCode, Instant};
use crate::coordinator::machine::Token;
use std::sync::Arc;

/// So many wait for one transactional id; a producer has five requests under way.
const PARKED_MAX: usize = 128;

/// A question that waits.
pub(super) struct Parked {
    pub token: Token,
    pub add: Add,
    pub until: Instant,
}

impl Transactions {
    pub(super) fn park(&mut self, add: Add, until: Instant, step: &mut Step) {
        let id = add.transactional_id.clone();
        let place = self.by_id.get_mut(&id).filter(|t| t.parked.len() < PARKED_MAX && until > step.now.mono);
        let Some(transaction) = place else {
            return step.answer(Answer::Added(add.all(ErrorCode::ConcurrentTransactions)));
        };
        transaction.parked.push(Parked { token: step.token, add, until });
        if !self.timers.is_set(&Timer::Parked(id.clone())) {
            self.timers.schedule(Timer::Parked(id), until);
        }
    }

    /// Who waited asks again, in order. The first to begin something makes the others wait on.
    pub(super) fn resume(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(transaction) = self.by_id.get_mut(id).filter(|t| t.pending.is_none()) else { return };
        if transaction.parked.is_empty() {
            return;
        }
        let parked = std::mem::take(&mut transaction.parked);
        self.timers.cancel(&Timer::Parked(id.clone()));
        let token = step.token;
        for Parked { token, add, until } in parked {
            step.token = token;
            self.add_until(add, until, step);
        }
        step.token = token;
    }

    /// Who has waited long enough is told to come again.
    pub(super) fn parked_too_long(&mut self, id: Arc<str>, step: &mut Step) {
        let Some(transaction) = self.by_id.get_mut(&id) else { return };
        let now = step.now.mono;
        let (late, kept): (Vec<_>, Vec<_>) = transaction.parked.drain(..).partition(|parked| parked.until <= now);
        transaction.parked = kept;
        let next = transaction.parked.iter().map(|parked| parked.until).min();
        for parked in late {
            step.fx.answer(parked.token, Answer::Added(parked.add.all(ErrorCode::ConcurrentTransactions)));
        }
        if let Some(until) = next {
            self.timers.schedule(Timer::Parked(id), until);
        }
    }
}
