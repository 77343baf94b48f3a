//! The state of one share partition, and what changes it.

use super::combine::combine;
use crate::base::{Offset, TimestampMs};
use crate::share::StateBatch;

/// What is known of one share partition (`ShareGroupOffset`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareState {
    /// Counts snapshots.
    pub snapshot_epoch: i32,
    /// Counts beginnings: with each initialization the group's coordinator raises it.
    pub state_epoch: i32,
    /// The last leader that read or wrote.
    pub leader_epoch: i32,
    /// The start offset, -1 where consumption has not begun.
    pub start_offset: i64,
    /// Offsets behind it that are done with, -1 where unknown.
    pub delivery_complete_count: i32,
    /// When the last snapshot was made that was more than a copy.
    pub created: TimestampMs,
    /// When the last snapshot was made.
    pub written: TimestampMs,
    /// The states behind the start offset, ascending.
    pub batches: Vec<StateBatch>,
}

/// What a `ShareUpdate` record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    pub snapshot_epoch: i32,
    pub leader_epoch: i32,
    pub start_offset: i64,
    pub delivery_complete_count: i32,
    pub batches: Vec<StateBatch>,
}

/// What a record changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Snapshot(ShareState),
    Update(Update),
    Delete,
}

/// One share partition.
#[derive(Debug, Default)]
pub struct Entry {
    /// As its log says.
    pub committed: Option<ShareState>,
    /// With what is on its way into the log.
    pub tail: Option<ShareState>,
    /// Appends under way.
    pub in_flight: u32,
    /// Updates since the last snapshot.
    pub updates: u32,
    /// Where the last snapshot stands.
    pub snapshot_at: Option<Offset>,
}

impl Entry {
    /// Takes a change whose record is being appended.
    pub fn take(&mut self, change: &Change) {
        apply(&mut self.tail, change);
        self.in_flight += 1;
        match change {
            Change::Snapshot(_) | Change::Delete => self.updates = 0,
            Change::Update(_) => self.updates += 1,
        }
    }

    /// The record of a change taken earlier is in the log.
    pub fn commit(&mut self, change: &Change, at: Offset) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.note(change, at);
    }

    /// The record of a change taken earlier is not in the log; `later` are those under way still.
    pub fn fail<'a>(&mut self, later: impl Iterator<Item = &'a Change>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.tail.clone_from(&self.committed);
        later.for_each(|change| apply(&mut self.tail, change));
    }

    /// Takes a change out of the log.
    pub fn replay(&mut self, change: &Change, at: Offset) {
        self.note(change, at);
        self.tail.clone_from(&self.committed);
        match change {
            Change::Snapshot(_) | Change::Delete => self.updates = 0,
            Change::Update(_) => self.updates += 1,
        }
    }

    fn note(&mut self, change: &Change, at: Offset) {
        apply(&mut self.committed, change);
        if !matches!(change, Change::Update(_)) {
            self.snapshot_at = Some(at);
        }
    }

    /// True where nothing is known and nothing on its way.
    pub fn is_gone(&self) -> bool {
        self.committed.is_none() && self.tail.is_none() && self.in_flight == 0
    }
}

fn apply(state: &mut Option<ShareState>, change: &Change) {
    match change {
        Change::Snapshot(snapshot) => *state = Some(snapshot.clone()),
        Change::Delete => *state = None,
        Change::Update(update) => {
            let before = state.take();
            *state = Some(match before {
                Some(before) => before.updated(update),
                // An update without its snapshot: what it says is all there is.
                None => ShareState {
                    snapshot_epoch: update.snapshot_epoch,
                    state_epoch: 0,
                    leader_epoch: update.leader_epoch,
                    start_offset: update.start_offset,
                    delivery_complete_count: update.delivery_complete_count,
                    created: TimestampMs(0),
                    written: TimestampMs(0),
                    batches: update.batches.clone(),
                },
            });
        }
    }
}

impl ShareState {
    fn updated(self, update: &Update) -> Self {
        let start_offset = if update.start_offset == -1 { self.start_offset } else { update.start_offset };
        Self {
            start_offset,
            leader_epoch: if update.leader_epoch == -1 { self.leader_epoch } else { update.leader_epoch },
            delivery_complete_count: update.delivery_complete_count,
            batches: combine(&self.batches, &update.batches, start_offset),
            ..self
        }
    }
}
