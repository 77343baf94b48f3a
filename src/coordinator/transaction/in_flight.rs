//! Appends whose outcome is not known yet and what is to happen then.
//!
//! A transactional id changes when its record is committed. Until then the change is `pending`, and nothing else may
//! begin; a failed append needs no rollback, because nothing of it was applied.

use super::metadata::{Metadata, NO_EPOCH};
use super::request::Answer;
use super::state::TxnState;
use super::timers::Timer;
use super::{Step, Transactions, records};
use crate::base::{ErrorCode, Offset, ProducerId};
use crate::coordinator::machine::{Append, AppendId, Record, Token, append_error};
use std::sync::Arc;

/// What follows an append.
pub(super) enum Then {
    /// A transactional id changes.
    Transit(Box<Transit>),
    /// Transactional ids are gone.
    Expired(Vec<Arc<str>>),
}

/// See [`Then::Transit`].
pub(super) struct Transit {
    pub id: Arc<str>,
    pub to: Metadata,
    pub after: After,
}

/// Who is told of a change.
pub(super) enum After {
    /// InitProducerId: the producer begins.
    Begun(Token),
    /// InitProducerId: the open transaction is aborted first; the producer asks again.
    Fenced(Token),
    /// The time of a transaction was up.
    TimedOut,
    /// Partitions were added.
    Added(Token, super::Add),
    /// EndTxn.
    Ended(Token),
    /// All markers are written.
    Completed,
}

impl After {
    fn token(&mut self) -> Option<&mut Token> {
        match self {
            Self::Begun(token) | Self::Fenced(token) | Self::Added(token, _) | Self::Ended(token) => Some(token),
            Self::TimedOut | Self::Completed => None,
        }
    }

    /// The answer that says `error`.
    fn refuse(&self, error: ErrorCode) -> Answer {
        match self {
            Self::Begun(_) | Self::Fenced(_) | Self::Ended(_) => Answer::Producer(Err(error)),
            Self::Added(_, add) => Answer::Added(add.all(error)),
            Self::TimedOut | Self::Completed => Answer::None,
        }
    }
}

impl Transactions {
    pub(super) fn append(&mut self, records: Vec<Record>, then: Then, step: &mut Step) {
        self.last_append.0 += 1;
        step.fx.appends.push(Append::own(self.last_append, records));
        self.in_flight.push_back((self.last_append, then));
    }

    /// Writes what `id` becomes. Nothing else begins with it until that is known to be written or not.
    pub(super) fn transit(&mut self, id: &Arc<str>, to: Metadata, after: After, step: &mut Step) {
        let Some(transaction) = self.by_id.get_mut(id) else { return };
        debug_assert!(transaction.metadata.state.may_become(to.state), "{:?} to {to:?}", transaction.metadata);
        transaction.pending = Some(to.state);
        self.timers.cancel(&Timer::Timeout(id.clone()));
        let record = records::transaction(id, &to, self.numbers.version);
        self.append(vec![record], Then::Transit(Box::new(Transit { id: id.clone(), to, after })), step);
    }

    /// The outcome of append `id`. Outcomes come in the order of the appends.
    pub(super) fn appended(&mut self, id: AppendId, outcome: Result<Offset, ErrorCode>, step: &mut Step) {
        while self.in_flight.front().is_some_and(|(next, _)| *next <= id) {
            let Some((_, then)) = self.in_flight.pop_front() else { return };
            match (then, outcome) {
                (Then::Transit(transit), Ok(_)) => self.changed(*transit, step),
                (Then::Transit(transit), Err(error)) => self.unchanged(*transit, append_error(error), step),
                (Then::Expired(ids), outcome) => self.expired(ids, outcome.is_ok(), step),
            }
        }
    }

    fn changed(&mut self, transit: Transit, step: &mut Step) {
        let Transit { id, to, after } = transit;
        let Some(transaction) = self.by_id.get_mut(&id) else { return };
        transaction.pending = None;
        transaction.metadata = to;
        let metadata = &transaction.metadata;
        match after {
            After::Begun(token) => {
                step.fx.answer(token, Answer::Producer(Ok((metadata.producer, metadata.epoch))));
            }
            After::Added(token, add) => step.fx.answer(token, Answer::Added(add.all(ErrorCode::None))),
            After::Ended(token) => {
                // Told before the markers are written, as Kafka does: the decision is in the log.
                let answer = match super::bumps_epochs(metadata.client_version) {
                    true => Some(metadata.completed(step.now.wall)).map(|m| (m.producer, m.epoch)),
                    false => None,
                };
                step.fx.answer(token, Answer::Producer(Ok(answer.unwrap_or((ProducerId::NONE, NO_EPOCH)))));
                self.write_markers(&id, step);
            }
            After::Fenced(token) => {
                self.counts.fenced += 1;
                step.fx.answer(token, Answer::Producer(Err(ErrorCode::ConcurrentTransactions)));
                self.write_markers(&id, step);
            }
            After::TimedOut => {
                self.counts.timed_out += 1;
                tracing::info!(transactional_id = %id, "a transaction was open for too long and is aborted");
                self.write_markers(&id, step);
            }
            After::Completed => {
                match metadata.state {
                    TxnState::CompleteCommit => self.counts.committed += 1,
                    _ => self.counts.aborted += 1,
                }
                transaction.fence_failed = false;
                transaction.marker_tries = 0;
            }
        }
        self.settled(&id, step);
    }

    fn unchanged(&mut self, transit: Transit, error: ErrorCode, step: &mut Step) {
        let Transit { id, to, mut after } = transit;
        self.complaints.not_written(&id, &after, error, step.now.mono);
        let answer = after.refuse(error);
        if let Some(token) = after.token() {
            step.fx.answer(*token, answer);
        }
        let Some(transaction) = self.by_id.get_mut(&id) else { return };
        if matches!(after, After::Completed) {
            // It is decided and all markers stand: only the last word is missing, and has to be written.
            let again = step.now.mono.plus_ms(super::markers::retry_after_ms(transaction.marker_tries));
            transaction.marker_tries = transaction.marker_tries.saturating_add(1);
            return self.timers.schedule(Timer::Completion(id), again);
        }
        transaction.pending = None;
        let fences = matches!(after, After::Fenced(_) | After::TimedOut);
        if fences && !super::bumps_epochs(to.client_version) {
            // Whether the record stands nobody knows: the old epoch must not come back.
            transaction.fence_failed = true;
            transaction.metadata.epoch = to.epoch;
            transaction.metadata.last_epoch = NO_EPOCH;
        }
        if transaction.metadata.epoch == NO_EPOCH && transaction.parked.is_empty() {
            self.by_id.remove(&id);
            return;
        }
        self.settled(&id, step);
        if fences {
            self.timers.schedule(Timer::Timeout(id), step.now.mono.plus_ms(self.numbers.abort_retry_ms));
        }
    }

    /// Nothing is pending for `id`, or something new is: who waited for that goes on, and an open transaction has its
    /// time.
    pub(super) fn settled(&mut self, id: &Arc<str>, step: &mut Step) {
        self.resume(id, step);
        let Some(transaction) = self.by_id.get(id) else { return };
        if transaction.pending.is_some() {
            return;
        }
        if let Some(at) = transaction.metadata.times_out() {
            let left_ms = at.0.saturating_sub(step.now.wall.0).max(0).saturating_add(1);
            self.timers.schedule(Timer::Timeout(id.clone()), step.now.mono.plus_ms(left_ms));
        }
    }

    /// The request of `token` has waited too long: it is refused. What it asked for may still come to pass.
    pub(super) fn refuse_late(&mut self, token: Token, error: ErrorCode, fx: &mut super::Effects) {
        for (_, then) in &mut self.in_flight {
            let Then::Transit(transit) = then else { continue };
            let answer = transit.after.refuse(error);
            if let Some(waiting) = transit.after.token().filter(|waiting| **waiting == token) {
                *waiting = Token(0);
                return fx.answer(token, answer);
            }
        }
        if let Some(at) = self.waiting_for_ids.iter().position(|(waiting, _)| *waiting == token) {
            // Its place in the queue stays: an id comes for each.
            let refused = self.waiting_for_ids[at].1.refuse(error);
            self.waiting_for_ids[at].0 = Token(0);
            return fx.answer(token, refused);
        }
        for transaction in self.by_id.values_mut() {
            if let Some(at) = transaction.parked.iter().position(|parked| parked.token == token) {
                let parked = transaction.parked.remove(at);
                return fx.answer(token, Answer::Added(parked.add.all(error)));
            }
        }
    }
}
