//! Deadlines of streams groups: silence, tasks not given up, the wait for more members.

use super::entry::MemberState;
use crate::base::Now;
use crate::coordinator::group::Groups;
use crate::coordinator::group::effects::Step;
use crate::coordinator::group::timers::{BUSY_MS, Timer};
use std::sync::Arc;

impl Groups {
    /// The member has shown life.
    pub(super) fn restart_streams_session(&mut self, id: &Arc<str>, member_id: &Arc<str>, now: Now) {
        let timeout_ms = self.config.streams_settings(&self.image, id).session_timeout_ms;
        let until = now.mono.plus_ms(i64::from(timeout_ms));
        self.timers.schedule(Timer::Session(id.clone(), member_id.clone()), until);
    }

    /// Sets or takes away the deadline by which a member must have given up what it was told to.
    pub(super) fn schedule_streams_revocation(&mut self, id: &Arc<str>, member_id: &Arc<str>, now: Now) {
        let timer = Timer::Revocation(id.clone(), member_id.clone());
        let Some(group) = self.streams.get(id) else { return };
        let revokes = group.current.get(member_id).is_some_and(|c| c.state == MemberState::UnrevokedTasks);
        match group.members.get(member_id).filter(|_| revokes) {
            Some(member) => {
                let until = now.mono.plus_ms(i64::from(member.rebalance_timeout_ms));
                self.timers.schedule(timer, until);
            }
            None => self.timers.cancel(&timer),
        }
    }

    /// The deadlines of all members of a group as after loading.
    pub(in crate::coordinator::group) fn schedule_streams(&mut self, id: &Arc<str>, now: Now) {
        let Some(group) = self.streams.get(id) else { return };
        let members: Vec<Arc<str>> = group.members.keys().cloned().collect();
        for member_id in members {
            self.restart_streams_session(id, &member_id, now);
            self.schedule_streams_revocation(id, &member_id, now);
        }
    }

    /// A member of a streams group has missed a deadline; `timer` says which.
    pub(in crate::coordinator::group) fn streams_member_timer(&mut self, timer: &Timer, why: &str, step: &mut Step) {
        let (Timer::Session(id, member_id) | Timer::Revocation(id, member_id)) = timer else { return };
        if self.is_busy(id) {
            return self.timers.schedule(timer.clone(), step.now.mono.plus_ms(BUSY_MS));
        }
        let Some(group) = self.streams.get(id).filter(|group| group.members.contains_key(member_id)) else { return };
        if matches!(timer, Timer::Revocation(..)) && group.current_of(member_id).state != MemberState::UnrevokedTasks {
            return;
        }
        tracing::info!(group = %id, member = %member_id, why, "a member is out of its streams group");
        self.fence_streams(id, member_id, step);
    }

    /// The group has waited for more members long enough: its first target.
    pub(in crate::coordinator::group) fn streams_start_timer(&mut self, id: &Arc<str>, step: &mut Step) {
        if self.is_busy(id) {
            return self.timers.schedule(Timer::StreamsStart(id.clone()), step.now.mono.plus_ms(BUSY_MS));
        }
        let interval_ms = self.config.streams_settings(&self.image, id).assignment_interval_ms;
        let Some(group) = self.streams.get(id) else { return };
        let entries = group.first_target(i64::from(interval_ms), step.now.wall);
        self.change_streams(id, entries, step.fx);
    }
}
