//! What a leader checks before it takes a batch (`LogValidator`, `UnifiedLog.analyzeAndValidateRecords`). Pure.

use super::append::AppendOrigin;
use super::config::{LogConfig, TimestampType};
use super::error::AppendError;
use super::record_checks::RecordChecks;
use crate::base::{LeaderEpoch, TimestampMs};
use crate::record::{BatchError, BatchView, Compression};

/// What the checks found out about a batch that may be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The largest timestamp it will have in the log.
    pub max_timestamp: TimestampMs,
    /// The header must say so too: it does not yet, and the checksum changes with it.
    pub stamp: Option<Stamp>,
}

/// A change of the header that the checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// The topic has LogAppendTime: attribute bit 3 and this time.
    AppendTime(TimestampMs),
    /// The producer got the largest timestamp wrong, or set bit 3, which only the broker may: it goes.
    MaxTimestamp(TimestampMs),
}

impl From<BatchError> for AppendError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Crc { stored, computed } => Self::CorruptCrc { stored, computed },
            BatchError::Magic(magic @ (0 | 1)) => Self::UnsupportedMagic(magic),
            BatchError::Magic(_) | BatchError::Truncated { .. } | BatchError::BadLength(_) => {
                Self::Malformed(error.to_string())
            }
        }
    }
}

/// Checks one batch, checksum and records included.
pub fn validate(
    batch: &BatchView<'_>,
    origin: AppendOrigin,
    epoch: LeaderEpoch,
    config: &LogConfig,
    now: TimestampMs,
) -> Result<Validated, AppendError> {
    let header = batch.header();
    if origin == AppendOrigin::RaftLeader && header.leader_epoch() != epoch {
        return Err(AppendError::InvalidBatch("Append from Raft leader did not set the batch epoch correctly".into()));
    }
    if origin == AppendOrigin::Client && header.base_offset().0 != 0 {
        let base = header.base_offset();
        return Err(AppendError::InvalidBatch(format!(
            "The baseOffset of the record batch in the append should be 0, but it is {base}"
        )));
    }
    if origin != AppendOrigin::RaftLeader && batch.size() > config.max_message_bytes as usize {
        return Err(AppendError::TooLarge { size: batch.size(), max: config.max_message_bytes });
    }
    batch.check_crc()?;
    let unknown = || AppendError::Unexpected(format!("Unknown compression type id: {}", header.attributes() & 7));
    let compression = header.compression().ok_or_else(unknown)?;
    if origin == AppendOrigin::Client {
        validate_client_header(batch)?;
    }
    let max_timestamp = match compression {
        Compression::None => validate_records(batch, config, now)?,
        // Looking into compressed batches (timestamps, keys, offset deltas) is the log engine's next step.
        Compression::Gzip | Compression::Snappy | Compression::Lz4 | Compression::Zstd => header.max_timestamp(),
    };
    Ok(match config.timestamp_type {
        TimestampType::LogAppendTime => Validated { max_timestamp: now, stamp: Some(Stamp::AppendTime(now)) },
        TimestampType::CreateTime => {
            let wrong = max_timestamp != header.max_timestamp() || header.is_log_append_time();
            Validated { max_timestamp, stamp: wrong.then_some(Stamp::MaxTimestamp(max_timestamp)) }
        }
    })
}

/// `LogValidator.validateBatch` for what clients send.
fn validate_client_header(batch: &BatchView<'_>) -> Result<(), AppendError> {
    let header = batch.header();
    let (delta, count) = (header.last_offset_delta(), header.count());
    if delta < 0 {
        return Err(AppendError::InvalidBatch(format!("Batch has an invalid offset range: [0, {delta}]")));
    }
    if count <= 0 {
        return Err(AppendError::InvalidBatch(format!("Invalid reported count for record batch: {count}")));
    }
    if i64::from(delta) + 1 != i64::from(count) {
        return Err(AppendError::InvalidBatch(format!(
            "Inconsistent batch offset range [0, {delta}] and count of records {count}"
        )));
    }
    if header.is_control() {
        return Err(AppendError::InvalidBatch("Clients are not allowed to write control records".into()));
    }
    if header.has_producer() && header.base_sequence() < 0 {
        return Err(AppendError::InvalidBatch(format!(
            "Invalid sequence number {} in record batch with producerId {}",
            header.base_sequence(),
            header.producer_id()
        )));
    }
    Ok(())
}

/// Walks uncompressed records: framing, keys, timestamps. Gives the largest timestamp.
fn validate_records(batch: &BatchView<'_>, config: &LogConfig, now: TimestampMs) -> Result<TimestampMs, AppendError> {
    let mut checks = RecordChecks::new(batch.header(), config, now);
    for record in batch.records() {
        let record = record.map_err(|e| AppendError::InvalidRecords(e.to_string()))?;
        let len = |bytes: Option<&[u8]>| bytes.map_or(-1, |b| b.len() as i32);
        checks.see(record.timestamp_delta, record.offset_delta, len(record.key), len(record.value));
    }
    checks.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, ProducerEpoch, ProducerId};
    use crate::record::header::LOG_APPEND_TIME_BIT;
    use crate::record::{BatchBuilder, BatchHeader, ControlType, HEADER_LEN};
    use zerocopy::{FromBytes, IntoBytes};

    const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

    fn good(timestamps: &[i64]) -> BatchBuilder {
        let mut builder = BatchBuilder::new(Offset(0));
        for ts in timestamps {
            builder.append(TimestampMs(*ts), None, Some(b"value"), &[]);
        }
        builder
    }

    fn check(bytes: &[u8], origin: AppendOrigin, config: &LogConfig) -> Result<Validated, AppendError> {
        validate(&BatchView::parse(bytes).unwrap(), origin, LeaderEpoch(3), config, NOW)
    }

    fn client(bytes: &[u8]) -> Result<Validated, AppendError> {
        check(bytes, AppendOrigin::Client, &LogConfig::default())
    }

    /// Changes header bytes and seals the batch again.
    fn bent(bytes: &[u8], at: usize, with: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        out[at..at + with.len()].copy_from_slice(with);
        let mut header = BatchHeader::read_from_bytes(&out[..HEADER_LEN]).unwrap();
        header.seal(&out[HEADER_LEN..]);
        out[..HEADER_LEN].copy_from_slice(header.as_bytes());
        out
    }

    #[test]
    fn a_sound_batch_passes_as_it_is() {
        let bytes = good(&[NOW.0 - 5, NOW.0, NOW.0 - 7]).build();
        assert_eq!(client(&bytes), Ok(Validated { max_timestamp: NOW, stamp: None }));
    }

    #[test]
    fn headers_that_contradict_themselves_are_invalid() {
        let bytes = good(&[NOW.0, NOW.0]).build();
        let cases: [(&str, usize, &[u8]); 5] = [
            ("last offset delta", 23, &5i32.to_be_bytes()),
            ("negative delta", 23, &(-1i32).to_be_bytes()),
            ("count", 57, &0i32.to_be_bytes()),
            ("producer without sequence", 43, &9i64.to_be_bytes()),
            ("base offset", 0, &7i64.to_be_bytes()),
        ];
        for (what, at, with) in cases {
            let result = client(&bent(&bytes, at, with));
            assert!(matches!(result, Err(AppendError::InvalidBatch(_))), "{what}: {result:?}");
        }
        let codec = client(&bent(&bytes, 21, &5i16.to_be_bytes()));
        assert!(matches!(codec, Err(AppendError::Unexpected(_))), "{codec:?}");
        let both = bent(&bent(&bytes, 23, &4i32.to_be_bytes()), 57, &5i32.to_be_bytes());
        assert!(matches!(client(&both), Err(AppendError::InvalidRecords(_))), "fewer records than claimed");
    }

    #[test]
    fn only_brokers_write_control_batches_and_append_times() {
        let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(1), ProducerEpoch(0), 0);
        builder.append_control(NOW, ControlType::Commit, &[0; 6]);
        let control = builder.build();
        assert!(matches!(client(&control), Err(AppendError::InvalidBatch(_))));
        assert!(check(&control, AppendOrigin::Coordinator, &LogConfig::default()).is_ok());
    }

    #[test]
    fn the_append_time_bit_of_a_client_goes_where_the_topic_does_not_stamp() {
        let claimed = bent(&good(&[NOW.0]).build(), 21, &LOG_APPEND_TIME_BIT.to_be_bytes());
        let stamp = Some(Stamp::MaxTimestamp(NOW));
        assert_eq!(client(&claimed), Ok(Validated { max_timestamp: NOW, stamp }));
        let stamping = LogConfig { timestamp_type: TimestampType::LogAppendTime, ..LogConfig::default() };
        let refused = check(&claimed, AppendOrigin::Client, &stamping);
        assert!(matches!(refused, Err(AppendError::InvalidTimestamps(_))), "{refused:?}");
        let timeless = bent(&claimed, 35, &(-1i64).to_be_bytes());
        assert!(matches!(client(&timeless), Err(AppendError::InvalidTimestamps(_))));
    }

    #[test]
    fn timestamps_out_of_range_name_their_records() {
        let config = LogConfig { timestamp_before_max_ms: 1000, timestamp_after_max_ms: 10, ..LogConfig::default() };
        let bytes = good(&[NOW.0 - 1000, NOW.0 - 1001, NOW.0 + 11, -1]).build();
        let Err(AppendError::InvalidTimestamps(faults)) = check(&bytes, AppendOrigin::Client, &config) else {
            panic!()
        };
        assert_eq!(faults.iter().map(|f| f.index).collect::<Vec<_>>(), [1, 2]);
        let stamping = LogConfig { timestamp_type: TimestampType::LogAppendTime, ..config };
        let stamped = Validated { max_timestamp: NOW, stamp: Some(Stamp::AppendTime(NOW)) };
        assert_eq!(check(&bytes, AppendOrigin::Client, &stamping), Ok(stamped));
    }

    #[test]
    fn compacted_topics_want_keys() {
        let config = LogConfig { compact: true, ..LogConfig::default() };
        let mut builder = good(&[NOW.0]);
        builder.append(NOW, Some(b""), Some(b"v"), &[]);
        let bytes = builder.build();
        let Err(AppendError::NullKeys(faults)) = check(&bytes, AppendOrigin::Client, &config) else { panic!() };
        assert_eq!(faults.iter().map(|f| f.index).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn a_wrong_max_timestamp_is_put_right() {
        let bytes = bent(&good(&[NOW.0 - 9, NOW.0 - 3]).build(), 35, &NOW.0.to_be_bytes());
        let max = TimestampMs(NOW.0 - 3);
        assert_eq!(client(&bytes), Ok(Validated { max_timestamp: max, stamp: Some(Stamp::MaxTimestamp(max)) }));
    }

    #[test]
    fn too_large_and_corrupt_batches_are_told_apart() {
        let bytes = good(&[NOW.0]).build();
        let config = LogConfig { max_message_bytes: bytes.len() as u32 - 1, ..LogConfig::default() };
        assert!(matches!(check(&bytes, AppendOrigin::Client, &config), Err(AppendError::TooLarge { .. })));
        let mut flipped = bytes.to_vec();
        flipped[70] ^= 1;
        assert!(matches!(client(&flipped), Err(AppendError::CorruptCrc { .. })));
        assert_eq!(AppendError::from(BatchError::Magic(1)), AppendError::UnsupportedMagic(1));
    }
}
