//! Messages between cores: any number of senders, one receiver on its core. Sending never blocks.
//!
//! The queue is a mutex around a vector which the receiver takes whole: one lock per turn of the receiver, not
//! per message. It has no bound of its own: what may be sent is bounded by its senders (requests in flight).

use super::doorbell::RemoteWaker;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

struct State<T> {
    items: VecDeque<T>,
    waiting: Option<RemoteWaker>,
    receiver_gone: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    senders: AtomicUsize,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sending end. May be cloned and used on every core.
pub struct Sender<T>(Arc<Shared<T>>);

/// The receiving end. Belongs to the core that first awaits it.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// Taken from the shared queue at one go, so that the lock is held once per turn.
    taken: VecDeque<T>,
}

/// A new mailbox.
pub fn channel<T: Send>() -> (Sender<T>, Receiver<T>) {
    let state = State { items: VecDeque::new(), waiting: None, receiver_gone: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), senders: AtomicUsize::new(1) });
    (Sender(shared.clone()), Receiver { shared, taken: VecDeque::new() })
}

impl<T: Send> Sender<T> {
    /// Puts `item` into the mailbox and wakes the receiver's core if it is parked. Never blocks.
    ///
    /// # Errors
    /// Gives the item back when the receiver is gone.
    pub fn send(&self, item: T) -> Result<(), T> {
        let waiting = {
            let mut state = self.0.lock();
            if state.receiver_gone {
                return Err(item);
            }
            state.items.push_back(item);
            state.waiting.take()
        };
        if let Some(waiting) = waiting {
            waiting.fire();
        }
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            let waiting = self.0.lock().waiting.take();
            if let Some(waiting) = waiting {
                waiting.fire();
            }
        }
    }
}

impl<T: Send> Receiver<T> {
    /// The next message, in the order of sending. `None` once every sender is gone and nothing is left.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// The next message if one is there.
    pub fn try_recv(&mut self) -> Option<T> {
        if self.taken.is_empty() {
            std::mem::swap(&mut self.taken, &mut self.shared.lock().items);
        }
        self.taken.pop_front()
    }

    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(item) = self.taken.pop_front() {
            return Poll::Ready(Some(item));
        }
        let mut state = self.shared.lock();
        std::mem::swap(&mut self.taken, &mut state.items);
        if let Some(item) = self.taken.pop_front() {
            return Poll::Ready(Some(item));
        }
        if self.shared.senders.load(Ordering::Acquire) == 0 {
            return Poll::Ready(None);
        }
        state.waiting = Some(RemoteWaker::new(cx));
        Poll::Pending
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let items = {
            let mut state = self.shared.lock();
            state.receiver_gone = true;
            state.waiting = None;
            std::mem::take(&mut state.items)
        };
        // Dropped outside the lock: an item may hold a sender of this very mailbox.
        drop(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::runtime;

    #[test]
    fn messages_arrive_in_order_from_another_thread() {
        runtime::block_on_test(async {
            let (sender, mut receiver) = channel();
            let thread = std::thread::spawn(move || (0..1000).for_each(|n| sender.send(n).unwrap()));
            for expected in 0..1000 {
                assert_eq!(receiver.recv().await, Some(expected));
            }
            assert_eq!(receiver.recv().await, None);
            thread.join().unwrap();
        });
    }

    #[test]
    fn a_parked_core_is_woken_by_each_of_many_single_messages() {
        runtime::block_on_test(async {
            let (ping, mut pings) = channel::<u32>();
            let (pong, pongs) = std::sync::mpsc::channel::<u32>();
            let thread = std::thread::spawn(move || {
                for n in 0..200 {
                    ping.send(n).unwrap();
                    assert_eq!(pongs.recv().unwrap(), n);
                }
            });
            while let Some(n) = pings.recv().await {
                pong.send(n).unwrap();
            }
            thread.join().unwrap();
        });
    }

    #[test]
    fn a_message_to_nobody_comes_back() {
        let (sender, receiver) = channel();
        drop(receiver);
        assert_eq!(sender.send(7), Err(7));
    }
}
