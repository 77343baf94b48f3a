//! Time as a value. Nothing above `ring/` reads a clock: it is handed a [`Now`].

use std::time::Duration;

/// A point on the monotonic clock, in nanoseconds since an arbitrary start. All timers run on it,
/// so a step of the wall clock expires nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The instant `d` later (saturating: "never" stays "never").
    #[must_use]
    pub const fn plus(self, d: Duration) -> Self {
        let n = d.as_nanos();
        Self(self.0.saturating_add(if n > u64::MAX as u128 { u64::MAX } else { n as u64 }))
    }

    /// The instant `ms` milliseconds later; a negative number counts as zero.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        if ms <= 0 { self } else { self.plus(Duration::from_millis(ms as u64)) }
    }

    /// Time passed since `earlier`; zero when `earlier` lies in the future.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Milliseconds since 1970 by the wall clock, as Kafka writes them into records. -1 means "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TimestampMs(pub i64);

impl TimestampMs {
    /// No timestamp.
    pub const NONE: Self = Self(-1);
}

impl std::fmt::Display for TimestampMs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Both clocks, read once per loop turn and passed down as an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For timers.
    pub mono: Instant,
    /// For what is written into records and compared with them.
    pub wall: TimestampMs,
}
