//! What all moves between log directories share, on whatever core they run: how many run at once
//! (`num.replica.alter.log.dirs.threads`), and how much they copy together
//! (`replica.alter.log.dirs.io.max.bytes.per.second`). Pure: the caller waits.

use crate::base::Instant;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A move waits no longer at a time: the rate may change meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub struct MoveLimits(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// When all that was copied so far would be done at the rate.
    paid_at: Option<Instant>,
}

impl MoveLimits {
    /// Takes a place for a move, if fewer than `most` run.
    pub fn begin(&self, most: usize) -> bool {
        let mut state = self.state();
        let free = state.running < most;
        state.running += usize::from(free);
        free
    }

    /// Gives the place back.
    pub fn end(&self) {
        let mut state = self.state();
        state.running = state.running.saturating_sub(1);
    }

    /// How much a move may copy at once, so that pauses stay short; 0: nothing for now.
    pub fn chunk(bytes_per_second: u64, most: u32) -> u32 {
        u32::try_from(bytes_per_second).unwrap_or(most).min(most)
    }

    /// A move copied `bytes`.
    pub fn copied(&self, bytes: u64, bytes_per_second: u64, now: Instant) {
        let cost = bytes as f64 / bytes_per_second.max(1) as f64;
        let mut state = self.state();
        let from = state.paid_at.map_or(now, |at| at.max(now));
        state.paid_at = Some(from.plus(Duration::from_secs_f64(cost.min(3600.0))));
    }

    /// How long a move has to wait before it asks again; zero: it may copy.
    pub fn pause(&self, bytes_per_second: u64, now: Instant) -> Duration {
        if bytes_per_second == 0 {
            return PAUSE_MAX;
        }
        self.state().paid_at.map_or(Duration::ZERO, |at| at.since(now)).min(PAUSE_MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn so_many_run_at_once() {
        let limits = MoveLimits::default();
        assert!(limits.begin(2) && limits.begin(2));
        assert!(!limits.begin(2));
        limits.end();
        assert!(limits.begin(2));
        assert!(!limits.begin(0));
    }

    #[test]
    fn all_moves_together_keep_the_rate() {
        let limits = MoveLimits::default();
        let mut now = Instant(5);
        let mut copied = 0;
        // Two moves take turns, each pausing as told.
        for _ in 0..200 {
            let pause = limits.pause(10 * MB, now);
            now = now.plus(pause);
            if limits.pause(10 * MB, now).is_zero() {
                limits.copied(MB / 2, 10 * MB, now);
                copied += MB / 2;
            }
        }
        let seconds = now.since(Instant(5)).as_secs_f64();
        let rate = copied as f64 / seconds / MB as f64;
        assert!((9.5..=10.6).contains(&rate), "{rate} MiB/s");
    }

    #[test]
    fn a_rate_of_nothing_holds_and_none_does_not() {
        let limits = MoveLimits::default();
        assert_eq!((MoveLimits::chunk(0, 1 << 20), limits.pause(0, Instant(0))), (0, PAUSE_MAX));
        limits.copied(100 * MB, u64::MAX, Instant(0));
        assert!(limits.pause(u64::MAX, Instant(0)) < Duration::from_millis(1));
        assert_eq!(MoveLimits::chunk(u64::MAX, 1 << 20), 1 << 20);
        assert_eq!(MoveLimits::chunk(1000, 1 << 20), 1000);
        limits.copied(100 * MB, 1, Instant(0));
        assert_eq!(limits.pause(1, Instant(0)), PAUSE_MAX, "the rate may change");
    }
}
