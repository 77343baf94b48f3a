//! The requests of one connection that are not answered yet, in the order in which they came.

use crate::api::{Reply, Started};
use crate::base::local::Event;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// Requests one connection may have in flight before reading from it stops. Java's producer keeps
/// 5, librdkafka up to 1,000,000 by setting but rarely more than a few.
pub const IN_FLIGHT_MAX: usize = 128;

/// Bytes of request frames one connection may have in flight; one frame always may.
pub const IN_FLIGHT_BYTES_MAX: usize = 32 << 20;

/// A request on its way to an answer.
pub struct InFlight {
    /// The running handler and what precedes its answer.
    pub started: Started,
    /// The frame's length, charged until the answer is there.
    pub frame_len: usize,
}

/// The queue between a connection's reader and its writer.
#[derive(Default)]
pub struct Pending {
    queue: RefCell<VecDeque<Entry>>,
    frame_bytes: Cell<usize>,
    closed: Cell<bool>,
    changed: Event,
}

struct Entry {
    in_flight: InFlight,
    done: Option<Reply>,
}

impl Pending {
    /// Puts a request at the end, polling its handler once: what must happen in request order
    /// happens here.
    pub async fn push(&self, in_flight: InFlight) {
        let mut entry = Entry { in_flight, done: None };
        entry.done = poll_fn(|cx| match entry.in_flight.started.reply.as_mut().poll(cx) {
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        self.frame_bytes.set(self.frame_bytes.get() + entry.in_flight.frame_len);
        self.queue.borrow_mut().push_back(entry);
        self.changed.notify();
    }

    /// Waits until another request may be taken. False once closed.
    pub async fn has_room(&self) -> bool {
        loop {
            let listener = self.changed.listen();
            if self.closed.get() {
                return false;
            }
            let count = self.queue.borrow().len();
            if count == 0 || (count < IN_FLIGHT_MAX && self.frame_bytes.get() < IN_FLIGHT_BYTES_MAX) {
                return true;
            }
            listener.await;
        }
    }

    /// The oldest request with its answer, when that is there. `None` once closed.
    pub async fn next_reply(&self) -> Option<(InFlight, Reply)> {
        loop {
            let listener = self.changed.listen();
            if self.closed.get() {
                return None;
            }
            let head = self.queue.borrow_mut().pop_front();
            let Some(mut entry) = head else {
                listener.await;
                continue;
            };
            // Only the writer takes from the front, so the entry may wait outside the queue.
            let reply = match entry.done.take() {
                Some(reply) => reply,
                None => self.until_closed(entry.in_flight.started.reply.as_mut()).await?,
            };
            self.settle(&entry);
            return Some((entry.in_flight, reply));
        }
    }

    /// Like [`next_reply`](Self::next_reply), for an answer that is there at once.
    pub async fn ready_reply(&self) -> Option<(InFlight, Reply)> {
        let mut entry = self.queue.borrow_mut().pop_front()?;
        let reply = match entry.done.take() {
            Some(reply) => Some(reply),
            None => {
                poll_fn(|cx| match entry.in_flight.started.reply.as_mut().poll(cx) {
                    Poll::Ready(reply) => Poll::Ready(Some(reply)),
                    Poll::Pending => Poll::Ready(None),
                })
                .await
            }
        };
        match reply {
            Some(reply) => {
                self.settle(&entry);
                Some((entry.in_flight, reply))
            }
            None => {
                self.queue.borrow_mut().push_front(entry);
                None
            }
        }
    }

    /// Ends both sides; requests still in flight are dropped.
    pub fn close(&self) {
        self.closed.set(true);
        self.changed.notify();
    }

    /// True when nothing is in flight, the request being waited for included.
    pub fn is_idle(&self) -> bool {
        self.frame_bytes.get() == 0
    }

    /// Waits until nothing is in flight, or it is closed.
    pub async fn until_idle(&self) {
        loop {
            let listener = self.changed.listen();
            if self.closed.get() || self.is_idle() {
                return;
            }
            listener.await;
        }
    }

    /// The handler's answer, or `None` when the connection ends first: nobody waits for it then.
    async fn until_closed(&self, mut reply: Pin<&mut dyn Future<Output = Reply>>) -> Option<Reply> {
        loop {
            let mut changed = pin!(self.changed.listen());
            if self.closed.get() {
                return None;
            }
            let reply = poll_fn(|cx| match reply.as_mut().poll(cx) {
                Poll::Ready(reply) => Poll::Ready(Some(reply)),
                Poll::Pending => changed.as_mut().poll(cx).map(|()| None),
            })
            .await;
            if reply.is_some() {
                return reply;
            }
        }
    }

    fn settle(&self, entry: &Entry) {
        self.frame_bytes.set(self.frame_bytes.get() - entry.in_flight.frame_len);
        self.changed.notify();
    }
}
