//! The two clocks. Everything above `ring` is handed a [`Now`] instead of reading them.

use crate::base::{Instant, Now, TimestampMs};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// Both clocks, read now: the monotonic one for timers, the wall clock for what goes into records.
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as i64);
    Now { mono: mono(), wall: TimestampMs(wall) }
}

/// The monotonic clock alone, which costs half of [`now`].
pub fn mono() -> Instant {
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    let start = *START.get_or_init(std::time::Instant::now);
    // One second is added so that "zero" stays a moment before every reading.
    Instant(1_000_000_000 + start.elapsed().as_nanos() as u64)
}

/// Nanoseconds that the calling thread has used a CPU for. Zero where the kernel does not tell.
pub(crate) fn cpu_of_this_thread() -> u64 {
    let spent = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
    spent.map_or(0, |spent| std::time::Duration::from(spent).as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_never_runs_back_and_is_never_zero() {
        let first = mono();
        assert!(first.0 >= 1_000_000_000);
        assert!(mono() >= first);
    }

    #[test]
    fn the_wall_clock_says_a_year_after_2020() {
        assert!(now().wall.0 > 1_577_836_800_000);
    }
}
