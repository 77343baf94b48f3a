//! What can go wrong, one enum per operation. The partition layer maps each to Kafka's error code.

use super::verification::Guard;
use crate::base::{Offset, ProducerEpoch, ProducerId};
use std::io;

/// What is wrong with one record of a batch; travels in `record_errors` of the Produce response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordFault {
    /// The record's index in the batch, from 0.
    pub index: i32,
    /// What it is.
    pub kind: FaultKind,
}

/// The faults of single records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No key, in a compacted topic.
    NoKey,
    /// Dated outside of what the topic allows.
    OutOfRange {
        /// The record's time.
        timestamp: i64,
        /// Its offset as it was sent.
        offset: i64,
        /// The oldest time allowed.
        oldest: i64,
        /// The newest.
        newest: i64,
    },
    /// The producer claims that the broker stamped it.
    Stamped {
        /// Its offset as it was sent.
        offset: i64,
        /// The claimed time.
        timestamp: i64,
        /// Bytes of its key; negative: null.
        key_len: i32,
        /// Bytes of its value; negative: null.
        value_len: i32,
        /// It came in a compressed batch; Kafka's sentence tells.
        packed: bool,
    },
}

impl RecordFault {
    /// The reason in Kafka's words. `partition` is `topic-N`.
    pub fn message(&self, partition: &str) -> String {
        match self.kind {
            FaultKind::NoKey => {
                format!("Compacted topic cannot accept message without key in topic partition {partition}")
            }
            FaultKind::OutOfRange { timestamp, offset, oldest, newest } => format!(
                "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be within \
                 [{oldest}, {newest}]"
            ),
            FaultKind::Stamped { offset, timestamp, key_len, value_len, packed } => format!(
                "Invalid timestamp type in message {}DefaultRecord(offset={offset}, timestamp={timestamp}, \
                 key={} bytes, value={} bytes). Producer should not set timestamp type to LogAppendTime.",
                if packed { "Partial" } else { "" },
                key_len.max(0),
                value_len.max(0)
            ),
        }
    }
}

/// Why records were not appended. Kafka's code in parentheses; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The bytes hold no batch, end inside one, or its length is impossible (CORRUPT_MESSAGE 2).
    Malformed(String),
    /// The checksum does not match (CORRUPT_MESSAGE 2).
    CorruptCrc {
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
    /// The format is 0 or 1 (UNSUPPORTED_FOR_MESSAGE_FORMAT 43 from Kafka's converter; INVALID_RECORD 87 for
    /// Produce v3 and newer).
    UnsupportedMagic(i8),
    /// More than one batch where Produce allows one (INVALID_RECORD 87).
    NotOneBatch(usize),
    /// The batch is larger than `max.message.bytes` (MESSAGE_TOO_LARGE 10).
    TooLarge {
        /// The batch's size in bytes.
        size: usize,
        /// The limit in bytes.
        max: u32,
    },
    /// The records are larger than a segment (RECORD_LIST_TOO_LARGE 18).
    LargerThanSegment {
        /// Their size in bytes.
        size: usize,
        /// `segment.bytes`.
        max: u32,
    },
    /// What Apache Kafka's own code trips over, and answers as it does then: a length beyond what an i32 can add up,
    /// a codec that nobody defined (UNKNOWN_SERVER_ERROR -1).
    Unexpected(String),
    /// The header contradicts itself, or says what a client may not say: offsets and count differ, a control
    /// batch, a producer id without a sequence, a base offset other than 0, an unknown codec (INVALID_RECORD 87).
    InvalidBatch(String),
    /// Records that cannot be read under a good checksum (INVALID_RECORD 87).
    InvalidRecords(String),
    /// Records without a key in a compacted topic (INVALID_RECORD 87 with record errors).
    NullKeys(Vec<RecordFault>),
    /// Records dated too far from now, or stamped as only the broker may (INVALID_TIMESTAMP 32 with record errors).
    InvalidTimestamps(Vec<RecordFault>),
    /// The sequence number does not follow the producer's last, or repeats one older than the last five batches
    /// (OUT_OF_ORDER_SEQUENCE_NUMBER 45).
    OutOfOrderSequence {
        /// Whose.
        producer: ProducerId,
        /// What came.
        incoming: i32,
        /// The last sequence number known.
        last: i32,
    },
    /// The producer's epoch is older than one already seen (INVALID_PRODUCER_EPOCH 47).
    InvalidProducerEpoch {
        /// Whose.
        producer: ProducerId,
        /// What came.
        incoming: ProducerEpoch,
        /// The newest seen.
        current: ProducerEpoch,
    },
    /// A write outside the transaction the producer has open (INVALID_TXN_STATE 48).
    InvalidTxnState(ProducerId),
    /// The transaction coordinator has to be asked first, under this guard (INVALID_TXN_STATE 48 where nobody asks).
    Unverified(Guard),
    /// A marker of an older transaction coordinator (TRANSACTION_COORDINATOR_FENCED 52).
    TransactionCoordinatorFenced {
        /// What came.
        incoming: i32,
        /// The newest seen.
        current: i32,
    },
    /// Append as follower: offsets not ascending (Kafka's OffsetsOutOfOrderException; the fetcher marks the
    /// partition failed).
    OffsetsOutOfOrder,
    /// Append as follower: begins before the log's end (UnexpectedAppendOffsetException).
    UnexpectedOffset {
        /// The first offset that came.
        first: Offset,
        /// The offset the log expects next.
        expected: Offset,
    },
    /// The log's directory failed, or the log was closed (KAFKA_STORAGE_ERROR 56).
    Offline,
    /// The disk is full (KAFKA_STORAGE_ERROR 56, until there is space).
    DiskFull,
}

impl std::fmt::Display for AppendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(why) | Self::Unexpected(why) | Self::InvalidBatch(why) | Self::InvalidRecords(why) => {
                f.write_str(why)
            }
            Self::CorruptCrc { stored, computed } => {
                write!(f, "Record is corrupt (stored crc = {stored}, computed crc = {computed})")
            }
            Self::UnsupportedMagic(magic) => write!(f, "Batches of magic {magic} are not supported"),
            Self::NotOneBatch(n) => write!(f, "Produce requests must contain exactly one record batch, not {n}"),
            Self::TooLarge { size, max } => {
                write!(f, "The record batch size is {size} bytes which exceeds the maximum configured value of {max}")
            }
            Self::LargerThanSegment { size, max } => {
                write!(
                    f,
                    "Message batch size is {size} bytes which exceeds the maximum configured segment size of {max}"
                )
            }
            Self::NullKeys(faults) => write!(
                f,
                "One or more records have been rejected due to {} record errors in total, and only showing the first \
                 three errors at most: ",
                faults.len()
            ),
            Self::InvalidTimestamps(_) => {
                f.write_str("One or more records have been rejected due to invalid timestamp")
            }
            Self::OutOfOrderSequence { producer, incoming, last } => write!(
                f,
                "Out of order sequence number for producer {producer}: {incoming} (incoming seq. number), {last} \
                 (current end sequence number)"
            ),
            Self::InvalidProducerEpoch { producer, incoming, current } => {
                write!(f, "Epoch of producer {producer} is {incoming}, smaller than the last seen epoch {current}")
            }
            Self::InvalidTxnState(producer) => write!(f, "Expected transactional write from producer {producer}"),
            Self::Unverified(_) => f.write_str("Record was not part of an ongoing transaction"),
            Self::TransactionCoordinatorFenced { incoming, current } => {
                write!(f, "Invalid coordinator epoch: {incoming} (zombie), {current} (current)")
            }
            Self::OffsetsOutOfOrder => f.write_str("Out of order offsets found in append"),
            Self::UnexpectedOffset { first, expected } => {
                write!(f, "Unexpected offset in append: {first} is less than the next offset {expected}")
            }
            Self::Offline => f.write_str("The log directory is offline"),
            Self::DiskFull => f.write_str("The disk is full"),
        }
    }
}

impl std::error::Error for AppendError {}

/// Why a log could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// The offset is before the log start offset or after the given end (OFFSET_OUT_OF_RANGE 1).
    OutOfRange {
        /// What was asked for.
        offset: Offset,
        /// The log start offset.
        start: Offset,
        /// The end of what may be read.
        end: Offset,
    },
    /// The log was closed or its directory is offline (KAFKA_STORAGE_ERROR 56).
    Offline,
    /// The disk could not read it, or what it gave back is no log (KAFKA_STORAGE_ERROR 56). The directory stays online: what
    /// else is in it may be read, and what it acknowledges is written.
    Io(io::Error),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfRange { offset, start, end } => {
                write!(
                    f,
                    "Received request for offset {offset}, but we only have log segments from {start} up to {end}"
                )
            }
            Self::Offline => f.write_str("The log directory is offline"),
            Self::Io(error) => write!(f, "reading the log failed: {error}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Why a write job failed.
#[derive(Debug)]
pub enum WriteError {
    /// No space or quota left (ENOSPC, EDQUOT), or no descriptor to open the next file with. The torn tail was cut back to the last whole batch: the log stays
    /// open, what was not written is answered with KAFKA_STORAGE_ERROR 56, and later appends may succeed.
    DiskFull(io::Error),
    /// Anything else: the log's directory goes offline for good.
    Failed(io::Error),
}

impl std::fmt::Display for WriteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DiskFull(error) => write!(f, "no space left for the log: {error}"),
            Self::Failed(error) => write!(f, "writing the log failed: {error}"),
        }
    }
}

impl std::error::Error for WriteError {}
