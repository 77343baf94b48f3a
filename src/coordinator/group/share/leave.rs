//! Members that leave or fall silent, and groups that end.

use super::heartbeat::{LEAVE_EPOCH, Refusal};
use super::state::{Entry, State};
use crate::base::ErrorCode;
use crate::coordinator::group::request::Request;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::{Groups, Step};
use crate::protocol::messages::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use std::sync::Arc;

impl Groups {
    pub(super) fn share_leave(&mut self, request: &ShareGroupHeartbeatRequest, step: &mut Step) -> Result<(), Refusal> {
        let group: Arc<str> = Arc::from(&*request.group_id);
        self.share_group_for(&group, false)?;
        let id: Arc<str> = Arc::from(&*request.member_id);
        let Some(entries) = self.share_without(&group, &id) else {
            let text = format!("Member {id} is not a member of group {group}.");
            return Err(Refusal(ErrorCode::UnknownMemberId, text));
        };
        let response = ShareGroupHeartbeatResponse {
            member_id: Some(request.member_id.clone()),
            member_epoch: LEAVE_EPOCH,
            ..Default::default()
        };
        let refused = Request::ShareHeartbeat(Default::default(), request.clone());
        self.share_write(&group, entries, Some(((response, None).into(), refused)), step);
        Ok(())
    }

    /// A member was silent for its session timeout.
    pub(in crate::coordinator::group) fn share_member_silent(
        &mut self,
        group: &Arc<str>,
        id: &Arc<str>,
        step: &mut Step,
    ) {
        if let Some(entries) = self.share_without(group, id) {
            tracing::info!(
                group = &**group,
                member = &**id,
                "a member of a share group was silent for too long: it is out"
            );
            self.share_write(group, entries, None, step);
        }
    }

    /// The entries that take a member out.
    fn share_without(&mut self, group: &Arc<str>, id: &Arc<str>) -> Option<Vec<Entry>> {
        let share = self.shares.get(group)?;
        share.tail.members.get(id)?;
        let mut next: State = share.tail.clone();
        next.members.remove(id);
        let topics = next.subscribed();
        let hash = self.hashes.of_group(topics.iter(), &self.image);
        self.timers.cancel(&Timer::Session(group.clone(), id.clone()));
        Some(vec![
            Entry::Current(id.clone(), None),
            Entry::Target(id.clone(), None),
            Entry::Subscription(id.clone(), None),
            Entry::Epoch(Some((next.epoch + 1, hash))),
        ])
    }

    /// Ends a group without members, whose progress is deleted already.
    pub(in crate::coordinator::group) fn end_share(&mut self, group: &Arc<str>, step: &mut Step) {
        let entries = vec![Entry::TargetEpoch(None), Entry::Progress(None), Entry::Epoch(None)];
        self.share_write(group, entries, None, step);
    }

    /// Sessions of all members begin: the log has been read.
    pub(in crate::coordinator::group) fn share_loaded(&mut self, step: &Step) {
        for (group, share) in &mut self.shares {
            share.look_again = true;
            let settings = self.config.share_settings(&self.image, group);
            let at = step.now.mono.plus_ms(i64::from(settings.session_timeout_ms));
            for id in share.tail.members.keys() {
                self.timers.schedule(Timer::Session(group.clone(), id.clone()), at);
            }
        }
    }
}
