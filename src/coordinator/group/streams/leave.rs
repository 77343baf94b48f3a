//! Members go: by their own word or because they were silent (`GroupMetadataManager.streamsGroupLeave`,
//! `streamsGroupFenceMember`).

use super::Entry;
use super::entry::GroupEpoch;
use super::heartbeat::{Answered, unknown};
use crate::coordinator::group::consumer::Refusal;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::{Groups, Step};
use crate::protocol::messages::{StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse};
use std::rc::Rc;
use std::sync::Arc;

impl Groups {
    /// A heartbeat with epoch -1.
    pub(super) fn streams_leave(
        &mut self,
        id: &Arc<str>,
        request: &StreamsGroupHeartbeatRequest,
        step: &mut Step,
    ) -> Result<Answered, Refusal> {
        self.streams_group(id)?;
        let member_id: Arc<str> = Arc::from(&*request.member_id);
        let Some(group) = self.streams.get_mut(id).filter(|group| group.members.contains_key(&member_id)) else {
            return Err(unknown(id, &member_id));
        };
        if request.shutdown_application && group.shutdown_by.is_none() {
            tracing::info!(group = %id, member = %member_id, "a member asks its streams application to stop and goes");
            group.shutdown_by = Some(member_id.clone());
        }
        self.fence_streams(id, &member_id, step);
        let response = StreamsGroupHeartbeatResponse {
            member_id: request.member_id.copied(),
            member_epoch: request.member_epoch,
            ..Default::default()
        };
        Ok((response, Vec::new()))
    }

    /// Takes a member out: its records end, the group's epoch rises.
    pub(super) fn fence_streams(&mut self, id: &Arc<str>, member_id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.streams.get(id) else { return };
        let epoch = group.group_epoch().saturating_add(1);
        let next = match &group.epoch {
            Some(last) => GroupEpoch { epoch, ..GroupEpoch::clone(last) },
            None => GroupEpoch { epoch, hash: 0, validated: group.validated(), assignment_configs: Default::default() },
        };
        let entries = vec![
            Entry::Current(member_id.clone(), None),
            Entry::Target(member_id.clone(), None),
            Entry::Member(member_id.clone(), None),
            Entry::Epoch(Some(Rc::new(next))),
        ];
        self.change_streams(id, entries, step.fx);
        for timer in [Timer::Session, Timer::Revocation] {
            self.timers.cancel(&timer(id.clone(), member_id.clone()));
        }
    }
}
