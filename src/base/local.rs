//! Waiting within one core: a one-shot value and an event. Neither leaves its thread, so neither
//! takes a lock. What crosses cores goes through `ring::mailbox`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
    sender_gone: bool,
}

/// Makes a pair over which one value passes once.
pub fn oneshot<T>() -> (Sender<T>, Receiver<T>) {
    let slot = Rc::new(RefCell::new(Slot { value: None, waker: None, sender_gone: false }));
    (Sender(slot.clone()), Receiver(slot))
}

/// The giving end of [`oneshot`].
pub struct Sender<T>(Rc<RefCell<Slot<T>>>);

/// The waiting end of [`oneshot`]: a future of the value, or [`Dropped`].
pub struct Receiver<T>(Rc<RefCell<Slot<T>>>);

/// The sender went away without a word.
#[derive(Debug, PartialEq, Eq)]
pub struct Dropped;

impl<T> Sender<T> {
    /// Hands over the value and wakes the waiting task.
    pub fn send(self, value: T) {
        self.0.borrow_mut().value = Some(value);
    }

    /// True when nobody waits any more.
    pub fn is_abandoned(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut slot = self.0.borrow_mut();
            slot.sender_gone = true;
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// Something of the value when it is already there, which stays there.
    pub fn peek<U>(&self, look: impl FnOnce(&T) -> U) -> Option<U> {
        self.0.borrow().value.as_ref().map(look)
    }

    /// The value when it is already there.
    pub fn try_take(&self) -> Option<T> {
        self.0.borrow_mut().value.take()
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Dropped>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = self.0.borrow_mut();
        if let Some(value) = slot.value.take() {
            return Poll::Ready(Ok(value));
        }
        if slot.sender_gone {
            return Poll::Ready(Err(Dropped));
        }
        slot.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Wakes all who wait for it. Take a [`Listener`] *before* looking at the state it guards.
#[derive(Default)]
pub struct Event {
    generation: Cell<u64>,
    waiting: RefCell<Vec<Waker>>,
}

impl Event {
    /// Wakes every listener taken so far.
    pub fn notify(&self) {
        self.generation.set(self.generation.get() + 1);
        let waiting = std::mem::take(&mut *self.waiting.borrow_mut());
        for waker in waiting {
            waker.wake();
        }
    }

    /// A future that ends at the next [`notify`](Self::notify) after this call.
    pub fn listen(&self) -> Listener<'_> {
        Listener { event: self, seen: self.generation.get() }
    }
}

/// See [`Event::listen`].
pub struct Listener<'a> {
    event: &'a Event,
    seen: u64,
}

impl Future for Listener<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.event.generation.get() != self.seen {
            return Poll::Ready(());
        }
        let mut waiting = self.event.waiting.borrow_mut();
        if !waiting.iter().any(|w| w.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// One at a time, across awaits.
#[derive(Default)]
pub struct Lock {
    held: Cell<bool>,
    queue: RefCell<VecDeque<Sender<()>>>,
}

/// Held until dropped.
pub struct Guard<'a>(&'a Lock);

impl Lock {
    /// Waits until nobody else holds it. Who waits longest gets it first, and only that one is
    /// woken: a thousand waiters cost a thousand wakes, not a million.
    pub async fn lock(&self) -> Guard<'_> {
        if self.held.replace(true) {
            let (turn, receiver) = oneshot();
            self.queue.borrow_mut().push_back(turn);
            let mut place = Place { lock: self, receiver };
            // The queue is never dropped while we borrow the lock, so this is always our turn.
            let _ = std::future::poll_fn(|cx| Pin::new(&mut place.receiver).poll(cx)).await;
        }
        Guard(self)
    }

    fn release(&self) {
        loop {
            let next = self.queue.borrow_mut().pop_front();
            match next {
                // Handed over: it stays held.
                Some(turn) if !turn.is_abandoned() => return turn.send(()),
                Some(_) => {}
                None => return self.held.set(false),
            }
        }
    }
}

/// A place in the queue. Given up after its turn came, it passes the turn on.
struct Place<'a> {
    lock: &'a Lock,
    receiver: Receiver<()>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.receiver.try_take().is_some() {
            self.lock.release();
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Runs futures side by side: all are polled from the first poll on, the answers come in the
/// order of the futures.
pub async fn join_all<F: Future + Unpin>(mut futures: Vec<F>) -> Vec<F::Output> {
    let mut answers: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        let mut waiting = false;
        for (future, answer) in futures.iter_mut().zip(answers.iter_mut()).filter(|(_, a)| a.is_none()) {
            match Pin::new(future).poll(cx) {
                Poll::Ready(value) => *answer = Some(value),
                Poll::Pending => waiting = true,
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    answers.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll_once<F: Future>(f: &mut Pin<&mut F>) -> Poll<F::Output> {
        f.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_value_arrives_once() {
        let (tx, rx) = oneshot();
        let mut rx = std::pin::pin!(rx);
        assert!(poll_once(&mut rx).is_pending());
        tx.send(7);
        assert_eq!(poll_once(&mut rx), Poll::Ready(Ok(7)));
    }

    #[test]
    fn a_dropped_sender_ends_the_wait() {
        let (tx, rx) = oneshot::<u8>();
        drop(tx);
        assert_eq!(poll_once(&mut std::pin::pin!(rx)), Poll::Ready(Err(Dropped)));
    }

    #[test]
    fn a_lock_lets_one_in_at_a_time() {
        let lock = Lock::default();
        let mut first = std::pin::pin!(lock.lock());
        let Poll::Ready(guard) = poll_once(&mut first) else { panic!("free") };
        let mut second = std::pin::pin!(lock.lock());
        assert!(poll_once(&mut second).is_pending());
        drop(guard);
        assert!(poll_once(&mut second).is_ready());
    }

    #[test]
    fn joined_futures_all_start_at_the_first_poll() {
        let (tx, rx) = oneshot();
        let (other, second) = oneshot();
        let mut joined = std::pin::pin!(join_all(vec![rx, second]));
        other.send(2);
        assert!(poll_once(&mut joined).is_pending());
        tx.send(1);
        assert_eq!(poll_once(&mut joined), Poll::Ready(vec![Ok(1), Ok(2)]));
    }

    #[test]
    fn an_event_wakes_only_those_who_listened_before() {
        let event = Event::default();
        let mut before = std::pin::pin!(event.listen());
        assert!(poll_once(&mut before).is_pending());
        event.notify();
        assert!(poll_once(&mut before).is_ready());
        assert!(poll_once(&mut std::pin::pin!(event.listen())).is_pending());
    }

    #[test]
    fn a_lock_goes_round_in_order_also_past_those_who_gave_up() {
        let lock = Lock::default();
        let mut first = Box::pin(lock.lock());
        let Poll::Ready(guard) = poll_once(&mut first.as_mut()) else { panic!("free") };
        let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(lock.lock())).collect();
        assert!(waiting.iter_mut().all(|w| poll_once(&mut w.as_mut()).is_pending()));
        // One gives up while it waits, one when its turn has come.
        drop(waiting.remove(0));
        drop(guard);
        assert!(poll_once(&mut waiting[1].as_mut()).is_pending());
        drop(waiting.remove(0));
        let Poll::Ready(guard) = poll_once(&mut waiting[0].as_mut()) else { panic!("its turn") };
        assert!(poll_once(&mut waiting[1].as_mut()).is_pending());
        drop(guard);
        assert!(poll_once(&mut waiting[1].as_mut()).is_ready());
    }
}
