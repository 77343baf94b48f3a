//! Limits on the process: open files and locked memory.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io;

/// The soft limit on open files.
pub fn open_files() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// Raises the soft limit on open files to the hard one. The soft limit afterwards.
pub fn raise_open_files() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// The soft limit on locked memory, bytes.
pub fn locked_memory_bytes() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_MEMLOCK)?.0)
}

/// The resident memory of the process, bytes (`/proc/self/statm`).
pub fn resident_bytes() -> io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.map(|pages| pages * 4096).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// CPU time of the process so far, user and system together.
pub fn cpu_time() -> io::Result<std::time::Duration> {
    use nix::sys::resource::{UsageWho, getrusage};
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |t: nix::sys::time::TimeVal| t.tv_sec() as u64 * 1_000_000 + t.tv_usec() as u64;
    Ok(std::time::Duration::from_micros(micros(usage.user_time()) + micros(usage.system_time())))
}

/// How often the calling thread gave up its core to wait for something.
pub(crate) fn thread_waits() -> i64 {
    use nix::sys::resource::{UsageWho, getrusage};
    getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.voluntary_context_switches())
}

/// Descriptors open now.
pub fn open_files_now() -> io::Result<u64> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_can_be_read_and_the_open_files_raised() {
        assert!(raise_open_files().unwrap() >= open_files_now().unwrap());
        assert!(locked_memory_bytes().is_ok());
        assert!(resident_bytes().unwrap() > 100_000);
        assert!(cpu_time().unwrap() < std::time::Duration::from_secs(1_000_000));
    }
}
