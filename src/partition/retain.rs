//! Where the log begins: DeleteRecords moves it, retention follows.

use super::Partition;
use crate::base::{ErrorCode, LeaderEpoch, Now, Offset};
use crate::log::retain::Expired;

/// "Everything that is committed" in a DeleteRecords request.
const HIGH_WATERMARK: i64 = -1;

impl Partition {
    /// Records before `offset` (-1: before the high watermark) are gone from now on; their segments go with the next
    /// check of retention. Gives the log start offset, which is the low watermark of a partition with one replica
    /// (`Partition.deleteRecordsOnLeader`).
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER; KAFKA_STORAGE_ERROR; POLICY_VIOLATION where the topic is compacted only;
    /// OFFSET_OUT_OF_RANGE for a negative offset or one beyond the high watermark.
    pub fn delete_records(&self, offset: i64) -> Result<Offset, ErrorCode> {
        let mut state = self.state.borrow_mut();
        state.check_leader(LeaderEpoch::UNKNOWN)?;
        if state.log.is_offline() {
            return Err(ErrorCode::KafkaStorageError);
        }
        let config = state.log.config();
        if config.compact && !config.delete {
            return Err(ErrorCode::PolicyViolation);
        }
        let wanted = if offset == HIGH_WATERMARK { state.high_watermark } else { Offset(offset) };
        if wanted.0 < 0 || wanted > state.high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        state.log.increment_start_offset(wanted);
        Ok(state.log.start_offset())
    }

    /// The oldest segments that may go now.
    pub fn expired(&self, now: Now) -> Option<Expired> {
        let state = self.state.borrow();
        if state.log.is_offline() { None } else { state.log.expired(state.high_watermark, now) }
    }
}
