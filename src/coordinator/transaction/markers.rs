//! From the decision to its completion: markers to all partitions, then the last record
//! (`TransactionMarkerChannelManager`, `TransactionMarkerRequestCompletionHandler`).

use super::in_flight::After;
use super::request::{MarkerWork, Work};
use super::state::TxnState;
use super::timers::Timer;
use super::{Step, Transactions};
use crate::base::{ErrorCode, TopicPartition};
use crate::record::control::EndTxnMarker;
use std::sync::Arc;

const RETRY_MS_MIN: i64 = 50;
const RETRY_MS_MAX: i64 = 10_000;

/// How long to wait after `tries` in vain.
pub(super) fn retry_after_ms(tries: u32) -> i64 {
    (RETRY_MS_MIN << tries.min(16)).min(RETRY_MS_MAX)
}

/// What becomes of a partition whose marker was tried.
enum Outcome {
    Done,
    Again,
    /// Another coordinator has taken over.
    Fenced,
}

fn outcome(id: &str, partition: &TopicPartition, error: ErrorCode) -> Outcome {
    match error {
        ErrorCode::None => Outcome::Done,
        ErrorCode::InvalidProducerEpoch => {
            // A newer epoch writes there, which begins only after the end of this transaction.
            tracing::warn!(transactional_id = id, %partition, "the producer has gone on: no marker is written");
            Outcome::Done
        }
        ErrorCode::TransactionCoordinatorFenced => Outcome::Fenced,
        error => {
            tracing::debug!(transactional_id = id, %partition, ?error, "a marker could not be written yet");
            Outcome::Again
        }
    }
}

impl Transactions {
    /// `id`'s transaction is decided: its markers are written, then that it is complete.
    pub(super) fn write_markers(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(transaction) = self.by_id.get_mut(id) else { return };
        let metadata = &transaction.metadata;
        let Some(commit) = metadata.state.decision() else { return };
        transaction.pending = Some(if commit { TxnState::CompleteCommit } else { TxnState::CompleteAbort });
        if metadata.partitions.is_empty() {
            return self.complete(id, step);
        }
        step.fx.work.push(Work::Markers(MarkerWork {
            transactional_id: id.clone(),
            producer: metadata.producer,
            epoch: metadata.epoch,
            marker: EndTxnMarker { commit, coordinator_epoch: self.epoch.0 },
            version: metadata.client_version,
            partitions: metadata.partitions.clone(),
        }));
    }

    /// What became of the markers.
    pub(super) fn written(&mut self, work: &MarkerWork, results: Vec<(TopicPartition, ErrorCode)>, step: &mut Step) {
        let id = &work.transactional_id;
        let Some(transaction) = self.by_id.get_mut(id) else { return };
        let metadata = &mut transaction.metadata;
        let same = metadata.producer == work.producer && metadata.epoch == work.epoch;
        if !same || metadata.state.decision() != Some(work.marker.commit) {
            return; // an answer that was lost on its way and came by another
        }
        for (partition, error) in results {
            match outcome(id, &partition, error) {
                Outcome::Done => drop(metadata.partitions.remove(&partition)),
                Outcome::Again => {}
                Outcome::Fenced => {
                    tracing::error!(transactional_id = %id, %partition, "a newer coordinator ended this transaction");
                    return;
                }
            }
        }
        if metadata.partitions.is_empty() {
            transaction.marker_tries = 0;
            return self.complete(id, step);
        }
        let again = step.now.mono.plus_ms(retry_after_ms(transaction.marker_tries));
        transaction.marker_tries = transaction.marker_tries.saturating_add(1);
        self.timers.schedule(Timer::Markers(id.clone()), again);
    }

    /// All markers stand.
    pub(super) fn complete(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(transaction) = self.by_id.get(id) else { return };
        if transaction.metadata.state.decision().is_none() || !transaction.metadata.partitions.is_empty() {
            return;
        }
        let to = transaction.metadata.completed(step.now.wall);
        self.transit(id, to, After::Completed, step);
    }
}
