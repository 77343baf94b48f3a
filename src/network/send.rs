//! Answers on their way out: runs of memory leave in one vectored send, file ranges by the path
//! the ring chooses.

use crate::api::{Part, Response, ResponseHeader};
use crate::ring::net::{FetchPath, Stream};
use bytes::{BufMut, Bytes};
use std::io;

/// So much in a row is copied into one buffer: that costs less than describing the pieces to the kernel.
const COPIED_TOGETHER_BYTES_MAX: usize = 2048;

/// The answers that leave together, in order.
#[derive(Default)]
pub struct Batch {
    parts: Vec<Part>,
    /// Small pieces behind the last of `parts`.
    copied: Vec<u8>,
    bytes: usize,
}

impl Batch {
    /// Adds an answer: its size, its header, its body.
    pub fn push(&mut self, header: ResponseHeader, body: Response) {
        let (in_front, len) = (super::frame::SIZE_BYTES + header.len(), body.len());
        self.bytes += in_front + len;
        let copied = match body {
            Response::Memory(_) if len <= COPIED_TOGETHER_BYTES_MAX => len,
            _ => 0,
        };
        self.make_room(in_front + copied);
        self.copied.put_i32((header.len() + len) as i32);
        header.put(&mut self.copied);
        match body {
            Response::Memory(bytes) => self.push_bytes(bytes),
            Response::Parts(parts) => parts.into_iter().for_each(|part| match part {
                Part::Bytes(bytes) => self.push_bytes(bytes),
                Part::File { len: 0, .. } => {}
                file @ Part::File { .. } => {
                    self.close_copied();
                    self.parts.push(file);
                }
            }),
        }
    }

    /// Bytes in all.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Sends everything. The socket carries nothing else meanwhile.
    pub async fn send(mut self, stream: &Stream, path: FetchPath) -> io::Result<()> {
        if self.parts.is_empty() {
            return if self.copied.is_empty() { Ok(()) } else { stream.send_one(self.copied.into()).await };
        }
        self.close_copied();
        let mut run: Vec<Bytes> = Vec::new();
        for part in self.parts {
            match part {
                Part::Bytes(bytes) => run.push(bytes),
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

    fn push_bytes(&mut self, bytes: Bytes) {
        if self.copied.len() + bytes.len() <= COPIED_TOGETHER_BYTES_MAX {
            self.copied.put_slice(&bytes);
        } else {
            self.close_copied();
            self.parts.push(Part::Bytes(bytes));
        }
    }

    /// For `len` bytes in one piece, exactly where it is the first.
    fn make_room(&mut self, len: usize) {
        if self.copied.len() + len > COPIED_TOGETHER_BYTES_MAX {
            self.close_copied();
        }
        self.copied.reserve(len);
    }

    fn close_copied(&mut self) {
        if !self.copied.is_empty() {
            self.parts.push(Part::Bytes(std::mem::take(&mut self.copied).into()));
        }
    }
}
