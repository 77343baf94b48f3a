//! Sending: one vectored send of all parts, continued until everything is out.

use super::stream::Stream;
use crate::ring::errno;
use crate::ring::uring::{Core, Keep, Op, Owner, SendParts};
use bytes::Bytes;
use io_uring::{opcode, types};
use std::io;

/// No SIGPIPE, and the kernel itself goes on after a short send.
const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;

/// So little is copied into one buffer: that costs less than describing the parts to the kernel.
const COPIED_TOGETHER_BYTES_MAX: usize = 2048;

impl Stream {
    /// Sends all of `parts`, one behind the other, straight from their memory unless they are
    /// tiny. One send at a time per connection.
    ///
    /// # Errors
    /// Of the connection; some of the bytes may have gone out.
    pub async fn send(&self, mut parts: Vec<Bytes>) -> io::Result<()> {
        parts.retain(|part| !part.is_empty());
        if parts.len() > 1 {
            let bytes: usize = parts.iter().map(Bytes::len).sum();
            if bytes > COPIED_TOGETHER_BYTES_MAX {
                return self.send_vectored(parts).await;
            }
            return self.send_one(parts.concat().into(), 0).await;
        }
        match parts.pop() {
            Some(part) => self.send_one(part, 0).await,
            None => Ok(()),
        }
    }

    /// Sends one buffer; `flags` are added to the send's.
    pub(super) async fn send_one(&self, mut part: Bytes, flags: i32) -> io::Result<()> {
        let core = Core::with(Clone::clone);
        loop {
            let fd = types::Fd(self.socket().fd());
            let entry = opcode::Send::new(fd, part.as_ptr(), part.len() as u32).flags(FLAGS | flags).build();
            let owner = Owner::socket(self.socket().clone());
            let (result, keep) = Op::new(&core, entry, Keep::Bytes(part), owner).await;
            let Keep::Bytes(returned) = keep else { return Err(io::ErrorKind::Interrupted.into()) };
            part = returned;
            let sent = sent(result)?;
            if sent >= part.len() {
                return Ok(());
            }
            part = part.slice(sent..);
        }
    }

    async fn send_vectored(&self, mut parts: Vec<Bytes>) -> io::Result<()> {
        let core = Core::with(Clone::clone);
        while !parts.is_empty() {
            let vectors = SendParts::new(parts);
            let fd = types::Fd(self.socket().fd());
            let entry = opcode::SendMsg::new(fd, vectors.header()).flags(FLAGS as u32).build();
            let owner = Owner::socket(self.socket().clone());
            let (result, keep) = Op::new(&core, entry, Keep::Parts(vectors), owner).await;
            let Keep::Parts(vectors) = keep else { return Err(io::ErrorKind::Interrupted.into()) };
            parts = vectors.rest(sent(result)?);
        }
        Ok(())
    }
}

fn sent(result: i32) -> io::Result<usize> {
    match errno::of(result) {
        Err(e) if errno::is_passing(&e) => Ok(0),
        other => other,
    }
}
