//! How coordinators' records are written: type or version first, then the fields (`CoordinatorRecordSerde`).

use crate::protocol::{DecodeError, Decoder, Encoder, Message, Part};
use bytes::{BufMut, Bytes, BytesMut};

/// Type or version, then the fields. Names and blobs that came in by the wire fit the wire's
/// lengths, so the encoder has nothing to object to; where it does, the result is empty, and the shell fails the
/// append instead of writing what nobody could read.
pub fn prefixed<M: Message>(number: i16, message: &M, version: i16) -> Bytes {
    let mut encoder = Encoder::with_capacity(64);
    encoder.i16(number);
    if let Err(error) = message.encode(&mut encoder, version) {
        tracing::error!(%error, message = M::NAME, "a record could not be encoded");
        return Bytes::new();
    }
    let mut whole = BytesMut::new();
    for part in encoder.finish() {
        if let Part::Bytes(bytes) = part {
            whole.put(bytes);
        }
    }
    whole.freeze()
}

/// Reads a value: its version, then its fields. A version that came later is an error, as in Kafka.
pub fn read_value<M: Message>(value: &Bytes) -> Result<M, DecodeError> {
    let mut decoder = Decoder::new(value.clone());
    let version = decoder.i16()?;
    M::decode(&mut decoder, version)
}
