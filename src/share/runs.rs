//! The records in flight as runs of offsets in the same state.

use super::state::RecordState;
use super::transition::TransitionId;
use crate::base::{Instant, Offset};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A member's hold on records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Who holds them.
    pub member: Arc<str>,
    /// Until when.
    pub until: Instant,
}

/// What a run goes back to when its new state could not be persisted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which write decides.
    pub id: TransitionId,
    /// The hold before.
    pub hold: Hold,
    /// The delivery count before.
    pub delivery_count: i16,
}

/// Offsets next to one another in the same state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The last offset, inclusive.
    pub last: Offset,
    /// Their state; with a transition, the one they are on the way to.
    pub state: RecordState,
    /// How often they were delivered.
    pub delivery_count: i16,
    /// Who holds them; exactly with `Acquired`.
    pub hold: Option<Hold>,
    /// The new state is being persisted.
    pub transition: Option<Transition>,
    /// First and last offset of what was first acquired together: throttled deliveries are parts of it.
    pub batch: (Offset, Offset),
}

impl Run {
    /// True where the records may be delivered now.
    pub fn is_available(&self) -> bool {
        self.state == RecordState::Available && self.transition.is_none()
    }

    /// True where nothing follows any more.
    pub fn is_done(&self) -> bool {
        self.state.is_terminal() && self.transition.is_none()
    }

    fn continues(&self, next: &Self) -> bool {
        let Self { last: _, state, delivery_count, hold, transition, batch } = self;
        (*state, *delivery_count, hold, transition, *batch)
            == (next.state, next.delivery_count, &next.hold, &next.transition, next.batch)
    }
}

/// Runs by their first offset, never overlapping; offsets between them are not in the log.
#[derive(Debug, Default)]
pub struct Runs {
    by_first: BTreeMap<Offset, Run>,
    locks: BTreeSet<(Instant, Offset)>,
}

impl Runs {
    /// True without any run.
    pub fn is_empty(&self) -> bool {
        self.by_first.is_empty()
    }

    /// All runs with their first offsets, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Offset, &Run)> {
        self.by_first.iter().map(|(first, run)| (*first, run))
    }

    /// The first run.
    pub fn first(&self) -> Option<(Offset, &Run)> {
        self.by_first.first_key_value().map(|(first, run)| (*first, run))
    }

    /// The last offset of all.
    pub fn last_offset(&self) -> Option<Offset> {
        self.by_first.last_key_value().map(|(_, run)| run.last)
    }

    /// The run that begins at `first`.
    pub fn get(&self, first: Offset) -> Option<&Run> {
        self.by_first.get(&first)
    }

    /// The run that begins at or before `offset`.
    pub fn floor(&self, offset: Offset) -> Option<(Offset, &Run)> {
        self.by_first.range(..=offset).next_back().map(|(first, run)| (*first, run))
    }

    /// The first offsets of runs that overlap `first..=last`.
    pub fn overlapping(&self, first: Offset, last: Offset) -> Vec<Offset> {
        if first > last {
            return Vec::new();
        }
        let begin = self.floor(first).filter(|(_, run)| run.last >= first).map_or(first, |(key, _)| key);
        self.by_first.range(begin..=last).map(|(key, _)| *key).collect()
    }

    /// When the first lock expires.
    pub fn next_lock(&self) -> Option<Instant> {
        self.locks.first().map(|(at, _)| *at)
    }

    /// The first offsets of the runs whose locks have expired at `now`.
    pub fn expired(&self, now: Instant) -> Vec<Offset> {
        self.locks.iter().take_while(|(at, _)| *at <= now).map(|(_, first)| *first).collect()
    }

    /// Puts a run where none is.
    pub fn insert(&mut self, first: Offset, run: Run) {
        if let Some(hold) = &run.hold {
            self.locks.insert((hold.until, first));
        }
        self.by_first.insert(first, run);
    }

    /// Takes a run away.
    pub fn remove(&mut self, first: Offset) -> Option<Run> {
        let run = self.by_first.remove(&first)?;
        if let Some(hold) = &run.hold {
            self.locks.remove(&(hold.until, first));
        }
        Some(run)
    }

    /// Changes the run that begins at `first`.
    pub fn change(&mut self, first: Offset, change: impl FnOnce(&mut Run)) {
        if let Some(mut run) = self.remove(first) {
            change(&mut run);
            self.insert(first, run);
        }
    }

    /// Cuts runs at `first` and behind `last`; the first offsets of those inside.
    pub fn isolate(&mut self, first: Offset, last: Offset) -> Vec<Offset> {
        self.cut(first);
        self.cut(last.plus(1));
        self.overlapping(first, last)
    }

    fn cut(&mut self, at: Offset) {
        let Some((first, run)) = self.floor(at) else { return };
        if first == at || run.last < at {
            return;
        }
        if let Some(mut head) = self.remove(first) {
            let tail = head.clone();
            head.last = at.plus(-1);
            self.insert(first, head);
            self.insert(at, tail);
        }
    }

    /// Joins neighbours in the same state that touch `first..=last`.
    pub fn join(&mut self, first: Offset, last: Offset) {
        let keys = self.overlapping(first.plus(-1), last.plus(1));
        let mut keys = keys.into_iter();
        let Some(mut head) = keys.next() else { return };
        for key in keys {
            let joined = match (self.get(head), self.get(key)) {
                (Some(a), Some(b)) => a.last.plus(1) == key && a.continues(b),
                _ => false,
            };
            match self.remove(key) {
                Some(tail) if joined => self.change(head, |run| run.last = tail.last),
                Some(tail) => {
                    self.insert(key, tail);
                    head = key;
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(first: i64, last: i64) -> Run {
        Run {
            last: Offset(last),
            state: RecordState::Available,
            delivery_count: 0,
            hold: None,
            transition: None,
            batch: (Offset(first), Offset(last)),
        }
    }

    fn ranges(runs: &Runs) -> Vec<(i64, i64)> {
        runs.iter().map(|(first, run)| (first.0, run.last.0)).collect()
    }

    #[test]
    fn runs_are_cut_and_joined() {
        let mut runs = Runs::default();
        runs.insert(Offset(10), run(10, 19));
        runs.insert(Offset(30), run(30, 39));
        assert_eq!(runs.isolate(Offset(12), Offset(15)), [Offset(12)]);
        assert_eq!(ranges(&runs), [(10, 11), (12, 15), (16, 19), (30, 39)]);
        runs.change(Offset(12), |r| r.delivery_count = 1);
        runs.join(Offset(10), Offset(39));
        assert_eq!(ranges(&runs), [(10, 11), (12, 15), (16, 19), (30, 39)], "they differ");
        runs.change(Offset(12), |r| r.delivery_count = 0);
        runs.join(Offset(12), Offset(15));
        assert_eq!(ranges(&runs), [(10, 19), (30, 39)], "a gap is not bridged");
        assert_eq!(runs.overlapping(Offset(19), Offset(30)), [Offset(10), Offset(30)]);
        assert_eq!(runs.overlapping(Offset(20), Offset(29)), []);
    }

    #[test]
    fn locks_follow_their_runs() {
        let mut runs = Runs::default();
        let hold = |ms| Some(Hold { member: "m".into(), until: Instant(ms) });
        runs.insert(Offset(0), Run { state: RecordState::Acquired, hold: hold(5), ..run(0, 9) });
        runs.isolate(Offset(3), Offset(4));
        assert_eq!(runs.expired(Instant(5)), [Offset(0), Offset(3), Offset(5)]);
        runs.change(Offset(3), |r| r.hold = None);
        runs.remove(Offset(0));
        assert_eq!(runs.expired(Instant(5)), [Offset(5)]);
        assert_eq!((runs.expired(Instant(4)).len(), runs.next_lock()), (0, Some(Instant(5))));
        runs.remove(Offset(5));
        assert_eq!(runs.next_lock(), None);
    }
}
