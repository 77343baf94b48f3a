//! From the log's errors to Kafka's codes, exhaustively.

use super::ask::AppendOutcome;
use crate::base::ErrorCode;
use crate::log::{AppendError, ReadError};

/// The code a producer is told.
pub const fn append_code(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::Malformed(_) | AppendError::CorruptCrc { .. } => ErrorCode::CorruptMessage,
        AppendError::TooLarge { .. } => ErrorCode::MessageTooLarge,
        AppendError::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
        AppendError::UnsupportedMagic(_)
        | AppendError::NotOneBatch(_)
        | AppendError::InvalidBatch(_)
        | AppendError::InvalidRecords(_)
        | AppendError::NullKeys(_) => ErrorCode::InvalidRecord,
        AppendError::InvalidTimestamps(_) => ErrorCode::InvalidTimestamp,
        AppendError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
        AppendError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
        AppendError::InvalidTxnState(_) => ErrorCode::InvalidTxnState,
        AppendError::TransactionCoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        AppendError::OffsetsOutOfOrder | AppendError::UnexpectedOffset { .. } => ErrorCode::UnknownServerError,
        AppendError::Offline => ErrorCode::KafkaStorageError,
    }
}

/// What a producer is told of a refused batch.
pub fn append_outcome(error: &AppendError) -> AppendOutcome {
    let faults = match error {
        AppendError::NullKeys(faults) | AppendError::InvalidTimestamps(faults) => faults.as_slice(),
        _ => &[],
    };
    AppendOutcome {
        record_errors: faults.iter().map(|f| (f.index, f.message.clone())).collect(),
        message: Some(error.to_string()),
        ..AppendOutcome::failed(append_code(error))
    }
}

/// The code a reader is told.
pub const fn read_code(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Offline | ReadError::Io(_) => ErrorCode::KafkaStorageError,
    }
}
