//! Reading the log back, what follows when it has been read, and when the partition goes elsewhere.

use super::request::Answer;
use super::{Effects, Step, Transaction, Transactions, records};
use crate::base::{ErrorCode, LeaderEpoch, Now, Offset};
use crate::coordinator::machine::Unreadable;
use bytes::Bytes;
use records::Replayed;
use std::sync::Arc;

impl Transactions {
    /// Takes a record of the log. Unknown versions are passed over, as Kafka does: an upgrade that was taken back.
    pub(super) fn replay_record(
        &mut self,
        offset: Offset,
        key: &Bytes,
        value: Option<&Bytes>,
    ) -> Result<(), Unreadable> {
        match records::read(key, value) {
            Ok(Replayed::Transaction(id, Some(metadata))) => {
                self.by_id.insert(id, Transaction::new(metadata));
            }
            Ok(Replayed::Transaction(id, None)) => drop(self.by_id.remove(&id)),
            Ok(Replayed::Unknown) => self.passed_over += 1,
            Err(error) => return Err(Unreadable { offset, why: error.to_string() }),
        }
        Ok(())
    }

    /// The log has been read to its end: what is decided is completed, what is open has its time.
    pub(super) fn begin(&mut self, epoch: LeaderEpoch, step: &mut Step) {
        self.epoch = epoch;
        let ids: Vec<Arc<str>> = self.by_id.keys().cloned().collect();
        for id in &ids {
            self.write_markers(id, step);
            self.settled(id, step);
        }
        self.schedule_expiry(step.now);
        if self.passed_over > 0 {
            tracing::warn!(records = self.passed_over, "records of unknown versions were passed over");
        }
    }

    /// Everybody who waits is told that this is not the coordinator (16).
    pub(super) fn leave(&mut self, now: Now, fx: &mut Effects) {
        let last = self.last_append;
        self.appended(last, Err(ErrorCode::NotLeaderOrFollower), &mut Step::timer(now, fx));
        for (token, request) in self.waiting_for_ids.drain(..) {
            fx.answer(token, request.refuse(ErrorCode::NotCoordinator));
        }
        for transaction in self.by_id.values_mut() {
            for parked in transaction.parked.drain(..) {
                fx.answer(parked.token, Answer::Added(parked.add.all(ErrorCode::NotCoordinator)));
            }
        }
        // What the failures set off goes nowhere.
        fx.appends.clear();
        fx.work.clear();
        self.in_flight.clear();
        self.timers.clear();
    }
}
