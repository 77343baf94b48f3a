//! New states that are being persisted: they hold when the write succeeded, and are taken back when it did not
//! (`SharePartition.rollbackOrProcessStateUpdates`).

use super::partition::SharePartition;
use super::runs::Transition;
use super::state::{RecordState, StateBatch};
use crate::base::{Instant, Offset};

/// Numbers the writes of one share partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransitionId(pub u64);

/// What is to be persisted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// To report the outcome under.
    pub id: TransitionId,
    /// The start offset now.
    pub start: Offset,
    /// How many offsets behind it are done with.
    pub delivery_complete_count: i32,
    /// The states that change.
    pub batches: Vec<StateBatch>,
}

impl SharePartition {
    pub(super) fn begin(&mut self) -> TransitionId {
        self.last_transition.0 += 1;
        self.last_transition
    }

    /// Takes the records of the run at `first` out of their hold, into `state`; `decrease` takes this delivery back.
    pub(super) fn set_free(&mut self, id: TransitionId, first: Offset, state: RecordState, decrease: bool) {
        let max = self.limits.delivery_count_max;
        let mut range = None;
        self.runs.change(first, |run| {
            let Some(hold) = run.hold.take() else { return };
            run.transition = Some(Transition { id, hold, delivery_count: run.delivery_count });
            run.state = freed(state, run.delivery_count, max, decrease);
            if decrease && run.state != RecordState::Archived {
                run.delivery_count = (run.delivery_count - 1).max(0);
            }
            range = Some((first, run.last));
        });
        if let Some(range) = range {
            self.transitions.entry(id).or_default().push(range);
        }
    }

    /// The write of transition `id`, none where nothing is to be persisted.
    pub(super) fn write(&mut self, id: TransitionId) -> Option<Write> {
        let ranges = self.transitions.get(&id)?.clone();
        let mut batches: Vec<StateBatch> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            for key in self.runs.overlapping(first, last) {
                let Some(run) = self.runs.get(key) else { continue };
                let next = StateBatch {
                    first: key,
                    last: run.last,
                    state: run.state.id(),
                    delivery_count: run.delivery_count,
                };
                match batches.last_mut() {
                    Some(last) if follows(last, &next) => last.last = next.last,
                    _ => batches.push(next),
                }
            }
        }
        Some(self.write_of(id, batches))
    }

    pub(super) fn write_of(&self, id: TransitionId, batches: Vec<StateBatch>) -> Write {
        Write { id, start: self.start, delivery_complete_count: self.delivery_complete_count(), batches }
    }

    /// The outcome of write `id`. True where something may be acquired that could not be before.
    pub fn complete(&mut self, id: TransitionId, written: bool, now: Instant) -> bool {
        let mut freed = self.settle(id, written, now);
        freed |= self.advance_start();
        freed
    }

    /// Ends a transition: keeps the new states, or goes back to the old ones.
    pub(super) fn settle(&mut self, id: TransitionId, keep: bool, now: Instant) -> bool {
        let max = self.limits.delivery_count_max;
        let mut available = false;
        for (first, last) in self.transitions.remove(&id).unwrap_or_default() {
            for key in self.runs.overlapping(first, last) {
                self.runs.change(key, |run| {
                    let Some(before) = run.transition.take_if(|t| t.id == id) else { return };
                    if !keep {
                        run.delivery_count = before.delivery_count;
                        if before.hold.until > now {
                            (run.state, run.hold) = (RecordState::Acquired, Some(before.hold));
                        } else {
                            run.state = freed(RecordState::Available, run.delivery_count, max, false);
                        }
                    }
                    available |= run.state == RecordState::Available;
                });
            }
            self.runs.join(first, last);
        }
        self.look_for_available |= available;
        available
    }
}

fn follows(last: &StateBatch, next: &StateBatch) -> bool {
    last.last.plus(1) == next.first && (last.state, last.delivery_count) == (next.state, next.delivery_count)
}

/// What has been delivered as often as allowed is archived instead of delivered again.
pub(super) fn freed(state: RecordState, delivery_count: i16, max: i16, decrease: bool) -> RecordState {
    match state {
        RecordState::Available if !decrease && delivery_count >= max => RecordState::Archived,
        other => other,
    }
}
