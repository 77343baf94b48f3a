//! From a frame to a running handler.

use super::context::{ConnectionInfo, RequestContext};
use super::reply::Close;
use super::table::{self, ReplyFuture};
use crate::base::Instant;
use crate::protocol::messages::RequestHeader;
use crate::protocol::{ApiKey, Decoder, Message};
use crate::shard::Shard;
use bytes::{BufMut, Bytes};
use std::rc::Rc;

/// The header of an answer: the request's correlation id and, where flexible, the empty section of tags.
#[derive(Clone, Copy)]
pub struct ResponseHeader {
    correlation_id: i32,
    flexible: bool,
}

impl ResponseHeader {
    /// For the request of this id.
    pub const fn new(correlation_id: i32, flexible: bool) -> Self {
        Self { correlation_id, flexible }
    }

    /// Bytes it takes.
    pub fn len(self) -> usize {
        size_of::<i32>() + usize::from(self.flexible)
    }

    /// Writes it behind what is in `out`.
    pub fn put(self, out: &mut impl BufMut) {
        out.put_i32(self.correlation_id);
        if self.flexible {
            out.put_u8(0);
        }
    }
}

/// A request under way: what its answer's header needs, and the handler.
pub struct Started {
    /// What precedes the answer's body.
    pub response_header: ResponseHeader,
    /// Which API.
    pub key: ApiKey,
    /// When the request was read.
    pub began: Instant,
    /// Polled once at once; its answer leaves in request order.
    pub reply: ReplyFuture,
}

/// Reads the header of `frame` (without its size) and starts the handler.
pub fn start(shard: &Rc<Shard>, connection: &Rc<ConnectionInfo>, frame: Bytes) -> Result<Started, Close> {
    let (key, version) = peek(&frame)?;
    let api = table::find(key).ok_or(Close::UnknownApi(key))?;
    // ApiVersions of any version is answered (KIP-511): v0 tells the client what we speak.
    let supported = api.versions.contains(&version);
    if !supported && api.key != ApiKey::ApiVersions {
        return Err(Close::UnsupportedVersion { key, version });
    }
    let mut decoder = Decoder::new(frame);
    let header_version = if supported { api.key.request_header_version(version) } else { 1 };
    let header = RequestHeader::decode(&mut decoder, header_version).map_err(Close::Malformed)?;
    let now = shard.now();
    let context = Rc::new(RequestContext {
        shard: shard.clone(),
        connection: connection.clone(),
        api_key: api.key,
        api_version: version,
        client_id: header.client_id,
        now,
    });
    let flexible = supported && api.key.response_header_version(version) >= 1;
    Ok(Started {
        response_header: ResponseHeader::new(header.correlation_id, flexible),
        key: api.key,
        began: now.mono,
        reply: (api.handle)(context, decoder.rest()),
    })
}

fn peek(frame: &[u8]) -> Result<(i16, i16), Close> {
    match frame {
        [a, b, c, d, ..] => Ok((i16::from_be_bytes([*a, *b]), i16::from_be_bytes([*c, *d]))),
        _ => Err(Close::Malformed(crate::protocol::DecodeError::Truncated)),
    }
}
