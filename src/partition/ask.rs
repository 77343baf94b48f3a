//! What is asked of a partition, and what it answers: plain values that may cross cores.

use crate::base::{BrokerId, ErrorCode, Instant, LeaderEpoch, Offset};
use crate::log::{FileRange, Guard, Verification};
use bytes::Bytes;

/// The `acks` of a produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredAcks {
    /// 0: no answer at all.
    None,
    /// 1: the leader has it.
    Leader,
    /// -1: all in-sync replicas have it.
    All,
}

impl RequiredAcks {
    /// Reads the number on the wire; anything but -1, 0 and 1 is INVALID_REQUIRED_ACKS.
    pub const fn from_wire(acks: i16) -> Option<Self> {
        match acks {
            0 => Some(Self::None),
            1 => Some(Self::Leader),
            -1 => Some(Self::All),
            _ => None,
        }
    }
}

/// One partition's share of a produce request.
pub struct AppendAsk {
    /// The records as sent: exactly one batch.
    pub records: Bytes,
    /// When to answer.
    pub acks: RequiredAcks,
    /// REQUEST_TIMED_OUT after this, for acks=all.
    pub deadline: Instant,
    /// The produce request's version (zstd is refused below 7).
    pub version: i16,
    /// Whether the transaction coordinator knows of the batch's transaction.
    pub verification: Verification,
}

/// What a producer is told of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendOutcome {
    /// `None` where the batch is appended.
    pub error: ErrorCode,
    /// Offset of the batch's first record, -1 on an error.
    pub base_offset: i64,
    /// The broker's time where the topic stamps it, else -1.
    pub log_append_time_ms: i64,
    /// The partition's log start offset, -1 where unknown.
    pub log_start_offset: i64,
    /// Index in the batch and reason, for each record refused.
    pub record_errors: Vec<(i32, String)>,
    /// The reason in words.
    pub message: Option<String>,
    /// Who leads, where that is the error.
    pub current_leader: Option<(BrokerId, LeaderEpoch)>,
    /// Nothing is appended before the transaction coordinator was asked under this guard.
    pub guard: Option<Guard>,
}

impl AppendOutcome {
    /// Nothing appended, because of `error`.
    pub fn failed(error: ErrorCode) -> Self {
        Self {
            error,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            message: None,
            current_leader: None,
            guard: None,
        }
    }
}

/// Who reads: it decides how far (CLUSTER.md of the design: consumers to the high watermark).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// An ordinary consumer, below the high watermark.
    Consumer,
    /// A consumer of committed transactions, below the last stable offset.
    CommittedConsumer,
    /// A follower, to the log's end.
    Replica {
        /// Its node id.
        id: BrokerId,
        /// Its registration, -1 where it does not say.
        epoch: i64,
    },
}

/// One partition's share of a fetch.
#[derive(Clone, Debug)]
pub struct ReadAsk {
    /// Where to begin.
    pub offset: Offset,
    /// At most this many bytes (more when the first batch is larger and must be returned).
    pub max_bytes: u32,
    /// The leader epoch the reader believes in, -1 when it has none.
    pub current_leader_epoch: LeaderEpoch,
    /// Epoch of the reader's last record, -1 when it does not say: divergence is checked with it.
    pub last_fetched_epoch: LeaderEpoch,
    /// Who reads.
    pub reader: Reader,
}

/// What a reader is told of one partition.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// `None` where the read succeeded.
    pub error: ErrorCode,
    /// -1 where unknown.
    pub high_watermark: i64,
    /// -1 where unknown.
    pub last_stable_offset: i64,
    /// -1 where unknown.
    pub log_start_offset: i64,
    /// The bytes to send; none when there is nothing to read yet.
    pub records: Option<FileRange>,
    /// Where the reader's log leaves ours: epoch and its end offset.
    pub diverging: Option<(i32, i64)>,
    /// Aborted transactions in the range: producer id and first offset; `None` unless asked for.
    pub aborted: Option<Vec<(i64, i64)>>,
    /// Who leads, where that is the error.
    pub current_leader: Option<(BrokerId, LeaderEpoch)>,
}

impl Fetched {
    /// Nothing read, because of `error`.
    pub fn failed(error: ErrorCode) -> Self {
        Self {
            error,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            records: None,
            diverging: None,
            aborted: None,
            current_leader: None,
        }
    }

    /// Bytes read.
    pub fn len(&self) -> u32 {
        self.records.as_ref().map_or(0, |range| range.len)
    }

    /// True when no bytes were read.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True where the answer must not wait: an error or a divergence.
    pub fn is_urgent(&self) -> bool {
        self.error != ErrorCode::None || self.diverging.is_some()
    }
}
