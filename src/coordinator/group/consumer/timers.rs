//! Deadlines of consumer groups: silence, partitions not given up, classic members that do not come.

use super::member::MemberState;
use super::regex::RegexScan;
use crate::base::Now;
use crate::coordinator::group::effects::Step;
use crate::coordinator::group::timers::{BUSY_MS, Timer};
use crate::coordinator::group::{Groups, str_of};
use std::sync::Arc;

impl Groups {
    /// The member has shown life.
    pub(super) fn restart_consumer_session(&mut self, id: &Arc<str>, member_id: &Arc<str>, now: Now) {
        let Some(member) = self.consumers.get(id).and_then(|group| group.member(member_id)) else { return };
        let timeout_ms = match &member.classic {
            Some(classic) => classic.session_timeout_ms,
            None => self.session_timeout_ms(id),
        };
        let until = now.mono.plus_ms(i64::from(timeout_ms));
        self.timers.schedule(Timer::Session(id.clone(), member_id.clone()), until);
    }

    fn session_timeout_ms(&self, id: &str) -> i32 {
        let settings = self.settings(id);
        self.config.consumer.session_timeout_ms.of(&settings, "consumer.session.timeout.ms")
    }

    /// The deadlines of all members of a group as after loading; of the classic one where it is that.
    pub(in crate::coordinator::group) fn schedule_members(&mut self, id: &Arc<str>, now: Now) {
        if let Some(group) = self.consumers.get(id) {
            let members: Vec<Arc<str>> = group.members().map(|member| member.id.clone()).collect();
            for member_id in members {
                self.restart_consumer_session(id, &member_id, now);
                self.schedule_revocation(id, &member_id, now);
            }
        } else if self.streams.contains_key(id) {
            self.schedule_streams(id, now);
        } else if self.groups.contains_key(id) {
            self.schedule_classic(id, now);
        }
    }

    /// Sets or takes away the deadline by which a member must have given up what it was told to.
    pub(super) fn schedule_revocation(&mut self, id: &Arc<str>, member_id: &Arc<str>, now: Now) {
        let timer = Timer::Revocation(id.clone(), member_id.clone());
        let member = self.consumers.get(id).and_then(|group| group.member(member_id));
        match member.filter(|m| m.state == MemberState::UnrevokedPartitions && m.classic.is_none()) {
            Some(member) => {
                let until = now.mono.plus_ms(i64::from(member.rebalance_timeout_ms));
                self.timers.schedule(timer, until);
            }
            None => self.timers.cancel(&timer),
        }
    }

    /// A member of a consumer group has missed a deadline; `timer` says which.
    pub(in crate::coordinator::group) fn member_timer(&mut self, timer: Timer, why: &str, step: &mut Step) {
        let (Timer::Session(id, member_id)
        | Timer::Revocation(id, member_id)
        | Timer::Rejoin(id, member_id)
        | Timer::Resync(id, member_id)) = &timer
        else {
            return;
        };
        if self.is_busy(id) {
            return self.timers.schedule(timer.clone(), step.now.mono.plus_ms(BUSY_MS));
        }
        let Some(member) = self.consumers.get(id).and_then(|group| group.member(member_id)).cloned() else { return };
        if matches!(timer, Timer::Revocation(..)) && member.state != MemberState::UnrevokedPartitions {
            return;
        }
        let (id, member_id) = (id.clone(), member_id.clone());
        if self.would_convert(&id, &[member]) && self.is_writing(&id) {
            return self.timers.schedule(timer, step.now.mono.plus_ms(BUSY_MS));
        }
        tracing::info!(group = %id, member = %member_id, why, "a member is out of its group");
        self.fence(&id, &[member_id], step);
    }

    /// All deadlines of a member that has gone.
    pub(super) fn cancel_member(&mut self, id: &Arc<str>, member_id: &Arc<str>) {
        for timer in [Timer::Session, Timer::Revocation, Timer::Rejoin, Timer::Resync] {
            self.timers.cancel(&timer(id.clone(), member_id.clone()));
        }
    }

    /// The patterns of a group are looked up, a piece at a time.
    pub(in crate::coordinator::group) fn regex_timer(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.consumers.get(id) else {
            self.scans.remove(id);
            return;
        };
        let scan = self.scans.entry(id.clone()).or_insert_with(|| RegexScan::new(group, &self.image, step.now));
        let Some(found) = scan.go_on() else {
            return self.timers.schedule(Timer::Regex(id.clone()), step.now.mono.plus_ms(1));
        };
        if self.is_busy(id) {
            self.scans.remove(id);
            return self.timers.schedule(Timer::Regex(id.clone()), step.now.mono.plus_ms(BUSY_MS));
        }
        self.scans.remove(id);
        let Some(group) = self.consumers.get_mut(id) else { return };
        let entries = group.take_resolved(found, &self.image, &mut self.hashes, step.now);
        tracing::debug!(group = %str_of(id), patterns = entries.len(), "patterns of topics looked up");
        self.change(id, entries, step.fx);
    }
}
