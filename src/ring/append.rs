//! How appends reach the page cache, chosen per device and watched while running.
//!
//! ext4 never completes buffered io_uring writes inline: each costs a kernel worker, two to four times the CPU. XFS does,
//! but not always: of large appends to new blocks a part goes to workers too, which costs a third more in all. So on both
//! (and on tmpfs, which cannot block) a plain `pwritev` on the shard is taken while the device is healthy; after a second
//! one that waited over 5 ms the kernel's workers do it for a while, so that a slow disk stalls no shard.

use super::fs::FsKind;
use super::process::{KernelVersion, kernel_version};
use crate::base::Instant;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The ways an append can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendPath {
    /// `IORING_OP_WRITEV` on the core's ring.
    Ring,
    /// `pwritev(2)` on the shard's thread while the device is healthy.
    Plain,
}

impl AppendPath {
    /// The better one on this kind of file system, as measured (docs/PERFORMANCE.md).
    pub fn for_fs(kind: &FsKind) -> Self {
        match kind {
            FsKind::Ext4 | FsKind::Xfs | FsKind::Tmpfs => Self::Plain,
            FsKind::Other(_) => Self::Ring,
        }
    }

    /// For the log at start.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ring => "io_uring write",
            Self::Plain => "pwritev while the device is healthy, else io_uring write",
        }
    }
}

/// A plain write longer than this sends the next ones to kernel workers.
const SLOW_WRITE: Duration = Duration::from_millis(5);
/// For this long.
const AVOID_PLAIN_FOR: Duration = Duration::from_secs(2);
/// After a slow write it is asked of each whether the thread waited in it: that question costs a tenth of a small append.
const WATCH_FOR: Duration = Duration::from_secs(60);

const UNCACHED_READS_SINCE: KernelVersion = KernelVersion { major: 6, minor: 14 };

/// One device's path and health, shared by all files on it.
pub(crate) struct Device {
    path: AppendPath,
    /// Whether appends gain from blocks reserved ahead: on ext4 a third of the write's CPU, on XFS nothing.
    pub(crate) reserves_blocks: bool,
    plain_again_at: AtomicU64,
    watched_until: AtomicU64,
    /// Whether cold reads may leave the page cache as it was (RWF_DONTCACHE; Linux 6.14, not every file system).
    uncached_reads: AtomicBool,
}

impl Device {
    /// The device of a file just opened. `kind` is asked only the first time.
    pub(crate) fn of(dev: u64, kind: impl FnOnce() -> FsKind) -> Arc<Self> {
        static DEVICES: Mutex<Option<HashMap<u64, Arc<Device>>>> = Mutex::new(None);
        let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
        let device = devices.get_or_insert_default().entry(dev).or_insert_with(|| Arc::new(Self::new(&kind())));
        device.clone()
    }

    fn new(kind: &FsKind) -> Self {
        Self { reserves_blocks: *kind == FsKind::Ext4, ..Self::with_path(AppendPath::for_fs(kind)) }
    }

    pub(crate) fn with_path(path: AppendPath) -> Self {
        let uncached = kernel_version().is_some_and(|kernel| kernel >= UNCACHED_READS_SINCE);
        Self {
            path,
            reserves_blocks: false,
            plain_again_at: AtomicU64::new(0),
            watched_until: AtomicU64::new(0),
            uncached_reads: AtomicBool::new(uncached),
        }
    }

    /// Whether to try an uncached read.
    pub(crate) fn uncached_reads(&self) -> bool {
        self.uncached_reads.load(Ordering::Relaxed)
    }

    /// The file system refused one.
    pub(crate) fn no_uncached_reads(&self) {
        self.uncached_reads.store(false, Ordering::Relaxed);
    }

    /// The path for a write that begins at `now`.
    pub(crate) fn path(&self, now: Instant) -> AppendPath {
        if self.path == AppendPath::Plain && now.0 < self.plain_again_at.load(Ordering::Relaxed) {
            return AppendPath::Ring;
        }
        self.path
    }

    /// Whether a plain write that begins at `now` has to tell [`Self::plain_write_took`] if its thread waited.
    pub(crate) fn is_watched(&self, now: Instant) -> bool {
        now.0 < self.watched_until.load(Ordering::Relaxed)
    }

    /// Takes note of a plain write's time. `waited` says whether the thread gave up its core in it, where that was
    /// asked: a write that was only preempted says nothing about the disk.
    pub(crate) fn plain_write_took(&self, from: Instant, to: Instant, waited: impl FnOnce() -> Option<bool>) {
        if to.since(from) <= SLOW_WRITE {
            return;
        }
        self.watched_until.store(to.plus(WATCH_FOR).0, Ordering::Relaxed);
        if waited() == Some(true) {
            self.plain_again_at.store(to.plus(AVOID_PLAIN_FOR).0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_slow_write_sends_the_next_ones_to_kernel_workers_for_a_while() {
        let device = Device::new(&FsKind::Ext4);
        let start = Instant(1_000_000_000);
        assert_eq!(device.path(start), AppendPath::Plain);
        assert!(!device.is_watched(start));
        device.plain_write_took(start, start.plus(Duration::from_millis(4)), || Some(true));
        assert!(!device.is_watched(start.plus_ms(4)));
        let slow = start.plus_ms(10);
        device.plain_write_took(start, slow, || None);
        assert_eq!(device.path(slow), AppendPath::Plain, "nobody knows whether it waited");
        assert!(device.is_watched(slow) && !device.is_watched(slow.plus(WATCH_FOR)));
        device.plain_write_took(start, slow, || Some(false));
        assert_eq!(device.path(slow), AppendPath::Plain, "it was preempted, not blocked");
        device.plain_write_took(start, slow, || Some(true));
        assert_eq!(device.path(slow.plus_ms(1_999)), AppendPath::Ring);
        assert_eq!(device.path(slow.plus_ms(2_000)), AppendPath::Plain);
    }
}
