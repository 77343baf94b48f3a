//! What is known of a transactional id (`TransactionMetadata`): plain values, as they stand in its record.

use super::state::TxnState;
use crate::base::{ProducerEpoch, ProducerId, TimestampMs, TopicPartition};
use std::collections::BTreeSet;

/// The last epoch a producer may write with; one more is kept to fence it (`isEpochExhausted`).
pub const EPOCH_LAST: ProducerEpoch = ProducerEpoch(i16::MAX - 1);
/// No epoch yet.
pub const NO_EPOCH: ProducerEpoch = ProducerEpoch(-1);
/// The timeout of a transaction that has none (KIP-939).
pub const TIMEOUT_NEVER_MS: i32 = i32::MAX;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its producer id.
    pub producer: ProducerId,
    /// The id before the last change.
    pub previous_producer: ProducerId,
    /// The id after this transaction, where its epochs are used up.
    pub next_producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The epoch before, for clients that ask again; not in the record.
    pub last_epoch: ProducerEpoch,
    /// How long a transaction may be open, in ms.
    pub timeout_ms: i32,
    /// Where it stands.
    pub state: TxnState,
    /// The partitions of its transaction.
    pub partitions: BTreeSet<TopicPartition>,
    /// When its transaction began.
    pub started: TimestampMs,
    /// When it last changed.
    pub updated: TimestampMs,
    /// The `transaction.version` of the client that began or ended the transaction.
    pub client_version: i16,
}

impl Metadata {
    /// A transactional id nobody has used yet.
    pub fn new(producer: ProducerId, timeout_ms: i32, now: TimestampMs) -> Self {
        Self {
            producer,
            previous_producer: ProducerId::NONE,
            next_producer: ProducerId::NONE,
            epoch: NO_EPOCH,
            last_epoch: NO_EPOCH,
            timeout_ms,
            state: TxnState::Empty,
            partitions: BTreeSet::new(),
            started: TimestampMs::NONE,
            updated: now,
            client_version: 0,
        }
    }

    /// True when the epoch cannot be raised for another transaction.
    pub fn is_exhausted(&self) -> bool {
        self.epoch >= EPOCH_LAST
    }

    /// When its transaction has been open for too long; `None` where it may be open for ever, or is not.
    pub fn times_out(&self) -> Option<TimestampMs> {
        let open = self.state == TxnState::Ongoing && self.timeout_ms != TIMEOUT_NEVER_MS;
        open.then(|| TimestampMs(self.started.0.saturating_add(i64::from(self.timeout_ms))))
    }
}
