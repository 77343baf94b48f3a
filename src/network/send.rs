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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::file::{File, OpenMode};
    use crate::ring::runtime::block_on_test;

    const FILE: &[u8] = b"<file>";

    fn memory(len: usize) -> Bytes {
        (0..len).map(|n| n as u8).collect::<Vec<_>>().into()
    }

    /// What goes out, with [`FILE`] for each byte of a file, and in how many parts.
    fn sent(mut batch: Batch) -> (Vec<u8>, usize) {
        batch.close_copied();
        let mut all = Vec::new();
        for part in &batch.parts {
            match part {
                Part::Bytes(bytes) => {
                    assert!(!bytes.is_empty());
                    all.extend_from_slice(bytes);
                }
                Part::File { len, .. } => {
                    assert_ne!(*len, 0);
                    all.extend(FILE.repeat(*len as usize));
                }
            }
        }
        (all, batch.parts.len())
    }

    /// The same as it has to be.
    fn expected(header: ResponseHeader, pieces: &[Result<Bytes, u32>]) -> (Vec<u8>, usize) {
        let body: usize = pieces.iter().map(|piece| piece.as_ref().map_or_else(|len| *len as usize, Bytes::len)).sum();
        let mut all = Vec::new();
        all.put_i32((header.len() + body) as i32);
        header.put(&mut all);
        for piece in pieces {
            match piece {
                Ok(bytes) => all.extend_from_slice(bytes),
                Err(len) => all.extend(FILE.repeat(*len as usize)),
            }
        }
        (all, body)
    }

    #[test]
    fn answers_leave_whole_and_in_order_whatever_they_are_made_of() {
        block_on_test(async {
            let dir = tempfile::tempdir().unwrap();
            let file = File::open(&dir.path().join("f"), OpenMode::CreateNew).unwrap();
            let body = |pieces: &[Result<Bytes, u32>]| match pieces {
                [Ok(bytes)] => Response::Memory(bytes.clone()),
                _ => Response::Parts(
                    pieces
                        .iter()
                        .map(|piece| match piece {
                            Ok(bytes) => Part::Bytes(bytes.clone()),
                            Err(len) => Part::File { file: file.clone(), position: 0, len: *len },
                        })
                        .collect(),
                ),
            };
            let mut bodies: Vec<Vec<Result<Bytes, u32>>> =
                [0, 1, 100, 1000, 2038, 2039, 2040, 2041, 2047, 2048, 2049, 5000]
                    .map(|len| vec![Ok(memory(len))])
                    .into();
            bodies.push(vec![]);
            bodies.push(vec![Err(3)]);
            bodies.push(vec![Ok(memory(0)), Err(0), Ok(memory(7))]);
            bodies.push(vec![Ok(memory(2000)), Err(2), Ok(memory(3000)), Ok(memory(5)), Err(1), Ok(memory(9))]);
            for first in &bodies {
                for second in &bodies {
                    let (mut batch, mut all) = (Batch::default(), Vec::new());
                    let mut bytes = 0;
                    for (pieces, flexible) in [(first, true), (second, false), (first, true)] {
                        let header = ResponseHeader::new(7, flexible);
                        batch.push(header, body(pieces));
                        let (one, len) = expected(header, pieces);
                        all.extend(one);
                        bytes += 4 + header.len() + len;
                    }
                    assert_eq!(batch.bytes(), bytes);
                    let (sent, _) = sent(batch);
                    assert!(sent == all, "{first:?} {second:?}");
                }
            }
        });
    }

    #[test]
    fn small_answers_leave_in_one_piece_and_large_bodies_are_not_copied() {
        let mut batch = Batch::default();
        (0..20).for_each(|id| batch.push(ResponseHeader::new(id, true), Response::Memory(memory(90))));
        assert_eq!(sent(batch).1, 1);
        let large = memory(2049);
        let mut batch = Batch::default();
        batch.push(ResponseHeader::new(1, true), Response::Memory(large.clone()));
        let Some(Part::Bytes(body)) = batch.parts.last() else { panic!("the body is a part of its own") };
        assert_eq!(body.as_ptr(), large.as_ptr());
    }
}
