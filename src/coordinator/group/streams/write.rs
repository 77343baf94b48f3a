//! Entries on their way into the log, as those of consumer groups: they count when they are handed to the log, answers
//! wait, and a failed write is taken back with all that the group has on its way since.

use super::{Entry, StreamsGroup};
use crate::base::Now;
use crate::coordinator::group::Groups;
use crate::coordinator::group::consumer::Done;
use crate::coordinator::group::effects::Effects;
use crate::coordinator::group::in_flight::Then;
use std::sync::Arc;

impl Groups {
    /// Applies `entries` to the streams group `id`, which comes into being if need be, and writes them.
    pub(super) fn change_streams(&mut self, id: &Arc<str>, entries: Vec<Entry>, fx: &mut Effects) {
        if entries.is_empty() {
            return;
        }
        let records = entries.iter().map(|entry| entry.record(id)).collect();
        let is_new = !self.streams.contains_key(id);
        let group = self.streams.entry(id.clone()).or_insert_with(|| StreamsGroup::new(id.clone()));
        let undo = entries.iter().map(|entry| group.apply(entry)).collect();
        self.write(id, records, Done::Streams(entries, undo, is_new), fx);
    }

    /// Takes back a failed write and, before it, all that the group has on its way since.
    pub(in crate::coordinator::group) fn take_back_streams(
        &mut self,
        id: &Arc<str>,
        undo: Vec<Entry>,
        is_new: bool,
        now: Now,
    ) {
        let later = self.in_flight.iter_mut().rev().filter_map(|(_, then)| match then {
            Then::Group(write) => write.streams_undo(id),
            _ => None,
        });
        let later: Vec<Vec<Entry>> = later.collect();
        if !later.is_empty() {
            // What comes after them in the log must build on them.
            self.make_busy(id);
        }
        let Some(group) = self.streams.get_mut(id) else { return };
        for undo in later.into_iter().chain([undo]) {
            undo.iter().rev().for_each(|entry| drop(group.apply(entry)));
        }
        group.refresh = None;
        group.configured = None;
        if is_new && group.is_empty() {
            self.streams.remove(id);
        } else {
            self.schedule_streams(id, now);
        }
    }

    /// What was taken back with an earlier write is in the log all the same.
    pub(in crate::coordinator::group) fn streams_written_late(&mut self, id: &Arc<str>, entries: &[Entry], now: Now) {
        let exists = self.streams.contains_key(id) || entries.iter().any(Entry::is_value);
        if !exists || self.groups.contains_key(id) {
            return;
        }
        let group = self.streams.entry(id.clone()).or_insert_with(|| StreamsGroup::new(id.clone()));
        entries.iter().for_each(|entry| drop(group.apply(entry)));
        self.schedule_streams(id, now);
    }
}
