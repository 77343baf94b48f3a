//! Deadlines on the monotonic clock, by key; a key has at most one.

use crate::base::Instant;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// The deadlines of one coordinator.
pub struct Timers<T> {
    by_key: HashMap<T, Instant>,
    by_time: BTreeSet<(Instant, T)>,
}

impl<T> Default for Timers<T> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), by_time: BTreeSet::new() }
    }
}

impl<T: Clone + Eq + Hash + Ord> Timers<T> {
    /// Sets the deadline of `timer`, in place of an earlier one.
    pub fn schedule(&mut self, timer: T, at: Instant) {
        if let Some(old) = self.by_key.insert(timer.clone(), at) {
            self.by_time.remove(&(old, timer.clone()));
        }
        self.by_time.insert((at, timer));
    }

    /// Forgets `timer`.
    pub fn cancel(&mut self, timer: &T) {
        if let Some(at) = self.by_key.remove(timer) {
            self.by_time.remove(&(at, timer.clone()));
        }
    }

    /// Takes the earliest timer that is due.
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
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

    /// True where `timer` is set.
    pub fn is_set(&self, timer: &T) -> bool {
        self.by_key.contains_key(timer)
    }

    /// How many deadlines are set.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.by_key.clear();
        self.by_time.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_deadline_and_they_come_in_order() {
        let (a, b) = ("a", "b");
        let mut timers = Timers::default();
        timers.schedule(a, Instant(10));
        timers.schedule(b, Instant(20));
        timers.schedule(a, Instant(30));
        assert_eq!((timers.next(), timers.len()), (Some(Instant(20)), 2));
        assert_eq!(timers.pop_due(Instant(19)), None);
        assert_eq!(timers.pop_due(Instant(40)), Some(b));
        assert!(timers.is_set(&a) && !timers.is_set(&b));
        timers.cancel(&a);
        assert_eq!(timers.pop_due(Instant(40)), None);
        assert_eq!(timers.next(), None);
    }
}
