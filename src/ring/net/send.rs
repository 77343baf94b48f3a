//! Sending: one vectored send of all parts, continued until everything is out.

use super::stream::Stream;
use crate::ring::errno;
use crate::ring::uring::{Core, Keep, Op, Owner, SendParts};
use bytes::Bytes;
use io_uring::{opcode, types};
use std::io;

/// No SIGPIPE, and the kernel itself goes on after a short send.
const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

/// So little is sent by a plain call, ahead of a file.
const SENT_AT_ONCE_BYTES_MAX: usize = 2048;

impl Stream {
    /// Sends all of `parts`, one behind the other, straight from their memory. One send at a time per connection.
    ///
    /// # Errors
    /// Of the connection; some of the bytes may have gone out.
    pub async fn send(&self, parts: Vec<Bytes>) -> io::Result<()> {
        self.send_with(parts, 0).await
    }

    /// [`Self::send`] of one buffer.
    ///
    /// # Errors
    /// As that.
    pub async fn send_one(&self, bytes: Bytes) -> io::Result<()> {
        self.send_buffer(bytes, 0).await
    }

    /// [`Self::send`] of what a file range follows at once: they leave in the same packets, and one small buffer leaves
    /// with a plain call, so that the range need not wait for the ring's next turn.
    ///
    /// # Errors
    /// As that.
    pub async fn send_ahead_of_file(&self, parts: Vec<Bytes>) -> io::Result<()> {
        match &parts[..] {
            [head] if head.len() <= SENT_AT_ONCE_BYTES_MAX => {
                let sent = self.send_now(head, libc::MSG_MORE)?;
                if sent < head.len() { self.send_buffer(head.slice(sent..), libc::MSG_MORE).await } else { Ok(()) }
            }
            _ => self.send_with(parts, libc::MSG_MORE).await,
        }
    }

    async fn send_with(&self, mut parts: Vec<Bytes>, flags: i32) -> io::Result<()> {
        parts.retain(|part| !part.is_empty());
        if parts.len() > 1 {
            return self.send_vectored(parts, flags).await;
        }
        match parts.pop() {
            Some(part) => self.send_buffer(part, flags).await,
            None => Ok(()),
        }
    }

    /// What the socket takes of `bytes` at once.
    fn send_now(&self, bytes: &[u8], flags: i32) -> io::Result<usize> {
        let flags = flags | libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: the kernel reads `bytes` during the call only; the socket is open as long as `self`.
        let sent = unsafe { libc::send(self.socket().fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
        unless_passing(errno::of_call(sent))
    }

    /// Sends one buffer; `flags` are added to the send's.
    pub(super) async fn send_buffer(&self, mut part: Bytes, flags: i32) -> io::Result<()> {
        let core = Core::with(Clone::clone);
        loop {
            let fd = types::Fd(self.socket().fd());
            let entry = opcode::Send::new(fd, part.as_ptr(), part.len() as u32).flags(FLAGS | flags).build();
            let owner = Owner::socket(self.socket().clone());
            let (result, keep) = Op::new(&core, entry, Keep::Bytes(part), owner).await;
            let Keep::Bytes(returned) = keep else { return Err(io::ErrorKind::Interrupted.into()) };
            part = returned;
            let sent = unless_passing(errno::of(result))?;
            if sent >= part.len() {
                return Ok(());
            }
            part = part.slice(sent..);
        }
    }

    async fn send_vectored(&self, mut parts: Vec<Bytes>, flags: i32) -> io::Result<()> {
        let core = Core::with(Clone::clone);
        while !parts.is_empty() {
            let vectors = SendParts::new(parts);
            let fd = types::Fd(self.socket().fd());
            let entry = opcode::SendMsg::new(fd, vectors.header()).flags((FLAGS | flags) as u32).build();
            let owner = Owner::socket(self.socket().clone());
            let (result, keep) = Op::new(&core, entry, Keep::Parts(vectors), owner).await;
            let Keep::Parts(vectors) = keep else { return Err(io::ErrorKind::Interrupted.into()) };
            parts = vectors.rest(unless_passing(errno::of(result))?);
        }
        Ok(())
    }
}

/// What was sent: nothing yet, where the same send again is right.
fn unless_passing(sent: io::Result<usize>) -> io::Result<usize> {
    match sent {
        Err(e) if errno::is_passing(&e) => Ok(0),
        other => other,
    }
}
