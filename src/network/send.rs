//! Answers on their way out: runs of memory leave in one vectored send, file ranges by the path
//! the ring chooses.

use crate::api::Part;
use crate::ring::net::{FetchPath, Stream};
use bytes::Bytes;
use std::io;

/// The parts of one or more answers, in order.
#[derive(Default)]
pub struct Batch {
    parts: Vec<Part>,
    bytes: usize,
}

impl Batch {
    /// Adds a part at the end.
    pub fn push(&mut self, part: Part) {
        self.bytes += part.len();
        self.parts.push(part);
    }

    /// Bytes in all.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sends everything. The socket carries nothing else meanwhile.
    pub async fn send(self, stream: &Stream, path: FetchPath) -> io::Result<()> {
        let mut run: Vec<Bytes> = Vec::new();
        for part in self.parts {
            match part {
                Part::Bytes(bytes) if bytes.is_empty() => {}
                Part::Bytes(bytes) => run.push(bytes),
                Part::File { len: 0, .. } => {}
                Part::File { file, position, len } => {
                    if !run.is_empty() {
                        stream.send_ahead_of_file(std::mem::take(&mut run)).await?;
                    }
                    stream.send_file(&file, position, u64::from(len), path).await?;
                }
            }
        }
        if run.is_empty() { Ok(()) } else { stream.send(run).await }
    }
}
