//! Appends of one loop turn, packed into batches.

use super::machine::{Append, AppendId, Batch, Record};
use crate::base::{ErrorCode, Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::record::rebuild::{Packing, rebuild};
use crate::record::{BatchBuilder, BatchHeader, BatchView, Compression};
use bytes::Bytes;
use zerocopy::IntoBytes;

/// Appends share a batch up to this size; one that is larger goes alone and is judged by the log.
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
}

impl Packed {
    /// Where each append begins, given where the batch does.
    pub fn outcomes(&self, base: Result<Offset, ErrorCode>) -> impl Iterator<Item = (AppendId, Outcome)> + '_ {
        self.parts.iter().map(move |(id, delta)| (*id, base.map(|b| b.plus(*delta))))
    }
}

/// Packs appends in order; no append is split. `codec` is `offsets.topic.compression.codec`.
pub fn pack(appends: Vec<Append>, now: TimestampMs, codec: Compression) -> Vec<Packed> {
    let mut packed = Vec::new();
    let mut open: Option<(BatchBuilder, Vec<(AppendId, i64)>)> = None;
    for append in appends {
        if append.records.iter().any(unencoded) {
            packed.extend(open.take().map(|(b, parts)| Packed { batch: finish(b, codec), of: Batch::Own, parts }));
            packed.push(Packed { batch: Bytes::new(), of: append.batch, parts: vec![(append.id, 0)] });
            continue;
        }
        let size: usize =
            append.records.iter().map(|r| r.key.len() + r.value.as_ref().map_or(0, Bytes::len) + 32).sum();
        let own = append.batch == Batch::Own;
        if let Some((builder, parts)) = open.take_if(|(b, _)| !own || b.size() + size > BATCH_BYTES) {
            packed.push(Packed { batch: finish(builder, codec), of: Batch::Own, parts });
        }
        if !own {
            // What belongs to a producer shares its batch with nothing else.
            let mut builder = new_batch(append.batch, now);
            add(&mut builder, &append, now);
            let (of, parts) = (append.batch, vec![(append.id, 0)]);
            packed.push(Packed { batch: finish(builder, codec), of, parts });
            continue;
        }
        let (builder, parts) = open.get_or_insert_with(|| (new_batch(Batch::Own, now), Vec::new()));
        parts.push((append.id, builder.count() as i64));
        add(builder, &append, now);
    }
    if let Some((builder, parts)) = open {
        packed.push(Packed { batch: finish(builder, codec), of: Batch::Own, parts });
    }
    packed
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

fn add(builder: &mut BatchBuilder, append: &Append, now: TimestampMs) {
    for record in &append.records {
        builder.append(now, Some(&record.key), record.value.as_deref(), &[]);
    }
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

    fn append(id: u64, records: usize, bytes: usize) -> Append {
        let record = Record { key: Bytes::from_static(b"k"), value: Some(vec![b'v'; bytes].into()) };
        Append::own(AppendId(id), vec![record; records])
    }

    #[test]
    fn appends_of_a_turn_share_a_batch_and_know_their_offsets() {
        let packed = pack(vec![append(1, 2, 10), append(2, 3, 10)], TimestampMs(5), Compression::None);
        assert_eq!(packed.len(), 1);
        let outcomes: Vec<_> = packed[0].outcomes(Ok(Offset(100))).collect();
        assert_eq!(outcomes, [(AppendId(1), Ok(Offset(100))), (AppendId(2), Ok(Offset(102)))]);
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
