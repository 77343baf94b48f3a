//! Receiving: a multishot receive into provided buffers, with a bound on what waits to be taken.
//!
//! After a large frame (see `large`) the connection is in *large mode* for a few receives: single receives of a
//! frame's head only, because a multishot receive would pull a whole large frame through provided buffers, and
//! each of its bytes would be copied once more.

use super::stream::{Socket, Stream};
use crate::ring::uring::{Completion, Core, GROUP, Op};
use bytes::Bytes;
use io_uring::{cqueue, opcode, squeue, types};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// When this much waits to be taken, the kernel is asked to stop: the peer's window closes.
const QUEUED_BYTES_MAX: usize = 512 << 10;
/// What a receive in large mode takes: the size, the header and the first fields of a frame.
const HEAD_BYTES: u32 = 4096;
/// Receives in large mode without another large frame after which multishot is armed again.
const LARGE_MODE_RECEIVES: u32 = 8;

#[derive(Clone, Copy)]
enum End {
    Eof,
    Error(i32),
}

#[derive(Default)]
struct Inner {
    chunks: VecDeque<Bytes>,
    queued_bytes: usize,
    armed: Option<u64>,
    cancelled: bool,
    /// In the core's list of those that wait for a buffer.
    starved: bool,
    end: Option<End>,
    waker: Option<Waker>,
}

/// The receiving half's state; shared by the stream and the operation in flight.
pub(crate) struct Receive {
    socket: Rc<Socket>,
    inner: RefCell<Inner>,
    large_mode: Cell<u32>,
    /// Its clones are the provided buffers this connection holds.
    held: Arc<()>,
}

impl Stream {
    /// The next bytes received; empty at the end of the stream. They may lie in a buffer of the ring: hold them
    /// no longer than needed.
    ///
    /// # Errors
    /// Of the connection (reset, timed out).
    pub async fn recv(&self) -> io::Result<Bytes> {
        poll_fn(|cx| self.receive().poll_chunk(cx.waker())).await
    }

    /// The next bytes if some have been received already.
    pub fn try_recv(&self) -> Option<Bytes> {
        self.receive().take_chunk()
    }
}

impl Receive {
    pub(super) fn new(socket: Rc<Socket>) -> Rc<Self> {
        Rc::new(Self { socket, inner: RefCell::default(), large_mode: Cell::new(0), held: Arc::new(()) })
    }

    pub(super) fn armed(&self) -> Option<u64> {
        self.inner.borrow().armed
    }

    pub(super) fn enter_large_mode(&self) {
        self.large_mode.set(LARGE_MODE_RECEIVES);
    }

    pub(super) fn take_chunk(&self) -> Option<Bytes> {
        let mut inner = self.inner.borrow_mut();
        let chunk = inner.chunks.pop_front()?;
        inner.queued_bytes -= chunk.len();
        Some(chunk)
    }

    /// Puts back the end of a chunk that belongs to what comes next.
    pub(super) fn put_back(&self, chunk: Bytes) {
        let mut inner = self.inner.borrow_mut();
        inner.queued_bytes += chunk.len();
        inner.chunks.push_front(chunk);
    }

    fn poll_chunk(self: &Rc<Self>, waker: &Waker) -> Poll<io::Result<Bytes>> {
        if let Some(chunk) = self.take_chunk() {
            return Poll::Ready(Ok(chunk));
        }
        let mut inner = self.inner.borrow_mut();
        match inner.end {
            Some(End::Eof) => return Poll::Ready(Ok(Bytes::new())),
            Some(End::Error(code)) => return Poll::Ready(Err(io::Error::from_raw_os_error(code))),
            None => {}
        }
        inner.waker = Some(waker.clone());
        if inner.armed.is_none() && !inner.starved {
            let entry = self.entry();
            inner.armed = Some(Core::with(|core| Op::multi(core, entry, self.clone())));
        }
        Poll::Pending
    }

    fn entry(&self) -> squeue::Entry {
        let fd = types::Fd(self.socket.fd());
        match self.large_mode.get() {
            0 => opcode::RecvMulti::new(fd, GROUP).build(),
            left => {
                self.large_mode.set(left - 1);
                let recv = opcode::Recv::new(fd, std::ptr::null_mut(), HEAD_BYTES).buf_group(GROUP);
                recv.build().flags(squeue::Flags::BUFFER_SELECT)
            }
        }
    }

    /// Stops the receive in flight, if any, and waits until it has ended. What it still brought is queued in order.
    pub(super) async fn disarm(&self) {
        poll_fn(|cx| {
            let mut inner = self.inner.borrow_mut();
            let Some(id) = inner.armed else { return Poll::Ready(()) };
            inner.waker = Some(cx.waker().clone());
            if !std::mem::replace(&mut inner.cancelled, true) {
                Core::with(|core| Op::cancel_multi(core, id));
            }
            Poll::Pending
        })
        .await;
    }

    /// Nothing is received from now on; what waits to be taken is handed over.
    pub(super) fn leave(&self) -> VecDeque<Bytes> {
        let mut inner = self.inner.borrow_mut();
        inner.end.get_or_insert(End::Eof);
        inner.queued_bytes = 0;
        std::mem::take(&mut inner.chunks)
    }

    /// Called by the core when there are buffers again.
    pub(crate) fn buffers_are_back(self: &Rc<Self>, core: &Core) {
        let mut inner = self.inner.borrow_mut();
        inner.starved = false;
        if inner.armed.is_none() && inner.end.is_none() && inner.waker.is_some() {
            inner.armed = Some(Op::multi(core, self.entry(), self.clone()));
        }
    }
}

impl Completion for Receive {
    fn complete(self: Rc<Self>, core: &Core, result: i32, flags: u32) {
        let mut inner = self.inner.borrow_mut();
        if !cqueue::more(flags) {
            inner.armed = None;
            inner.cancelled = false;
        }
        match (result, cqueue::buffer_select(flags)) {
            (1.., Some(id)) => {
                let chunk = core.provided.take(id, result as usize, &self.held);
                inner.queued_bytes += chunk.len();
                inner.chunks.push_back(chunk);
            }
            (_, Some(id)) => {
                core.provided.unused(id);
                inner.end = Some(End::Eof);
            }
            (0.., None) => inner.end = Some(End::Eof),
            (_, None) if -result == libc::ENOBUFS => {
                core.provided.ran_out();
                if !std::mem::replace(&mut inner.starved, true) {
                    core.starved.borrow_mut().push_back(self.clone());
                }
            }
            (_, None) if matches!(-result, libc::ECANCELED | libc::EINTR | libc::EAGAIN) => {}
            (_, None) => inner.end = Some(End::Error(-result)),
        }
        if inner.queued_bytes > QUEUED_BYTES_MAX
            && let Some(id) = inner.armed
            && !std::mem::replace(&mut inner.cancelled, true)
        {
            Op::cancel_multi(core, id);
        }
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
