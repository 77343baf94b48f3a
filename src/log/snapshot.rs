//! Producer snapshots (`.snapshot`): the state of all producers as of the offset in the file's name.

use super::producers::{ProducerBatch, ProducerEntry, Producers};
use crate::base::{Offset, ProducerEpoch, ProducerId, TimestampMs};
use bytes::{Buf, BufMut};
use std::collections::VecDeque;

const VERSION: i16 = 1;
const HEAD_LEN: usize = 10;
const ENTRY_LEN: usize = 46;

/// The file's bytes: i16 version 1, u32 CRC-32C of what follows, i32 count, 46 bytes each. Kafka keeps only the last
/// batch of each producer here, and so do we.
pub fn encode(producers: &Producers) -> Vec<u8> {
    let mut entries: Vec<_> = producers.iter().collect();
    entries.sort_by_key(|(id, _)| *id);
    let mut out = Vec::with_capacity(HEAD_LEN + entries.len() * ENTRY_LEN);
    out.put_i16(VERSION);
    out.put_u32(0);
    out.put_i32(entries.len() as i32);
    for (id, entry) in entries {
        let last = entry.batches.back();
        out.put_i64(id.0);
        out.put_i16(entry.epoch.0);
        out.put_i32(entry.last_sequence());
        out.put_i64(last.map_or(-1, |b| b.last_offset.0));
        out.put_i32(last.map_or(0, |b| b.offset_delta));
        out.put_i64(entry.last_timestamp.0);
        out.put_i32(entry.coordinator_epoch);
        out.put_i64(entry.txn_first_offset.map_or(-1, |o| o.0));
    }
    let crc = crc32c::crc32c(out.get(6..).unwrap_or_default());
    if let Some(field) = out.get_mut(2..6) {
        field.copy_from_slice(&crc.to_be_bytes());
    }
    out
}

/// Reads a snapshot; `None` when it is malformed in any way: an older one, or the log itself, then serves.
pub fn decode(bytes: &[u8]) -> Option<Producers> {
    let mut producers = Producers::default();
    for (id, entry) in entries(bytes)? {
        producers.load(id, entry);
    }
    Some(producers)
}

/// The entries of a snapshot in the order of the file; `None` when it is malformed in any way.
pub fn entries(bytes: &[u8]) -> Option<Vec<(ProducerId, ProducerEntry)>> {
    let (mut head, body) = bytes.split_at_checked(6)?;
    if head.get_i16() != VERSION || head.get_u32() != crc32c::crc32c(body) {
        return None;
    }
    let (mut count, mut rest) = body.split_at_checked(4)?;
    if usize::try_from(count.get_i32()).ok()?.checked_mul(ENTRY_LEN)? != rest.len() {
        return None;
    }
    let mut found = Vec::with_capacity(rest.len() / ENTRY_LEN);
    while !rest.is_empty() {
        let id = ProducerId(rest.get_i64());
        let epoch = ProducerEpoch(rest.get_i16());
        let last_sequence = rest.get_i32();
        let last_offset = Offset(rest.get_i64());
        let offset_delta = rest.get_i32();
        let last_timestamp = TimestampMs(rest.get_i64());
        let coordinator_epoch = rest.get_i32();
        let txn_first = rest.get_i64();
        let mut batches = VecDeque::new();
        if last_offset.0 >= 0 {
            batches.push_back(ProducerBatch { last_sequence, last_offset, offset_delta, timestamp: last_timestamp });
        }
        let txn_first_offset = (txn_first >= 0).then_some(Offset(txn_first));
        found.push((id, ProducerEntry { epoch, batches, coordinator_epoch, last_timestamp, txn_first_offset }));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Producers {
        let mut producers = Producers::default();
        for i in 0..3 {
            let batch = ProducerBatch {
                last_sequence: 10 + i,
                last_offset: Offset(100 + i64::from(i)),
                offset_delta: 4,
                timestamp: TimestampMs(5000),
            };
            let entry = ProducerEntry {
                epoch: ProducerEpoch(i as i16),
                batches: if i == 1 { VecDeque::new() } else { VecDeque::from([batch]) },
                coordinator_epoch: -1,
                last_timestamp: TimestampMs(5000),
                txn_first_offset: (i == 2).then_some(Offset(90)),
            };
            producers.load(ProducerId(1000 + i64::from(i)), entry);
        }
        producers
    }

    #[test]
    fn comes_back_as_written() {
        let producers = sample();
        let bytes = encode(&producers);
        assert_eq!(bytes.len(), HEAD_LEN + 3 * ENTRY_LEN);
        let back = decode(&bytes).unwrap();
        for (id, entry) in producers.iter() {
            assert_eq!(back.get(id), Some(entry));
        }
        assert_eq!(back.first_unstable(Offset(1000)), Some(Offset(90)));
    }

    #[test]
    fn any_cut_and_any_flipped_bit_is_seen() {
        let bytes = encode(&sample());
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_none(), "cut at {len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bent).is_none(), "bit {bit}");
        }
    }
}
