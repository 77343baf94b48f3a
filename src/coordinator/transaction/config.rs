//! The numbers the transaction coordinator works with.

/// Transaction settings, Kafka's defaults.
#[derive(Clone, Debug)]
pub struct TransactionNumbers {
    /// `transaction.max.timeout.ms`.
    pub timeout_ms_max: i32,
    /// `transactional.id.expiration.ms`.
    pub id_expiration_ms: i64,
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`.
    pub expiry_interval_ms: i64,
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`: between two attempts to abort one that timed
    /// out; the first is made when its time is up.
    pub abort_retry_ms: i64,
    /// `transaction.two.phase.commit.enable`.
    pub two_phase_commit: bool,
    /// `add.partitions.to.txn.retry.backoff.max.ms`: how long a write waits for the end of the transaction before.
    pub parked_ms_max: i64,
    /// The finalized `transaction.version`.
    pub version: i16,
    /// Transactional ids one partition makes for clients; Kafka knows no such bound.
    pub ids_max: usize,
}

impl Default for TransactionNumbers {
    fn default() -> Self {
        Self {
            timeout_ms_max: 900_000,
            id_expiration_ms: 604_800_000,
            expiry_interval_ms: 3_600_000,
            abort_retry_ms: 10_000,
            two_phase_commit: false,
            parked_ms_max: 100,
            version: 2,
            ids_max: 1_000_000,
        }
    }
}

/// Whether each end of a transaction raises the epoch (`TransactionVersion.supportsEpochBump`, KIP-890).
pub const fn bumps_epochs(transaction_version: i16) -> bool {
    transaction_version >= 2
}
