//! What every message is, and what can stand in an array.

use std::ops::RangeInclusive;

use bytes::Bytes;

use super::decode::Decoder;
use super::encode::Encoder;
use super::error::{DecodeError, EncodeError};
use super::str::Str;
use crate::base::Uuid;

/// A struct, or a value that stands in an array.
pub trait Element: Sized {
    /// The fewest bytes one takes in any version: a count is checked against it before anything is allocated.
    const MIN_SIZE: usize;

    /// Reads one.
    fn read(d: &mut Decoder, version: i16) -> Result<Self, DecodeError>;

    /// Writes one.
    fn write(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError>;

    /// Tells each error code other than 0 in a response.
    fn errors(&self, _told: &mut dyn FnMut(i16)) {}
}

/// A request, response, header or record of the schema.
pub trait Message: Element + Default + Clone + PartialEq + std::fmt::Debug {
    /// Kafka's name.
    const NAME: &'static str;
    /// API key or record type; -1 where there is none.
    const KEY: i16;
    /// The versions the codec knows.
    const VERSIONS: RangeInclusive<i16>;
    /// The first version with compact lengths and tagged fields (KIP-482); `i16::MAX` where there is none.
    const FLEXIBLE: i16;

    /// Reads the message; what follows it stays in the decoder.
    fn decode(d: &mut Decoder, version: i16) -> Result<Self, DecodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(DecodeError::UnsupportedVersion(Self::NAME, version));
        }
        d.set_flexible(version >= Self::FLEXIBLE);
        Self::read(d, version)
    }

    /// Writes the message. A field that this version lacks must have its default, unless the schema calls it ignorable.
    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        if !Self::VERSIONS.contains(&version) {
            return Err(EncodeError::UnsupportedVersion(Self::NAME, version));
        }
        e.set_flexible(version >= Self::FLEXIBLE);
        self.write(e, version)
    }

    /// How many bytes `encode` writes, with those of gaps.
    fn size(&self, version: i16) -> Result<usize, EncodeError> {
        let mut counter = Encoder::counter();
        self.encode(&mut counter, version)?;
        Ok(counter.len())
    }
}

/// Reads a message that fills `bytes` to the end.
pub fn decode_all<M: Message>(bytes: Bytes, version: i16) -> Result<M, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let message = M::decode(&mut decoder, version)?;
    match decoder.remaining() {
        0 => Ok(message),
        left => Err(DecodeError::TrailingBytes(left)),
    }
}

/// Reads a request out of its frame's body. What a client leaves behind it is ignored, as Apache Kafka ignores it.
pub fn decode_request<M: Message>(body: Bytes, version: i16) -> Result<M, DecodeError> {
    M::decode(&mut Decoder::new(body), version)
}

/// Writes a message in one piece; an error where it has a gap.
pub fn encode_to_bytes<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let size = message.size(version)?;
    let mut encoder = Encoder::with_capacity(size);
    message.encode(&mut encoder, version)?;
    encoder.into_bytes()
}

/// The kind of a message, as the schema says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// A request or response header.
    Header,
    /// A request.
    Request,
    /// A response.
    Response,
    /// A record of `__cluster_metadata`.
    Metadata,
    /// The key of a coordinator's record.
    CoordinatorKey,
    /// The value of a coordinator's record.
    CoordinatorValue,
    /// A record of the remote log's metadata.
    RemoteLog,
    /// Anything else.
    Data,
}

/// One message of `messages::CATALOG`, for what goes through all of them.
#[derive(Clone, Debug)]
pub struct CatalogEntry {
    /// Request, response, record and so on.
    pub kind: MessageKind,
    /// Kafka's name.
    pub name: &'static str,
    /// API key or record type; -1 where there is none.
    pub key: i16,
    /// The versions the codec knows.
    pub versions: RangeInclusive<i16>,
    /// Decodes and encodes again.
    pub recode: fn(Bytes, i16) -> Result<Result<Bytes, EncodeError>, DecodeError>,
    /// Encodes the default.
    pub encode_default: fn(i16) -> Result<Bytes, EncodeError>,
}

impl CatalogEntry {
    /// The entry of a message.
    pub const fn of<M: Message>(kind: MessageKind) -> Self {
        Self {
            kind,
            name: M::NAME,
            key: M::KEY,
            versions: M::VERSIONS,
            recode: |bytes, version| Ok(encode_to_bytes(&decode_all::<M>(bytes, version)?, version)),
            encode_default: |version| encode_to_bytes(&M::default(), version),
        }
    }
}

macro_rules! scalar_elements {
    ($($ty:ty, $method:ident, $size:expr;)*) => {$(
        impl Element for $ty {
            const MIN_SIZE: usize = $size;

            fn read(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
                d.$method()
            }

            fn write(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
                e.$method(*self);
                Ok(())
            }
        }
    )*};
}

scalar_elements! {
    i8, i8, 1;
    i16, i16, 2;
    i32, i32, 4;
    i64, i64, 8;
    Uuid, uuid, 16;
}

impl Element for Str {
    const MIN_SIZE: usize = 1;

    fn read(d: &mut Decoder, _version: i16) -> Result<Self, DecodeError> {
        d.str()
    }

    fn write(&self, e: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        e.str(self)
    }
}
