//! What the kernel's error numbers mean to us.

use std::io;

/// A result as io_uring gives it: a count, or a negative errno.
pub(crate) fn of(result: i32) -> io::Result<usize> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result as usize) }
}

/// A result as the C library gives it: a count, or -1 and `errno`. To be asked right after the call.
pub(crate) fn of_call(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Interrupted or busy: the same call again is right.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN))
}

/// The call, or its flag, is not known here.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL))
}

/// The disk or the quota is used up: a write that fails so takes no log dir offline.
pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

/// What a sync says. A full disk is what a *write* says: a sync that fails tells of bytes that were taken and are lost,
/// whatever its reason, and the kernel tells it once. So [`is_disk_full`] is never true of it.
pub(crate) fn of_sync(result: io::Result<()>) -> io::Result<()> {
    result.map_err(|e| if is_disk_full(&e) { io::Error::other(format!("a sync failed: {e}")) } else { e })
}

/// No descriptor or memory left for another connection: accepting waits a while.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
