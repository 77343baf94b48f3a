//! Large frames: received into one buffer of the frame's size, without a detour through provided buffers.

use super::stream::Stream;
use crate::ring::buffer::Buffer;
use crate::ring::errno;
use crate::ring::runtime::sleep;
use crate::ring::uring::{Core, Keep, Op, Owner};
use bytes::Bytes;
use io_uring::{opcode, types};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// A frame claimed to be larger gets room as its bytes arrive, doubling.
const ROOM_AT_ONCE_BYTES_MAX: usize = 4 << 20;

/// While a large frame arrives, the core is woken only for so much of it (or its end): a peer on this machine, or a fast
/// network, would else wake it for each 64 KiB.
const WOKEN_FOR_BYTES_MAX: usize = 512 << 10;
/// `IORING_RECVSEND_POLL_FIRST`.
const POLL_FIRST: u16 = 1;

impl Stream {
    /// A frame of `len` bytes in one buffer. `already` is what of it has been received so far, in order; the rest
    /// is received straight into the buffer. What was received beyond the frame stays for [`Self::recv`].
    ///
    /// Bytes are charged to the core's budget as they arrive and released with the last clone of the frame.
    /// Dropping the future gives the frame up; the connection cannot be used further then.
    ///
    /// # Errors
    /// `UnexpectedEof` when the peer ends the stream within the frame, `TimedOut` when nothing of it arrives for
    /// [`RingConfig::large_frame_stalls_after`](crate::ring::runtime::RingConfig), `OutOfMemory`, those of the
    /// connection. Close the connection after each.
    pub async fn recv_exact(&self, len: usize, already: Vec<Bytes>) -> io::Result<Bytes> {
        let core = Core::with(Clone::clone);
        let ticket = core.budget.begin();
        let mut buffer = Buffer::with_capacity(len.min(ROOM_AT_ONCE_BYTES_MAX));
        buffer.charge_to(ticket.charge());
        self.receive().disarm().await;
        self.receive().enter_large_mode();
        for chunk in already {
            self.take_from(&mut buffer, chunk, len);
        }
        while buffer.len() < len {
            let Some(chunk) = self.receive().take_chunk() else { break };
            self.take_from(&mut buffer, chunk, len);
        }
        while buffer.len() < len {
            let piece = poll_fn(|cx| ticket.poll_piece(cx)).await;
            if !buffer.make_room(len) {
                return Err(io::ErrorKind::OutOfMemory.into());
            }
            let (room, spare) = buffer.spare();
            let want = piece.min(spare).min(len - buffer.len());
            let fd = types::Fd(self.socket().fd());
            // The receive begins when that much is there, and takes what is there then: it never waits for more than the
            // frame still has.
            self.socket().readable_from(want.min(WOKEN_FOR_BYTES_MAX));
            let entry = opcode::Recv::new(fd, room, want as u32).ioprio(POLL_FIRST).build();
            let owner = Owner::socket(self.socket().clone());
            let receive = Op::new(&core, entry, Keep::Buffer(buffer), owner);
            let (result, keep) = self.unless_stalled(receive, core.config.large_frame_stalls_after).await?;
            let Keep::Buffer(returned) = keep else { return Err(io::ErrorKind::Interrupted.into()) };
            buffer = returned;
            match errno::of(result) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                // SAFETY: the kernel wrote `n` bytes into the spare room it was given.
                Ok(n) => unsafe { buffer.filled(n) },
                Err(e) if errno::is_passing(&e) => {}
                Err(e) => return Err(e),
            }
        }
        self.socket().readable_from(1);
        Ok(buffer.freeze())
    }

    /// The operation's outcome, or `TimedOut` when `limit` passes in which nothing arrives.
    async fn unless_stalled(&self, receive: Op, limit: Duration) -> io::Result<(i32, Keep)> {
        let mut receive = pin!(receive);
        let mut left = limit;
        loop {
            let mut limit_passed = pin!(sleep(left));
            let outcome = poll_fn(|cx| match receive.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                Poll::Pending => limit_passed.as_mut().poll(cx).map(|()| None),
            });
            if let Some(outcome) = outcome.await {
                return Ok(outcome);
            }
            // Something may have arrived that is not yet as much as the receive waits for.
            left = limit.saturating_sub(self.silent_for());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    /// Copies of `chunk` what belongs to the frame of `len` bytes; the rest waits for the next receive.
    fn take_from(&self, buffer: &mut Buffer, mut chunk: Bytes, len: usize) {
        let mine = chunk.len().min(len - buffer.len());
        if mine < chunk.len() {
            self.receive().put_back(chunk.split_off(mine));
        }
        // No memory for even this much: the caller's next step finds the room missing.
        if buffer.make_room_for(mine) {
            buffer.extend(&chunk);
        }
    }
}
