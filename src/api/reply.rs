//! What a handler gives back.

use crate::log::FileRange;
use crate::protocol::{self, DecodeError, EncodeError, Encoder};
use crate::ring::file::File;
use bytes::Bytes;
use std::collections::VecDeque;

/// The outcome of one request.
pub enum Reply {
    /// Send this, in its turn.
    Send(Response),
    /// Nothing is sent (produce with acks=0).
    Silent,
    /// Close the connection: the request cannot be answered.
    Close(Close),
}

/// The body of a response after the response header.
pub enum Response {
    /// In memory, in one piece.
    Memory(Bytes),
    /// Memory and file ranges, in the order in which they leave.
    Parts(Vec<Part>),
}

/// A piece of a response.
pub enum Part {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Bytes of a segment, sent without passing through user space where possible.
    File {
        /// The segment; the handle keeps it readable also after a delete.
        file: File,
        /// Where the range begins in the file.
        position: u64,
        /// Its length in bytes.
        len: u32,
    },
}

impl Part {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File { len, .. } => *len as usize,
        }
    }

    /// True for a part of no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why a connection is closed without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Close {
    /// The frame or its body cannot be read.
    Malformed(DecodeError),
    /// The API key does not exist or is not served.
    UnknownApi(i16),
    /// The version is not served (only ApiVersions answers those).
    UnsupportedVersion {
        /// The API's number.
        key: i16,
        /// The version asked for.
        version: i16,
    },
    /// A produce request with acks=0 failed: closing is the only way to tell the client.
    FailedWithoutAcks,
    /// The response could not be encoded: a defect of ours.
    Unencodable(EncodeError),
    /// What the request waited for went away (the broker stops).
    Stopping,
    /// It can be read, and means nothing: what Apache Kafka refuses while it reads a request.
    Unanswerable(&'static str),
    /// A segment ended before the promised range.
    ShortFile,
}

impl std::fmt::Display for Close {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(e) => write!(f, "malformed request: {e}"),
            Self::UnknownApi(key) => write!(f, "API key {key} is not served"),
            Self::UnsupportedVersion { key, version } => write!(f, "version {version} of API key {key} is not served"),
            Self::FailedWithoutAcks => f.write_str("a produce request with acks=0 failed"),
            Self::Unencodable(e) => write!(f, "response cannot be encoded: {e}"),
            Self::Stopping => f.write_str("the broker is stopping"),
            Self::Unanswerable(what) => write!(f, "a request with {what}"),
            Self::ShortFile => f.write_str("a segment is shorter than promised"),
        }
    }
}

impl Response {
    /// Encodes a message without file ranges.
    pub fn of<M: protocol::Message>(message: &M, version: i16) -> Result<Self, Close> {
        let bytes = protocol::encode_to_bytes(message, version).map_err(Close::Unencodable)?;
        Ok(Self::Memory(bytes))
    }

    /// Encodes a message whose records are file ranges, in the order of the message's gaps.
    pub fn with_files<M: protocol::Message>(
        message: &M,
        version: i16,
        mut files: VecDeque<FileRange>,
    ) -> Result<Self, Close> {
        let mut encoder = Encoder::default();
        message.encode(&mut encoder, version).map_err(Close::Unencodable)?;
        let mut parts = Vec::with_capacity(files.len() * 2 + 1);
        for part in encoder.finish() {
            match part {
                protocol::Part::Bytes(bytes) => parts.push(Part::Bytes(bytes)),
                protocol::Part::Gap(len) => {
                    if let Some(FileRange { file, position, .. }) = files.pop_front() {
                        parts.push(Part::File { file, position, len });
                    }
                }
            }
        }
        Ok(Self::Parts(parts))
    }

    /// Length of all parts in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::Parts(parts) => parts.iter().map(Part::len).sum(),
        }
    }

    /// True when nothing follows the response header.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
