//! What compaction makes of a batch (`MemoryRecords.filterTo`): the same batch with fewer records, with a delete
//! horizon, or empty. Offsets, sequence numbers, producer and leader epoch stay as they were.

use super::Compression;
use super::batch::BatchView;
use super::compress::compress;
use super::header::{
    BatchHeader, COMPRESSION_MASK, CONTROL_BIT, DELETE_HORIZON_BIT, HEADER_LEN, HeaderFields, LOG_APPEND_TIME_BIT,
    TRANSACTIONAL_BIT,
};
use super::records::Record;
use crate::base::{TimestampMs, varint};
use std::io;
use zerocopy::IntoBytes;

/// The time of one of the batch's records: its own, or the broker's where that stamped the batch.
pub fn timestamp_of(header: &BatchHeader, record: &Record<'_>) -> TimestampMs {
    if header.is_log_append_time() {
        header.max_timestamp()
    } else {
        TimestampMs(header.base_timestamp().0.wrapping_add(record.timestamp_delta))
    }
}

/// Appends the batch with only the records `kept` (at least one, in their order) to `out`, packed by the codec it had.
/// `horizon` is when its tombstones or its marker may go: it stands in the base timestamp (KIP-534). `scratch` is for
/// the unpacked records.
///
/// # Errors
/// The codec's.
pub fn rewrite(
    batch: &BatchView<'_>,
    kept: &[Record<'_>],
    horizon: Option<TimestampMs>,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    let header = batch.header();
    let codec = header.compression().unwrap_or(Compression::None);
    let first = kept.first().map_or(TimestampMs::NONE, |record| timestamp_of(header, record));
    let base_timestamp = horizon.unwrap_or(first);
    let mut max_timestamp = TimestampMs::NONE;
    scratch.clear();
    for record in kept {
        let timestamp = timestamp_of(header, record);
        max_timestamp = max_timestamp.max(timestamp);
        put_record(record, timestamp.0.wrapping_sub(base_timestamp.0), scratch);
    }
    let horizon_bit = if horizon.is_some() { DELETE_HORIZON_BIT } else { 0 };
    let fields = HeaderFields {
        attributes: kept_attributes(header) | (header.attributes() & COMPRESSION_MASK) | horizon_bit,
        base_timestamp,
        max_timestamp,
        count: i32::try_from(kept.len()).unwrap_or(i32::MAX),
        ..fields_of(header)
    };
    put_batch(fields, codec, scratch, out)
}

/// Appends a batch with these records, which `codec` packs.
pub(super) fn put_batch(fields: HeaderFields, codec: Compression, records: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let at = out.len();
    out.resize(at + HEADER_LEN, 0);
    compress(codec, None, records, out)?;
    finish(fields, at, out);
    Ok(())
}

/// Appends the batch without any record to `out`: what is left of a producer's last batch, or of a round's.
pub fn empty(header: &BatchHeader, out: &mut Vec<u8>) {
    let at = out.len();
    out.resize(at + HEADER_LEN, 0);
    let fields = HeaderFields {
        attributes: kept_attributes(header),
        base_timestamp: TimestampMs::NONE,
        count: 0,
        ..fields_of(header)
    };
    finish(fields, at, out);
}

fn kept_attributes(header: &BatchHeader) -> i16 {
    header.attributes() & (LOG_APPEND_TIME_BIT | TRANSACTIONAL_BIT | CONTROL_BIT)
}

fn fields_of(header: &BatchHeader) -> HeaderFields {
    HeaderFields {
        base_offset: header.base_offset(),
        leader_epoch: header.leader_epoch(),
        attributes: header.attributes(),
        last_offset_delta: header.last_offset_delta(),
        base_timestamp: header.base_timestamp(),
        max_timestamp: header.max_timestamp(),
        producer_id: header.producer_id(),
        producer_epoch: header.producer_epoch(),
        base_sequence: header.base_sequence(),
        count: header.count(),
    }
}

/// Puts the header in front of the body that ends `out`.
fn finish(fields: HeaderFields, at: usize, out: &mut [u8]) {
    if let Some((head, body)) = out.get_mut(at..).and_then(|batch| batch.split_at_mut_checked(HEADER_LEN)) {
        head.copy_from_slice(BatchHeader::build(fields, body).as_bytes());
    }
}

/// Appends one record.
pub(super) fn put_record(record: &Record<'_>, timestamp_delta: i64, out: &mut Vec<u8>) {
    let headers = record.headers.raw();
    let len = 1
        + varint::len_i64(timestamp_delta)
        + varint::len_i32(record.offset_delta)
        + nullable_len(record.key)
        + nullable_len(record.value)
        + varint::len_i32(record.headers.len() as i32)
        + headers.len();
    varint::put_i32(out, len as i32);
    out.push(0);
    varint::put_i64(out, timestamp_delta);
    varint::put_i32(out, record.offset_delta);
    put_nullable(out, record.key);
    put_nullable(out, record.value);
    varint::put_i32(out, record.headers.len() as i32);
    out.extend_from_slice(headers);
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |b| varint::len_i32(b.len() as i32) + b.len())
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    varint::put_i32(out, bytes.map_or(-1, |b| b.len() as i32));
    out.extend_from_slice(bytes.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, ProducerEpoch, ProducerId};
    use crate::record::BatchBuilder;

    fn sample() -> bytes::Bytes {
        let producer = (ProducerId(9), ProducerEpoch(2), 40);
        let mut builder = BatchBuilder::new(Offset(100)).producer(producer.0, producer.1, producer.2);
        builder.append(TimestampMs(1000), Some(b"a"), Some(b"1"), &[("h", Some(b"x"))]);
        builder.append(TimestampMs(1500), Some(b"b"), None, &[]);
        builder.append(TimestampMs(900), Some(b"c"), Some(b"3"), &[("g", None)]);
        builder.build()
    }

    fn told(bytes: &[u8]) -> Vec<(i32, i64, Option<Vec<u8>>, usize)> {
        let batch = BatchView::parse_checked(bytes).unwrap();
        let of = |r: Record<'_>| {
            (r.offset_delta, timestamp_of(batch.header(), &r).0, r.value.map(<[u8]>::to_vec), r.headers.len())
        };
        batch.records().map(|r| of(r.unwrap())).collect()
    }

    #[test]
    fn offsets_times_and_sequences_stay_when_records_go() {
        let bytes = sample();
        let batch = BatchView::parse_checked(&bytes).unwrap();
        let records: Vec<_> = batch.records().map(Result::unwrap).collect();
        let mut out = Vec::new();
        rewrite(&batch, &records[1..], Some(TimestampMs(77_000)), &mut Vec::new(), &mut out).unwrap();
        let made = BatchView::parse_checked(&out).unwrap();
        assert_eq!(made.size(), out.len());
        assert_eq!(told(&out), told(&bytes)[1..]);
        let (old, new) = (batch.header(), made.header());
        assert!(new.has_delete_horizon());
        assert_eq!((new.base_timestamp(), new.max_timestamp()), (TimestampMs(77_000), TimestampMs(1500)));
        assert_eq!((new.base_offset(), new.last_offset(), new.count()), (old.base_offset(), old.last_offset(), 2));
        assert_eq!((new.base_sequence(), new.last_sequence()), (old.base_sequence(), old.last_sequence()));
        assert_eq!(new.producer_id(), old.producer_id());
        out.clear();
        rewrite(&batch, &records, None, &mut Vec::new(), &mut out).unwrap();
        assert_eq!(out, bytes, "with all its records and no horizon it is as it was");
    }

    #[test]
    fn an_empty_batch_says_where_it_was_and_whose() {
        let bytes = sample();
        let batch = BatchView::parse_checked(&bytes).unwrap();
        let mut out = b"before".to_vec();
        empty(batch.header(), &mut out);
        let made = BatchView::parse_checked(&out[6..]).unwrap();
        assert_eq!((made.size(), made.header().count()), (HEADER_LEN, 0));
        assert_eq!(made.header().last_sequence(), 42);
        assert_eq!((made.header().last_offset(), made.header().max_timestamp()), (Offset(102), TimestampMs(1500)));
        assert_eq!(made.header().base_timestamp(), TimestampMs::NONE);
    }
}
