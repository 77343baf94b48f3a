//! Deadlines on the monotonic clock, by key; a key has at most one.

use crate::base::Instant;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What a deadline is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// A member of a group has been silent too long, or a pending member id was never used.
    Session(Arc<str>, Arc<str>),
    /// The join phase of a group ends.
    Join(Arc<str>),
    /// The sync phase of a group ends.
    Sync(Arc<str>),
    /// A member of a consumer group has not given up what it was told to in time.
    Revocation(Arc<str>, Arc<str>),
    /// A classic member of a consumer group has not joined again in time.
    Rejoin(Arc<str>, Arc<str>),
    /// A classic member of a consumer group has not asked for its assignment in time.
    Resync(Arc<str>, Arc<str>),
    /// The patterns of a consumer group are to be looked up, or the look-up goes on.
    Regex(Arc<str>),
    /// Offsets are to be looked over for expiry.
    Expiry,
}

/// The deadlines of one coordinator.
#[derive(Default)]
pub struct Timers {
    by_key: HashMap<Timer, Instant>,
    by_time: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Sets the deadline of `timer`, in place of an earlier one.
    pub fn schedule(&mut self, timer: Timer, at: Instant) {
        if let Some(old) = self.by_key.insert(timer.clone(), at) {
            self.by_time.remove(&(old, timer.clone()));
        }
        self.by_time.insert((at, timer));
    }

    /// Forgets `timer`.
    pub fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.by_key.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    /// True while `timer` has a deadline.
    pub fn contains(&self, timer: &Timer) -> bool {
        self.by_key.contains_key(timer)
    }

    /// Takes the earliest timer that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.by_time.pop_first()?;
        self.by_key.remove(&timer);
        Some(timer)
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.by_key.clear();
        self.by_time.clear();
    }

    /// How many deadlines are set.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_deadline_and_they_come_in_order() {
        let (a, b) = (Timer::Join("a".into()), Timer::Join("b".into()));
        let mut timers = Timers::default();
        timers.schedule(a.clone(), Instant(10));
        timers.schedule(b.clone(), Instant(20));
        timers.schedule(a.clone(), Instant(30));
        assert_eq!((timers.next(), timers.len()), (Some(Instant(20)), 2));
        assert_eq!(timers.pop_due(Instant(19)), None);
        assert_eq!(timers.pop_due(Instant(40)), Some(b));
        timers.cancel(&a);
        assert_eq!(timers.pop_due(Instant(40)), None);
        assert_eq!(timers.next(), None);
    }
}
