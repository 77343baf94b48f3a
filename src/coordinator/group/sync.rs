//! SyncGroup (`GroupMetadataManager.classicGroupSync*`): the leader's assignment goes into the log
//! and only then to the members.

use super::in_flight::{Assignment, Then};
use super::request::Request;
use super::state::State;
use super::timers::Timer;
use super::{Groups, Step, str_of};
use crate::base::ErrorCode;
use crate::protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;

impl Groups {
    pub(super) fn sync(&mut self, request: SyncGroupRequest, step: &mut Step) {
        if let Some(id) = self.busy_id(&request.group_id) {
            return self.defer(&id, Request::Sync(request), step);
        }
        if self.consumers.contains_key(&*request.group_id) {
            return self.sync_consumer(request, step);
        }
        if let Err(error) = self.check_sync(&request) {
            return step.answer(sync_error(error));
        }
        let Some((id, group)) = self.groups.get_key_value(&*request.group_id) else { return };
        let id = id.clone();
        match group.state() {
            State::PreparingRebalance => step.answer(sync_error(ErrorCode::RebalanceInProgress)),
            State::CompletingRebalance => self.park_sync(&id, request, step),
            State::Stable => {
                self.synced(&id, &request.member_id);
                step.answer(self.assignment_of(&id, &request.member_id));
            }
            State::Empty => step.answer(sync_error(ErrorCode::UnknownMemberId)),
            State::Dead => step.answer(sync_error(ErrorCode::CoordinatorNotAvailable)),
        }
    }

    fn check_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let group = self.groups.get(&*request.group_id).ok_or(ErrorCode::UnknownMemberId)?;
        match group.state() {
            State::Empty => return Err(ErrorCode::UnknownMemberId),
            State::Dead => return Err(ErrorCode::CoordinatorNotAvailable),
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {}
        }
        group.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != group.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |asked: Option<&str>, is: Option<&str>| matches!((asked, is), (Some(a), Some(b)) if a != b);
        if differs(request.protocol_type.as_deref(), group.protocol_type.as_deref())
            || differs(request.protocol_name.as_deref(), group.protocol_name.as_deref())
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    fn park_sync(&mut self, id: &Arc<str>, request: SyncGroupRequest, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let leads = group.is_leader(&request.member_id);
        if let Some(member) = group.member_mut(&request.member_id)
            && let Some(old) = member.awaiting_sync.replace(step.token)
        {
            step.fx.answer(old, sync_error(ErrorCode::RebalanceInProgress));
        }
        self.synced(id, &request.member_id);
        let Some(group) = self.groups.get_mut(id) else { return };
        if !leads || group.assignment_in_flight {
            return;
        }
        let mut given: HashMap<&str, &Bytes> =
            request.assignments.iter().map(|a| (&*a.member_id, &a.assignment)).collect();
        let mut assignment = HashMap::with_capacity(group.members().len());
        for member in group.members() {
            let share = given.remove(&*member.id).map(|b| Bytes::copy_from_slice(b)).unwrap_or_default();
            assignment.insert(member.id.clone(), share);
        }
        group.assignment_in_flight = true;
        let record = super::records::group(group, &assignment);
        let then = Assignment { group: id.clone(), generation: group.generation, assignment };
        self.append(vec![record], Then::Assignment(then), step.fx);
    }

    /// The member has asked for its assignment; when all have, the sync phase has no end to wait for.
    fn synced(&mut self, id: &Arc<str>, member_id: &str) {
        let Some(group) = self.groups.get_mut(id) else { return };
        group.pending_sync.remove(member_id);
        if group.pending_sync.is_empty() {
            self.timers.cancel(&Timer::Sync(id.clone()));
        }
    }

    /// The assignment is in the log, or could not be written. A rebalance that began meanwhile wins.
    pub(super) fn assignment_done(&mut self, done: Assignment, outcome: Result<(), ErrorCode>, step: &mut Step) {
        let Some(group) = self.groups.get_mut(&done.group) else { return };
        if group.state() != State::CompletingRebalance || group.generation != done.generation {
            return;
        }
        group.assignment_in_flight = false;
        match outcome {
            Ok(()) => {
                let mut assignment = done.assignment;
                for member in group.members_mut() {
                    member.assignment = assignment.remove(&member.id).unwrap_or_default();
                }
                self.counts.classic_rebalances += 1;
                self.answer_syncs(&done.group, Ok(()), step);
                if let Some(group) = self.groups.get_mut(&done.group) {
                    group.transition(State::Stable, step.now);
                }
            }
            Err(error) => {
                self.answer_syncs(&done.group, Err(crate::coordinator::machine::append_error(error)), step);
                self.rebalance_or_complete(&done.group, step);
            }
        }
    }

    /// Answers all parked SyncGroup requests: with the assignments, or with an error, which also
    /// takes the assignments back.
    pub(super) fn answer_syncs(&mut self, id: &Arc<str>, outcome: Result<(), ErrorCode>, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let (protocol_type, protocol_name) = (group.protocol_type.clone(), group.protocol_name.clone());
        let mut answered = Vec::new();
        for member in group.members_mut() {
            if outcome.is_err() {
                member.assignment = Bytes::new();
            }
            let Some(token) = member.awaiting_sync.take() else { continue };
            answered.push(member.id.clone());
            step.fx.answer(
                token,
                match outcome {
                    Ok(()) => SyncGroupResponse {
                        protocol_type: protocol_type.as_deref().map(str_of),
                        protocol_name: protocol_name.as_deref().map(str_of),
                        assignment: member.assignment.clone(),
                        ..Default::default()
                    },
                    Err(error) => sync_error(error),
                },
            );
        }
        // A session that ended while the request was parked was passed over: it begins anew.
        for member_id in answered {
            self.restart_session(id, &member_id, step.now);
        }
    }

    fn assignment_of(&self, id: &str, member_id: &str) -> SyncGroupResponse {
        let Some(group) = self.groups.get(id) else { return sync_error(ErrorCode::UnknownMemberId) };
        SyncGroupResponse {
            protocol_type: group.protocol_type.as_deref().map(str_of),
            protocol_name: group.protocol_name.as_deref().map(str_of),
            assignment: group.member(member_id).map(|m| m.assignment.clone()).unwrap_or_default(),
            ..Default::default()
        }
    }
}

/// A SyncGroup answer that carries an error.
pub(super) fn sync_error(error: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code: error as i16, ..Default::default() }
}
