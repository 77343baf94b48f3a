//! LeaveGroup (`GroupMetadataManager.classicGroupLeave`): members by id, pending members, and
//! static members by instance id, which is how an administrator removes them.

use super::request::Request;
use super::state::State;
use super::{Groups, Step};
use crate::base::ErrorCode;
use crate::protocol::messages::leave_group_request::MemberIdentity;
use crate::protocol::messages::leave_group_response::MemberResponse;
use crate::protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};
use std::sync::Arc;

impl Groups {
    pub(super) fn leave(&mut self, request: LeaveGroupRequest, step: &mut Step) {
        if let Some(id) = self.busy_id(&request.group_id) {
            return self.defer(&id, Request::Leave(request), step);
        }
        if self.consumers.contains_key(&*request.group_id) {
            return self.leave_consumer(request, step);
        }
        let refuse = |error| Request::Leave(request.clone()).refuse(error);
        if request.group_id.is_empty() {
            return step.answer(refuse(ErrorCode::InvalidGroupId));
        }
        let Some((id, group)) = self.groups.get_key_value(&*request.group_id) else {
            return step.answer(refuse(ErrorCode::UnknownMemberId));
        };
        if group.state() == State::Dead {
            return step.answer(refuse(ErrorCode::CoordinatorNotAvailable));
        }
        let id = id.clone();
        let next = self.next_append();
        let members: Vec<MemberResponse> = request.members.iter().map(|m| self.leave_one(&id, m, step)).collect();
        if members.iter().any(|m| m.error_code == 0) {
            self.after_leave(&id, step);
        }
        let response = LeaveGroupResponse { members, ..Default::default() };
        if self.next_append() == next {
            return step.answer(response);
        }
        // The group went Empty: the answer waits for the record that says so.
        self.answer_after(next, step.token, response, Request::Leave(request));
    }

    fn leave_one(&mut self, id: &Arc<str>, member: &MemberIdentity, step: &mut Step) -> MemberResponse {
        let outcome = self.leaving_id(id, member);
        if let Ok(member_id) = &outcome {
            self.evict(id, member_id, step);
        }
        MemberResponse {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            error_code: outcome.err().unwrap_or(ErrorCode::None) as i16,
        }
    }

    fn leaving_id(&self, id: &str, member: &MemberIdentity) -> Result<Arc<str>, ErrorCode> {
        let group = self.groups.get(id).ok_or(ErrorCode::UnknownMemberId)?;
        let instance = member.group_instance_id.as_deref();
        if member.member_id.is_empty() {
            return instance.and_then(|i| group.static_member(i)).cloned().ok_or(ErrorCode::UnknownMemberId);
        }
        if !group.pending_join.contains(&*member.member_id) {
            group.validate_member(&member.member_id, instance)?;
        }
        Ok(Arc::from(&*member.member_id))
    }

    fn after_leave(&mut self, id: &Arc<str>, step: &mut Step) {
        match self.groups.get(id).map(|g| g.state()) {
            Some(State::Stable | State::CompletingRebalance) => self.rebalance_or_complete(id, step),
            Some(State::PreparingRebalance) => self.complete_join_if_ready(id, step),
            Some(State::Empty | State::Dead) | None => {}
        }
    }
}
