//! What is done now and then: records that newer snapshots make useless are deleted, and states nobody touched for a
//! while are written again, so that they do not keep the old records (`ShareCoordinatorService.setupPeriodicJobs`).

use super::state::Change;
use super::{Key, ShareState, ShareStates, Step};
use crate::base::{Instant, Now, Offset};
use std::time::Duration;

/// `share.coordinator.state.topic.prune.interval.ms` and `share.coordinator.cold.partition.snapshot.interval.ms`.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(300);

/// What the shell is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Delete the records before this offset.
    DeleteBefore(Offset),
}

impl ShareStates {
    /// Looks again later; nothing is planned while nothing changes.
    pub(super) fn plan_upkeep(&mut self, now: Instant) {
        self.upkeep_at.get_or_insert(now.plus(UPKEEP_INTERVAL));
    }

    pub(super) fn upkeep(&mut self, step: &mut Step) {
        if self.upkeep_at.is_none_or(|at| at > step.now.mono) {
            return;
        }
        self.upkeep_at = None;
        self.snapshot_cold(step);
        if let Some(useless) = self.useless_before().filter(|offset| *offset > self.pruned) {
            self.pruned = useless;
            step.fx.work.push(Work::DeleteBefore(useless));
        }
    }

    /// Everything before the oldest snapshot that still counts.
    pub(super) fn useless_before(&self) -> Option<Offset> {
        let oldest = self.entries.values().filter_map(|entry| entry.snapshot_at).min();
        oldest.or(self.last_snapshot)
    }

    /// Copies states whose snapshot is old. A copy of a copy is not made: once all are copies nothing is planned.
    fn snapshot_cold(&mut self, step: &mut Step) {
        let Now { mono, wall } = step.now;
        let age = i64::try_from(UPKEEP_INTERVAL.as_millis()).unwrap_or(i64::MAX);
        let originals = |state: &ShareState| state.created == state.written;
        if !self.entries.values().filter_map(|e| e.tail.as_ref()).any(originals) {
            return;
        }
        let cold: Vec<(Key, ShareState)> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.in_flight == 0)
            .filter_map(|(key, entry)| Some((key.clone(), entry.tail.clone()?)))
            .filter(|(_, state)| wall.0 - state.written.0 >= age)
            .collect();
        for (key, state) in cold {
            let copy = ShareState { snapshot_epoch: state.snapshot_epoch + 1, written: wall, ..state };
            self.write(key, Change::Snapshot(copy), None, step.fx);
        }
        self.plan_upkeep(mono);
    }
}
