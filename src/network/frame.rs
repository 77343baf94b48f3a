//! Cutting the byte stream into frames (pure).
//!
//! Small frames are slices of the buffers they arrived in; what straddles two buffers is copied
//! together. A frame larger than a receive buffer is reported as soon as its size is known, so
//! that the connection can receive the rest straight into one buffer of the frame's size.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// Length of the size that precedes each frame.
pub const SIZE_BYTES: usize = 4;

/// The next thing to do with the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole frame, without its size.
    Frame(Bytes),
    /// Receive more.
    NeedMore,
    /// A large frame has begun: `len` bytes in all, of which `arrived` are here.
    Large {
        /// The frame's length without its size.
        len: usize,
        /// Its first bytes, in order.
        arrived: Vec<Bytes>,
    },
}

/// The peer does not speak Kafka, or asks for more than is allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct BadSize {
    /// The size as sent.
    pub size: i32,
    /// The largest size taken.
    pub max: i32,
}

impl std::fmt::Display for BadSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "frame of size {} (allowed: 1 to {})", self.size, self.max)
    }
}

/// The bytes received and not yet handed on.
pub struct Assembler {
    chunks: VecDeque<Bytes>,
    available: usize,
    max_frame: i32,
    large_from: usize,
}

impl Assembler {
    /// Frames up to `max_frame` bytes (`socket.request.max.bytes`); those of `large_from` bytes or
    /// more that have not wholly arrived are reported as [`Step::Large`].
    pub fn new(max_frame: i32, large_from: usize) -> Self {
        Self { chunks: VecDeque::new(), available: 0, max_frame, large_from }
    }

    /// Takes what was received.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.available += chunk.len();
            self.chunks.push_back(chunk);
        }
    }

    /// The next step; call until it asks for more.
    pub fn next_step(&mut self) -> Result<Step, BadSize> {
        let Some(size) = self.peek_size() else { return Ok(Step::NeedMore) };
        if size <= 0 || size > self.max_frame {
            return Err(BadSize { size, max: self.max_frame });
        }
        let len = size as usize;
        if self.available >= SIZE_BYTES + len {
            self.skip(SIZE_BYTES);
            return Ok(Step::Frame(self.take(len)));
        }
        if len >= self.large_from {
            self.skip(SIZE_BYTES);
            self.available = 0;
            return Ok(Step::Large { len, arrived: self.chunks.drain(..).collect() });
        }
        Ok(Step::NeedMore)
    }

    /// Whatever is held, in order: the stream is cut elsewhere from now on.
    pub fn into_rest(self) -> Vec<Bytes> {
        self.chunks.into()
    }

    /// Buffers held.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// Copies what is held into one buffer of its own, so that receive buffers go back to the ring
    /// while a frame dribbles in.
    pub fn compact(&mut self) {
        let whole = self.take(self.available);
        let copy = Bytes::copy_from_slice(&whole);
        self.push(copy);
    }

    fn peek_size(&self) -> Option<i32> {
        if self.available < SIZE_BYTES {
            return None;
        }
        let mut size = [0u8; SIZE_BYTES];
        let bytes = self.chunks.iter().flat_map(|c| c.iter());
        for (to, from) in size.iter_mut().zip(bytes) {
            *to = *from;
        }
        Some(i32::from_be_bytes(size))
    }

    fn skip(&mut self, mut n: usize) {
        self.available -= n;
        while n > 0 {
            let Some(front) = self.chunks.front_mut() else { return };
            let step = n.min(front.len());
            front.advance(step);
            n -= step;
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
    }

    fn take(&mut self, len: usize) -> Bytes {
        if let Some(front) = self.chunks.front_mut()
            && front.len() >= len
        {
            self.available -= len;
            let frame = front.split_to(len);
            if front.is_empty() {
                self.chunks.pop_front();
            }
            return frame;
        }
        let mut frame = BytesMut::with_capacity(len);
        while frame.len() < len {
            let Some(mut front) = self.chunks.pop_front() else { break };
            let step = (len - frame.len()).min(front.len());
            frame.extend_from_slice(&front.split_to(step));
            if !front.is_empty() {
                self.chunks.push_front(front);
            }
        }
        self.available -= frame.len();
        frame.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(body);
        bytes
    }

    fn frames(assembler: &mut Assembler) -> Vec<Bytes> {
        let mut out = Vec::new();
        while let Ok(Step::Frame(f)) = assembler.next_step() {
            out.push(f);
        }
        out
    }

    #[test]
    fn frames_are_the_same_however_the_stream_is_cut() {
        let stream: Vec<u8> = [frame(b"a"), frame(b"bcdef"), frame(&[7; 300])].concat();
        for cut in 1..stream.len() {
            let mut assembler = Assembler::new(1000, 1000);
            let mut got = Vec::new();
            for chunk in stream.chunks(cut) {
                assembler.push(Bytes::copy_from_slice(chunk));
                got.extend(frames(&mut assembler));
            }
            assert_eq!(got.len(), 3, "cut every {cut}");
            assert_eq!(got[1], &b"bcdef"[..]);
            assert_eq!(got[2], vec![7; 300]);
            assert_eq!(assembler.available, 0);
        }
    }

    #[test]
    fn a_whole_frame_in_one_buffer_is_not_copied() {
        let chunk = Bytes::from(frame(b"hello"));
        let at = chunk.as_ptr() as usize + SIZE_BYTES;
        let mut assembler = Assembler::new(1000, 1000);
        assembler.push(chunk);
        assert_eq!(frames(&mut assembler)[0].as_ptr() as usize, at);
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        for size in [0, -1, i32::MIN, 1001, i32::MAX] {
            let mut assembler = Assembler::new(1000, 1000);
            assembler.push(Bytes::copy_from_slice(&size.to_be_bytes()));
            assert_eq!(assembler.next_step(), Err(BadSize { size, max: 1000 }));
        }
    }

    #[test]
    fn a_large_frame_is_reported_with_what_arrived() {
        let mut assembler = Assembler::new(1 << 20, 4096);
        assembler.push(Bytes::from(frame(b"small")));
        assembler.push(Bytes::copy_from_slice(&9000i32.to_be_bytes()));
        assembler.push(Bytes::from_static(b"begin"));
        assert_eq!(assembler.next_step(), Ok(Step::Frame(Bytes::from_static(b"small"))));
        let large = Step::Large { len: 9000, arrived: vec![Bytes::from_static(b"begin")] };
        assert_eq!(assembler.next_step(), Ok(large));
        assert_eq!(assembler.available, 0);
    }

    #[test]
    fn compaction_keeps_the_bytes_and_frees_the_buffers() {
        let mut assembler = Assembler::new(1000, 1000);
        for byte in frame(b"xyz")[..6].iter() {
            assembler.push(Bytes::copy_from_slice(&[*byte]));
        }
        assembler.compact();
        assert_eq!(assembler.chunks(), 1);
        assembler.push(Bytes::from_static(b"z"));
        assert_eq!(frames(&mut assembler), vec![Bytes::from_static(b"xyz")]);
    }
}
