//! Entries on their way into the log, as those of consumer groups: they count when they are handed to the log, answers
//! wait, and a failed write is taken back with all that the group has on its way since.

use super::{Entry, StreamsGroup};
use crate::base::Now;
use crate::coordinator::group::Groups;
use crate::coordinator::group::consumer::Done;
use crate::coordinator::group::effects::Effects;
use crate::coordinator::group::in_flight::Then;
use std::borrow::Cow;
use std::sync::Arc;

impl Groups {
    /// Applies `entries` to the streams group `id`, which comes into being if need be, and writes them.
    pub(super) fn change_streams(&mut self, id: &Arc<str>, entries: Vec<Entry>, fx: &mut Effects) {
        if entries.is_empty() {
            return;
        }
        let records = entries.iter().map(|entry| entry.record(id)).collect();
        self.counts.streams_rebalances += u64::from(self.begins_epoch(id, &entries));
        let is_new = !self.streams.contains_key(id);
        let group = self.streams.entry(id.clone()).or_insert_with(|| StreamsGroup::new(id.clone()));
        let undo = entries.iter().map(|entry| group.apply(entry)).collect();
        self.write(id, records, Done::Streams(undo, is_new), fx);
    }

    /// An epoch may be written again with what else its record says.
    fn begins_epoch(&self, id: &str, entries: &[Entry]) -> bool {
        let before = self.streams.get(id).map_or(1, StreamsGroup::group_epoch);
        entries.iter().any(|entry| matches!(entry, Entry::Epoch(Some(epoch)) if epoch.epoch > before))
    }

    /// The group as the log has it: what is on its way is taken back, in a copy. `None` where the log has none.
    pub(in crate::coordinator::group) fn committed_streams(&self, id: &str) -> Option<Cow<'_, StreamsGroup>> {
        let now = self.streams.get(id);
        if !self.is_writing(id) {
            return now.map(Cow::Borrowed);
        }
        let mut group = now.cloned();
        for (_, then) in self.in_flight.iter().rev() {
            if let Then::Group(write) = then
                && **write.group() == *id
            {
                write.before_streams(&mut group);
            }
        }
        // What follows from a topology that is on its way is not told.
        let same = |group: &StreamsGroup| now.is_some_and(|now| now.topology == group.topology);
        if let Some(group) = group.as_mut().filter(|group| !same(group)) {
            group.configured = None;
        }
        group.map(Cow::Owned)
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
}
