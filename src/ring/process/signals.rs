//! SIGINT and SIGTERM: the first one is an event, the second ends the process at once, as shells expect.

use crate::ring::errno;
use crate::ring::uring::{Core, Keep, Op, Owner};
use io_uring::{opcode, types};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

/// A request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C. The exit code of an immediate end is 130.
    Interrupt,
    /// `kill`. The exit code of an immediate end is 143.
    Terminate,
}

static FIRST: AtomicI32 = AtomicI32::new(0);
static EVENT: OnceLock<EventFd> = OnceLock::new();

/// The signal that came, where [`Signals::install`] was called.
pub(in crate::ring) fn first() -> Option<Signal> {
    match FIRST.load(Ordering::SeqCst) {
        0 => None,
        libc::SIGINT => Some(Signal::Interrupt),
        _ => Some(Signal::Terminate),
    }
}

/// Becomes readable with the first signal.
pub(in crate::ring) fn event() -> Option<BorrowedFd<'static>> {
    EVENT.get().map(AsFd::as_fd)
}

/// The signals asked to be told. One receiver for the process.
pub struct Signals(());

impl Signals {
    /// Takes over SIGINT and SIGTERM.
    ///
    /// # Errors
    /// Of the system calls.
    pub fn install() -> io::Result<Self> {
        // Blocking, so that a read through the ring waits.
        let event = EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC)?;
        // A second call keeps the first's.
        let _ = EVENT.set(event);
        let action = SigAction::new(SigHandler::Handler(on_signal), SaFlags::SA_RESTART, SigSet::empty());
        for signal in [signal::Signal::SIGINT, signal::Signal::SIGTERM] {
            // SAFETY: the handler does only what is safe in one: atomics, write(2) and _exit(2).
            unsafe { signal::sigaction(signal, &action)? };
        }
        Ok(Self(()))
    }

    /// Waits for the first signal.
    pub async fn recv(&self) -> Signal {
        loop {
            match first() {
                Some(signal) => return signal,
                None => self.wait().await,
            }
        }
    }

    async fn wait(&self) {
        let Some(event) = EVENT.get() else { return };
        let core = Core::with(Clone::clone);
        let mut counter = Box::new(0_u64);
        let entry = opcode::Read::new(types::Fd(event.as_fd().as_raw_fd()), (&raw mut *counter).cast(), 8).build();
        let (result, _) = Op::new(&core, entry, Keep::Counter(counter), Owner::nobody()).await;
        if let Err(error) = errno::of(result) {
            tracing::warn!(%error, "waiting for signals failed");
            crate::ring::runtime::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

extern "C" fn on_signal(number: i32) {
    if FIRST.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        // SAFETY: _exit may be called in a signal handler.
        unsafe { libc::_exit(128 + number) };
    }
    if let Some(event) = EVENT.get() {
        let one = 1_u64;
        // SAFETY: write may be called in a signal handler; the eight bytes are `one`'s.
        unsafe { libc::write(event.as_fd().as_raw_fd(), (&raw const one).cast(), 8) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_wakes_the_one_who_waits() {
        crate::ring::runtime::block_on_test(async {
            let signals = Signals::install().unwrap();
            let waiting = crate::ring::runtime::spawn(async move { signals.recv().await });
            crate::ring::runtime::yield_now().await;
            signal::raise(signal::Signal::SIGTERM).unwrap();
            assert_eq!(waiting.await, Signal::Terminate);
            FIRST.store(0, Ordering::SeqCst);
        });
    }
}
