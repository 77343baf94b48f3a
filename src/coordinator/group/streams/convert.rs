//! Groups that change their kind: a classic group without members becomes a streams group when a member comes, and the
//! other way round (`getOrCreateStreamsGroup`, `maybeDeleteEmptyStreamsGroup`).

use super::heartbeat::not_found;
use super::{Entry, StreamsGroup};
use crate::base::ErrorCode;
use crate::coordinator::group::classic::ClassicGroup;
use crate::coordinator::group::consumer::{After, Before, Refusal};
use crate::coordinator::group::effects::{Record, Step};
use crate::coordinator::group::join::join_error;
use crate::coordinator::group::request::{Caller, Request};
use crate::coordinator::group::state::State;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::{Groups, records};
use crate::protocol::messages::JoinGroupRequest;
use std::sync::Arc;

/// What a request finds.
pub enum Base {
    /// A streams group.
    Existing,
    /// Nothing: the group comes into being.
    Fresh(Box<StreamsGroup>),
    /// A classic group without members, whose end is written first.
    Emptied(Box<StreamsGroup>),
}

impl Groups {
    /// The streams group `id`, or 69.
    pub(super) fn streams_group(&self, id: &str) -> Result<&StreamsGroup, Refusal> {
        self.streams.get(id).ok_or_else(|| self.no_streams_group(id))
    }

    /// Says that `id` is none.
    pub(super) fn no_streams_group(&self, id: &str) -> Refusal {
        let exists = self.groups.contains_key(id) || self.consumers.contains_key(id) || self.shares.contains_key(id);
        not_found(id, if exists { "is not a streams group" } else { "not found" })
    }

    /// The streams group `id`; where `create`, it comes into being or out of a classic group without members.
    pub(super) fn streams_base(&self, id: &Arc<str>, create: bool) -> Result<Base, Refusal> {
        if self.streams.contains_key(id) {
            return Ok(Base::Existing);
        }
        if self.consumers.contains_key(id) || self.shares.contains_key(id) {
            return Err(not_found(id, "is not a streams group"));
        }
        let fresh = || Box::new(StreamsGroup::new(id.clone()));
        match self.groups.get(id).map(ClassicGroup::state) {
            None if !create => Err(not_found(id, "not found")),
            None if self.len() >= self.config.groups_max => {
                Err(Refusal::new(ErrorCode::CoordinatorNotAvailable, "There are too many groups."))
            }
            None => Ok(Base::Fresh(fresh())),
            Some(State::Dead) if create => {
                Err(Refusal::new(ErrorCode::CoordinatorNotAvailable, "The group is being deleted."))
            }
            Some(State::Empty) if create => Ok(Base::Emptied(fresh())),
            Some(_) => Err(not_found(id, "is not a streams group")),
        }
    }

    /// Applies and writes `entries`, on what they were decided on.
    pub(super) fn take_streams_base(&mut self, id: &Arc<str>, base: Base, entries: Vec<Entry>, step: &mut Step) {
        let Base::Emptied(mut group) = base else { return self.change_streams(id, entries, step.fx) };
        let Some(mut classic) = self.groups.remove(id) else { return };
        self.end_rebalance(id, &mut classic, step.fx);
        group.commits_in_flight = classic.commits_in_flight;
        entries.iter().for_each(|entry| drop(group.apply(entry)));
        let mut records: Vec<Record> = vec![records::group_tombstone(id)];
        records.extend(entries.iter().map(|entry| entry.record(id)));
        tracing::info!(group = %id, "a classic group without members becomes a streams group");
        self.replace(id, Before::Classic(Box::new(classic)), After::Streams(group), records, step.fx);
    }

    /// JoinGroup to a streams group: refused (23) while it has members. False: there is none, or no longer; the group
    /// is for the classic protocol alone.
    pub(in crate::coordinator::group) fn join_streams(
        &mut self,
        id: &Arc<str>,
        caller: &Caller,
        request: &JoinGroupRequest,
        step: &mut Step,
    ) -> bool {
        let Some(group) = self.streams.get(id) else { return false };
        if !group.is_empty() {
            step.answer(join_error("", ErrorCode::InconsistentGroupProtocol));
            return true;
        }
        if self.is_writing(id) {
            self.defer(id, Request::Join(caller.clone(), request.clone()), step);
            return true;
        }
        let Some(group) = self.streams.remove(id) else { return false };
        self.timers.cancel(&Timer::StreamsStart(id.clone()));
        let mut classic = ClassicGroup::new(id.clone(), step.now.wall);
        classic.commits_in_flight = group.commits_in_flight;
        let mut written: Vec<Record> = group.end().iter().map(|entry| entry.record(id)).collect();
        written.push(records::empty_group(&classic));
        tracing::info!(group = %id, "a streams group without members becomes a classic group");
        self.replace(id, Before::Streams(Box::new(group)), classic.into(), written, step.fx);
        false
    }

    /// A streams group without members ends.
    pub(in crate::coordinator::group) fn end_streams(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.streams.remove(id) else { return };
        self.timers.cancel(&Timer::StreamsStart(id.clone()));
        let records = group.end().iter().map(|entry| entry.record(id)).collect();
        self.replace(id, Before::Streams(Box::new(group)), After::Nothing, records, step.fx);
    }
}
