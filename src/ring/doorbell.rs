//! How one core wakes a task of another: the waker is handed over and the owner wakes it on its own thread.
//!
//! A busy core finds the wakers in its next turn, without a syscall on either side; only a parked core costs its waker one
//! eventfd write, at the end of the waker's own turn: what that turn has for the parked core wakes it once, and is there
//! together. glommio's own cross-thread wakes are looked at only when its scheduler comes
//! round to them, which takes milliseconds on a busy core: that is why they are not used.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

/// One core's bell. Shared by everyone who may have to wake that core.
pub(crate) struct Doorbell {
    event: EventFd,
    parked: AtomicBool,
    rung: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Doorbell {
    /// A new bell on an eventfd that is never read: its owner polls it for wake-ups.
    pub(crate) fn new() -> std::io::Result<Self> {
        let event = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC)?;
        Ok(Self { event, parked: AtomicBool::new(false), rung: AtomicBool::new(false), wakers: Mutex::default() })
    }

    /// The eventfd that is written to.
    pub(crate) fn event(&self) -> &EventFd {
        &self.event
    }

    /// Called on any core: `waker` is woken by the owner in its next turn. [`Self::end_park`] has to follow.
    fn post(&self, waker: Waker) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
        self.rung.store(true, Ordering::SeqCst);
    }

    /// Called on any core: makes the owner take a turn.
    pub(crate) fn ring(&self) {
        // SeqCst on both flags on both sides: either we see "parked", or the owner sees "rung" before it parks.
        self.rung.store(true, Ordering::SeqCst);
        self.end_park();
    }

    /// The second half of ringing: a parked owner is woken, unless it has found what was posted before it parked.
    pub(crate) fn end_park(&self) {
        if self.rung.load(Ordering::SeqCst) && self.parked.swap(false, Ordering::SeqCst) {
            // The counter does not overflow: at a billion rings a second in five hundred years.
            let _ = self.event.write(1);
        }
    }

    /// Called by the owner in each turn: wakes what others have posted. Returns how many.
    pub(crate) fn answer(&self) -> usize {
        if !self.rung.load(Ordering::Relaxed) || !self.rung.swap(false, Ordering::SeqCst) {
            return 0;
        }
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        let count = wakers.len();
        wakers.into_iter().for_each(Waker::wake);
        count.max(1)
    }

    /// Called by the owner just before it parks. False when somebody rang meanwhile: do not park.
    pub(crate) fn prepare_to_park(&self) -> bool {
        self.parked.store(true, Ordering::SeqCst);
        if self.rung.load(Ordering::SeqCst) {
            self.parked.store(false, Ordering::SeqCst);
            return false;
        }
        true
    }

    /// Called by the owner when it is awake again.
    pub(crate) fn awake(&self) {
        self.parked.store(false, Ordering::SeqCst);
    }
}

/// A waker that may be fired on any core and wakes its task on the task's own core.
pub(crate) struct RemoteWaker {
    waker: Waker,
    home: Option<Arc<Doorbell>>,
}

impl RemoteWaker {
    /// For the task being polled. Outside a core's runtime it is the plain waker.
    pub(crate) fn new(cx: &Context<'_>) -> Self {
        let home = super::uring::Core::try_with(|core| core.doorbell.clone());
        Self { waker: cx.waker().clone(), home }
    }

    /// Wakes the task.
    pub(crate) fn fire(self) {
        match self.home {
            Some(home) => {
                let here = super::uring::Core::try_with(|core| Arc::ptr_eq(&core.doorbell, &home));
                if here == Some(true) {
                    return self.waker.wake();
                }
                home.post(self.waker);
                if super::uring::Core::try_with(|core| core.ring_later(home.clone())).is_none() {
                    home.end_park();
                }
            }
            None => self.waker.wake(),
        }
    }
}
