//! Durations counted in fixed log-linear buckets: two to each doubling, from 8 microseconds to more than a minute.
//!
//! Recording is one shift and two additions, so it may stand on the way of every request. Owned by one core; what
//! leaves it is a [`Distribution`].

use std::cell::Cell;
use std::time::Duration;

/// How many buckets there are, the last without an upper bound.
pub const BUCKETS: usize = 48;
/// The first bucket ends at two to this power, in nanoseconds.
const FIRST_BITS: u32 = 13;

/// Counts of durations. Plain fields of one core.
#[derive(Debug)]
pub struct Histogram {
    counts: [Cell<u64>; BUCKETS],
    sum_ns: Cell<u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [const { Cell::new(0) }; BUCKETS], sum_ns: Cell::new(0) }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get(bucket_of(ns)) {
            count.set(count.get() + 1);
        }
        self.sum_ns.set(self.sum_ns.get().saturating_add(ns));
    }

    /// What was counted so far.
    pub fn snapshot(&self) -> Distribution {
        Distribution { counts: std::array::from_fn(|at| self.counts[at].get()), sum_ns: self.sum_ns.get() }
    }
}

/// The bucket that holds a duration of so many nanoseconds; a bound belongs to the bucket it ends.
fn bucket_of(ns: u64) -> usize {
    let below = ns.saturating_sub(1);
    let bits = (below | 1).ilog2();
    if bits < FIRST_BITS {
        return 0;
    }
    let half = (below >> (bits - 1)) & 1;
    let bucket = 1 + 2 * u64::from(bits - FIRST_BITS) + half;
    (bucket as usize).min(BUCKETS - 1)
}

/// Where a bucket ends, in nanoseconds; `None` for the last one, which has no end.
pub fn upper_bound_ns(bucket: usize) -> Option<u64> {
    match bucket {
        0 => Some(1 << FIRST_BITS),
        _ if bucket + 1 >= BUCKETS => None,
        _ => {
            let (octave, half) = ((bucket - 1) / 2, (bucket as u64 - 1) % 2);
            Some((3 + half) << (FIRST_BITS - 1) << octave)
        }
    }
}

/// What a [`Histogram`] counted, to be sent and added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// By bucket, not cumulative.
    pub counts: [u64; BUCKETS],
    /// All durations together.
    pub sum_ns: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], sum_ns: 0 }
    }
}

impl Distribution {
    /// Adds another core's counts.
    pub fn add(&mut self, other: &Self) {
        for (to, from) in self.counts.iter_mut().zip(other.counts) {
            *to += from;
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_lies_between_the_bounds_of_its_bucket() {
        let mut ns = 1u64;
        while ns < 1 << 40 {
            for ns in [ns - 1, ns, ns + 1, ns + ns / 3] {
                let bucket = bucket_of(ns);
                assert!(upper_bound_ns(bucket).is_none_or(|upper| ns <= upper), "{ns} in {bucket}");
                let lower = bucket.checked_sub(1).and_then(upper_bound_ns);
                assert!(lower.is_none_or(|lower| ns > lower), "{ns} in {bucket}");
            }
            ns *= 2;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn bounds_rise_by_at_most_a_half_from_microseconds_to_a_minute() {
        let bounds: Vec<u64> = (0..BUCKETS).map_while(upper_bound_ns).collect();
        assert_eq!((bounds.len(), bounds[0], bounds[1], bounds[2]), (BUCKETS - 1, 8192, 12_288, 16_384));
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1] && pair[1] <= pair[0] * 3 / 2));
        assert!(bounds[BUCKETS - 2] > 60_000_000_000);
    }

    #[test]
    fn cores_add_up() {
        let (one, other) = (Histogram::default(), Histogram::default());
        one.record(Duration::from_micros(5));
        one.record(Duration::from_secs(3600));
        other.record(Duration::from_micros(5));
        let mut all = one.snapshot();
        all.add(&other.snapshot());
        assert_eq!((all.count(), all.counts[0], all.counts[BUCKETS - 1]), (3, 2, 1));
        assert_eq!(all.sum_ns, 3_600_000_010_000);
    }
}
