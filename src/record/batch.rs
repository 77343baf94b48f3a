//! One batch: found in bytes, checked, looked into.

use super::compression::{self, DecompressError};
use super::header::{BatchHeader, CRC_FROM, HEADER_LEN, MAGIC_AT, MAGIC_V2};
use super::records::Records;
use std::borrow::Cow;

/// Why bytes are no sound v2 batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end before the batch does; it needs this many in all (61 when even the header is cut).
    Truncated {
        /// Bytes the batch takes by its own word.
        needed: usize,
    },
    /// The length field is negative or smaller than a header.
    BadLength(i32),
    /// The magic byte is not 2. Magic 0 and 1 are the old formats: see [`super::legacy`].
    Magic(i8),
    /// The checksum does not match: a bit changed, or a write was torn.
    Crc {
        /// What the header says.
        stored: u32,
        /// What the bytes give.
        computed: u32,
    },
}

impl std::fmt::Display for BatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated { needed } => write!(f, "the batch is cut off: it takes {needed} bytes"),
            Self::BadLength(length) => write!(f, "the batch has the impossible length {length}"),
            Self::Magic(magic) => write!(f, "the batch has magic {magic}, not 2"),
            Self::Crc { stored, computed } => {
                write!(f, "Record is corrupt (stored crc = {stored}, computed crc = {computed})")
            }
        }
    }
}

impl std::error::Error for BatchError {}

/// One whole batch in somebody's bytes.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    header: &'a BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the front of `bytes`, which may go on after it. Length and magic are checked, not the checksum.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        if let Some(&magic) = bytes.get(MAGIC_AT) {
            if magic as i8 != MAGIC_V2 {
                return Err(BatchError::Magic(magic as i8));
            }
        }
        let header = BatchHeader::of(bytes).ok_or(BatchError::Truncated { needed: HEADER_LEN })?;
        let size = header.size().ok_or(BatchError::BadLength(header.length()))?;
        let bytes = bytes.get(..size).ok_or(BatchError::Truncated { needed: size })?;
        Ok(Self { header, bytes })
    }

    /// The batch at the front of `bytes`, its checksum verified.
    pub fn parse_checked(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let batch = Self::parse(bytes)?;
        batch.check_crc()?;
        Ok(batch)
    }

    /// Verifies the checksum.
    pub fn check_crc(&self) -> Result<(), BatchError> {
        let computed = crc32c::crc32c(self.bytes.get(CRC_FROM..).unwrap_or_default());
        let stored = self.header.crc();
        if stored == computed { Ok(()) } else { Err(BatchError::Crc { stored, computed }) }
    }

    /// The header.
    pub fn header(&self) -> &'a BatchHeader {
        self.header
    }

    /// The whole batch.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its size, header included.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes after the header: the records, compressed as the attributes say.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }

    /// The records' bytes unpacked; borrowed when nothing is compressed. Fails when they would take more than
    /// `bytes_max`.
    pub fn unpacked(&self, bytes_max: usize) -> Result<Cow<'a, [u8]>, DecompressError> {
        let compression = self.header.compression().ok_or(DecompressError::UnknownType)?;
        compression::unpack(compression, self.body(), bytes_max)
    }

    /// Walks the records of an uncompressed batch. For a compressed one, walk [`Self::unpacked`] with
    /// [`Records::new`].
    pub fn records(&self) -> Records<'a> {
        Records::new(self.body(), self.header.count())
    }
}

/// The batches in `bytes`, one after another. Ends at the end of the bytes or after the first error.
pub fn batches(bytes: &[u8]) -> Batches<'_> {
    Batches { rest: bytes }
}

/// Iterator of [`batches`]. Checksums are not verified.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchView<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let parsed = BatchView::parse(self.rest);
        self.rest = match &parsed {
            Ok(batch) => self.rest.get(batch.size()..).unwrap_or_default(),
            Err(_) => &[],
        };
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, TimestampMs};
    use crate::record::BatchBuilder;

    fn sample() -> bytes::Bytes {
        let mut builder = BatchBuilder::new(Offset(7));
        builder.append(TimestampMs(1000), Some(b"key"), Some(b"value"), &[]);
        builder.append(TimestampMs(1005), None, Some(b"another value"), &[("h", Some(b"1"))]);
        builder.build()
    }

    #[test]
    fn every_truncation_is_seen() {
        let bytes = sample();
        for len in 0..bytes.len() {
            assert!(
                matches!(BatchView::parse_checked(&bytes[..len]), Err(BatchError::Truncated { .. })),
                "cut at {len}"
            );
        }
        assert_eq!(BatchView::parse_checked(&bytes).unwrap().size(), bytes.len());
    }

    #[test]
    fn every_flipped_bit_is_seen_but_in_base_offset_and_leader_epoch() {
        let bytes = sample();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.to_vec();
                bad[at] ^= 1 << bit;
                // More bytes follow in a log: a longer length must not pass for want of bytes alone.
                bad.extend_from_slice(&bytes);
                let outside_crc = at < 8 || (12..16).contains(&at);
                assert_eq!(BatchView::parse_checked(&bad).is_ok(), outside_crc, "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn batches_walks_them_all_and_stops_at_the_first_error() {
        let one = sample();
        let two = [&one[..], &one[..]].concat();
        assert_eq!(batches(&two).filter(Result::is_ok).count(), 2);
        let torn = &two[..two.len() - 1];
        let seen: Vec<bool> = batches(torn).map(|b| b.is_ok()).collect();
        assert_eq!(seen, [true, false]);
        assert_eq!(batches(&[]).count(), 0);
    }
}
