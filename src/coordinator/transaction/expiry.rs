//! What time brings: transactions time out, transactional ids that nobody uses go
//! (`TransactionStateManager.removeExpiredTransactionalIds`).

use super::in_flight::Then;
use super::state::TxnState;
use super::timers::Timer;
use super::{Step, Transactions, records};
use crate::base::Now;
use std::sync::Arc;

/// Tombstones share an append up to this size.
const TOMBSTONE_BYTES: usize = 128 << 10;

impl Transactions {
    pub(super) fn do_what_is_due(&mut self, step: &mut Step) {
        while let Some(timer) = self.timers.pop_due(step.now.mono) {
            match timer {
                Timer::Timeout(id) => self.abort(id, step),
                Timer::Markers(id) => self.write_markers(&id, step),
                Timer::Completion(id) => self.complete(&id, step),
                Timer::Parked(id) => self.parked_too_long(id, step),
                Timer::Expiry => self.expire(step),
            }
        }
    }

    /// The age of a transactional id is counted by the wall clock, as the timestamps in the log are.
    fn expire(&mut self, step: &mut Step) {
        let limit = step.now.wall.0.saturating_sub(self.numbers.id_expiration_ms);
        let old = |t: &super::Transaction| {
            t.pending.is_none() && t.metadata.state.may_expire() && t.metadata.updated.0 <= limit
        };
        let ids: Vec<Arc<str>> = self.by_id.iter().filter(|(_, t)| old(t)).map(|(id, _)| id.clone()).collect();
        if !ids.is_empty() {
            tracing::info!(ids = ids.len(), "expired transactional ids are removed");
        }
        let mut chunk = Vec::new();
        let mut bytes = 0;
        for id in ids {
            if let Some(transaction) = self.by_id.get_mut(&id) {
                transaction.pending = Some(TxnState::Dead);
            }
            bytes += id.len() + 64;
            chunk.push(id);
            if bytes > TOMBSTONE_BYTES {
                self.bury(std::mem::take(&mut chunk), step);
                bytes = 0;
            }
        }
        if !chunk.is_empty() {
            self.bury(chunk, step);
        }
        self.schedule_expiry(step.now);
    }

    fn bury(&mut self, ids: Vec<Arc<str>>, step: &mut Step) {
        let tombstones = ids.iter().map(|id| records::tombstone(id)).collect();
        self.append(tombstones, Then::Expired(ids), step);
    }

    /// The tombstones are in the log, or could not be written.
    pub(super) fn expired(&mut self, ids: Vec<Arc<str>>, gone: bool, step: &mut Step) {
        for id in ids {
            let Some(transaction) = self.by_id.get_mut(&id) else { continue };
            transaction.pending = None;
            if gone && transaction.parked.is_empty() {
                self.by_id.remove(&id);
            } else {
                self.settled(&id, step);
            }
        }
    }

    pub(super) fn schedule_expiry(&mut self, now: Now) {
        self.timers.schedule(Timer::Expiry, now.mono.plus_ms(self.numbers.expiry_interval_ms.max(1)));
    }
}
