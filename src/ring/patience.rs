//! What others still hold and are about to let go of. A process that was just killed: its locks and ports go only when
//! the kernel has taken all of it apart, and the next start may be there first. Descriptors.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long is waited.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(10);

/// Tries again while the error is of the kind `held`, for a few seconds. Blocking; for the start only.
///
/// # Errors
/// The last attempt's.
pub fn while_held<T>(held: io::ErrorKind, attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    while_so(|e| e.kind() == held, attempt)
}

/// Tries again while there is no descriptor for another file: logs are letting go of idle ones. Blocking; never on a
/// shard.
///
/// # Errors
/// The last attempt's.
pub(super) fn while_scarce<T>(attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    while_so(|e| matches!(e.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)), attempt)
}

fn while_so<T>(so: impl Fn(&io::Error) -> bool, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut began = None;
    loop {
        match attempt() {
            Err(e) if so(&e) && began.get_or_insert_with(Instant::now).elapsed() < PATIENCE => sleep(PAUSE),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_held_is_tried_again() {
        let mut tries = 0;
        let freed = while_held(io::ErrorKind::WouldBlock, || {
            tries += 1;
            if tries < 3 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(tries) }
        });
        assert_eq!(freed.unwrap(), 3);
        let mut tries = 0;
        let failed = while_held(io::ErrorKind::WouldBlock, || {
            tries += 1;
            Err::<(), _>(io::ErrorKind::PermissionDenied.into())
        });
        assert_eq!((failed.unwrap_err().kind(), tries), (io::ErrorKind::PermissionDenied, 1));
    }
}
