//! Ctrl-C: what runs ends, and what was measured is kept. A second one ends the process at once.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: i32) {
    REQUESTED.store(true, Ordering::Relaxed);
}

/// From now on the first Ctrl-C is only noted.
pub fn watch() -> io::Result<()> {
    let action = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESETHAND, SigSet::empty());
    // SAFETY: the handler stores one atomic.
    unsafe { sigaction(Signal::SIGINT, &action) }?;
    Ok(())
}

/// Whether it came.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}

/// `Interrupted` when it came.
pub fn check() -> io::Result<()> {
    if requested() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
}
