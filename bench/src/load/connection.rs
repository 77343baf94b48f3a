//! One connection of a load: what it has to write, and the replies it waits for.

use super::{Frames, Outcome, Replies};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Instant;

/// Of a reply so much is kept, to look for an error in it.
const HEAD_BYTES: usize = 512;
/// What is left of a reply is dropped inside the kernel from this size on.
const DROP_BYTES: usize = 32 << 10;

/// A connection.
pub struct Connection {
    socket: TcpStream,
    frames: Frames,
    replies: Replies,
    /// Requests that were begun, and of which no byte is written.
    pending: usize,
    /// When the requests without a reply were due.
    due: VecDeque<Instant>,
    /// Bytes of the reply received so far, and its first ones.
    received: usize,
    size: [u8; 4],
    head: Vec<u8>,
}

impl Connection {
    /// Opens one.
    pub fn open(address: SocketAddr, frames: Frames, replies: Replies) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let (due, head) = (VecDeque::new(), Vec::with_capacity(HEAD_BYTES));
        Ok(Self { socket, frames, replies, pending: 0, due, received: 0, size: [0; 4], head })
    }

    /// Its socket.
    pub const fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// `count` more requests are due.
    pub fn begin(&mut self, count: usize, due: Instant) {
        self.pending += count;
        self.due.extend(std::iter::repeat_n(due, count));
    }

    /// Whether all that was begun is done.
    pub fn waits_for_nothing(&self) -> bool {
        self.due.is_empty()
    }

    /// Writes what the socket takes, small requests many at a time. How many are done by that (without replies).
    pub fn write(&mut self, outcome: &mut Outcome) -> io::Result<u64> {
        let mut done = 0;
        loop {
            if self.frames.rest().is_empty() {
                if self.pending == 0 {
                    return Ok(done);
                }
                self.pending -= self.frames.take(self.pending);
            }
            let ended = match self.socket.write(self.frames.rest()) {
                Ok(n) => self.frames.wrote(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(done),
                Err(e) => return Err(e),
            };
            if matches!(self.replies, Replies::None) {
                let now = Instant::now();
                (0..ended).for_each(|_| self.count(now, outcome));
                done += ended as u64;
            }
        }
    }

    /// Reads what is there. How many replies ended.
    pub fn read(&mut self, buffer: &mut [u8], outcome: &mut Outcome) -> io::Result<u64> {
        let mut replies = 0;
        loop {
            let left = self.left_of_reply();
            let dropped = left >= DROP_BYTES && self.head.len() >= HEAD_BYTES.min(self.received - 4);
            let n = match if dropped { self.drop_bytes(left) } else { self.socket.read(buffer) } {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(replies),
                Err(e) => return Err(e),
            };
            outcome.bytes_in += n as u64;
            if dropped {
                self.received += n;
                replies += self.end_if_complete(outcome)?;
                continue;
            }
            let mut rest = &buffer[..n];
            while !rest.is_empty() {
                rest = self.take(rest);
                replies += self.end_if_complete(outcome)?;
            }
            if n < buffer.len() && self.left_of_reply() < DROP_BYTES {
                return Ok(replies);
            }
        }
    }

    /// What a consumer would copy out is of no use here: the kernel frees it where it is.
    fn drop_bytes(&self, bytes: usize) -> io::Result<usize> {
        // SAFETY: with MSG_TRUNC a TCP socket writes nothing to the buffer.
        let n = unsafe { libc::recv(self.socket.as_raw_fd(), std::ptr::null_mut(), bytes, libc::MSG_TRUNC) };
        if n < 0 { Err(io::Error::last_os_error()) } else { Ok(n as usize) }
    }

    /// Bytes to come of a reply whose size is known.
    fn left_of_reply(&self) -> usize {
        if self.received < 4 { 0 } else { self.reply_len() - self.received }
    }

    /// Takes of `bytes` what belongs to the current reply. What is left.
    fn take<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        if !matches!(self.replies, Replies::Echo) && self.received < 4 {
            let n = bytes.len().min(4 - self.received);
            self.size[self.received..self.received + n].copy_from_slice(&bytes[..n]);
            self.received += n;
            self.head.clear();
            return &bytes[n..];
        }
        let n = bytes.len().min(self.reply_len() - self.received);
        self.received += n;
        let kept = n.min(HEAD_BYTES - self.head.len());
        self.head.extend_from_slice(&bytes[..kept]);
        &bytes[n..]
    }

    fn reply_len(&self) -> usize {
        match self.replies {
            Replies::Echo => self.frames.len(),
            _ => 4 + u32::from_be_bytes(self.size) as usize,
        }
    }

    fn end_if_complete(&mut self, outcome: &mut Outcome) -> io::Result<u64> {
        if self.received < 4 || self.received != self.reply_len() {
            return Ok(0);
        }
        self.received = 0;
        if let Replies::Framed(error) = self.replies {
            match error(&self.head) {
                0 => {}
                code => return Err(io::Error::other(format!("a request was answered with error {code}"))),
            }
        }
        self.head.clear();
        self.count(Instant::now(), outcome);
        Ok(1)
    }

    fn count(&mut self, now: Instant, outcome: &mut Outcome) {
        outcome.replies += 1;
        if let Some(due) = self.due.pop_front() {
            let _ = outcome.latency.record(now.saturating_duration_since(due).as_nanos() as u64);
        }
    }
}
