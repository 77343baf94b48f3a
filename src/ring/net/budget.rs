//! The memory that large frames being received, or not yet dropped, may occupy on one core together.
//!
//! Bytes are charged as they arrive. When the budget is full, receiving large frames pauses, except for the
//! oldest one: one frame can always be completed, and so the memory comes free again.

use crate::ring::doorbell::RemoteWaker;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

/// A receive takes at most this much at once while there is room ...
const PIECE_BYTES_MAX: usize = 1 << 20;
/// ... and this much when more than half of the budget is used.
const PIECE_BYTES_MIN: usize = 64 << 10;

#[derive(Default)]
struct State {
    next: u64,
    receiving: BTreeSet<u64>,
    waiting: Vec<RemoteWaker>,
}

/// One core's budget. Charges may be dropped on any core.
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
    state: Mutex<State>,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicUsize::new(0), state: Mutex::default() })
    }

    /// Bytes charged now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A large frame begins to be received.
    pub(super) fn begin(self: &Arc<Self>) -> Ticket {
        let mut state = self.lock();
        state.next += 1;
        let number = state.next;
        state.receiving.insert(number);
        Ticket { budget: self.clone(), number }
    }

    fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut self.lock().waiting);
        waiting.into_iter().for_each(RemoteWaker::fire);
    }
}

/// A large frame's place in the queue, while it is being received.
pub(super) struct Ticket {
    budget: Arc<Budget>,
    number: u64,
}

impl Ticket {
    /// Ready with the bytes the next receive may take, when the frame may go on.
    pub(super) fn poll_piece(&self, cx: &Context<'_>) -> Poll<usize> {
        let used = self.budget.used();
        if used < self.budget.limit / 2 {
            return Poll::Ready(PIECE_BYTES_MAX);
        }
        let mut state = self.budget.lock();
        // Looked at again under the lock: whoever releases takes it after the release.
        if self.budget.used() < self.budget.limit || state.receiving.first() == Some(&self.number) {
            return Poll::Ready(PIECE_BYTES_MIN);
        }
        state.waiting.push(RemoteWaker::new(cx));
        Poll::Pending
    }

    /// An empty charge for the frame's buffer.
    pub(super) fn charge(&self) -> Charge {
        Charge { budget: self.budget.clone(), bytes: 0 }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.budget.lock();
            state.receiving.remove(&self.number);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(RemoteWaker::fire);
    }
}

/// What one frame occupies; given back on drop.
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Charge {
    /// `more` bytes have arrived.
    pub(crate) fn add(&mut self, more: usize) {
        self.bytes += more;
        self.budget.used.fetch_add(more, Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let before = self.budget.used.fetch_sub(self.bytes, Ordering::SeqCst);
        if before >= self.budget.limit {
            self.budget.wake_waiting();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn when_the_budget_is_full_only_the_oldest_frame_goes_on_until_memory_is_free() {
        let budget = Budget::new(100);
        let cx = Context::from_waker(Waker::noop());
        let (oldest, younger) = (budget.begin(), budget.begin());
        let mut charge = oldest.charge();
        charge.add(100);
        assert!(oldest.poll_piece(&cx).is_ready());
        assert!(younger.poll_piece(&cx).is_pending());
        drop(oldest);
        assert!(younger.poll_piece(&cx).is_ready(), "it is the oldest now");
        let youngest = budget.begin();
        assert!(youngest.poll_piece(&cx).is_pending());
        drop(charge);
        assert!(youngest.poll_piece(&cx).is_ready());
        assert_eq!(budget.used(), 0);
    }
}
