//! What a fetch brought: records out of batches, without control records and those of aborted transactions.

use crate::base::TopicPartition;
use crate::client::ClientError;
use crate::protocol::messages::fetch_response::AbortedTransaction;
use crate::record::{BatchView, Records, control::EndTxnMarker};
use bytes::Bytes;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Unpacked a batch may take this much.
const UNPACKED_MAX: usize = 1 << 30;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumedRecord {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Its time in ms since 1970; -1: none.
    pub timestamp: i64,
    /// True where the time is the broker's.
    pub log_append_time: bool,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its value.
    pub value: Option<Bytes>,
    /// Names and values.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// Records of one partition that came together.
#[derive(Debug)]
pub struct Chunk {
    /// The partition.
    pub at: TopicPartition,
    /// The records, in order.
    pub records: VecDeque<ConsumedRecord>,
    /// Where to go on.
    pub next_offset: i64,
}

/// Reads the batches of an answer, from `offset` on. The last one may be cut off.
///
/// # Errors
/// Bytes that are no batches; a single batch that was cut cannot be read further.
pub fn read(
    at: TopicPartition,
    bytes: &Bytes,
    offset: i64,
    aborted: &[AbortedTransaction],
    check_crcs: bool,
) -> Result<Chunk, ClientError> {
    let mut chunk = Chunk { at, records: VecDeque::new(), next_offset: offset };
    let mut open: Vec<&AbortedTransaction> = aborted.iter().collect();
    open.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
    let mut dropped = HashSet::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let batch = match BatchView::parse(rest) {
            Ok(batch) => batch,
            Err(crate::record::BatchError::Truncated { .. }) => break,
            Err(error) => return Err(ClientError::Malformed(format!("{}: {error}", chunk.at))),
        };
        rest = rest.get(batch.size()..).unwrap_or_default();
        let header = batch.header();
        if check_crcs {
            let corrupt = |e| ClientError::Malformed(format!("{} at offset {}: {e}", chunk.at, header.base_offset()));
            batch.check_crc().map_err(corrupt)?;
        }
        while open.last().is_some_and(|transaction| transaction.first_offset <= header.last_offset().0) {
            dropped.extend(open.pop().map(|transaction| transaction.producer_id));
        }
        let producer = header.producer_id().0;
        let control = header.is_control();
        if header.last_offset().0 >= offset {
            chunk.next_offset = header.next_offset().0;
        }
        if control {
            let marker = batch.records().next().and_then(Result::ok).and_then(|record| EndTxnMarker::of(&record));
            if marker.is_some_and(|marker| !marker.commit) {
                dropped.remove(&producer);
            }
            continue;
        }
        if header.is_transactional() && dropped.contains(&producer) {
            continue;
        }
        records(&batch, offset, &mut chunk)?;
    }
    Ok(chunk)
}

fn records(batch: &BatchView<'_>, from: i64, chunk: &mut Chunk) -> Result<(), ClientError> {
    let header = batch.header();
    let malformed = |why: &dyn std::fmt::Display| {
        ClientError::Malformed(format!("{} at offset {}: {why}", chunk.at, header.base_offset()))
    };
    let unpacked = batch.unpacked(UNPACKED_MAX).map_err(|e| malformed(&e))?;
    let copied = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
    let mut found = Vec::new();
    for record in Records::new(&unpacked, header.count()) {
        let record = record.map_err(|e| malformed(&e))?;
        let offset = header.base_offset().0 + i64::from(record.offset_delta);
        if offset < from {
            continue;
        }
        let timestamp = match header.is_log_append_time() {
            true => header.max_timestamp().0,
            false => header.base_timestamp().0.wrapping_add(record.timestamp_delta),
        };
        let headers = record.headers.iter().map(|(name, value)| (String::from_utf8_lossy(name).into(), copied(value)));
        found.push(ConsumedRecord {
            topic: chunk.at.topic.clone(),
            partition: chunk.at.partition,
            offset,
            timestamp,
            log_append_time: header.is_log_append_time(),
            key: copied(record.key),
            value: copied(record.value),
            headers: headers.collect(),
        });
    }
    chunk.records.extend(found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, ProducerEpoch, ProducerId, TimestampMs};
    use crate::record::{BatchBuilder, ControlType};

    fn data(offset: i64, producer: i64, values: &[&str]) -> Bytes {
        let mut builder = BatchBuilder::new(Offset(offset));
        if producer >= 0 {
            builder = builder.producer(ProducerId(producer), ProducerEpoch(0), 0).transactional();
        }
        for value in values {
            builder.append(TimestampMs(5), None, Some(value.as_bytes()), &[("h", None)]);
        }
        builder.build()
    }

    fn marker(offset: i64, producer: i64, kind: ControlType) -> Bytes {
        let mut builder =
            BatchBuilder::new(Offset(offset)).producer(ProducerId(producer), ProducerEpoch(0), -1).transactional();
        builder.append_control(TimestampMs(5), kind, &[0; 6]);
        builder.build()
    }

    fn values(chunk: &Chunk) -> Vec<(i64, String)> {
        let text = |value: &Option<Bytes>| String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned();
        chunk.records.iter().map(|record| (record.offset, text(&record.value))).collect()
    }

    #[test]
    fn aborted_transactions_are_left_out_up_to_their_markers() {
        let parts = [
            data(0, 1, &["aborted"]),
            data(1, 2, &["committed"]),
            data(2, -1, &["plain"]),
            marker(3, 1, ControlType::Abort),
            marker(4, 2, ControlType::Commit),
            data(5, 1, &["later"]),
        ];
        let bytes = Bytes::from(parts.concat());
        let aborted = [AbortedTransaction { producer_id: 1, first_offset: 0 }];
        let at = || TopicPartition::new("t", 0);
        let chunk = read(at(), &bytes, 0, &aborted, true).unwrap();
        let texts =
            |all: &[(i64, &str)]| all.iter().map(|(offset, text)| (*offset, (*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(values(&chunk), texts(&[(1, "committed"), (2, "plain"), (5, "later")]));
        assert_eq!(chunk.next_offset, 6);
        let all = read(at(), &bytes, 0, &[], true).unwrap();
        assert_eq!(all.records.len(), 4);
    }

    #[test]
    fn reading_begins_inside_a_batch_and_ends_before_a_cut_one() {
        let parts = [data(0, -1, &["a", "b", "c"]), data(3, -1, &["d"])];
        let whole = parts.concat();
        let cut = Bytes::from(whole[..whole.len() - 1].to_vec());
        let chunk = read(TopicPartition::new("t", 0), &cut, 1, &[], true).unwrap();
        assert_eq!(values(&chunk), [(1, "b".to_owned()), (2, "c".to_owned())]);
        assert_eq!(chunk.next_offset, 3);
    }

    #[test]
    fn a_flipped_bit_is_an_error_where_it_is_looked_for() {
        let mut bytes = data(0, -1, &["a"]).to_vec();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        assert!(read(TopicPartition::new("t", 0), &Bytes::from(bytes), 0, &[], true).is_err());
    }
}
