//! The header of a v2 batch (`DefaultRecordBatch`): 61 bytes, big-endian.

use super::Compression;
use crate::base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs};
use zerocopy::byteorder::big_endian::{I16, I32, I64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a batch before its first record.
pub const HEADER_LEN: usize = 61;
/// Base offset and length field: what precedes the bytes that the length counts.
pub const LOG_OVERHEAD: usize = 12;
/// The part of the header a broker patches without touching the checksum: base offset, length, leader epoch.
pub const PATCHED_HEAD_LEN: usize = 16;
/// Where the magic byte stands, in every format.
pub const MAGIC_AT: usize = 16;
/// Where the bytes begin that the checksum covers (the attributes).
pub const CRC_FROM: usize = 21;
/// The format this module reads.
pub const MAGIC_V2: i8 = 2;

/// Attribute bits 0-2: compression.
pub const COMPRESSION_MASK: i16 = 0x07;
/// Attribute bit 3: the max timestamp is the broker's (LogAppendTime), and holds for every record.
pub const LOG_APPEND_TIME_BIT: i16 = 0x08;
/// Attribute bit 4: part of a transaction.
pub const TRANSACTIONAL_BIT: i16 = 0x10;
/// Attribute bit 5: a control batch, which consumers never see.
pub const CONTROL_BIT: i16 = 0x20;
/// Attribute bit 6: the base timestamp is a delete horizon (KIP-534).
pub const DELETE_HORIZON_BIT: i16 = 0x40;
/// All attribute bits that mean something.
const DEFINED_BITS: i16 = 0x7f;

/// The header as it lies in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct BatchHeader {
    base_offset: I64,
    length: I32,
    leader_epoch: I32,
    magic: i8,
    crc: U32,
    attributes: I16,
    last_offset_delta: I32,
    base_timestamp: I64,
    max_timestamp: I64,
    producer_id: I64,
    producer_epoch: I16,
    base_sequence: I32,
    count: I32,
}

const _: () = assert!(size_of::<BatchHeader>() == HEADER_LEN);

impl BatchHeader {
    /// The header at the front of `bytes`; `None` when there are fewer than 61. Nothing is checked.
    pub fn of(bytes: &[u8]) -> Option<&Self> {
        Self::ref_from_prefix(bytes).ok().map(|(header, _)| header)
    }

    /// The offset of the batch's first record (of the first that was there before compaction).
    pub fn base_offset(&self) -> Offset {
        Offset(self.base_offset.get())
    }

    /// The length field: bytes after it.
    pub fn length(&self) -> i32 {
        self.length.get()
    }

    /// The leader epoch in which the batch was appended.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.get())
    }

    /// The format: 2.
    pub fn magic(&self) -> i8 {
        self.magic
    }

    /// The stored CRC-32C of everything from the attributes on.
    pub fn crc(&self) -> u32 {
        self.crc.get()
    }

    /// The attribute bits.
    pub fn attributes(&self) -> i16 {
        self.attributes.get()
    }

    /// Last offset minus base offset.
    pub fn last_offset_delta(&self) -> i32 {
        self.last_offset_delta.get()
    }

    /// The offset of the batch's last record.
    pub fn last_offset(&self) -> Offset {
        Offset(self.base_offset.get().saturating_add(i64::from(self.last_offset_delta.get())))
    }

    /// The offset after the batch.
    pub fn next_offset(&self) -> Offset {
        Offset(self.last_offset().0.saturating_add(1))
    }

    /// What the records' timestamp deltas are relative to; a delete horizon when [`DELETE_HORIZON_BIT`] is set.
    pub fn base_timestamp(&self) -> TimestampMs {
        TimestampMs(self.base_timestamp.get())
    }

    /// The largest timestamp in the batch.
    pub fn max_timestamp(&self) -> TimestampMs {
        TimestampMs(self.max_timestamp.get())
    }

    /// The idempotent producer, or [`ProducerId::NONE`].
    pub fn producer_id(&self) -> ProducerId {
        ProducerId(self.producer_id.get())
    }

    /// The producer's epoch.
    pub fn producer_epoch(&self) -> ProducerEpoch {
        ProducerEpoch(self.producer_epoch.get())
    }

    /// The sequence number of the first record; -1 when there is none.
    pub fn base_sequence(&self) -> i32 {
        self.base_sequence.get()
    }

    /// The sequence number of the last record: sequences wrap from `i32::MAX` to 0. -1 when there is none.
    pub fn last_sequence(&self) -> i32 {
        let base = self.base_sequence.get();
        if base < 0 { -1 } else { sequence_plus(base, self.last_offset_delta.get()) }
    }

    /// How many records the batch claims to hold.
    pub fn count(&self) -> i32 {
        self.count.get()
    }

    /// True when an idempotent or transactional producer wrote it.
    pub fn has_producer(&self) -> bool {
        self.producer_id.get() > -1
    }

    /// True for a control batch.
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL_BIT != 0
    }

    /// True for a batch inside a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL_BIT != 0
    }

    /// True when the broker's append time stands in the max timestamp and holds for every record.
    pub fn is_log_append_time(&self) -> bool {
        self.attributes() & LOG_APPEND_TIME_BIT != 0
    }

    /// True when the base timestamp is a delete horizon.
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes() & DELETE_HORIZON_BIT != 0
    }

    /// How the records are compressed; `None` for the ids 5 to 7, which nobody defined.
    pub fn compression(&self) -> Option<Compression> {
        Compression::from_id(self.attributes() & COMPRESSION_MASK)
    }

    /// The size of the whole batch in bytes, this header included; `None` when the length field cannot be true.
    pub fn size(&self) -> Option<usize> {
        let length = usize::try_from(self.length.get()).ok()?;
        (length >= HEADER_LEN - LOG_OVERHEAD).then_some(length + LOG_OVERHEAD)
    }

    /// Sets what the checksum does not cover: the offset and the epoch of this append.
    pub fn assign(&mut self, base_offset: Offset, epoch: LeaderEpoch) {
        self.base_offset.set(base_offset.0);
        self.leader_epoch.set(epoch.0);
    }

    /// Sets the largest timestamp and whose it is: the broker's (`LogAppendTime`) or the producers'. Bits that nobody
    /// defined go, as where Kafka rewrites a header. The checksum is wrong until [`Self::seal`] is called.
    pub fn stamp(&mut self, log_append_time: bool, max: TimestampMs) {
        let kept = self.attributes.get() & DEFINED_BITS & !LOG_APPEND_TIME_BIT;
        self.attributes.set(if log_append_time { kept | LOG_APPEND_TIME_BIT } else { kept });
        self.max_timestamp.set(max.0);
    }

    /// Recomputes the checksum over this header and `body`, the bytes after it.
    pub fn seal(&mut self, body: &[u8]) {
        let crc = crc32c::crc32c(self.as_bytes().get(CRC_FROM..).unwrap_or_default());
        self.crc.set(crc32c::crc32c_append(crc, body));
    }

    /// A header out of plain values, with the checksum of `body` set.
    pub(super) fn build(fields: HeaderFields, body: &[u8]) -> Self {
        let mut header = Self {
            base_offset: fields.base_offset.0.into(),
            length: I32::new(i32::try_from(HEADER_LEN - LOG_OVERHEAD + body.len()).unwrap_or(i32::MAX)),
            leader_epoch: fields.leader_epoch.0.into(),
            magic: MAGIC_V2,
            crc: U32::ZERO,
            attributes: fields.attributes.into(),
            last_offset_delta: fields.last_offset_delta.into(),
            base_timestamp: fields.base_timestamp.0.into(),
            max_timestamp: fields.max_timestamp.0.into(),
            producer_id: fields.producer_id.0.into(),
            producer_epoch: fields.producer_epoch.0.into(),
            base_sequence: fields.base_sequence.into(),
            count: fields.count.into(),
        };
        header.seal(body);
        header
    }
}

/// What a builder knows of its batch.
pub(super) struct HeaderFields {
    pub base_offset: Offset,
    pub leader_epoch: LeaderEpoch,
    pub attributes: i16,
    pub last_offset_delta: i32,
    pub base_timestamp: TimestampMs,
    pub max_timestamp: TimestampMs,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: i32,
    pub count: i32,
}

/// `sequence + delta`, wrapping from `i32::MAX` to 0 as Kafka's sequences do. `delta` is not negative.
pub fn sequence_plus(sequence: i32, delta: i32) -> i32 {
    let sum = i64::from(sequence) + i64::from(delta.max(0));
    let wrapped = if sum > i64::from(i32::MAX) { sum - i64::from(i32::MAX) - 1 } else { sum };
    wrapped as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(sequence_plus(5, 3), 8);
        assert_eq!(sequence_plus(i32::MAX, 0), i32::MAX);
        assert_eq!(sequence_plus(i32::MAX, 1), 0);
        assert_eq!(sequence_plus(i32::MAX - 1, 4), 2);
    }

    #[test]
    fn sizes_that_cannot_be_true_are_none() {
        let mut bytes = [0u8; HEADER_LEN];
        for (length, size) in [(-1, None), (0, None), (48, None), (49, Some(61)), (100, Some(112))] {
            bytes[8..12].copy_from_slice(&i32::to_be_bytes(length));
            assert_eq!(BatchHeader::of(&bytes).unwrap().size(), size);
        }
        assert!(BatchHeader::of(&bytes[..60]).is_none());
    }
}
