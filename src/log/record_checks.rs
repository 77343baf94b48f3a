//! What is checked of each record (`LogValidator.validateRecord`): keys and timestamps.

use super::config::{LogConfig, TimestampType};
use super::error::{AppendError, FaultKind, RecordFault};
use crate::base::TimestampMs;
use crate::record::{BatchHeader, Compression};

/// At most so many faulty records are named in an answer; Kafka names all.
const FAULTS_MAX: usize = 1000;

/// Goes along with a walk over a batch's records.
pub(super) struct RecordChecks<'a> {
    header: &'a BatchHeader,
    config: &'a LogConfig,
    now: TimestampMs,
    keys: bool,
    index: i32,
    max: TimestampMs,
    faults: Vec<RecordFault>,
    time_fault: bool,
}

impl<'a> RecordChecks<'a> {
    /// Before the first record of the batch with this header.
    pub(super) fn new(header: &'a BatchHeader, config: &'a LogConfig, now: TimestampMs) -> Self {
        let keys = config.compact && !header.is_control();
        let (faults, max) = (Vec::new(), TimestampMs::NONE);
        Self { header, config, now, keys, index: 0, max, faults, time_fault: false }
    }

    /// The next record; lengths below 0 stand for null.
    #[inline]
    pub(super) fn see(&mut self, timestamp_delta: i64, offset_delta: i32, key_len: i32, value_len: i32) {
        let timestamp = if self.header.is_log_append_time() {
            self.header.max_timestamp().0
        } else {
            self.header.base_timestamp().0.wrapping_add(timestamp_delta)
        };
        self.max = self.max.max(TimestampMs(timestamp));
        let fault = if self.keys && key_len < 0 {
            Some(FaultKind::NoKey)
        } else {
            let offset = self.header.base_offset().0.wrapping_add(i64::from(offset_delta));
            self.time_fault_of(timestamp, offset, (key_len, value_len))
        };
        if let Some(kind) = fault {
            self.time_fault |= kind != FaultKind::NoKey;
            if self.faults.len() < FAULTS_MAX {
                self.faults.push(RecordFault { index: self.index, kind });
            }
        }
        self.index += 1;
    }

    fn time_fault_of(&self, timestamp: i64, offset: i64, lens: (i32, i32)) -> Option<FaultKind> {
        if self.config.timestamp_type == TimestampType::CreateTime && timestamp != TimestampMs::NONE.0 {
            let (before, after) = (self.config.timestamp_before_max_ms, self.config.timestamp_after_max_ms);
            // Java's arithmetic: it wraps.
            let age = self.now.0.wrapping_sub(timestamp);
            let (oldest, newest) = (self.now.0.wrapping_sub(before), self.now.0.wrapping_add(after));
            let out = age > before || age.wrapping_neg() > after;
            return out.then_some(FaultKind::OutOfRange { timestamp, offset, oldest, newest });
        }
        let packed = self.header.compression() != Some(Compression::None);
        let (key_len, value_len) = lens;
        let stamped = FaultKind::Stamped { offset, timestamp, key_len, value_len, packed };
        self.header.is_log_append_time().then_some(stamped)
    }

    /// After the last record: the largest timestamp. One fault of time makes the whole answer one of time.
    pub(super) fn finish(self) -> Result<TimestampMs, AppendError> {
        match (self.faults.is_empty(), self.time_fault) {
            (true, _) => Ok(self.max),
            (false, true) => Err(AppendError::InvalidTimestamps(self.faults)),
            (false, false) => Err(AppendError::NullKeys(self.faults)),
        }
    }
}
