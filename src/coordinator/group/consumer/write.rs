//! Entries on their way into the log.
//!
//! Unlike offsets, a consumer group changes when its entries are handed to the log, as in Kafka: the next member's step
//! builds on them, and only the answers wait. A failed write is taken back, with all that the group has on its way
//! since: none of that is written (see [`pipeline`](crate::coordinator)).
//!
//! What turns a group into one of the other kind, or ends it, goes alone: nothing else of the group may be on its
//! way, and requests wait until it is done.

use super::{ConsumerGroup, Entry, Undo};
use crate::base::{ErrorCode, Now};
use crate::coordinator::group::Groups;
use crate::coordinator::group::classic::ClassicGroup;
use crate::coordinator::group::effects::{Effects, Record, Step, Token};
use crate::coordinator::group::in_flight::Then;
use crate::coordinator::group::replay::answer_parked;
use crate::coordinator::group::request::Request;
use crate::coordinator::group::streams::{self, StreamsGroup};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a write did to its group.
pub struct Write {
    group: Arc<str>,
    done: Done,
}

/// What became of the group meanwhile.
pub enum Done {
    /// Entries were applied: what takes them back; true: the group came into being with them.
    Entries(Vec<Undo>, bool),
    /// The same of a streams group.
    Streams(Vec<streams::Entry>, bool),
    /// The group as it was before it went, or became one of the other kind.
    Replaced(Before),
}

/// A group as it was.
pub enum Before {
    /// A classic group.
    Classic(Box<ClassicGroup>),
    /// A consumer group.
    Consumer(Box<ConsumerGroup>),
    /// A streams group.
    Streams(Box<StreamsGroup>),
}

/// What a group is from now on.
pub enum After {
    /// Nothing.
    Nothing,
    /// A classic group.
    Classic(Box<ClassicGroup>),
    /// A consumer group.
    Consumer(Box<ConsumerGroup>),
    /// A streams group.
    Streams(Box<StreamsGroup>),
}

impl Write {
    /// Whose it is.
    pub fn group(&self) -> &Arc<str> {
        &self.group
    }

    /// The streams group that the write made `group`, as it was before.
    pub fn before_streams(&self, group: &mut Option<StreamsGroup>) {
        match (&self.done, group) {
            (Done::Replaced(Before::Streams(before)), group) => *group = Some(StreamsGroup::clone(before)),
            (Done::Replaced(Before::Classic(_) | Before::Consumer(_)) | Done::Streams(_, true), group) => *group = None,
            (Done::Streams(undo, false), Some(group)) => {
                undo.iter().rev().for_each(|undo| drop(group.apply(undo)));
            }
            (Done::Streams(..), None) | (Done::Entries(..), _) => {}
        }
    }

    /// Takes what takes the entries of the streams group `id` back, where the write is one of its.
    pub fn streams_undo(&mut self, id: &Arc<str>) -> Option<Vec<streams::Entry>> {
        match &mut self.done {
            Done::Streams(undo, _) if self.group == *id => Some(std::mem::take(undo)),
            Done::Streams(..) | Done::Entries(..) | Done::Replaced(_) => None,
        }
    }
}

impl From<ClassicGroup> for After {
    fn from(group: ClassicGroup) -> Self {
        Self::Classic(Box::new(group))
    }
}

/// A request that waits until its group is one of a kind again.
pub struct Deferred {
    token: Token,
    random: [u8; 16],
    request: Request,
}

impl Groups {
    /// Applies `entries` to the consumer group `id`, which comes into being if need be, and writes them.
    pub(in crate::coordinator::group) fn change(&mut self, id: &Arc<str>, entries: Vec<Entry>, fx: &mut Effects) {
        if entries.is_empty() {
            return;
        }
        let records = entries.iter().map(|entry| entry.record(id)).collect();
        self.counts.consumer_rebalances +=
            u64::from(entries.iter().any(|entry| matches!(entry, Entry::Epoch(Some(_)))));
        let is_new = !self.consumers.contains_key(id);
        let group = self.consumers.entry(id.clone()).or_insert_with(|| ConsumerGroup::new(id.clone()));
        let undo = entries.iter().map(|entry| group.apply(entry)).collect();
        self.write(id, records, Done::Entries(undo, is_new), fx);
    }

    /// Puts `after` in the place of `before`, alone: [`is_writing`](Self::is_writing) must say no.
    pub(in crate::coordinator::group) fn replace(
        &mut self,
        id: &Arc<str>,
        before: Before,
        after: After,
        records: Vec<Record>,
        fx: &mut Effects,
    ) {
        match after {
            After::Nothing => {}
            After::Classic(group) => drop(self.groups.insert(id.clone(), *group)),
            After::Consumer(group) => drop(self.consumers.insert(id.clone(), *group)),
            After::Streams(group) => drop(self.streams.insert(id.clone(), *group)),
        }
        self.make_busy(id);
        self.write(id, records, Done::Replaced(before), fx);
    }

    /// The group cannot be asked until its writes are done.
    pub(in crate::coordinator::group) fn make_busy(&mut self, id: &Arc<str>) {
        self.busy.entry(id.clone()).or_default();
    }

    /// Has the records of a change written.
    pub(in crate::coordinator::group) fn write(
        &mut self,
        id: &Arc<str>,
        records: Vec<Record>,
        done: Done,
        fx: &mut Effects,
    ) {
        let next = self.next_append();
        let (count, newest) = self.writing.entry(id.clone()).or_default();
        (*count, *newest) = (*count + 1, next);
        self.append(records, Then::Group(Box::new(Write { group: id.clone(), done })), fx);
    }

    /// True while something of the group is on its way into the log.
    pub(in crate::coordinator::group) fn is_writing(&self, id: &str) -> bool {
        self.writing.contains_key(id)
    }

    /// The group as the log has it: what is on its way is taken back, in a copy. `None` where the log has none.
    pub(in crate::coordinator::group) fn committed_consumer(&self, id: &str) -> Option<Cow<'_, ConsumerGroup>> {
        let now = self.consumers.get(id);
        if !self.is_writing(id) {
            return now.map(Cow::Borrowed);
        }
        let mut group = now.cloned();
        for (_, then) in self.in_flight.iter().rev() {
            let Then::Group(write) = then else { continue };
            if *write.group != *id {
                continue;
            }
            match (&write.done, &mut group) {
                (Done::Replaced(Before::Consumer(before)), group) => *group = Some(ConsumerGroup::clone(before)),
                (Done::Replaced(Before::Classic(_) | Before::Streams(_)) | Done::Entries(_, true), group) => {
                    *group = None;
                }
                (Done::Entries(undo, false), Some(group)) => {
                    undo.iter().rev().for_each(|undo| group.undo(undo.clone()));
                }
                (Done::Entries(..), None) | (Done::Streams(..), _) => {}
            }
        }
        group.map(Cow::Owned)
    }

    /// True while the group cannot be asked.
    pub(in crate::coordinator::group) fn is_busy(&self, id: &str) -> bool {
        self.busy.contains_key(id)
    }

    /// The id of a group that cannot be asked.
    pub(in crate::coordinator::group) fn busy_id(&self, id: &str) -> Option<Arc<str>> {
        self.busy.get_key_value(id).map(|(id, _)| id.clone())
    }

    /// The request waits until nothing of its group is on its way.
    pub(in crate::coordinator::group) fn defer(&mut self, id: &Arc<str>, request: Request, step: &Step) {
        let deferred = Deferred { token: step.token, random: step.random, request };
        self.busy.entry(id.clone()).or_default().push_back(deferred);
    }

    /// The outcome of a write.
    pub(in crate::coordinator::group) fn write_done(
        &mut self,
        write: Write,
        outcome: Result<(), ErrorCode>,
        step: &mut Step,
    ) {
        let id = write.group;
        let count = self.writing.get_mut(&id).map_or(0, |(count, _)| {
            *count = count.saturating_sub(1);
            *count
        });
        match (outcome, write.done) {
            (Err(_), Done::Entries(undo, is_new)) => self.take_back(&id, undo, is_new, step.now),
            (Err(_), Done::Streams(undo, is_new)) => self.take_back_streams(&id, undo, is_new, step.now),
            (Err(_), Done::Replaced(before)) => self.restore(&id, before, step),
            (Ok(()), _) => {}
        }
        if count == 0 {
            self.writing.remove(&id);
            self.serve_deferred(&id, step);
        }
    }

    /// Takes back a failed write and, before it, all that the group has on its way since.
    fn take_back(&mut self, id: &Arc<str>, undo: Vec<Undo>, is_new: bool, now: Now) {
        let later = self.in_flight.iter_mut().rev().filter_map(|(_, then)| match then {
            Then::Group(write) if write.group == *id => match &mut write.done {
                Done::Entries(undo, _) => Some(std::mem::take(undo)),
                Done::Streams(..) | Done::Replaced(_) => None,
            },
            _ => None,
        });
        let later: Vec<Vec<Undo>> = later.collect();
        let all: Vec<Undo> = later.into_iter().chain([undo]).flat_map(|undo| undo.into_iter().rev()).collect();
        let Some(group) = self.consumers.get_mut(id) else { return };
        all.into_iter().for_each(|undo| group.undo(undo));
        group.refresh = None;
        if is_new && group.is_empty() {
            self.consumers.remove(id);
        } else {
            self.schedule_members(id, now);
        }
    }

    fn restore(&mut self, id: &Arc<str>, before: Before, step: &mut Step) {
        self.consumers.remove(id);
        self.streams.remove(id);
        let after = self.groups.remove(id);
        match before {
            Before::Classic(group) => drop(self.groups.insert(id.clone(), *group)),
            Before::Consumer(group) => drop(self.consumers.insert(id.clone(), *group)),
            Before::Streams(group) => drop(self.streams.insert(id.clone(), *group)),
        }
        if let Some(mut after) = after {
            answer_parked(&mut after, ErrorCode::CoordinatorNotAvailable, step.fx);
        }
        self.schedule_members(id, step.now);
    }

    fn serve_deferred(&mut self, id: &Arc<str>, step: &mut Step) {
        let mut waiting: VecDeque<Deferred> = self.busy.remove(id).unwrap_or_default();
        while let Some(next) = waiting.pop_front() {
            let mut own = Step { token: next.token, now: step.now, random: next.random, fx: &mut *step.fx };
            self.handle(next.request, &mut own);
            // It may itself need the group alone: the others go on waiting behind it.
            if let Some(busy) = self.busy.get_mut(id) {
                busy.append(&mut waiting);
            }
        }
    }

    /// Refuses whoever waits for its group.
    pub(in crate::coordinator::group) fn refuse_deferred(&mut self, error: ErrorCode, fx: &mut Effects) {
        for waiting in std::mem::take(&mut self.busy).into_values() {
            waiting.into_iter().for_each(|waiting| fx.answer(waiting.token, waiting.request.refuse(error)));
        }
    }

    /// The request of `token` waits no longer; false when it is not among those that wait.
    pub(in crate::coordinator::group) fn give_up_deferred(
        &mut self,
        token: Token,
        error: ErrorCode,
        fx: &mut Effects,
    ) -> bool {
        for waiting in self.busy.values_mut() {
            if let Some(at) = waiting.iter().position(|waiting| waiting.token == token)
                && let Some(waiting) = waiting.remove(at)
            {
                fx.answer(token, waiting.request.refuse(error));
                return true;
            }
        }
        false
    }
}
