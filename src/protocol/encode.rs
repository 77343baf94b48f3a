//! Writes messages into a buffer of known size. Large byte fields are not copied but become parts of their own, and
//! records that a file will fill become gaps.

use bytes::{BufMut, Bytes, BytesMut};

use super::array::Array;
use super::error::EncodeError;
use super::message::Element;
use super::records::Records;
use super::str::Str;
use crate::base::Uuid;
use crate::base::varint;

/// From here on a byte field is sent from where it lies: a further part of a vectored send is cheaper than the copy.
const SHARE_FROM: usize = 1024;
/// Kafka's limit for a string.
const MAX_STRING: usize = 0x7fff;

/// A piece of an encoded message, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes to send.
    Bytes(Bytes),
    /// So many bytes come from a file.
    Gap(u32),
}

impl Part {
    /// The length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Gap(length) => *length as usize,
        }
    }

    /// True for a part without bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What has been written so far.
#[derive(Debug, Default)]
pub struct Encoder {
    parts: Vec<Part>,
    out: BytesMut,
    /// Bytes so far, with parts and gaps.
    length: usize,
    /// Only count.
    counting: bool,
    flexible: bool,
}

impl Encoder {
    /// An encoder without room.
    pub fn new() -> Self {
        Self::default()
    }

    /// An encoder with room for `capacity` bytes (see `Message::size`).
    pub fn with_capacity(capacity: usize) -> Self {
        Self { out: BytesMut::with_capacity(capacity), ..Self::default() }
    }

    /// An encoder that only counts.
    pub(super) fn counter() -> Self {
        Self { counting: true, ..Self::default() }
    }

    /// How many bytes were written, with those of gaps.
    pub fn len(&self) -> usize {
        self.length
    }

    /// True before the first byte.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The parts in order; none is empty.
    pub fn finish(mut self) -> Vec<Part> {
        self.close_part();
        self.parts
    }

    /// All in one piece.
    ///
    /// # Errors
    /// [`EncodeError::Gap`] where it has a gap.
    pub fn into_bytes(self) -> Result<Bytes, EncodeError> {
        if self.parts.is_empty() {
            return Ok(self.out.freeze());
        }
        let mut whole = BytesMut::with_capacity(self.length);
        for part in self.finish() {
            match part {
                Part::Bytes(bytes) => whole.extend_from_slice(&bytes),
                Part::Gap(_) => return Err(EncodeError::Gap),
            }
        }
        Ok(whole.freeze())
    }

    /// True inside a message whose version has compact lengths and tagged fields.
    pub fn flexible(&self) -> bool {
        self.flexible
    }

    pub(super) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    fn close_part(&mut self) {
        if !self.out.is_empty() {
            self.parts.push(Part::Bytes(self.out.split().freeze()));
        }
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if !self.counting {
            self.out.put_slice(bytes);
        }
    }

    fn share(&mut self, bytes: &Bytes) {
        if self.counting || bytes.len() < SHARE_FROM {
            return self.put(bytes);
        }
        self.close_part();
        self.length += bytes.len();
        self.parts.push(Part::Bytes(bytes.clone()));
    }

    fn gap(&mut self, length: u32) {
        self.length += length as usize;
        if !self.counting && length > 0 {
            self.close_part();
            self.parts.push(Part::Gap(length));
        }
    }

    /// A byte, 1 or 0.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.put(&[u8::from(value)]);
    }

    /// A signed byte.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.put(&value.to_be_bytes());
    }

    /// 2 bytes.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.put(&value.to_be_bytes());
    }

    /// 2 bytes, unsigned.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// 4 bytes.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.put(&value.to_be_bytes());
    }

    /// 4 bytes, unsigned.
    pub fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// 8 bytes.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.put(&value.to_be_bytes());
    }

    /// 8 bytes, IEEE 754.
    pub fn f64(&mut self, value: f64) {
        self.put(&value.to_be_bytes());
    }

    /// 16 bytes.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.put(&value.0);
    }

    /// An unsigned variable-length number.
    #[inline]
    pub fn uvarint(&mut self, value: u32) {
        self.length += varint::len_u32(value);
        if !self.counting {
            varint::put_u32(&mut self.out, value);
        }
    }

    /// A length or count: 4 bytes, in flexible versions a varint of it plus one; null is -1 or 0.
    fn long_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let value = match length {
            Some(length) => {
                i32::try_from(length).ok().filter(|it| *it < i32::MAX).ok_or(EncodeError::TooLong(length))?
            }
            None => -1,
        };
        if self.flexible {
            self.uvarint((value + 1) as u32)
        } else {
            self.i32(value)
        }
        Ok(())
    }

    /// A string.
    pub fn str(&mut self, text: &Str) -> Result<(), EncodeError> {
        let bytes = text.as_bytes();
        if bytes.len() > MAX_STRING {
            return Err(EncodeError::TooLong(bytes.len()));
        }
        if self.flexible {
            self.uvarint(bytes.len() as u32 + 1)
        } else {
            self.i16(bytes.len() as i16)
        }
        self.put(bytes);
        Ok(())
    }

    /// A string that may be null where `null_allowed`.
    pub fn opt_str(&mut self, text: &Option<Str>, null_allowed: bool) -> Result<(), EncodeError> {
        match text {
            Some(text) => return self.str(text),
            None if !null_allowed => return Err(EncodeError::NullNotAllowed),
            None if self.flexible => self.uvarint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    /// A string whose length takes 2 bytes in every version.
    pub fn opt_classic_str(&mut self, text: &Option<Str>, null_allowed: bool) -> Result<(), EncodeError> {
        let flexible = std::mem::replace(&mut self.flexible, false);
        let result = self.opt_str(text, null_allowed);
        self.flexible = flexible;
        result
    }

    /// Bytes.
    pub fn bytes(&mut self, bytes: &Bytes) -> Result<(), EncodeError> {
        self.long_length(Some(bytes.len()))?;
        self.share(bytes);
        Ok(())
    }

    /// Bytes that may be null where `null_allowed`.
    pub fn opt_bytes(&mut self, bytes: &Option<Bytes>, null_allowed: bool) -> Result<(), EncodeError> {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.null(null_allowed),
        }
    }

    fn null(&mut self, null_allowed: bool) -> Result<(), EncodeError> {
        if null_allowed { self.long_length(None) } else { Err(EncodeError::NullNotAllowed) }
    }

    /// Records: bytes or a gap.
    pub fn records(&mut self, records: &Records) -> Result<(), EncodeError> {
        self.long_length(Some(records.len()))?;
        match records {
            Records::Bytes(bytes) => self.share(bytes),
            Records::Gap(length) => self.gap(*length),
        }
        Ok(())
    }

    /// Records that may be null where `null_allowed`.
    pub fn opt_records(&mut self, records: &Option<Records>, null_allowed: bool) -> Result<(), EncodeError> {
        match records {
            Some(records) => self.records(records),
            None => self.null(null_allowed),
        }
    }

    /// A struct.
    pub fn structure<T: Element>(&mut self, value: &T, version: i16) -> Result<(), EncodeError> {
        value.write(self, version)
    }

    /// A struct that may be null where `null_allowed`: a byte before it says which.
    pub fn opt_structure<T: Element>(
        &mut self,
        value: &Option<T>,
        version: i16,
        null_allowed: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => {
                self.i8(1);
                value.write(self, version)
            }
            None if null_allowed => {
                self.i8(-1);
                Ok(())
            }
            None => Err(EncodeError::NullNotAllowed),
        }
    }

    /// A struct in a tagged field that may be null where `null_allowed`: there a varint says which.
    pub fn opt_tagged_structure<T: Element>(
        &mut self,
        value: &Option<T>,
        version: i16,
        null_allowed: bool,
    ) -> Result<(), EncodeError> {
        if value.is_none() && !null_allowed {
            return Err(EncodeError::NullNotAllowed);
        }
        self.uvarint(u32::from(value.is_some()));
        value.iter().try_for_each(|value| value.write(self, version))
    }

    /// An array.
    pub fn vec<T: Element>(&mut self, elements: &[T], version: i16) -> Result<(), EncodeError> {
        self.long_length(Some(elements.len()))?;
        elements.iter().try_for_each(|element| element.write(self, version))
    }

    /// An array that may be null where `null_allowed`.
    pub fn opt_vec<T: Element>(
        &mut self,
        elements: &Option<Vec<T>>,
        version: i16,
        null_allowed: bool,
    ) -> Result<(), EncodeError> {
        match elements {
            Some(elements) => self.vec(elements, version),
            None => self.null(null_allowed),
        }
    }

    /// An array that was decoded lazily, or built.
    pub fn lazy<T: Element + Clone>(&mut self, elements: &Array<T>, version: i16) -> Result<(), EncodeError> {
        self.long_length(Some(elements.len()))?;
        elements.iter().try_for_each(|element| element.write(self, version))
    }

    /// The number of tagged fields that follow.
    pub fn tag_count(&mut self, count: u32) {
        self.uvarint(count);
    }

    /// Ends a struct that has no tagged fields.
    pub fn no_tags(&mut self) {
        if self.flexible {
            self.uvarint(0);
        }
    }

    /// A tagged field: tag, size, and the value that `write` writes.
    pub fn tag(
        &mut self,
        tag: u32,
        write: &mut dyn FnMut(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.uvarint(tag);
        let mut counter = Self { flexible: self.flexible, ..Self::counter() };
        write(&mut counter)?;
        let size = u32::try_from(counter.length).map_err(|_| EncodeError::TooLong(counter.length))?;
        self.uvarint(size);
        if self.counting {
            self.length += counter.length;
            return Ok(());
        }
        write(self)
    }
}
