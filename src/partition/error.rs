//! From the log's errors to Kafka's codes, exhaustively.

use super::ask::AppendOutcome;
use crate::base::{ErrorCode, Offset, TopicPartition};
use crate::log::{AppendError, ReadError, RecordFault};

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
        AppendError::InvalidTxnState(_) | AppendError::Unverified(_) => ErrorCode::InvalidTxnState,
        AppendError::TransactionCoordinatorFenced { .. } => ErrorCode::TransactionCoordinatorFenced,
        AppendError::Unexpected(_) | AppendError::OffsetsOutOfOrder | AppendError::UnexpectedOffset { .. } => {
            ErrorCode::UnknownServerError
        }
        AppendError::Offline | AppendError::DiskFull => ErrorCode::KafkaStorageError,
    }
}

/// True where the batch was looked at by the log itself: the answer has the log's start (`appendToLocalLog` of Kafka's
/// `ReplicaManager` leaves it out of the others).
const fn tells_log_start(error: &AppendError) -> bool {
    match error {
        AppendError::InvalidBatch(_)
        | AppendError::InvalidRecords(_)
        | AppendError::NullKeys(_)
        | AppendError::InvalidTimestamps(_)
        | AppendError::OutOfOrderSequence { .. }
        | AppendError::InvalidProducerEpoch { .. }
        | AppendError::InvalidTxnState(_)
        | AppendError::TransactionCoordinatorFenced { .. }
        | AppendError::Unexpected(_)
        | AppendError::OffsetsOutOfOrder
        | AppendError::UnexpectedOffset { .. } => true,
        AppendError::Malformed(_)
        | AppendError::CorruptCrc { .. }
        | AppendError::TooLarge { .. }
        | AppendError::LargerThanSegment { .. }
        | AppendError::UnsupportedMagic(_)
        | AppendError::NotOneBatch(_)
        | AppendError::Unverified(_)
        | AppendError::Offline
        | AppendError::DiskFull => false,
    }
}

/// What a producer is told of a batch that `partition`, whose log begins at `log_start`, refused.
pub fn append_outcome(error: &AppendError, partition: &TopicPartition, log_start: Offset) -> AppendOutcome {
    let name = partition.to_string();
    let told = |f: &RecordFault| (f.index, f.message(&name));
    let mut message = error.to_string();
    let record_errors: Vec<_> = match error {
        AppendError::NullKeys(faults) => {
            let first: Vec<_> = faults.iter().take(3).map(told).collect();
            message.push_str(&record_error_list(&first));
            faults.iter().map(told).collect()
        }
        AppendError::InvalidTimestamps(faults) => faults.iter().map(told).collect(),
        _ => Vec::new(),
    };
    let guard = if let AppendError::Unverified(guard) = error { Some(*guard) } else { None };
    let log_start_offset = if tells_log_start(error) { log_start.0 } else { -1 };
    AppendOutcome {
        record_errors,
        message: Some(message),
        guard,
        log_start_offset,
        ..AppendOutcome::failed(append_code(error))
    }
}

/// As Java prints them.
fn record_error_list(errors: &[(i32, String)]) -> String {
    let each = |(index, message): &(i32, String)| format!("RecordError(batchIndex={index}, message='{message}')");
    format!("[{}]", errors.iter().map(each).collect::<Vec<_>>().join(", "))
}

/// The code a reader is told.
pub const fn read_code(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        ReadError::Offline | ReadError::Io(_) => ErrorCode::KafkaStorageError,
    }
}
