//! The cursors of a share partition.

use super::runs::{Run, Runs};
use super::state::{RecordState, StateBatch};
use super::transition::TransitionId;
use crate::base::{Instant, Offset};
use std::collections::HashMap;
use std::time::Duration;

/// The group's numbers, as they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `share.delivery.count.limit`.
    pub delivery_count_max: i16,
    /// `share.partition.max.record.locks`: offsets from the start offset to the end offset.
    pub record_locks_max: i64,
    /// `share.record.lock.duration.ms`.
    pub lock_duration: Duration,
    /// `share.renew.acknowledge.enable`: members may prolong locks.
    pub renews: bool,
}

impl Limits {
    /// From this delivery count on a record is delivered with ever fewer others, so that one bad record does not take
    /// its neighbours with it.
    pub(super) fn throttle_from(&self) -> i16 {
        ((self.delivery_count_max + 1) / 2).max(2)
    }
}

/// Offsets that were fetched by an earlier leader and of which nothing was persisted: they lie between what was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GapWindow {
    /// The end offset when the state was read; a later one ends the window.
    pub end: Offset,
    /// The first offset that may be missing.
    pub start: Offset,
}

/// A partition as a queue of one share group. Owned by the partition's core.
///
/// ```text
/// start offset (SPSO) <= every run in flight <= end offset (SPEO)
/// ```
#[derive(Debug)]
pub struct SharePartition {
    pub(super) limits: Limits,
    pub(super) runs: Runs,
    /// Everything before is done with.
    pub(super) start: Offset,
    /// The last offset in flight; without records in flight the next offset to fetch.
    pub(super) end: Offset,
    pub(super) gap: Option<GapWindow>,
    /// Some run may be available: fetching does not simply go on behind the end offset.
    pub(super) look_for_available: bool,
    pub(super) transitions: HashMap<TransitionId, Vec<(Offset, Offset)>>,
    pub(super) last_transition: TransitionId,
}

impl SharePartition {
    /// Begins with what was persisted: the start offset and the states behind it, ascending. `None` where they
    /// contradict each other.
    pub fn new(limits: Limits, start: Offset, batches: &[StateBatch]) -> Option<Self> {
        let mut partition = Self {
            limits,
            runs: Runs::default(),
            start,
            end: start,
            gap: None,
            look_for_available: false,
            transitions: HashMap::new(),
            last_transition: TransitionId(0),
        };
        let mut next = start;
        let mut gap_start = None;
        for batch in batches {
            if batch.first < next || batch.last < batch.first {
                return None;
            }
            if batch.first > next && gap_start.is_none() {
                gap_start = Some(next);
            }
            let state = RecordState::from_id(batch.state).filter(|state| *state != RecordState::Acquired)?;
            let run = Run {
                last: batch.last,
                state,
                delivery_count: batch.delivery_count,
                hold: None,
                transition: None,
                batch: (batch.first, batch.last),
            };
            partition.runs.insert(batch.first, run);
            next = batch.last.plus(1);
        }
        if let Some(last) = partition.runs.last_offset() {
            partition.look_for_available = true;
            partition.end = last;
            partition.gap = gap_start.map(|start| GapWindow { end: last, start });
            partition.advance_start();
        }
        Some(partition)
    }

    /// The group's numbers changed; they hold from the next acquisition or renewal on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The start offset (SPSO): everything before is done with.
    pub fn start_offset(&self) -> Offset {
        self.start
    }

    /// The last offset in flight (SPEO); with none in flight the next one to fetch.
    pub fn end_offset(&self) -> Offset {
        self.end
    }

    /// When the next lock expires.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.runs.next_lock()
    }

    /// Offsets in flight.
    pub fn in_flight(&self) -> i64 {
        if self.runs.is_empty() { 0 } else { self.end.0 - self.start.0 + 1 }
    }

    /// Offsets between start and end that are accepted or archived.
    pub fn delivery_complete_count(&self) -> i32 {
        let done = self.runs.iter().filter(|(_, run)| run.state.is_terminal());
        let count: i64 = done.map(|(first, run)| run.last.0 - first.max(self.start).0 + 1).filter(|n| *n > 0).sum();
        i32::try_from(count).unwrap_or(i32::MAX)
    }

    /// Where the log is to be read for the next acquisition.
    pub fn next_fetch_offset(&mut self) -> Offset {
        if self.nothing_in_flight() {
            self.look_for_available = false;
            return self.end;
        }
        if self.look_for_available {
            if let Some(found) = self.first_to_acquire() {
                return found;
            }
            self.look_for_available = false;
        }
        self.end.plus(1)
    }

    fn first_to_acquire(&self) -> Option<Offset> {
        let mut gap = self.active_gap().map(|gap| gap.start);
        for (first, run) in self.runs.iter() {
            if let Some(start) = &mut gap {
                if first > *start {
                    return Some(*start);
                }
                *start = (*start).max(run.last.plus(1));
            }
            if run.is_available() {
                return Some(first);
            }
        }
        None
    }

    /// True where an acquisition may succeed: not all locks are taken, or there is something to deliver again.
    pub fn can_acquire(&mut self) -> bool {
        self.next_fetch_offset() != self.end.plus(1) || self.in_flight() < self.limits.record_locks_max
    }

    /// The log's start moved: what is available before it is archived, and so is later what is held there.
    pub fn log_start_moved(&mut self, log_start: Offset) {
        if log_start <= self.start {
            return;
        }
        if self.runs.is_empty() {
            (self.start, self.end) = (log_start, log_start);
            return;
        }
        self.archive_available(self.start, log_start.plus(-1));
        self.start = log_start;
        self.end = self.end.max(log_start);
        self.advance_start();
    }

    /// Archives what is available in `first..=last`.
    pub(super) fn archive_available(&mut self, first: Offset, last: Offset) {
        for key in self.runs.overlapping(first, last) {
            if self.runs.get(key).is_some_and(|run| run.state == RecordState::Available) {
                let run_last = self.runs.get(key).map_or(last, |run| run.last);
                for key in self.runs.isolate(key.max(first), run_last.min(last)) {
                    // Also what is being released: archived is archived, whatever becomes of the write.
                    self.runs.change(key, |run| (run.state, run.transition) = (RecordState::Archived, None));
                }
                self.look_for_available = true;
            }
        }
    }

    pub(super) fn nothing_in_flight(&self) -> bool {
        self.runs.last_offset().is_none_or(|last| self.start > last)
    }

    pub(super) fn active_gap(&self) -> Option<GapWindow> {
        self.gap.filter(|gap| gap.end == self.end)
    }

    /// The first offset from `offset` on that is in no run comes next in the window of gaps.
    pub(super) fn gap_moves_to(&mut self, offset: Offset) {
        let mut start = offset;
        while let Some((_, run)) = self.runs.floor(start).filter(|(_, run)| run.last >= start) {
            start = run.last.plus(1);
        }
        self.gap = self.active_gap().filter(|gap| start <= gap.end).map(|gap| GapWindow { start, ..gap });
    }

    /// Moves the start offset over everything that is done with. True when it moved.
    pub(super) fn advance_start(&mut self) -> bool {
        let before = self.start;
        let mut last_done = None;
        while let Some((first, run)) = self.runs.first() {
            let in_gap = self.active_gap().is_some_and(|gap| run.last >= gap.start);
            if in_gap || !run.is_done() {
                break;
            }
            last_done = Some(run.last);
            self.runs.remove(first);
        }
        let Some(last_done) = last_done else { return false };
        match self.runs.first() {
            None if self.active_gap().is_none() || last_done >= self.end => {
                let next = last_done.plus(1).max(self.start);
                (self.start, self.end) = (next, next);
                self.gap = None;
            }
            first => {
                let next = first.map_or(last_done.plus(1), |(first, _)| first);
                let next = self.active_gap().map_or(next, |gap| next.min(gap.start));
                self.start = self.start.max(next);
            }
        }
        self.start != before
    }
}
