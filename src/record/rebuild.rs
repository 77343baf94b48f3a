//! A batch packed anew with another codec (`LogValidator.buildRecordsAndAssignOffsets`, `MemoryRecordsBuilder`).

use super::batch::BatchView;
use super::builder::{nullable_len, put_nullable};
use super::compress::compress;
use super::compression::{Compression, DecompressError};
use super::header::{BatchHeader, HeaderFields, LOG_APPEND_TIME_BIT, TRANSACTIONAL_BIT};
use super::records::{Record, Records};
use crate::base::{Offset, TimestampMs, varint};
use bytes::{BufMut, Bytes};

/// How a batch shall be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packing {
    /// The codec.
    pub codec: Compression,
    /// Its level; `None` is the codec's own default.
    pub level: Option<i32>,
}

/// Why a batch could not be packed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebuildError {
    /// Its records cannot be unpacked or read.
    Unreadable(DecompressError),
    /// A record's time lies before 1970, which Kafka's builder refuses.
    NegativeTimestamp(i64),
}

impl From<DecompressError> for RebuildError {
    fn from(error: DecompressError) -> Self {
        Self::Unreadable(error)
    }
}

/// The same records with consecutive offsets from 0, packed as `packing` says: header (its checksum right) and body. Of
/// the attributes only what holds for any batch stays. `stamp` is the broker's time where the topic has LogAppendTime.
/// At most `unpacked_max` bytes are unpacked.
pub fn rebuild(
    batch: &BatchView<'_>,
    packing: Packing,
    stamp: Option<TimestampMs>,
    unpacked_max: usize,
) -> Result<(BatchHeader, Bytes), RebuildError> {
    let header = batch.header();
    let unpacked = batch.unpacked(unpacked_max)?;
    let claimed = header.is_log_append_time().then(|| header.max_timestamp().0);
    let mut plain = Vec::with_capacity(unpacked.len() + 64);
    let mut base_timestamp = None;
    let mut max_timestamp = TimestampMs::NONE;
    let mut count = 0;
    for record in Records::new(&unpacked, header.count()) {
        let record = record.map_err(DecompressError::Record)?;
        let time = claimed.unwrap_or_else(|| header.base_timestamp().0.wrapping_add(record.timestamp_delta));
        if time < TimestampMs::NONE.0 {
            return Err(RebuildError::NegativeTimestamp(time));
        }
        let base = *base_timestamp.get_or_insert(time);
        max_timestamp = max_timestamp.max(TimestampMs(time));
        put_record(&mut plain, &record, time.wrapping_sub(base), count);
        count += 1;
    }
    let mut body = Vec::new();
    if packing.codec == Compression::None {
        body = plain;
    } else {
        let failed = |e: std::io::Error| DecompressError::Corrupt(e.to_string());
        compress(packing.codec, packing.level, &plain, &mut body).map_err(failed)?;
    }
    let append_time_bit = if stamp.is_some() { LOG_APPEND_TIME_BIT } else { 0 };
    let fields = HeaderFields {
        base_offset: Offset(0),
        leader_epoch: header.leader_epoch(),
        attributes: packing.codec.id() | append_time_bit | (header.attributes() & TRANSACTIONAL_BIT),
        last_offset_delta: count - 1,
        base_timestamp: TimestampMs(base_timestamp.unwrap_or(TimestampMs::NONE.0)),
        max_timestamp: stamp.unwrap_or(max_timestamp),
        producer_id: header.producer_id(),
        producer_epoch: header.producer_epoch(),
        base_sequence: header.base_sequence(),
        count,
    };
    Ok((BatchHeader::build(fields, &body), body.into()))
}

fn put_record(out: &mut Vec<u8>, record: &Record<'_>, timestamp_delta: i64, offset_delta: i32) {
    let count = record.headers.len() as i32;
    let headers = record.headers.iter().map(|(name, value)| nullable_len(Some(name)) + nullable_len(value));
    let len = 1
        + varint::len_i64(timestamp_delta)
        + varint::len_i32(offset_delta)
        + nullable_len(record.key)
        + nullable_len(record.value)
        + varint::len_i32(count)
        + headers.sum::<usize>();
    varint::put_i32(out, len as i32);
    out.put_u8(0);
    varint::put_i64(out, timestamp_delta);
    varint::put_i32(out, offset_delta);
    put_nullable(out, record.key);
    put_nullable(out, record.value);
    varint::put_i32(out, count);
    for (name, value) in record.headers.iter() {
        put_nullable(out, Some(name));
        put_nullable(out, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ProducerEpoch, ProducerId};
    use crate::record::{BatchBuilder, HEADER_LEN};
    use zerocopy::IntoBytes;

    fn sample() -> Bytes {
        let mut builder = BatchBuilder::new(Offset(9)).producer(ProducerId(4), ProducerEpoch(1), 8).transactional();
        builder.append(TimestampMs(500), Some(b"k"), None, &[("a", Some(b"1")), ("b", None)]);
        builder.append(TimestampMs(700), None, Some(&[7; 3000]), &[]);
        builder.append(TimestampMs(600), Some(b""), Some(b""), &[]);
        builder.build()
    }

    fn rebuilt(bytes: &[u8], codec: Compression, stamp: Option<TimestampMs>) -> Vec<u8> {
        let packing = Packing { codec, level: None };
        let (header, body) = rebuild(&BatchView::parse(bytes).unwrap(), packing, stamp, 1 << 20).unwrap();
        [header.as_bytes(), &body].concat()
    }

    #[test]
    fn the_records_stay_the_same_through_every_codec_and_back() {
        let plain = sample();
        for id in 0..5 {
            let codec = Compression::from_id(id).unwrap();
            let packed = rebuilt(&plain, codec, None);
            let batch = BatchView::parse_checked(&packed).unwrap();
            assert_eq!(batch.header().compression(), Some(codec));
            assert_eq!((batch.header().base_offset(), batch.header().last_offset_delta()), (Offset(0), 2));
            assert_eq!(batch.header().max_timestamp(), TimestampMs(700));
            assert!(batch.header().is_transactional());
            assert_eq!((batch.header().producer_id(), batch.header().base_sequence()), (ProducerId(4), 8));
            assert!(id == 0 || packed.len() < plain.len());
            let back = rebuilt(&packed, Compression::None, None);
            assert_eq!(back[HEADER_LEN..], plain[HEADER_LEN..]);
        }
    }

    #[test]
    fn the_brokers_time_stands_in_the_header_and_the_producers_stay_in_the_records() {
        let stamp = TimestampMs(9000);
        let stamped = rebuilt(&sample(), Compression::Lz4, Some(stamp));
        let header = *BatchView::parse_checked(&stamped).unwrap().header();
        assert!(header.is_log_append_time());
        assert_eq!((header.base_timestamp(), header.max_timestamp()), (TimestampMs(500), stamp));
        // Once more without: its claim holds for every record.
        let after = rebuilt(&stamped, Compression::None, None);
        let after = BatchView::parse_checked(&after).unwrap();
        assert_eq!((after.header().base_timestamp(), after.header().max_timestamp()), (stamp, stamp));
        assert!(after.records().all(|record| record.unwrap().timestamp_delta == 0));
    }

    #[test]
    fn times_before_1970_and_too_many_bytes_are_refused() {
        let mut builder = BatchBuilder::new(Offset(0));
        builder.append(TimestampMs(5), None, Some(b"v"), &[]);
        builder.append(TimestampMs(-4), None, Some(b"v"), &[]);
        let packing = Packing { codec: Compression::Gzip, level: Some(9) };
        let bytes = builder.build();
        let result = rebuild(&BatchView::parse(&bytes).unwrap(), packing, None, 1 << 20);
        assert_eq!(result.unwrap_err(), RebuildError::NegativeTimestamp(-4));
        let packed = rebuilt(&sample(), Compression::Zstd, None);
        let result = rebuild(&BatchView::parse(&packed).unwrap(), packing, None, 1000);
        let too_large = DecompressError::TooLarge { bytes_max: 1000 };
        assert_eq!(result.unwrap_err(), RebuildError::Unreadable(too_large));
    }
}
