//! Reads messages out of a frame. Nothing here panics on any input, and nothing is allocated for what is not there:
//! every count is checked against the bytes left first, and a message's memory is bounded by its length.

use bytes::Bytes;

use super::array::Array;
use super::error::DecodeError;
use super::message::Element;
use super::records::Records;
use super::str::Str;
use crate::base::Uuid;
use crate::base::varint;

/// What a message may take beyond `MEMORY_PER_BYTE` times its length.
const MEMORY_BASE: usize = 16 << 20;
/// Arrays of numbers take once their length, arrays of names some six times.
const MEMORY_PER_BYTE: usize = 8;
/// Kafka's limit for a string, also where its length is a varint.
const MAX_STRING: usize = 0x7fff;

/// A position in a frame. What is decoded shares the frame's memory.
#[derive(Clone, Debug)]
pub struct Decoder {
    frame: Bytes,
    at: usize,
    flexible: bool,
    /// Reads only to check: the values are thrown away, so nothing is counted for them.
    checking: bool,
    /// Bytes that arrays may still allocate.
    memory: usize,
}

impl Decoder {
    /// Reads from the front of `frame`.
    pub fn new(frame: Bytes) -> Self {
        let memory = MEMORY_BASE.saturating_add(frame.len().saturating_mul(MEMORY_PER_BYTE));
        Self { frame, at: 0, flexible: false, checking: false, memory }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.frame.len().saturating_sub(self.at)
    }

    /// What is left, as a slice of the frame.
    pub fn rest(&self) -> Bytes {
        self.frame.slice(self.at..)
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// True inside a message whose version has compact lengths and tagged fields.
    pub fn flexible(&self) -> bool {
        self.flexible
    }

    pub(super) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let bytes = self.frame.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let bytes = *bytes.ok_or(DecodeError::Truncated)?;
        self.at += N;
        Ok(bytes)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.remaining() {
            return Err(DecodeError::Truncated);
        }
        let start = self.at;
        self.at += length;
        Ok(if length == 0 || self.checking { Bytes::new() } else { self.frame.slice(start..self.at) })
    }

    /// A byte that is not zero is true.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// A signed byte.
    #[inline]
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.fixed()?))
    }

    /// A big-endian number of 2 bytes.
    #[inline]
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.fixed()?))
    }

    /// An unsigned big-endian number of 2 bytes.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.fixed()?))
    }

    /// A big-endian number of 4 bytes.
    #[inline]
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.fixed()?))
    }

    /// An unsigned big-endian number of 4 bytes.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.fixed()?))
    }

    /// A big-endian number of 8 bytes.
    #[inline]
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.fixed()?))
    }

    /// A big-endian IEEE 754 number of 8 bytes.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_be_bytes(self.fixed()?))
    }

    /// The 16 bytes of an id.
    #[inline]
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.fixed()?))
    }

    /// An unsigned variable-length number.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let (value, length) = varint::read_u32(self.frame.get(self.at..).unwrap_or_default())?;
        self.at += length;
        Ok(value)
    }

    /// A compact length: 0 is null, otherwise the length plus one.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        Ok(self.uvarint()?.checked_sub(1).map(|length| length as usize))
    }

    /// A length or count of 4 bytes (compact: a varint): -1 is null, anything below an error.
    fn long_length(&mut self) -> Result<Option<usize>, DecodeError> {
        if self.flexible {
            return self.compact_length();
        }
        classic_length(i64::from(self.i32()?))
    }

    fn text(&mut self, length: Option<usize>) -> Result<Option<Str>, DecodeError> {
        let Some(length) = length else { return Ok(None) };
        if length > MAX_STRING {
            return Err(DecodeError::StringTooLong(length));
        }
        let text = self.frame.get(self.at..).and_then(|rest| rest.get(..length)).ok_or(DecodeError::Truncated)?;
        std::str::from_utf8(text).map_err(|_| DecodeError::InvalidUtf8)?;
        Ok(Some(Str::checked(self.take(length)?)))
    }

    /// A string that may be null where `null_allowed`.
    pub fn opt_str(&mut self, null_allowed: bool) -> Result<Option<Str>, DecodeError> {
        if !self.flexible {
            return self.opt_classic_str(null_allowed);
        }
        let length = self.compact_length()?;
        let text = self.text(length)?;
        nullable(text, null_allowed)
    }

    /// A string whose length takes 2 bytes in every version.
    pub fn opt_classic_str(&mut self, null_allowed: bool) -> Result<Option<Str>, DecodeError> {
        let length = classic_length(i64::from(self.i16()?))?;
        let text = self.text(length)?;
        nullable(text, null_allowed)
    }

    /// A string.
    pub fn str(&mut self) -> Result<Str, DecodeError> {
        self.opt_str(false)?.ok_or(DecodeError::NullNotAllowed)
    }

    /// Bytes that may be null where `null_allowed`.
    pub fn opt_bytes(&mut self, null_allowed: bool) -> Result<Option<Bytes>, DecodeError> {
        let bytes = match self.long_length()? {
            Some(length) => Some(self.take(length)?),
            None => None,
        };
        nullable(bytes, null_allowed)
    }

    /// Bytes.
    pub fn bytes(&mut self) -> Result<Bytes, DecodeError> {
        self.opt_bytes(false)?.ok_or(DecodeError::NullNotAllowed)
    }

    /// Records that may be null where `null_allowed`.
    pub fn opt_records(&mut self, null_allowed: bool) -> Result<Option<Records>, DecodeError> {
        Ok(self.opt_bytes(null_allowed)?.map(Records::Bytes))
    }

    /// Records.
    pub fn records(&mut self) -> Result<Records, DecodeError> {
        Ok(Records::Bytes(self.bytes()?))
    }

    /// A struct.
    pub fn structure<T: Element>(&mut self, version: i16) -> Result<T, DecodeError> {
        T::read(self, version)
    }

    /// A struct that may be null where `null_allowed`: a byte below zero says so.
    pub fn opt_structure<T: Element>(&mut self, version: i16, null_allowed: bool) -> Result<Option<T>, DecodeError> {
        let value = if self.i8()? < 0 { None } else { Some(T::read(self, version)?) };
        nullable(value, null_allowed)
    }

    /// A struct in a tagged field that may be null where `null_allowed`: there a varint of 0 says so.
    pub fn opt_tagged_structure<T: Element>(
        &mut self,
        version: i16,
        null_allowed: bool,
    ) -> Result<Option<T>, DecodeError> {
        let value = if self.uvarint()? == 0 { None } else { Some(T::read(self, version)?) };
        nullable(value, null_allowed)
    }

    /// A count that the bytes left can hold.
    fn count(&mut self, element_size: usize) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.long_length()? else { return Ok(None) };
        if count > self.remaining() / element_size.max(1) {
            return Err(DecodeError::CountTooLarge(u32::try_from(count).unwrap_or(u32::MAX)));
        }
        Ok(Some(count))
    }

    /// Charges an array's memory before it is allocated.
    fn charge(&mut self, count: usize, size: usize) -> Result<(), DecodeError> {
        let needed = count.saturating_mul(size);
        self.memory = self.memory.checked_sub(needed).ok_or(DecodeError::TooMuchMemory)?;
        Ok(())
    }

    /// An array that may be null where `null_allowed`.
    pub fn opt_vec<T: Element>(&mut self, version: i16, null_allowed: bool) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.count(T::MIN_SIZE)? else { return nullable(None, null_allowed) };
        self.charge(count, size_of::<T>())?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(self, version)?);
        }
        Ok(Some(elements))
    }

    /// An array.
    pub fn vec<T: Element>(&mut self, version: i16) -> Result<Vec<T>, DecodeError> {
        self.opt_vec(version, false)?.ok_or(DecodeError::NullNotAllowed)
    }

    /// An array that is checked now and read again when iterated: no allocation.
    pub fn lazy<T: Element>(&mut self, version: i16) -> Result<Array<T>, DecodeError> {
        let count = self.count(T::MIN_SIZE)?.ok_or(DecodeError::NullNotAllowed)?;
        let start = self.at;
        let outer = std::mem::replace(&mut self.checking, true);
        let checked = (0..count).try_for_each(|_| T::read(self, version).map(drop));
        self.checking = outer;
        checked?;
        let bytes = if outer { Bytes::new() } else { self.frame.slice(start..self.at) };
        Ok(Array::decoded(bytes, count, version, self.flexible))
    }

    /// Begins the tagged fields of a struct; none outside flexible versions.
    pub fn tags(&mut self) -> Result<Tags, DecodeError> {
        let left = if self.flexible { self.uvarint()? } else { 0 };
        Ok(Tags { left, tag: 0, end: None })
    }

    /// Passes over the tagged fields of a struct that knows none.
    #[inline]
    pub fn skip_tags(&mut self) -> Result<(), DecodeError> {
        if !self.flexible {
            return Ok(());
        }
        // Nearly always there are none.
        if self.frame.get(self.at) == Some(&0) {
            self.at += 1;
            return Ok(());
        }
        self.skip_some_tags()
    }

    #[cold]
    fn skip_some_tags(&mut self) -> Result<(), DecodeError> {
        let mut tags = self.tags()?;
        while tags.next(self)?.is_some() {
            tags.skip(self)?;
        }
        Ok(())
    }
}

fn classic_length(length: i64) -> Result<Option<usize>, DecodeError> {
    match length {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| DecodeError::NegativeLength(length)),
    }
}

fn nullable<T>(value: Option<T>, null_allowed: bool) -> Result<Option<T>, DecodeError> {
    if value.is_none() && !null_allowed { Err(DecodeError::NullNotAllowed) } else { Ok(value) }
}

/// The tagged fields of one struct (KIP-482).
#[derive(Debug)]
pub struct Tags {
    left: u32,
    tag: u32,
    /// Where the value being read must end.
    end: Option<usize>,
}

impl Tags {
    /// The next tag, or `None` behind the last; the value before it must have been read to its end.
    pub fn next(&mut self, d: &mut Decoder) -> Result<Option<u32>, DecodeError> {
        if self.end.is_some_and(|end| end != d.at) {
            return Err(DecodeError::TagSize(self.tag));
        }
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.tag = d.uvarint()?;
        let size = d.uvarint()? as usize;
        if size > d.remaining() {
            return Err(DecodeError::Truncated);
        }
        self.end = Some(d.at + size);
        Ok(Some(self.tag))
    }

    /// Passes over the value of a tag nobody knows.
    pub fn skip(&mut self, d: &mut Decoder) -> Result<(), DecodeError> {
        d.at = self.end.unwrap_or(d.at);
        Ok(())
    }
}
