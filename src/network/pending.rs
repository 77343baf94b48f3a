//! The requests of one connection that are not answered yet, in the order in which they came.

use crate::api::{Reply, Started};
use crate::base::local::Event;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

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
    /// For those who wait for an answer to leave the queue, or for the end.
    settled: Event,
    writer: Writer,
}

/// The writer, as far as others wake it.
#[derive(Default)]
struct Writer {
    waker: RefCell<Option<Waker>>,
    /// It waits for a request.
    waits: Cell<bool>,
}

impl Writer {
    /// It waits now, for what `cx` wakes.
    fn waits(&self, cx: &Context<'_>, for_a_request: bool) {
        self.waits.set(for_a_request);
        let mut waker = self.waker.borrow_mut();
        if waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    /// Its waker, once, when it waits for a request.
    fn take_waiting(&self) -> Option<Waker> {
        if self.waits.replace(false) { self.waker.borrow().clone() } else { None }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

struct Entry {
    in_flight: InFlight,
    done: Option<Reply>,
}

impl Entry {
    /// Lets the handler go on, where there is no answer yet.
    fn poll(&mut self, cx: &mut Context<'_>) {
        if self.done.is_none()
            && let Poll::Ready(reply) = self.in_flight.started.reply.as_mut().poll(cx)
        {
            self.done = Some(reply);
        }
    }
}

impl Pending {
    /// Puts a request at the end, polling its handler once: what must happen in request order
    /// happens here.
    pub fn push(&self, in_flight: InFlight) {
        let mut entry = Entry { in_flight, done: None };
        // What the handler waits for wakes the writer, who waits for this request: that need not run before. When it is
        // busy with others, it looks by itself.
        let writer = self.writer.take_waiting();
        entry.poll(&mut Context::from_waker(writer.as_ref().unwrap_or(Waker::noop())));
        let answered = entry.done.is_some();
        self.frame_bytes.set(self.frame_bytes.get() + entry.in_flight.frame_len);
        self.queue.borrow_mut().push_back(entry);
        if let Some(writer) = writer.filter(|_| answered) {
            writer.wake();
        }
    }

    /// Waits until another request may be taken. False once closed.
    pub async fn has_room(&self) -> bool {
        loop {
            let listener = self.settled.listen();
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
        let mut first: Option<Entry> = None;
        poll_fn(|cx| {
            // Only the writer takes from the front, so the entry may wait outside the queue.
            if first.is_none() {
                first = self.queue.borrow_mut().pop_front();
            }
            self.writer.waits(cx, first.is_none());
            // Nobody waits for an answer when the connection has ended.
            if self.closed.get() {
                return Poll::Ready(None);
            }
            let Some(entry) = &mut first else { return Poll::Pending };
            entry.poll(cx);
            match entry.done.take() {
                Some(reply) => Poll::Ready(first.take().map(|entry| self.settle(entry, reply))),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Like [`next_reply`](Self::next_reply), for an answer that is there at once.
    pub async fn ready_reply(&self) -> Option<(InFlight, Reply)> {
        let mut entry = self.queue.borrow_mut().pop_front()?;
        poll_fn(|cx| {
            entry.poll(cx);
            Poll::Ready(())
        })
        .await;
        let Some(reply) = entry.done.take() else {
            self.queue.borrow_mut().push_front(entry);
            return None;
        };
        Some(self.settle(entry, reply))
    }

    /// Ends both sides; requests still in flight are dropped.
    pub fn close(&self) {
        self.closed.set(true);
        self.settled.notify();
        self.writer.wake();
    }

    /// True when nothing is in flight, the request being waited for included.
    pub fn is_idle(&self) -> bool {
        self.frame_bytes.get() == 0
    }

    /// Waits until nothing is in flight, or it is closed.
    pub async fn until_idle(&self) {
        loop {
            let listener = self.settled.listen();
            if self.closed.get() || self.is_idle() {
                return;
            }
            listener.await;
        }
    }

    fn settle(&self, entry: Entry, reply: Reply) -> (InFlight, Reply) {
        self.frame_bytes.set(self.frame_bytes.get() - entry.in_flight.frame_len);
        self.settled.notify();
        (entry.in_flight, reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Response, ResponseHeader};
    use crate::base::Instant;
    use crate::base::local::{Sender, oneshot};
    use crate::protocol::ApiKey;
    use bytes::Bytes;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    const FRAME: usize = 10;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A task: what it waits for, and how often it was woken.
    struct Task {
        wakes: Arc<Wakes>,
        waker: Waker,
    }

    impl Task {
        fn new() -> Self {
            let wakes = Arc::new(Wakes::default());
            Self { waker: Waker::from(wakes.clone()), wakes }
        }

        fn woken(&self) -> usize {
            self.wakes.0.swap(0, Ordering::SeqCst)
        }

        fn poll<T>(&self, future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
            future.poll(&mut Context::from_waker(&self.waker))
        }
    }

    fn answer(text: &'static str) -> Reply {
        Reply::Send(Response::Memory(Bytes::from_static(text.as_bytes())))
    }

    fn request(reply: impl Future<Output = Reply> + 'static) -> InFlight {
        let (response_header, key) = (ResponseHeader::new(1, false), ApiKey::Produce);
        InFlight {
            started: Started { response_header, key, began: Instant(1), reply: Box::pin(reply) },
            frame_len: FRAME,
        }
    }

    /// One that is answered when told.
    fn slow(text: &'static str) -> (InFlight, Sender<()>) {
        let (tell, told) = oneshot();
        let reply = async move {
            let _ = told.await;
            answer(text)
        };
        (request(reply), tell)
    }

    fn text(answered: Poll<Option<(InFlight, Reply)>>) -> Option<String> {
        match answered {
            Poll::Ready(Some((_, Reply::Send(Response::Memory(bytes))))) => {
                Some(String::from_utf8_lossy(&bytes).into())
            }
            Poll::Ready(Some(_)) => Some("something else".into()),
            Poll::Ready(None) => Some("closed".into()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_writer_that_waits_is_woken_when_there_is_an_answer_and_not_before() {
        let (pending, writer) = (Pending::default(), Task::new());
        let mut next = pin!(pending.next_reply());
        assert_eq!(text(writer.poll(next.as_mut())), None);
        let (first, tell) = slow("first");
        pending.push(first);
        pending.push(request(async { answer("second") }));
        assert_eq!((writer.woken(), pending.is_idle()), (0, false));
        tell.send(());
        assert_eq!(writer.woken(), 1);
        assert_eq!(text(writer.poll(next.as_mut())).as_deref(), Some("first"));
        assert_eq!(text(writer.poll(pin!(pending.ready_reply()))).as_deref(), Some("second"));
        assert!(pending.is_idle());
    }

    #[test]
    fn a_request_answered_at_once_wakes_the_writer() {
        let (pending, writer) = (Pending::default(), Task::new());
        let mut next = pin!(pending.next_reply());
        assert_eq!(text(writer.poll(next.as_mut())), None);
        pending.push(request(async { answer("at once") }));
        assert_eq!(writer.woken(), 1);
        assert_eq!(text(writer.poll(next.as_mut())).as_deref(), Some("at once"));
    }

    #[test]
    fn what_came_while_the_writer_was_busy_is_answered_in_its_turn() {
        let (pending, writer) = (Pending::default(), Task::new());
        let (first, tell_first) = slow("first");
        let (second, tell_second) = slow("second");
        pending.push(first);
        pending.push(second);
        tell_second.send(());
        assert_eq!(text(writer.poll(pin!(pending.ready_reply()))).as_deref(), Some("closed"), "none is there at once");
        let mut next = pin!(pending.next_reply());
        assert_eq!(text(writer.poll(next.as_mut())), None, "the second waits behind the first");
        tell_first.send(());
        assert_eq!(writer.woken(), 1);
        assert_eq!(text(writer.poll(next.as_mut())).as_deref(), Some("first"));
        assert_eq!(text(writer.poll(pin!(pending.next_reply()))).as_deref(), Some("second"));
    }

    #[test]
    fn the_end_wakes_the_writer_whatever_it_waits_for_and_who_waits_for_room() {
        for waits_for_an_answer in [false, true] {
            let (pending, writer, reader) = (Pending::default(), Task::new(), Task::new());
            let mut next = pin!(pending.next_reply());
            assert_eq!(text(writer.poll(next.as_mut())), None);
            let mut held = Vec::new();
            // The oldest stands outside the queue once the writer has seen it.
            for _ in 0..if waits_for_an_answer { IN_FLIGHT_MAX + 1 } else { 0 } {
                let (request, tell) = slow("never");
                pending.push(request);
                held.push(tell);
            }
            assert_eq!(text(writer.poll(next.as_mut())), None);
            let mut room = pin!(pending.has_room());
            assert_eq!(reader.poll(room.as_mut()).is_pending(), waits_for_an_answer);
            pending.close();
            assert_eq!((writer.woken(), reader.woken()), (1, usize::from(waits_for_an_answer)));
            assert_eq!(text(writer.poll(next.as_mut())).as_deref(), Some("closed"));
            assert_eq!(reader.poll(pin!(pending.has_room())), Poll::Ready(false));
        }
    }

    #[test]
    fn an_answer_makes_room() {
        let (pending, writer, reader) = (Pending::default(), Task::new(), Task::new());
        for _ in 0..IN_FLIGHT_MAX {
            pending.push(request(async { answer("a") }));
        }
        let mut room = pin!(pending.has_room());
        assert!(reader.poll(room.as_mut()).is_pending());
        // The writer takes the oldest out of the queue, which makes room when it is answered.
        assert_eq!(text(writer.poll(pin!(pending.next_reply()))).as_deref(), Some("a"));
        assert_eq!(reader.woken(), 1);
        assert_eq!(reader.poll(room.as_mut()), Poll::Ready(true));
    }
}
