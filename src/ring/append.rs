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
/// For so many times as long as it took, so that a shard's thread waits for a small part of its time at most.
const AVOID_PLAIN_TIMES: u32 = 20;
/// A slow write within this time after the last such while makes the next one twice as long.
const SOON_AGAIN: Duration = Duration::from_secs(10);
/// No while is longer.
const AVOID_PLAIN_MAX: Duration = Duration::from_secs(2);
/// After a slow write it is asked of each whether the thread waited in it: that question costs a tenth of a small append.
const WATCH_FOR: Duration = Duration::from_secs(60);

const UNCACHED_READS_SINCE: KernelVersion = KernelVersion { major: 6, minor: 14 };

/// One device's path and health, shared by all files on it.
pub(crate) struct Device {
    path: AppendPath,
    /// Whether appends gain from blocks reserved ahead: on ext4 a third of the write's CPU, on XFS nothing.
    pub(crate) reserves_blocks: bool,
    plain_again_at: AtomicU64,
    /// How long plain writes were last avoided, in nanoseconds.
    avoided_for: AtomicU64,
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
            avoided_for: AtomicU64::new(0),
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
        let took = to.since(from);
        if took <= SLOW_WRITE {
            return;
        }
        self.watched_until.store(to.plus(WATCH_FOR).0, Ordering::Relaxed);
        if waited() == Some(true) {
            self.avoid_plain(from, to, took);
        }
    }

    fn avoid_plain(&self, from: Instant, to: Instant, took: Duration) {
        let last = Duration::from_nanos(self.avoided_for.load(Ordering::Relaxed));
        let last_ended = Instant(self.plain_again_at.load(Ordering::Relaxed));
        let again = if from < last_ended.plus(SOON_AGAIN) { last.saturating_mul(2) } else { Duration::ZERO };
        let avoid = took.saturating_mul(AVOID_PLAIN_TIMES).max(again).min(AVOID_PLAIN_MAX);
        self.avoided_for.store(u64::try_from(avoid.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.plain_again_at.store(to.plus(avoid).0, Ordering::Relaxed);
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
        assert_eq!(device.path(slow.plus_ms(199)), AppendPath::Ring);
        assert_eq!(device.path(slow.plus_ms(200)), AppendPath::Plain);
    }

    #[test]
    fn a_device_that_stays_slow_is_avoided_longer_each_time_and_one_that_recovers_is_not() {
        let device = Device::new(&FsKind::Ext4);
        let slow_at = |from: Instant, ms| {
            let to = from.plus_ms(ms);
            device.plain_write_took(from, to, || Some(true));
            (1..)
                .find(|after| device.path(to.plus_ms(*after)) == AppendPath::Plain)
                .map(|after| (to.plus_ms(after), after))
        };
        let mut from = Instant(1_000_000_000);
        for expected in [200, 400, 800, 1600, 2000, 2000] {
            let (again, avoided) = slow_at(from, 10).unwrap();
            assert_eq!(avoided, expected);
            from = again.plus_ms(9_000);
        }
        let (again, avoided) = slow_at(from.plus_ms(2_000), 10).unwrap();
        assert_eq!(avoided, 200, "it was well for a while");
        assert_eq!(slow_at(again.plus_ms(20_000), 500).unwrap().1, 2000, "one long wait counts as many");
    }
}
