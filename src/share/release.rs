//! Records that come free without their member's word: its session ends, or its lock expires.

use super::partition::SharePartition;
use super::state::{RecordState, StateBatch};
use super::transition::{Write, freed};
use crate::base::{Instant, Offset};

impl SharePartition {
    /// The session of `member` ends: what it holds can be delivered again, and this delivery does not count.
    pub fn release(&mut self, member: &str) -> Option<Write> {
        let id = self.begin();
        let held: Vec<(Offset, Offset)> = self
            .runs
            .iter()
            .filter(|(_, run)| run.hold.as_ref().is_some_and(|hold| *hold.member == *member))
            .map(|(first, run)| (first, run.last))
            .collect();
        for (first, last) in held {
            for (key, state) in self.split_at_start(first, last) {
                self.set_free(id, key, state, true);
            }
        }
        self.write(id)
    }

    /// Frees what was held too long. The states hold at once; the write tells the persister, and
    /// [`complete`](Self::complete) is to be called when it is done.
    pub fn expire(&mut self, now: Instant) -> Option<Write> {
        let expired = self.runs.expired(now);
        if expired.is_empty() {
            return None;
        }
        let id = self.begin();
        let max = self.limits.delivery_count_max;
        let mut batches = Vec::with_capacity(expired.len());
        for first in expired {
            let Some(last) = self.runs.get(first).map(|run| run.last) else { continue };
            for (key, state) in self.split_at_start(first, last) {
                self.runs.change(key, |run| {
                    run.hold = None;
                    run.state = freed(state, run.delivery_count, max, false);
                    batches.push(StateBatch {
                        first: key,
                        last: run.last,
                        state: run.state.id(),
                        delivery_count: run.delivery_count,
                    });
                });
            }
            self.runs.join(first, last);
        }
        self.look_for_available = true;
        Some(self.write_of(id, batches))
    }

    /// The runs of `first..=last` with what becomes of them: what lies before the start offset is no longer in the log.
    fn split_at_start(&mut self, first: Offset, last: Offset) -> Vec<(Offset, RecordState)> {
        let start = self.start;
        if first < start && start <= last {
            self.runs.isolate(start, last);
        }
        let keys = self.runs.overlapping(first, last).into_iter();
        keys.map(|key| (key, if key < start { RecordState::Archived } else { RecordState::Available })).collect()
    }
}
