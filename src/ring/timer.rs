//! One core's timers, on the monotonic clock. The pump looks at them in each turn, and sleeps no longer than until the
//! earliest. (glommio's own timers fire late on a busy core: its scheduler looks
//! at them only when all tasks are done or the preemption timer is up.)

use super::uring::Core;
use crate::base::Instant;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// What is to be woken when. Owned by its core.
#[derive(Default)]
pub(crate) struct Timers {
    entries: BTreeMap<(Instant, u64), Waker>,
    next: u64,
}

impl Timers {
    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(key, _)| key.0)
    }

    /// Takes one waker whose time has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Waker> {
        let entry = self.entries.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    fn insert(&mut self, at: Instant, waker: Waker) -> (Instant, u64) {
        self.next += 1;
        self.entries.insert((at, self.next), waker);
        (at, self.next)
    }
}

/// Completes at a deadline. Dropping it takes the timer out.
pub struct Sleep {
    until: Instant,
    key: Option<(Instant, u64)>,
}

impl Sleep {
    pub(crate) fn new(until: Instant) -> Self {
        Self { until, key: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if super::clock::mono() >= self.until {
            return Poll::Ready(());
        }
        let until = self.until;
        let old = self.key;
        let key = Core::with(|core| {
            let mut timers = core.timers.borrow_mut();
            match old.and_then(|key| timers.entries.get_mut(&key)) {
                Some(waker) => {
                    waker.clone_from(cx.waker());
                    old
                }
                None => Some(timers.insert(until, cx.waker().clone())),
            }
        });
        self.key = key;
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            // The waker is dropped after the borrow ends: dropping a waker may drop a task, and that a timer.
            let waker = Core::try_with(|core| core.timers.borrow_mut().entries.remove(&key));
            drop(waker);
        }
    }
}
