//! What a leader checks before it takes a batch (`LogValidator`, `UnifiedLog.analyzeAndValidateRecords`). Pure.

use super::append::AppendOrigin;
use super::config::{CompressionChoice, LogConfig, TimestampType};
use super::effort::Effort;
use super::error::AppendError;
use super::record_checks::RecordChecks;
use crate::base::{LeaderEpoch, TimestampMs};
use crate::record::compress::LZ4_FAST_LEVEL;
use crate::record::compression::DecompressError;
use crate::record::rebuild::{Packing, RebuildError, rebuild};
use crate::record::stream::RecordStream;
use crate::record::{BatchError, BatchHeader, BatchView, Compression};
use bytes::Bytes;

/// What the checks found out about a batch that may be appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The largest timestamp it will have in the log.
    pub max_timestamp: TimestampMs,
    /// The header must say so too: it does not yet, and the checksum changes with it.
    pub stamp: Option<Stamp>,
    /// The batch packed as `compression.type` says, which the log keeps instead of what came.
    pub rebuilt: Option<(BatchHeader, Bytes)>,
}

/// A change of the header that the checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// The topic has LogAppendTime: attribute bit 3 and this time.
    AppendTime(TimestampMs),
    /// The producer got the largest timestamp wrong, or set bit 3, which only the broker may: it goes.
    MaxTimestamp(TimestampMs),
}

/// Why a batch was not found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It may not be appended.
    Append(AppendError),
    /// The check takes more than the given effort: nothing is known of the batch.
    TooMuch,
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
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

/// Who appends, when, and how much the check may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub origin: AppendOrigin,
    pub epoch: LeaderEpoch,
    pub now: TimestampMs,
    pub effort: Effort,
}

/// Checks one batch, checksum and records included.
pub(super) fn validate(batch: &BatchView<'_>, terms: Terms, config: &LogConfig) -> Result<Validated, Refusal> {
    let header = batch.header();
    check_place(batch, terms, config)?;
    batch.check_crc().map_err(AppendError::from)?;
    let unknown = || AppendError::Unexpected(format!("Unknown compression type id: {}", header.attributes() & 7));
    let codec = header.compression().ok_or_else(unknown)?;
    if terms.origin == AppendOrigin::Client {
        validate_client_header(batch)?;
    }
    let packing = packing_for(codec, header, terms.origin, config);
    let (max_timestamp, unpacked) = match codec {
        Compression::None => (validate_records(batch, config, terms.now)?, batch.body().len() as u64),
        _ if packing.is_none() && is_trusted(header, terms, config) => (header.max_timestamp(), 0),
        _ => validate_packed(batch, codec, packing.is_none(), terms, config)?,
    };
    let stamped = (config.timestamp_type == TimestampType::LogAppendTime).then_some(terms.now);
    if let Some(packing) = packing {
        let (header, body) = pack_anew(batch, packing, stamped, unpacked, terms, config)?;
        return Ok(Validated { max_timestamp: header.max_timestamp(), stamp: None, rebuilt: Some((header, body)) });
    }
    Ok(match stamped {
        Some(now) => Validated { max_timestamp: now, stamp: Some(Stamp::AppendTime(now)), rebuilt: None },
        None => {
            let wrong = max_timestamp != header.max_timestamp() || header.is_log_append_time();
            let stamp = wrong.then_some(Stamp::MaxTimestamp(max_timestamp));
            Validated { max_timestamp, stamp, rebuilt: None }
        }
    })
}

/// Epoch, base offset and size.
fn check_place(batch: &BatchView<'_>, terms: Terms, config: &LogConfig) -> Result<(), AppendError> {
    let header = batch.header();
    if terms.origin == AppendOrigin::RaftLeader && header.leader_epoch() != terms.epoch {
        return Err(AppendError::InvalidBatch("Append from Raft leader did not set the batch epoch correctly".into()));
    }
    if terms.origin == AppendOrigin::Client && header.base_offset().0 != 0 {
        let base = header.base_offset();
        return Err(AppendError::InvalidBatch(format!(
            "The baseOffset of the record batch in the append should be 0, but it is {base}"
        )));
    }
    if terms.origin != AppendOrigin::RaftLeader && batch.size() > config.max_message_bytes as usize {
        return Err(AppendError::TooLarge { size: batch.size(), max: config.max_message_bytes });
    }
    Ok(())
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

/// How the topic wants a batch of `codec` packed, where that is another way (`BrokerCompressionType`). Control batches
/// stay as they are, and so does the metadata log.
fn packing_for(codec: Compression, header: &BatchHeader, origin: AppendOrigin, config: &LogConfig) -> Option<Packing> {
    let (wanted, level) = match config.compression {
        CompressionChoice::Producer => return None,
        CompressionChoice::Uncompressed => (Compression::None, None),
        CompressionChoice::Gzip => (Compression::Gzip, Some(config.compression_gzip_level).filter(|level| *level > 0)),
        CompressionChoice::Snappy => (Compression::Snappy, None),
        CompressionChoice::Lz4 => {
            (Compression::Lz4, Some(config.compression_lz4_level).filter(|level| *level != LZ4_FAST_LEVEL))
        }
        CompressionChoice::Zstd => (Compression::Zstd, Some(config.compression_zstd_level)),
    };
    let other = wanted != codec && !header.is_control() && origin != AppendOrigin::RaftLeader;
    other.then_some(Packing { codec: wanted, level })
}

/// Whether the header alone decides: what coordinators packed is sound, and what clients packed is taken so under
/// `corelog.produce.trust.compressed`, where no record's key or time could be refused.
fn is_trusted(header: &BatchHeader, terms: Terms, config: &LogConfig) -> bool {
    if terms.origin != AppendOrigin::Client {
        return true;
    }
    let in_time = match config.timestamp_type {
        TimestampType::LogAppendTime => true,
        TimestampType::CreateTime => {
            let ahead = header.max_timestamp().0.saturating_sub(terms.now.0);
            config.timestamp_before_max_ms == i64::MAX && ahead <= config.timestamp_after_max_ms
        }
    };
    config.trust_compressed && !config.compact && !header.is_log_append_time() && in_time
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

/// Unpacks the records piece by piece and walks them. Gives the largest timestamp and the bytes unpacked. Where the
/// batch stays as it is (`in_place`), offsets must be consecutive.
fn validate_packed(
    batch: &BatchView<'_>,
    codec: Compression,
    in_place: bool,
    terms: Terms,
    config: &LogConfig,
) -> Result<(TimestampMs, u64), Refusal> {
    let packed = batch.body().len();
    let failed = |error: DecompressError| match error {
        DecompressError::TooLarge { .. } if terms.effort != Effort::Full => Refusal::TooMuch,
        error => AppendError::InvalidRecords(error.to_string()).into(),
    };
    let unpacked_max = terms.effort.unpacked_max(codec, packed);
    if terms.effort == Effort::Turn && packed as u64 * 2 > unpacked_max {
        return Err(Refusal::TooMuch); // as good as certain: why try
    }
    let mut stream = RecordStream::new(batch, unpacked_max).map_err(failed)?;
    let mut checks = RecordChecks::new(batch.header(), config, terms.now);
    let mut expected = 0;
    let mut consecutive = true;
    while let Some(head) = stream.next_record().map_err(failed)? {
        checks.see(head.timestamp_delta, head.offset_delta, head.key_len, head.value_len);
        consecutive &= head.offset_delta == expected;
        expected += 1;
    }
    let max_timestamp = checks.finish()?;
    if in_place && !consecutive && terms.origin == AppendOrigin::Client {
        let why = "The offsets of the records in a compressed batch do not follow each other";
        return Err(AppendError::InvalidRecords(why.into()).into());
    }
    Ok((max_timestamp, stream.unpacked()))
}

fn pack_anew(
    batch: &BatchView<'_>,
    packing: Packing,
    stamp: Option<TimestampMs>,
    unpacked: u64,
    terms: Terms,
    config: &LogConfig,
) -> Result<(BatchHeader, Bytes), Refusal> {
    if !terms.effort.may_pack(packing, unpacked) {
        return Err(match terms.effort {
            Effort::Turn => Refusal::TooMuch,
            Effort::Full => {
                let why = format!("The records take {unpacked} bytes unpacked, more than can be compressed anew");
                AppendError::InvalidRecords(why).into()
            }
        });
    }
    let (header, body) = rebuild(batch, packing, stamp, unpacked as usize).map_err(|error| match error {
        RebuildError::Unreadable(error) => AppendError::InvalidRecords(error.to_string()),
        RebuildError::NegativeTimestamp(time) => AppendError::Unexpected(format!("Invalid negative timestamp {time}")),
    })?;
    let size = header.size().unwrap_or(usize::MAX);
    if size > config.max_message_bytes as usize {
        return Err(AppendError::TooLarge { size, max: config.max_message_bytes }.into());
    }
    Ok((header, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, ProducerEpoch, ProducerId};
    use crate::record::header::LOG_APPEND_TIME_BIT;
    use crate::record::{BatchBuilder, BatchHeader, ControlType, HEADER_LEN};
    use zerocopy::{FromBytes, IntoBytes};

    fn found(max_timestamp: TimestampMs, stamp: Option<Stamp>) -> Validated {
        Validated { max_timestamp, stamp, rebuilt: None }
    }

    const NOW: TimestampMs = TimestampMs(1_700_000_000_000);

    fn good(timestamps: &[i64]) -> BatchBuilder {
        let mut builder = BatchBuilder::new(Offset(0));
        for ts in timestamps {
            builder.append(TimestampMs(*ts), None, Some(b"value"), &[]);
        }
        builder
    }

    fn check(bytes: &[u8], origin: AppendOrigin, config: &LogConfig) -> Result<Validated, AppendError> {
        let terms = Terms { origin, epoch: LeaderEpoch(3), now: NOW, effort: Effort::Full };
        validate(&BatchView::parse(bytes).unwrap(), terms, config).map_err(|refusal| match refusal {
            Refusal::Append(error) => error,
            Refusal::TooMuch => panic!("a full check is never too much"),
        })
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
        assert_eq!(client(&bytes), Ok(found(NOW, None)));
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
        assert_eq!(client(&claimed), Ok(found(NOW, stamp)));
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
        let stamped = found(NOW, Some(Stamp::AppendTime(NOW)));
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
        assert_eq!(client(&bytes), Ok(found(max, Some(Stamp::MaxTimestamp(max)))));
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

    fn packed(bytes: &[u8], codec: Compression) -> Vec<u8> {
        crate::record::stream::tests::packed(bytes, codec)
    }

    fn at(bytes: &[u8], effort: Effort, config: &LogConfig) -> Result<Validated, Refusal> {
        let terms = Terms { origin: AppendOrigin::Client, epoch: LeaderEpoch(3), now: NOW, effort };
        validate(&BatchView::parse(bytes).unwrap(), terms, config)
    }

    fn of_zeros(bytes: usize) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Offset(0));
        builder.append(NOW, Some(b"k"), Some(&vec![0; bytes]), &[]);
        packed(&builder.build(), Compression::Zstd)
    }

    #[test]
    fn what_takes_long_is_too_much_for_a_turn_and_no_bomb_goes_off() {
        let config = LogConfig::default();
        assert!(at(&of_zeros(500_000), Effort::Turn, &config).is_ok());
        let long = of_zeros(2 << 20);
        assert_eq!(at(&long, Effort::Turn, &config), Err(Refusal::TooMuch));
        assert!(at(&long, Effort::Full, &config).is_ok());
        let bomb = of_zeros(32 << 20);
        assert!(bomb.len() < 10_000);
        assert_eq!(at(&bomb, Effort::Turn, &config), Err(Refusal::TooMuch));
        let refused = at(&bomb, Effort::Full, &config);
        assert!(matches!(refused, Err(Refusal::Append(AppendError::InvalidRecords(_)))), "{refused:?}");
    }

    #[test]
    fn trusted_batches_are_taken_by_their_headers_unless_a_record_decides() {
        let mut broken = packed(&good(&[NOW.0, NOW.0 + 5]).build(), Compression::Lz4);
        broken.truncate(broken.len() - 6);
        let length = (broken.len() as i32 - 12).to_be_bytes();
        let broken = bent(&broken, 8, &length);
        let trusting = LogConfig { trust_compressed: true, ..LogConfig::default() };
        assert!(matches!(client(&broken), Err(AppendError::InvalidRecords(_))));
        let taken = check(&broken, AppendOrigin::Client, &trusting);
        assert_eq!(taken, Ok(found(TimestampMs(NOW.0 + 5), None)));
        let decided_by_records = [
            LogConfig { compact: true, ..trusting.clone() },
            LogConfig { timestamp_before_max_ms: 1000, ..trusting.clone() },
            LogConfig { timestamp_after_max_ms: 4, ..trusting.clone() },
            LogConfig { compression: CompressionChoice::Gzip, ..trusting },
        ];
        for config in decided_by_records {
            assert!(check(&broken, AppendOrigin::Client, &config).is_err(), "{config:?}");
        }
    }

    #[test]
    fn a_batch_is_packed_as_the_topic_says_and_measured_again() {
        let plain = good(&[NOW.0 - 3, NOW.0]).build();
        let config = LogConfig { compression: CompressionChoice::Zstd, ..LogConfig::default() };
        let validated = check(&plain, AppendOrigin::Client, &config).unwrap();
        let (header, _) = validated.rebuilt.unwrap();
        assert_eq!((header.compression(), header.max_timestamp()), (Some(Compression::Zstd), NOW));
        let zeros = of_zeros(100_000);
        let config = LogConfig { compression: CompressionChoice::Uncompressed, max_message_bytes: 50_000, ..config };
        let refused = check(&zeros, AppendOrigin::Client, &config);
        assert!(matches!(refused, Err(AppendError::TooLarge { size: 100_001.., max: 50_000 })), "{refused:?}");
        let control = {
            let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(1), ProducerEpoch(0), 0);
            builder.append_control(NOW, ControlType::Commit, &[0; 6]);
            builder.build()
        };
        let config = LogConfig { compression: CompressionChoice::Gzip, ..LogConfig::default() };
        assert!(check(&control, AppendOrigin::Coordinator, &config).unwrap().rebuilt.is_none());
    }
}
