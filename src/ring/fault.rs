//! Faults for tests: a directory whose files fail to be written or synced. Compiled for tests only.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Appends: `write_vectored`.
    Write,
    /// fsync and fdatasync, of directories too.
    Sync,
}

struct Planned {
    dir: PathBuf,
    op: Op,
    errno: i32,
    times: usize,
}

static PLANNED: Mutex<Vec<Planned>> = Mutex::new(Vec::new());

/// The next `times` operations on files below `dir` fail with `errno`.
pub(crate) fn inject(dir: &Path, op: Op, errno: i32, times: usize) {
    let mut planned = PLANNED.lock().unwrap_or_else(PoisonError::into_inner);
    planned.push(Planned { dir: dir.to_owned(), op, errno, times });
}

/// Fails where that was planned.
pub(crate) fn check(path: &Path, op: Op) -> io::Result<()> {
    let mut planned = PLANNED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut due = planned.iter_mut().filter(|p| p.op == op && p.times > 0 && path.starts_with(&p.dir));
    match due.next() {
        Some(fault) => {
            fault.times -= 1;
            Err(io::Error::from_raw_os_error(fault.errno))
        }
        None => Ok(()),
    }
}
