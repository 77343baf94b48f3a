//! Appends of one loop turn, packed into batches.

use super::group::{Append, AppendId};
use crate::base::{ErrorCode, Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::record::BatchBuilder;
use bytes::Bytes;

/// Appends share a batch up to this size; one that is larger goes alone and is judged by the log.
const BATCH_BYTES: usize = 256 << 10;

/// Where an append begins in the log, or why it is not there.
pub type Outcome = Result<Offset, ErrorCode>;

/// A batch and the appends inside it: which, and at which offset from the batch's first.
pub struct Packed {
    /// The batch.
    pub batch: Bytes,
    /// The appends, in order.
    pub parts: Vec<(AppendId, i64)>,
}

impl Packed {
    /// Where each append begins, given where the batch does.
    pub fn outcomes(&self, base: Result<Offset, ErrorCode>) -> impl Iterator<Item = (AppendId, Outcome)> + '_ {
        self.parts.iter().map(move |(id, delta)| (*id, base.map(|b| b.plus(*delta))))
    }
}

/// Packs appends in order; no append is split.
pub fn pack(appends: Vec<Append>, now: TimestampMs) -> Vec<Packed> {
    let mut packed = Vec::new();
    let mut open: Option<(BatchBuilder, Vec<(AppendId, i64)>)> = None;
    for append in appends {
        let size: usize =
            append.records.iter().map(|r| r.key.len() + r.value.as_ref().map_or(0, Bytes::len) + 32).sum();
        if let Some((builder, parts)) = open.take_if(|(b, _)| b.size() + size > BATCH_BYTES) {
            packed.push(Packed { batch: builder.build(), parts });
        }
        let (builder, parts) = open.get_or_insert_with(|| (new_batch(), Vec::new()));
        parts.push((append.id, builder.count() as i64));
        for record in &append.records {
            builder.append(now, Some(&record.key), record.value.as_deref(), &[]);
        }
    }
    if let Some((builder, parts)) = open {
        packed.push(Packed { batch: builder.build(), parts });
    }
    packed
}

/// As Kafka's coordinators begin a batch: no producer, yet sequence numbers from 0.
fn new_batch() -> BatchBuilder {
    BatchBuilder::new(Offset(0)).producer(ProducerId::NONE, ProducerEpoch(-1), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinator::group::Record;
    use crate::record::batches;

    fn append(id: u64, records: usize, bytes: usize) -> Append {
        let record = Record { key: Bytes::from_static(b"k"), value: Some(vec![b'v'; bytes].into()) };
        Append { id: AppendId(id), records: vec![record; records] }
    }

    #[test]
    fn appends_of_a_turn_share_a_batch_and_know_their_offsets() {
        let packed = pack(vec![append(1, 2, 10), append(2, 3, 10)], TimestampMs(5));
        assert_eq!(packed.len(), 1);
        let outcomes: Vec<_> = packed[0].outcomes(Ok(Offset(100))).collect();
        assert_eq!(outcomes, [(AppendId(1), Ok(Offset(100))), (AppendId(2), Ok(Offset(102)))]);
        let batch = batches(&packed[0].batch).next().unwrap().unwrap();
        assert_eq!((batch.header().count(), batch.header().max_timestamp()), (5, TimestampMs(5)));
        assert!(batch.check_crc().is_ok());
    }

    #[test]
    fn a_batch_stays_below_its_limit_and_no_append_is_split() {
        let packed = pack(vec![append(1, 2, 100_000), append(2, 2, 100_000), append(3, 1, 1)], TimestampMs(5));
        let ids: Vec<Vec<u64>> = packed.iter().map(|p| p.parts.iter().map(|(id, _)| id.0).collect()).collect();
        assert_eq!(ids, [vec![1], vec![2, 3]]);
    }
}
