//! Making a batch: what coordinators, the metadata log and tests write.

use super::control::{ControlType, EndTxnMarker};
use super::header::{BatchHeader, CONTROL_BIT, HEADER_LEN, HeaderFields, TRANSACTIONAL_BIT};
use crate::base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs, varint};
use bytes::{BufMut, Bytes, BytesMut};
use zerocopy::IntoBytes;

/// Collects records and builds one uncompressed v2 batch of them. Offsets are consecutive from the base offset.
#[derive(Debug)]
pub struct BatchBuilder {
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    attributes: i16,
    producer: (ProducerId, ProducerEpoch, i32),
    base_timestamp: Option<TimestampMs>,
    max_timestamp: TimestampMs,
    count: i32,
    bytes: BytesMut,
}

impl BatchBuilder {
    /// An empty batch that begins at `base_offset` (0 where the log assigns offsets).
    pub fn new(base_offset: Offset) -> Self {
        let mut bytes = BytesMut::with_capacity(256);
        bytes.put_bytes(0, HEADER_LEN);
        Self {
            base_offset,
            leader_epoch: LeaderEpoch::UNKNOWN,
            attributes: 0,
            producer: (ProducerId::NONE, ProducerEpoch(-1), -1),
            base_timestamp: None,
            max_timestamp: TimestampMs::NONE,
            count: 0,
            bytes,
        }
    }

    /// Stamps the leader epoch (raft logs; elsewhere the log does it).
    #[must_use]
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// Names the idempotent producer and the sequence number of the first record (-1 for markers).
    #[must_use]
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.producer = (id, epoch, base_sequence);
        self
    }

    /// Marks the batch as part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.attributes |= TRANSACTIONAL_BIT;
        self
    }

    /// Marks the batch as a control batch.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.attributes |= CONTROL_BIT;
        self
    }

    /// Adds one record.
    pub fn append(
        &mut self,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let base = *self.base_timestamp.get_or_insert(timestamp);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let delta = timestamp.0.wrapping_sub(base.0);
        let len = 1
            + varint::len_i64(delta)
            + varint::len_i32(self.count)
            + nullable_len(key)
            + nullable_len(value)
            + varint::len_i32(headers.len() as i32)
            + headers.iter().map(|(name, v)| nullable_len(Some(name.as_bytes())) + nullable_len(*v)).sum::<usize>();
        let out = &mut self.bytes;
        varint::put_i32(out, len as i32);
        out.put_u8(0);
        varint::put_i64(out, delta);
        varint::put_i32(out, self.count);
        put_nullable(out, key);
        put_nullable(out, value);
        varint::put_i32(out, headers.len() as i32);
        for (name, v) in headers {
            put_nullable(out, Some(name.as_bytes()));
            put_nullable(out, *v);
        }
        self.count += 1;
    }

    /// Adds one control record.
    pub fn append_control(&mut self, timestamp: TimestampMs, kind: ControlType, value: &[u8]) {
        self.attributes |= CONTROL_BIT;
        self.append(timestamp, Some(&kind.key()), Some(value), &[]);
    }

    /// The batch that ends a producer's transaction in one partition (`MemoryRecords.withEndTransactionMarker`).
    pub fn marker(producer: ProducerId, epoch: ProducerEpoch, marker: EndTxnMarker, now: TimestampMs) -> Self {
        let mut batch = Self::new(Offset::ZERO).producer(producer, epoch, -1).transactional();
        batch.append_control(now, marker.control_type(), &marker.value());
        batch
    }

    /// How many records were added.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// True before the first record.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The batch's size so far, header included.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Finishes the batch.
    pub fn build(mut self) -> Bytes {
        let fields = HeaderFields {
            base_offset: self.base_offset,
            leader_epoch: self.leader_epoch,
            attributes: self.attributes,
            last_offset_delta: (self.count - 1).max(0),
            base_timestamp: self.base_timestamp.unwrap_or(TimestampMs::NONE),
            max_timestamp: self.max_timestamp,
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            base_sequence: self.producer.2,
            count: self.count,
        };
        let (head, body) = self.bytes.split_at_mut(HEADER_LEN);
        head.copy_from_slice(BatchHeader::build(fields, body).as_bytes());
        self.bytes.freeze()
    }
}

pub(super) fn nullable_len(bytes: Option<&[u8]>) -> usize {
    match bytes {
        None => 1,
        Some(b) => varint::len_i32(b.len() as i32) + b.len(),
    }
}

pub(super) fn put_nullable(out: &mut impl BufMut, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::put_i32(out, -1),
        Some(b) => {
            varint::put_i32(out, b.len() as i32);
            out.put_slice(b);
        }
    }
}
