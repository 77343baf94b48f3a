//! Kafka's wire protocol: the messages generated from `schema/`, and what reads and writes them.
//! docs/PROTOCOL.md describes the schema format and the generator (`codegen/`, run by build.rs).

pub mod api_key;
mod array;
mod decode;
mod encode;
mod error;
pub mod json;
mod message;
pub mod messages;
mod records;
pub mod shape;
mod str;
#[cfg(test)]
mod tests;

pub use api_key::ApiKey;
pub use array::Array;
pub use decode::Decoder;
pub use encode::{Encoder, Part};
pub use error::{DecodeError, EncodeError};
pub use message::{CatalogEntry, Element, Message, MessageKind, decode_all, decode_request, encode_to_bytes};
pub use records::Records;
pub use str::Str;

pub use crate::base::varint;

/// What the generated modules use.
mod generated {
    pub use super::error::lacks;
    pub use super::{Array, DecodeError, Decoder, Element, EncodeError, Encoder, Message, Records, Str};
    pub use crate::base::Uuid;
    pub use bytes::Bytes;
}
