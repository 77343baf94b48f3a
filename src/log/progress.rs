//! How far the recovery of an unclean start has come, told to the operator every few seconds.

use crate::base::Instant;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A line at most this often.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Shared by the recovery threads.
#[derive(Debug)]
pub struct Progress {
    clock: fn() -> Instant,
    begun: Instant,
    logs: usize,
    bytes: u64,
    logs_done: AtomicUsize,
    bytes_done: AtomicU64,
    told: Mutex<Instant>,
}

impl Progress {
    /// Of `logs` logs with `bytes` bytes to check in all. `clock` gives the time.
    pub fn new(logs: usize, bytes: u64, clock: fn() -> Instant) -> Self {
        let begun = clock();
        Self {
            clock,
            begun,
            logs,
            bytes,
            logs_done: AtomicUsize::new(0),
            bytes_done: AtomicU64::new(0),
            told: Mutex::new(begun),
        }
    }

    /// So many more bytes were checked.
    pub fn checked(&self, bytes: u64) {
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    /// One more log is open.
    pub fn opened(&self) {
        self.logs_done.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        let now = (self.clock)();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(*told) >= TELL_EVERY {
            *told = now;
            tracing::info!("{}", self.line(now));
        }
    }

    /// Logs and bytes not done yet.
    pub fn left(&self) -> (usize, u64) {
        let (logs, bytes) = (self.logs_done.load(Ordering::Relaxed), self.bytes_done.load(Ordering::Relaxed));
        (self.logs.saturating_sub(logs), self.bytes.saturating_sub(bytes))
    }

    /// Share done, logs, bytes, and what is left at this pace.
    pub fn line(&self, now: Instant) -> String {
        let (logs, bytes) = (self.logs_done.load(Ordering::Relaxed), self.bytes_done.load(Ordering::Relaxed));
        // Bytes tell the time to come, unless there are none.
        let share = match self.bytes {
            0 => logs as f64 / self.logs.max(1) as f64,
            all => bytes.min(all) as f64 / all as f64,
        };
        let took = now.since(self.begun).as_secs_f64();
        let left = if share > 0.0 { format!("about {:.0} s left", took / share - took) } else { "just begun".into() };
        format!(
            "recovering logs: {:.0} % done, {} of {} MB checked, {logs} of {} logs open, {left}",
            share * 100.0,
            bytes / 1_000_000,
            self.bytes / 1_000_000,
            self.logs
        )
    }

    /// What it was in the end.
    pub fn summary(&self) -> String {
        let took = (self.clock)().since(self.begun);
        let bytes = self.bytes_done.load(Ordering::Relaxed);
        format!(
            "{} logs open after {} ms; {} MB were checked",
            self.logs_done.load(Ordering::Relaxed),
            took.as_millis(),
            bytes / 1_000_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_share_bytes_logs_and_time_left() {
        let progress = Progress::new(10, 4_000_000_000, || Instant(0));
        assert!(progress.line(Instant(0)).ends_with("0 % done, 0 of 4000 MB checked, 0 of 10 logs open, just begun"));
        progress.checked(1_000_000_000);
        progress.opened();
        assert_eq!(progress.left(), (9, 3_000_000_000));
        let line = progress.line(Instant(0).plus(Duration::from_secs(3)));
        assert_eq!(line, "recovering logs: 25 % done, 1000 of 4000 MB checked, 1 of 10 logs open, about 9 s left");
    }

    #[test]
    fn without_bytes_to_check_the_logs_count() {
        let progress = Progress::new(4, 0, || Instant(0));
        progress.opened();
        assert!(progress.line(Instant(0).plus(Duration::from_secs(1))).contains("25 % done"));
    }
}
