//! `log.cleaner.io.max.bytes.per.second`. Pure: the caller sleeps.

use crate::base::Instant;
use std::time::Duration;

/// How far the cleaner may run ahead of its rate before it has to wait.
const AHEAD: Duration = Duration::from_millis(100);

/// Bytes read and written by one cleaner, held to a rate.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    bytes_per_second: f64,
    /// When everything so far would be done at the rate.
    paid_at: Option<Instant>,
}

impl Throttle {
    /// At most so many bytes a second.
    pub fn new(bytes_per_second: f64) -> Self {
        Self { bytes_per_second, paid_at: None }
    }

    /// How much one step may handle so that pauses stay short.
    pub fn step_bytes(&self, most: u64) -> u64 {
        let tenth = self.bytes_per_second / 10.0;
        if tenth >= most as f64 { most } else { (tenth as u64).max(1) }
    }

    /// Takes note of `bytes` handled at `now`; gives how long to wait before the next.
    pub fn pause(&mut self, bytes: u64, now: Instant) -> Duration {
        let cost = bytes as f64 / self.bytes_per_second;
        if !cost.is_finite() || cost < 1e-9 {
            return Duration::ZERO;
        }
        let from = self.paid_at.map_or(now, |at| at.max(now));
        let paid_at = from.plus(Duration::from_secs_f64(cost.min(3600.0)));
        self.paid_at = Some(paid_at);
        let wait = paid_at.since(now);
        if wait > AHEAD { wait } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_holds_over_time_and_without_one_there_is_no_pause() {
        let mut free = Throttle::new(f64::MAX);
        assert_eq!(free.pause(u64::MAX, Instant(0)), Duration::ZERO);
        assert_eq!(free.step_bytes(1 << 20), 1 << 20);
        let mut held = Throttle::new(1000.0);
        assert_eq!(held.step_bytes(1 << 20), 100);
        let (mut now, mut bytes) = (Instant(5), 0u64);
        while bytes < 10_000 {
            bytes += 130;
            now = now.plus(held.pause(130, now));
        }
        let seconds = now.since(Instant(5)).as_secs_f64();
        assert!((9.8..10.2).contains(&seconds), "{seconds}");
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let mut held = Throttle::new(1000.0);
        assert_eq!(held.pause(50, Instant(0)), Duration::ZERO);
        let later = Instant(0).plus(Duration::from_secs(60));
        assert_eq!(held.pause(500, later), Duration::from_millis(500));
    }
}
