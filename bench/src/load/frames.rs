//! What one connection sends: one frame again and again, in which a number may change from request to request.

use std::io;

/// So much is written at once of frames that are smaller.
const BATCH_BYTES: usize = 64 << 10;
/// From here on a frame is written by itself, without being copied.
const LARGE_BYTES: usize = 16 << 10;

/// A number in the frame.
struct Varying {
    at: usize,
    width: usize,
    values: Vec<i64>,
    next: usize,
}

/// What one connection sends.
pub struct Frames {
    frame: Vec<u8>,
    varying: Option<Varying>,
    /// What is written next: a few frames, or one large one.
    buffer: Vec<u8>,
    written: usize,
}

impl Frames {
    /// One frame, the same each time.
    pub fn same(frame: Vec<u8>) -> Self {
        let buffer = Vec::new();
        Self { frame, varying: None, buffer, written: 0 }
    }

    /// The frame `of(value)` for each of `values` in turn. They may differ only in one big-endian number of `width`
    /// bytes (4 or 8), whose place is found by comparing two frames.
    ///
    /// # Errors
    /// No values, or frames that differ otherwise.
    pub fn varying(values: Vec<i64>, width: usize, of: impl Fn(i64) -> io::Result<Vec<u8>>) -> io::Result<Self> {
        let wrong = || io::Error::other("frames of one load must differ in one number only");
        let (first, frame) = (*values.first().ok_or_else(wrong)?, of(0)?);
        // All bytes of the number differ between these two.
        let other = of(if width == 4 { 0x0102_0304 } else { 0x0102_0304_0506_0708 })?;
        let at = frame.iter().zip(&other).position(|(a, b)| a != b).ok_or_else(wrong)?;
        let (head, tail) = (frame[..at] == other[..at], frame.get(at + width..) == other.get(at + width..));
        if !head || !tail || frame.len() != other.len() {
            return Err(wrong());
        }
        let mut frames = Self::same(frame);
        let mut varying = Varying { at, width, values, next: 0 };
        varying.put(&mut frames.frame);
        if frames.frame != of(first)? {
            return Err(wrong());
        }
        varying.next = 0;
        frames.varying = Some(varying);
        Ok(frames)
    }

    /// Bytes of one.
    pub fn len(&self) -> usize {
        self.frame.len()
    }

    /// What is still to be written of what was taken.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.written..]
    }

    /// So many bytes were written. How many frames ended with them.
    pub fn wrote(&mut self, bytes: usize) -> usize {
        let before = self.written / self.frame.len();
        self.written += bytes;
        self.written / self.frame.len() - before
    }

    /// Takes up to `pending` frames to be written; how many.
    pub fn take(&mut self, pending: usize) -> usize {
        let len = self.frame.len();
        let count = if len < LARGE_BYTES { pending.min(BATCH_BYTES / len) } else { pending.min(1) };
        if self.buffer.len() > count * len {
            self.buffer.truncate(count * len);
        }
        while self.buffer.len() < count * len {
            self.buffer.extend_from_slice(&self.frame);
        }
        if let Some(varying) = &mut self.varying {
            self.buffer.chunks_exact_mut(len).for_each(|frame| varying.put(frame));
        }
        self.written = 0;
        count
    }
}

impl Varying {
    fn put(&mut self, frame: &mut [u8]) {
        let bytes = self.values[self.next].to_be_bytes();
        frame[self.at..self.at + self.width].copy_from_slice(&bytes[8 - self.width..]);
        self.next = (self.next + 1) % self.values.len();
    }
}

/// A frame of `len` bytes in all that says so in its first four.
pub fn of_bytes(len: usize) -> Vec<u8> {
    let mut frame = vec![0xA5; len];
    frame[..4].copy_from_slice(&(len as u32 - 4).to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_are_written_together_and_numbers_go_in_turn() {
        let of = |value: i64| Ok([&b"head"[..], &(value as i32).to_be_bytes(), b"tail"].concat());
        let mut frames = Frames::varying(vec![5, 6, 700], 4, of).unwrap();
        assert_eq!((frames.len(), frames.take(2)), (12, 2));
        assert_eq!(frames.rest(), [of(5).unwrap(), of(6).unwrap()].concat());
        assert_eq!((frames.wrote(11), frames.wrote(1), frames.wrote(12)), (0, 1, 1));
        assert!(frames.rest().is_empty());
        assert_eq!(frames.take(3), 3);
        assert_eq!(frames.rest(), [of(700).unwrap(), of(5).unwrap(), of(6).unwrap()].concat());
    }

    #[test]
    fn a_large_frame_is_written_by_itself() {
        let mut frames = Frames::same(of_bytes(LARGE_BYTES));
        assert_eq!((frames.take(0), frames.rest().len()), (0, 0));
        assert_eq!((frames.take(9), frames.rest().len()), (1, LARGE_BYTES));
        assert_eq!((frames.wrote(LARGE_BYTES - 1), frames.wrote(1)), (0, 1));
    }

    #[test]
    fn frames_that_differ_in_more_than_one_number_are_refused() {
        assert!(Frames::varying(vec![1], 4, |value| Ok(vec![0; value as usize % 7 + 9])).is_err());
        assert!(Frames::varying(vec![1], 4, |value| Ok([value.to_be_bytes(), value.to_be_bytes()].concat())).is_err());
        assert!(Frames::varying(Vec::new(), 4, |value| Ok((value as i32).to_be_bytes().to_vec())).is_err());
    }
}
