//! Walking the records of a batch, packed or not, through a window of bounded size.

use super::batch::BatchView;
use super::compression::{self, DecompressError};
use super::records::{self, RecordError};
use crate::base::varint;
use std::io::Read;

/// Bytes unpacked ahead. Longer keys and values are skipped piece by piece.
const WINDOW: usize = 32 << 10;
/// The longest varint.
const VARINT_MAX: usize = 10;

/// What stands in front of a record's value, and how long the parts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Timestamp minus the batch's base timestamp, in ms.
    pub timestamp_delta: i64,
    /// Offset minus the batch's base offset.
    pub offset_delta: i32,
    /// Bytes of the key; negative: null.
    pub key_len: i32,
    /// Bytes of the value; negative: null.
    pub value_len: i32,
}

/// Walks the records of one batch and checks their framing; yields an error once and then ends.
pub struct RecordStream<'a> {
    source: Box<dyn Read + 'a>,
    window: Vec<u8>,
    at: usize,
    filled: usize,
    /// Bytes unpacked so far, and how many may be.
    unpacked: u64,
    unpacked_max: u64,
    left: i32,
}

impl<'a> RecordStream<'a> {
    /// The records of `batch`, of which at most `unpacked_max` bytes are unpacked.
    ///
    /// # Errors
    /// The codec is unknown, or its stream does not begin as one.
    pub fn new(batch: &BatchView<'a>, unpacked_max: u64) -> Result<Self, DecompressError> {
        let codec = batch.header().compression().ok_or(DecompressError::UnknownType)?;
        let source = compression::reader(codec, batch.body())?;
        let left = batch.header().count();
        Ok(Self { source, window: vec![0; WINDOW], at: 0, filled: 0, unpacked: 0, unpacked_max, left })
    }

    /// Bytes unpacked so far; after the last record, of the whole batch.
    pub fn unpacked(&self) -> u64 {
        self.unpacked
    }

    /// Makes `wanted` bytes (at most a window) stand in the window, or as many as there are.
    fn fill(&mut self, wanted: usize) -> Result<&[u8], DecompressError> {
        if self.filled - self.at < wanted {
            self.window.copy_within(self.at..self.filled, 0);
            self.filled -= self.at;
            self.at = 0;
            while self.filled < wanted {
                let n = self.source.read(&mut self.window[self.filled..])?;
                if n == 0 {
                    break;
                }
                self.filled += n;
                self.unpacked += n as u64;
                if self.unpacked > self.unpacked_max {
                    return Err(DecompressError::TooLarge { bytes_max: self.unpacked_max as usize });
                }
            }
        }
        Ok(&self.window[self.at..self.filled])
    }

    fn i64(&mut self, left: &mut u64) -> Result<i64, DecompressError> {
        let (value, len) = varint::read_i64(self.fill(VARINT_MAX)?).map_err(RecordError::from)?;
        self.take(len, left)?;
        Ok(value)
    }

    fn i32(&mut self, left: &mut u64) -> Result<i32, DecompressError> {
        let (value, len) = varint::read_i32(self.fill(VARINT_MAX)?).map_err(RecordError::from)?;
        self.take(len, left)?;
        Ok(value)
    }

    /// Goes `len` bytes on, which are in the window.
    fn take(&mut self, len: usize, left: &mut u64) -> Result<(), DecompressError> {
        *left = left.checked_sub(len as u64).ok_or(RecordError::SizeMismatch)?;
        self.at += len;
        Ok(())
    }

    /// Goes `len` bytes on, where it is not negative.
    fn skip(&mut self, len: i32, left: &mut u64) -> Result<(), DecompressError> {
        let Ok(len) = u64::try_from(len) else { return Ok(()) };
        *left = left.checked_sub(len).ok_or(RecordError::Length)?;
        let mut len = len as usize;
        while len > 0 {
            let there = self.fill(1)?.len().min(len);
            if there == 0 {
                return Err(RecordError::Length.into());
            }
            self.at += there;
            len -= there;
        }
        Ok(())
    }

    fn record(&mut self) -> Result<RecordHead, DecompressError> {
        // Most records lie in the window as a whole.
        let len = |bytes: Option<&[u8]>| bytes.map_or(-1, |b| b.len() as i32);
        let whole = records::first(self.fill(VARINT_MAX)?).map(|(record, taken)| {
            let (timestamp_delta, offset_delta) = (record.timestamp_delta, record.offset_delta);
            let (key_len, value_len) = (len(record.key), len(record.value));
            (RecordHead { timestamp_delta, offset_delta, key_len, value_len }, taken)
        });
        if let Ok((head, taken)) = whole {
            self.at += taken;
            return Ok(head);
        }
        self.record_in_pieces()
    }

    fn record_in_pieces(&mut self) -> Result<RecordHead, DecompressError> {
        let len = self.i32(&mut { u64::MAX })?;
        let mut left = u64::try_from(len).map_err(|_| RecordError::Length)?;
        if self.fill(1)?.is_empty() {
            return Err(RecordError::Length.into());
        }
        self.take(1, &mut left)?; // attributes, unused in v2
        let timestamp_delta = self.i64(&mut left)?;
        let offset_delta = self.i32(&mut left)?;
        let key_len = self.i32(&mut left)?;
        self.skip(key_len, &mut left)?;
        let value_len = self.i32(&mut left)?;
        self.skip(value_len, &mut left)?;
        let headers = self.i32(&mut left)?;
        // A header takes at least two bytes.
        if headers < 0 || headers as u64 > left {
            return Err(RecordError::Length.into());
        }
        for _ in 0..headers {
            let name = self.i32(&mut left)?;
            if name < 0 {
                return Err(RecordError::Length.into());
            }
            self.skip(name, &mut left)?;
            let value = self.i32(&mut left)?;
            self.skip(value, &mut left)?;
        }
        if left != 0 {
            return Err(RecordError::SizeMismatch.into());
        }
        Ok(RecordHead { timestamp_delta, offset_delta, key_len, value_len })
    }

    /// The next record; `None` after the last, when nothing follows it.
    pub fn next_record(&mut self) -> Result<Option<RecordHead>, DecompressError> {
        let empty = self.fill(1)?.is_empty();
        match (self.left, empty) {
            (..=0, true) => Ok(None),
            (..=0, false) | (_, true) => {
                self.left = 0;
                Err(RecordError::Count.into())
            }
            _ => {
                self.left -= 1;
                self.record()
                    .inspect_err(|_| {
                        (self.left, self.at, self.filled) = (0, 0, 0);
                        self.source = Box::new(std::io::empty());
                    })
                    .map(Some)
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::base::{Offset, TimestampMs};
    use crate::record::compression::tests::{PACKED, pack};
    use crate::record::{BatchBuilder, BatchHeader, Compression, HEADER_LEN};
    use zerocopy::{FromBytes, IntoBytes};

    /// Packs the records of an uncompressed batch as a client with that codec would have.
    pub(crate) fn packed(bytes: &[u8], codec: Compression) -> Vec<u8> {
        let body = pack(codec, &bytes[HEADER_LEN..]);
        let mut head = bytes[..HEADER_LEN].to_vec();
        head[8..12].copy_from_slice(&((HEADER_LEN - 12 + body.len()) as i32).to_be_bytes());
        head[22] |= codec.id() as u8;
        let mut header = BatchHeader::read_from_bytes(&head).unwrap();
        header.seal(&body);
        [header.as_bytes(), &body].concat()
    }

    fn in_each_codec(plain: &[u8]) -> Vec<Vec<u8>> {
        std::iter::once(plain.to_vec()).chain(PACKED.map(|codec| packed(plain, codec))).collect()
    }

    fn walk(bytes: &[u8], unpacked_max: u64) -> Result<Vec<RecordHead>, DecompressError> {
        let mut stream = RecordStream::new(&BatchView::parse_checked(bytes).unwrap(), unpacked_max)?;
        let mut heads = Vec::new();
        while let Some(head) = stream.next_record()? {
            heads.push(head);
        }
        assert_eq!(stream.next_record(), Ok(None), "it stays at the end");
        Ok(heads)
    }

    #[test]
    fn records_longer_than_the_window_are_walked_in_every_codec() {
        let mut builder = BatchBuilder::new(Offset(0));
        let lens = [0, 1, WINDOW - 20, WINDOW, WINDOW + 1, 5 * WINDOW, 3];
        for (i, len) in lens.iter().enumerate() {
            let value = vec![i as u8; *len];
            builder.append(TimestampMs(100 - i as i64), Some(&value[..len / 2]), Some(&value), &[("h", Some(&value))]);
        }
        let plain = builder.build();
        for bytes in in_each_codec(&plain) {
            let heads = walk(&bytes, plain.len() as u64).unwrap();
            for (i, (head, len)) in heads.iter().zip(lens).enumerate() {
                let (key_len, value_len) = (len as i32 / 2, len as i32);
                let expected = RecordHead { timestamp_delta: -(i as i64), offset_delta: i as i32, key_len, value_len };
                assert_eq!(*head, expected);
            }
            assert_eq!(heads.len(), lens.len());
            assert!(matches!(walk(&bytes, 1000), Err(DecompressError::TooLarge { .. })));
        }
    }

    #[test]
    fn it_finds_the_faults_that_the_walk_over_bytes_finds() {
        let mut builder = BatchBuilder::new(Offset(0));
        for i in 0..5 {
            builder.append(TimestampMs(i), Some(b"key"), None, &[("name", Some(b"v")), ("other", None)]);
        }
        let plain = builder.build();
        for at in HEADER_LEN..plain.len() {
            for bit in 0..8 {
                let mut bent = plain.to_vec();
                bent[at] ^= 1 << bit;
                let mut header = BatchHeader::read_from_bytes(&bent[..HEADER_LEN]).unwrap();
                header.seal(&bent[HEADER_LEN..]);
                bent[..HEADER_LEN].copy_from_slice(header.as_bytes());
                let sound = BatchView::parse(&bent).unwrap().records().all(|record| record.is_ok());
                for bytes in in_each_codec(&bent) {
                    assert_eq!(walk(&bytes, 1 << 20).is_ok(), sound, "byte {at} bit {bit}");
                }
            }
        }
    }
}
