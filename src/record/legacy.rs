//! Message formats 0 and 1 (`LegacyRecord`), which segments written before Kafka 0.11 or for old clients may
//! still hold. They are recognised, measured and checked here; [`super::legacy_records`] looks into them.

use super::compression::Compression;
use super::header::MAGIC_AT;
use crate::base::{Offset, TimestampMs};

/// The smallest entry: offset, size, CRC, magic, attributes, key length, value length.
const ENTRY_MIN_V0: usize = 26;
const ENTRY_MIN_V1: usize = 34;

const LOG_APPEND_TIME_BIT: i8 = 8;

/// One entry of a message set: a record, or a compressed wrapper around several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyEntry {
    /// The offset of the record; of the last one inside a wrapper.
    pub offset: Offset,
    /// 0 or 1.
    pub magic: i8,
    /// The record's timestamp (the largest inside a wrapper); none in format 0.
    pub timestamp: TimestampMs,
    /// Bytes of the whole entry.
    pub size: usize,
    /// Codec in bits 0 to 2, in format 1 who dated it in bit 3.
    pub attributes: i8,
}

/// Why bytes are no sound entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyError {
    /// The bytes end before the entry does.
    Truncated,
    /// Magic 2 or none at all.
    NotLegacy,
    /// The size field is impossible.
    BadSize(i32),
    /// The checksum does not match.
    Crc,
}

/// True when the batch or entry at the front of `bytes` is in format 0 or 1.
pub fn is_legacy(bytes: &[u8]) -> bool {
    matches!(bytes.get(MAGIC_AT), Some(0 | 1))
}

impl LegacyEntry {
    /// Reads the front of an entry: 26 bytes (34 of format 1) are enough. The checksum is not verified.
    pub fn parse_head(bytes: &[u8]) -> Result<Self, LegacyError> {
        let magic = *bytes.get(MAGIC_AT).ok_or(LegacyError::Truncated)? as i8;
        let min = match magic {
            0 => ENTRY_MIN_V0,
            1 => ENTRY_MIN_V1,
            _ => return Err(LegacyError::NotLegacy),
        };
        let i64_at = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(i64::from_be_bytes);
        let offset = i64_at(0).ok_or(LegacyError::Truncated)?;
        let size = bytes.get(8..12).and_then(|b| b.try_into().ok()).map(i32::from_be_bytes);
        let size = size.ok_or(LegacyError::Truncated)?;
        let whole = usize::try_from(size).ok().map(|s| s + 12).filter(|s| *s >= min);
        let timestamp = if magic == 1 { i64_at(18).ok_or(LegacyError::Truncated)? } else { -1 };
        Ok(Self {
            offset: Offset(offset),
            magic,
            timestamp: TimestampMs(timestamp),
            size: whole.ok_or(LegacyError::BadSize(size))?,
            attributes: bytes.get(MAGIC_AT + 1).copied().unwrap_or_default() as i8,
        })
    }

    /// How the entries inside a wrapper are packed; `None` for a number nobody defined.
    pub fn compression(&self) -> Option<Compression> {
        Compression::from_id(i16::from(self.attributes & 7))
    }

    /// The broker dated it (`LogAppendTime`): what is inside a wrapper has the wrapper's time then.
    pub fn is_log_append_time(&self) -> bool {
        self.magic == 1 && self.attributes & LOG_APPEND_TIME_BIT != 0
    }

    /// Reads a whole entry and verifies its CRC-32.
    pub fn parse_checked(bytes: &[u8]) -> Result<Self, LegacyError> {
        let entry = Self::parse_head(bytes)?;
        let whole = bytes.get(..entry.size).ok_or(LegacyError::Truncated)?;
        let stored = whole.get(12..16).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        let mut crc = flate2::Crc::new();
        crc.update(whole.get(16..).unwrap_or_default());
        if stored == Some(crc.sum()) { Ok(entry) } else { Err(LegacyError::Crc) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A format-1 record with key null and value "v".
    fn v1() -> Vec<u8> {
        let mut body = vec![1u8, 0];
        body.extend_from_slice(&1234i64.to_be_bytes());
        body.extend_from_slice(&(-1i32).to_be_bytes());
        body.extend_from_slice(&1i32.to_be_bytes());
        body.push(b'v');
        let mut crc = flate2::Crc::new();
        crc.update(&body);
        let mut out = 42i64.to_be_bytes().to_vec();
        out.extend_from_slice(&(body.len() as i32 + 4).to_be_bytes());
        out.extend_from_slice(&crc.sum().to_be_bytes());
        out.extend_from_slice(&body);
        out
    }

    #[test]
    fn format_1_is_recognised_and_checked() {
        let bytes = v1();
        assert!(is_legacy(&bytes));
        let entry = LegacyEntry::parse_checked(&bytes).unwrap();
        assert_eq!((entry.offset, entry.timestamp, entry.size), (Offset(42), TimestampMs(1234), bytes.len()));
        let mut bad = bytes.clone();
        *bad.last_mut().unwrap() ^= 1;
        assert_eq!(LegacyEntry::parse_checked(&bad), Err(LegacyError::Crc));
        for len in 0..bytes.len() {
            assert_eq!(LegacyEntry::parse_checked(&bytes[..len]), Err(LegacyError::Truncated), "{len}");
        }
    }
}
