//! What a process that was just killed still holds: its locks and ports go only when the kernel has
//! taken all of it apart, and the next start may be there first.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a start waits for the one before it to be gone.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(10);

/// Tries again while the error is of the kind `held`, for a few seconds. Blocking; for the start only.
///
/// # Errors
/// The last attempt's.
pub fn while_held<T>(held: io::ErrorKind, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let began = Instant::now();
    loop {
        match attempt() {
            Err(e) if e.kind() == held && began.elapsed() < PATIENCE => sleep(PAUSE),
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
