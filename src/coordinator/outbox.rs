//! Appends, packed into batches.

use super::machine::{Append, AppendId, Batch, Record, Subject};
use crate::base::{ErrorCode, Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::record::rebuild::{Packing, rebuild};
use crate::record::{BatchBuilder, BatchHeader, BatchView, Compression};
use bytes::Bytes;
use std::collections::VecDeque;
use zerocopy::IntoBytes;

/// Appends share a batch up to this size, or what the log takes if that is less; one that is larger goes alone and is
/// judged by the log.
const BATCH_BYTES: usize = 256 << 10;

/// Where an append begins in the log, or why it is not there.
pub type Outcome = Result<Offset, ErrorCode>;

/// A batch and the appends inside it: which, and at which offset from the batch's first.
pub struct Packed {
    /// The batch; empty where an append has a record that could not be encoded: it fails, in its turn.
    pub batch: Bytes,
    /// Whose it is.
    pub of: Batch,
    /// The appends, in order.
    pub parts: Vec<(AppendId, i64)>,
    /// What they are about.
    pub about: Vec<Subject>,
}

/// How appends are packed.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// The timestamp of the records.
    pub now: TimestampMs,
    /// `offsets.topic.compression.codec`.
    pub codec: Compression,
    /// The largest batch the log takes, in bytes.
    pub bytes_max: usize,
}

/// Takes the oldest of `waiting` that `may_go`, and what may share its batch; none where the oldest may not. No append
/// is split.
pub fn pack_first(waiting: &mut VecDeque<Append>, may_go: impl Fn(&Append) -> bool, how: How) -> Option<Packed> {
    let How { now, codec, .. } = how;
    let bytes_max = BATCH_BYTES.min(how.bytes_max);
    let first = take_if(waiting, &may_go)?;
    let alone = first.batch != Batch::Own;
    if first.records.iter().any(unencoded) {
        let Append { id, batch, about, .. } = first;
        return Some(Packed { batch: Bytes::new(), of: batch, parts: vec![(id, 0)], about });
    }
    let of = first.batch;
    let mut builder = new_batch(of, now);
    let (mut parts, mut about) = (Vec::new(), Vec::new());
    let mut next = Some(first);
    while let Some(append) = next {
        parts.push((append.id, builder.count() as i64));
        for record in &append.records {
            builder.append(now, Some(&record.key), record.value.as_deref(), &[]);
        }
        about.extend(append.about);
        // What belongs to a producer shares its batch with nothing else.
        let fits = |other: &Append| {
            let own = !alone && other.batch == Batch::Own && !other.records.iter().any(unencoded);
            own && builder.size() + size_of(other) <= bytes_max && may_go(other)
        };
        next = take_if(waiting, fits);
    }
    Some(Packed { batch: finish(builder, codec), of, parts, about })
}

fn take_if(waiting: &mut VecDeque<Append>, may: impl Fn(&Append) -> bool) -> Option<Append> {
    if waiting.front().is_some_and(may) { waiting.pop_front() } else { None }
}

/// At most, in a batch.
fn size_of(append: &Append) -> usize {
    append.records.iter().map(|r| r.key.len() + r.value.as_ref().map_or(0, Bytes::len) + 32).sum()
}

/// Keys begin with a type, values with a version: [`prefixed`](super::codec::prefixed) leaves nothing of what it
/// cannot write, and at the next start such a record would be one that nobody can read.
fn unencoded(record: &Record) -> bool {
    record.key.is_empty() || record.value.as_ref().is_some_and(Bytes::is_empty)
}

fn finish(builder: BatchBuilder, codec: Compression) -> Bytes {
    let plain = builder.build();
    let control = BatchHeader::of(&plain).is_some_and(BatchHeader::is_control);
    if codec == Compression::None || control {
        return plain;
    }
    let packing = Packing { codec, level: None };
    let rebuilt = BatchView::parse(&plain).ok().and_then(|batch| rebuild(&batch, packing, None, plain.len()).ok());
    rebuilt.map_or(plain, |(header, body)| [header.as_bytes(), &body].concat().into())
}

/// As Kafka's coordinators begin a batch: sequence numbers from 0, also without a producer.
fn new_batch(batch: Batch, now: TimestampMs) -> BatchBuilder {
    let builder = BatchBuilder::new(Offset(0));
    match batch {
        Batch::Own => builder.producer(ProducerId::NONE, ProducerEpoch(-1), 0),
        Batch::Transactional(producer, epoch, _) => builder.producer(producer, epoch, 0).transactional(),
        Batch::Marker(producer, epoch, marker, _) => BatchBuilder::marker(producer, epoch, marker, now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Verification;
    use crate::record::control::EndTxnMarker;
    use crate::record::{Records, batches};

    fn pack(appends: Vec<Append>, now: TimestampMs, codec: Compression) -> Vec<Packed> {
        let (mut waiting, how) = (VecDeque::from(appends), How { now, codec, bytes_max: usize::MAX });
        std::iter::from_fn(|| pack_first(&mut waiting, |_| true, how)).collect()
    }

    fn append(id: u64, records: usize, bytes: usize) -> Append {
        let record = Record { key: Bytes::from_static(b"k"), value: Some(vec![b'v'; bytes].into()) };
        Append::own(AppendId(id), vec![record; records])
    }

    #[test]
    fn appends_of_a_turn_share_a_batch_and_know_their_offsets() {
        let packed = pack(vec![append(1, 2, 10), append(2, 3, 10)], TimestampMs(5), Compression::None);
        assert_eq!(packed.len(), 1);
        assert_eq!(packed[0].parts, [(AppendId(1), 0), (AppendId(2), 2)]);
        let batch = batches(&packed[0].batch).next().unwrap().unwrap();
        assert_eq!((batch.header().count(), batch.header().max_timestamp()), (5, TimestampMs(5)));
        assert!(batch.check_crc().is_ok());
    }

    #[test]
    fn a_batch_stays_below_its_limit_and_no_append_is_split() {
        let packed = pack(
            vec![append(1, 2, 100_000), append(2, 2, 100_000), append(3, 1, 1)],
            TimestampMs(5),
            Compression::None,
        );
        let ids: Vec<Vec<u64>> = packed.iter().map(|p| p.parts.iter().map(|(id, _)| id.0).collect()).collect();
        assert_eq!(ids, [vec![1], vec![2, 3]]);
    }

    #[test]
    fn a_log_that_takes_small_batches_gets_small_ones() {
        let appends = VecDeque::from(vec![append(1, 1, 300), append(2, 1, 300), append(3, 1, 2_000), append(4, 1, 1)]);
        let how = How { now: TimestampMs(5), codec: Compression::None, bytes_max: 800 };
        let mut waiting = appends;
        let packed: Vec<Packed> = std::iter::from_fn(|| pack_first(&mut waiting, |_| true, how)).collect();
        let ids: Vec<Vec<u64>> = packed.iter().map(|p| p.parts.iter().map(|(id, _)| id.0).collect()).collect();
        assert_eq!(ids, [vec![1, 2], vec![3], vec![4]], "what is too large goes alone");
    }

    #[test]
    fn what_may_not_go_stays_with_all_behind_it() {
        let mut waiting = VecDeque::from(vec![append(1, 1, 1), append(2, 1, 1), append(3, 1, 1)]);
        let how = How { now: TimestampMs(5), codec: Compression::None, bytes_max: usize::MAX };
        let packed = pack_first(&mut waiting, |append| append.id != AppendId(2), how).unwrap();
        assert_eq!((packed.parts, waiting.len()), (vec![(AppendId(1), 0)], 2));
        assert!(pack_first(&mut waiting, |append| append.id != AppendId(2), how).is_none());
    }

    #[test]
    fn a_producers_records_and_its_marker_have_batches_of_their_own_in_order() {
        let (producer, epoch) = (ProducerId(7), ProducerEpoch(3));
        let pending =
            Append { batch: Batch::Transactional(producer, epoch, Verification::Given(None)), ..append(2, 2, 10) };
        let marker = EndTxnMarker { commit: true, coordinator_epoch: 9 };
        let marker = Append { batch: Batch::Marker(producer, epoch, marker, true), ..append(3, 0, 0) };
        let appends = vec![append(1, 1, 10), pending, marker, append(4, 1, 10)];
        for codec in [Compression::None, Compression::Lz4] {
            let packed = pack(appends.clone(), TimestampMs(5), codec);
            let ids: Vec<Vec<u64>> = packed.iter().map(|p| p.parts.iter().map(|(id, _)| id.0).collect()).collect();
            assert_eq!(ids, [vec![1], vec![2], vec![3], vec![4]]);
            let headers: Vec<_> = packed.iter().map(|p| *BatchHeader::of(&p.batch).unwrap()).collect();
            let of = |h: &BatchHeader| (h.producer_id(), h.producer_epoch(), h.is_transactional(), h.is_control());
            let none = (ProducerId::NONE, ProducerEpoch(-1), false, false);
            let expected = [none, (producer, epoch, true, false), (producer, epoch, true, true), none];
            assert_eq!(headers.iter().map(of).collect::<Vec<_>>(), expected);
            assert_eq!(headers.iter().map(|h| h.base_sequence()).collect::<Vec<_>>(), [0, 0, -1, 0]);
        }
    }

    #[test]
    fn a_record_that_could_not_be_encoded_fails_its_append_in_turn_and_is_not_written() {
        let record = |key: &'static [u8], value: Option<&'static [u8]>| Record {
            key: Bytes::from_static(key),
            value: value.map(Bytes::from_static),
        };
        for bad in [record(b"", Some(b"v")), record(b"k", Some(b"")), record(b"", None)] {
            let appends =
                vec![append(1, 1, 10), Append::own(AppendId(2), vec![record(b"k", None), bad]), append(3, 1, 10)];
            let packed = pack(appends, TimestampMs(5), Compression::None);
            let ids: Vec<Vec<u64>> = packed.iter().map(|p| p.parts.iter().map(|(id, _)| id.0).collect()).collect();
            assert_eq!(ids, [vec![1], vec![2], vec![3]]);
            let empty: Vec<bool> = packed.iter().map(|p| p.batch.is_empty()).collect();
            assert_eq!(empty, [false, true, false]);
        }
    }

    #[test]
    fn batches_are_packed_by_the_configured_codec() {
        for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let packed = pack(vec![append(1, 2, 1000)], TimestampMs(5), codec);
            let batch = BatchView::parse_checked(&packed[0].batch).unwrap();
            let header = batch.header();
            assert_eq!((header.compression(), header.count(), header.base_sequence()), (Some(codec), 2, 0));
            assert!(batch.size() < 1000);
            let unpacked = batch.unpacked(10_000).unwrap();
            let keys: Vec<_> = Records::new(&unpacked, 2).map(|r| r.unwrap().key.unwrap()).collect();
            assert_eq!(keys, [b"k", b"k"]);
        }
    }
}
