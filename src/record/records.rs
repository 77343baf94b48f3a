//! The records inside a batch (`DefaultRecord`): varint framed, walked without copying.

use crate::base::varint;

/// Why a record inside a batch cannot be read. The batch had a good checksum: its writer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// A number is cut off or over-long.
    Varint,
    /// A length is negative where none may be, or larger than the bytes that are left.
    Length,
    /// The record's own length and what its fields take differ.
    SizeMismatch,
    /// The batch claims more records than it holds, or has bytes after the last.
    Count,
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Varint => "a record holds a malformed varint",
            Self::Length => "a record holds an impossible length",
            Self::SizeMismatch => "a record's length differs from what its fields take",
            Self::Count => "the number of records differs from the batch's count",
        })
    }
}

impl std::error::Error for RecordError {}

impl From<varint::VarintError> for RecordError {
    fn from(_: varint::VarintError) -> Self {
        Self::Varint
    }
}

/// One record, borrowed from its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Timestamp minus the batch's base timestamp, in ms.
    pub timestamp_delta: i64,
    /// Offset minus the batch's base offset.
    pub offset_delta: i32,
    /// The key; `None` is null.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is null (a tombstone).
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: Headers<'a>,
}

/// The headers of one record: their count and their bytes, checked when the record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Headers<'static> = Headers { count: 0, bytes: &[] };

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Their bytes, behind the count.
    pub fn raw(&self) -> &'a [u8] {
        self.bytes
    }

    /// Name (UTF-8 by convention, not checked) and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut cursor = Cursor(self.bytes);
        (0..self.count).map_while(move |_| cursor.header().ok())
    }
}

/// Walks the unpacked records of one batch. Yields an error once and then ends.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: Cursor<'a>,
    left: i32,
    failed: bool,
}

impl<'a> Records<'a> {
    /// The records in `body` (uncompressed bytes after the header), of which the header claims `count`.
    pub fn new(body: &'a [u8], count: i32) -> Self {
        Self { rest: Cursor(body), left: count, failed: count < 0 }
    }
}

/// The record at the front of `bytes`, and the bytes it takes.
pub(super) fn first(bytes: &[u8]) -> Result<(Record<'_>, usize), RecordError> {
    let mut cursor = Cursor(bytes);
    let record = cursor.record()?;
    Ok((record, bytes.len() - cursor.0.len()))
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        if self.left == 0 {
            if self.rest.0.is_empty() {
                return None;
            }
            self.failed = true;
            return Some(Err(RecordError::Count));
        }
        self.left -= 1;
        let record = if self.rest.0.is_empty() { Err(RecordError::Count) } else { self.rest.record() };
        self.failed = record.is_err();
        Some(record)
    }
}

/// Reads forward through a slice.
#[derive(Clone, Debug)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    #[inline]
    fn i32(&mut self) -> Result<i32, RecordError> {
        let (value, len) = varint::read_i32(self.0)?;
        self.0 = &self.0[len..];
        Ok(value)
    }

    #[inline]
    fn i64(&mut self) -> Result<i64, RecordError> {
        let (value, len) = varint::read_i64(self.0)?;
        self.0 = &self.0[len..];
        Ok(value)
    }

    #[inline]
    fn take(&mut self, len: i32) -> Result<&'a [u8], RecordError> {
        let len = usize::try_from(len).map_err(|_| RecordError::Length)?;
        let (head, rest) = self.0.split_at_checked(len).ok_or(RecordError::Length)?;
        self.0 = rest;
        Ok(head)
    }

    /// Length and bytes; a negative length is null, as for Kafka's clients.
    #[inline]
    fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordError> {
        match self.i32()? {
            ..0 => Ok(None),
            len => self.take(len).map(Some),
        }
    }

    fn header(&mut self) -> Result<(&'a [u8], Option<&'a [u8]>), RecordError> {
        let len = self.i32()?;
        Ok((self.take(len)?, self.nullable()?))
    }

    fn record(&mut self) -> Result<Record<'a>, RecordError> {
        let len = self.i32()?;
        let mut body = Cursor(self.take(len)?);
        body.take(1)?; // attributes, unused in v2
        let timestamp_delta = body.i64()?;
        let offset_delta = body.i32()?;
        let key = body.nullable()?;
        let value = body.nullable()?;
        let count = u32::try_from(body.i32()?).map_err(|_| RecordError::Length)?;
        let bytes = body.0;
        if count as usize > bytes.len() {
            return Err(RecordError::Length); // a header takes at least two bytes
        }
        for _ in 0..count {
            body.header()?;
        }
        if !body.0.is_empty() {
            return Err(RecordError::SizeMismatch);
        }
        Ok(Record { timestamp_delta, offset_delta, key, value, headers: Headers { count, bytes } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Offset, TimestampMs};
    use crate::record::{BatchBuilder, BatchView};

    #[test]
    fn fields_come_back_as_written() {
        let mut builder = BatchBuilder::new(Offset(3));
        builder.append(TimestampMs(10), Some(b"k"), None, &[]);
        builder.append(TimestampMs(7), None, Some(b""), &[("a", Some(b"1")), ("b", None)]);
        let bytes = builder.build();
        let batch = BatchView::parse_checked(&bytes).unwrap();
        let records: Vec<_> = batch.records().map(Result::unwrap).collect();
        assert_eq!((records[0].offset_delta, records[1].offset_delta), (0, 1));
        assert_eq!((records[0].timestamp_delta, records[1].timestamp_delta), (0, -3));
        assert_eq!((records[0].key, records[0].value), (Some(&b"k"[..]), None));
        assert_eq!((records[1].key, records[1].value), (None, Some(&b""[..])));
        let headers: Vec<_> = records[1].headers.iter().collect();
        assert_eq!(headers, [(&b"a"[..], Some(&b"1"[..])), (&b"b"[..], None)]);
        assert_eq!(batch.header().max_timestamp(), TimestampMs(10));
    }

    #[test]
    fn hostile_bytes_give_an_error_and_an_end() {
        // length 10 but 2 bytes; value length beyond the end; header count i32::MAX; over-long varint; too few; trailing
        let cases: [&[u8]; 6] = [
            &[20, 0, 0],
            &[14, 0, 0, 0, 3, 40, 0, 0],
            &[20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
            &[],
            &[12, 0, 0, 0, 1, 1, 0, 9],
        ];
        for case in cases {
            let seen: Vec<_> = Records::new(case, 1).collect();
            assert!(seen.last().is_some_and(Result::is_err), "{case:?} gave {seen:?}");
            assert!(seen.len() <= 2);
        }
        assert_eq!(Records::new(&[1, 2, 3], -5).count(), 0);
    }
}
