//! Heartbeat (`GroupMetadataManager.classicGroupHeartbeat`).

use super::request::Request;
use super::state::State;
use super::{Groups, Step};
use crate::base::ErrorCode;
use crate::protocol::messages::{HeartbeatRequest, HeartbeatResponse};

impl Groups {
    pub(super) fn heartbeat(&mut self, request: HeartbeatRequest, step: &mut Step) {
        if let Some(id) = self.busy_id(&request.group_id) {
            return self.defer(&id, Request::Heartbeat(request), step);
        }
        let error = match self.beat(&request, step) {
            Ok(()) => ErrorCode::None,
            Err(error) => error,
        };
        step.answer(HeartbeatResponse { error_code: error as i16, ..Default::default() });
    }

    fn beat(&mut self, request: &HeartbeatRequest, step: &Step) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if let Some(id) = self.consumers.get(&*request.group_id).map(|group| group.id.clone()) {
            return self.beat_classic(&id, request, step);
        }
        let (id, group) = self.groups.get_key_value(&*request.group_id).ok_or(ErrorCode::UnknownMemberId)?;
        let (id, state) = (id.clone(), group.state());
        if state == State::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        group.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != group.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        match state {
            State::Empty | State::Dead => Err(ErrorCode::UnknownMemberId),
            State::PreparingRebalance => {
                self.restart_session(&id, &request.member_id, step.now);
                Err(ErrorCode::RebalanceInProgress)
            }
            State::CompletingRebalance | State::Stable => {
                self.restart_session(&id, &request.member_id, step.now);
                Ok(())
            }
        }
    }
}
