//! The join phase: how it begins, is prolonged, completes; what silence does
//! (`GroupMetadataManager.prepareRebalance`, `completeClassicGroupJoin`, `expire*`).

use super::classic::{ClassicGroup, InitialDelay};
use super::effects::Effects;
use super::in_flight::Then;
use super::join::join_error;
use super::replay::answer_parked;
use super::state::State;
use super::sync::sync_error;
use super::timers::Timer;
use super::{Groups, Step};
use crate::base::{ErrorCode, Now};
use std::sync::Arc;

impl Groups {
    /// The group goes on in another protocol than `classic`'s: who waits in that is answered, and its timers end.
    pub(super) fn end_rebalance(&mut self, id: &Arc<str>, classic: &mut ClassicGroup, fx: &mut Effects) {
        answer_parked(classic, ErrorCode::RebalanceInProgress, fx);
        for member_id in std::mem::take(&mut classic.pending_join) {
            self.timers.cancel(&Timer::Session(id.clone(), member_id));
        }
        self.timers.cancel(&Timer::Join(id.clone()));
        self.timers.cancel(&Timer::Sync(id.clone()));
    }

    /// Begins a rebalance where the state allows it; during one, completes it when all are there.
    pub(super) fn rebalance_or_complete(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.groups.get(id) else { return };
        if group.state().may_become(State::PreparingRebalance) {
            self.prepare_rebalance(id, step);
        } else {
            self.complete_join_if_ready(id, step);
        }
    }

    /// Begins a rebalance.
    pub(super) fn prepare_rebalance(&mut self, id: &Arc<str>, step: &mut Step) {
        if self.groups.get(id).is_some_and(|g| g.state() == State::CompletingRebalance) {
            self.answer_syncs(id, Err(ErrorCode::RebalanceInProgress), step);
        }
        self.timers.cancel(&Timer::Sync(id.clone()));
        let Some(group) = self.groups.get_mut(id) else { return };
        group.pending_sync.clear();
        group.assignment_in_flight = false;
        let first = group.state() == State::Empty;
        group.transition(State::PreparingRebalance, step.now);
        if first {
            let delay_ms = self.config.initial_rebalance_delay_ms.max(0);
            let remaining_ms = (group.rebalance_timeout_ms() - delay_ms).max(0);
            group.initial_delay = Some(InitialDelay { delay_ms, remaining_ms });
            self.timers.schedule(Timer::Join(id.clone()), step.now.mono.plus_ms(delay_ms));
        } else if group.has_all_members_joined() {
            self.complete_join(id, step);
        } else {
            let until = step.now.mono.plus_ms(group.rebalance_timeout_ms());
            self.timers.schedule(Timer::Join(id.clone()), until);
        }
    }

    /// Completes the join phase once everybody has joined; a first rebalance waits out its delay.
    pub(super) fn complete_join_if_ready(&mut self, id: &Arc<str>, step: &mut Step) {
        let ready = self.groups.get(id).is_some_and(|group| {
            group.state() == State::PreparingRebalance
                && group.previous_state() != State::Empty
                && group.has_all_members_joined()
        });
        if ready {
            self.complete_join(id, step);
        }
    }

    /// The join phase is over: dynamic members that did not come are out, the rest is the next
    /// generation.
    pub(super) fn complete_join(&mut self, id: &Arc<str>, step: &mut Step) {
        self.timers.cancel(&Timer::Join(id.clone()));
        let Some(group) = self.groups.get_mut(id) else { return };
        group.initial_delay = None;
        group.new_member_added = false;
        let silent = group.members().filter(|m| m.awaiting_join.is_none() && m.instance_id.is_none());
        let silent: Vec<Arc<str>> = silent.map(|m| m.id.clone()).collect();
        for member_id in silent {
            self.evict(id, &member_id, step);
        }
        let Some(group) = self.groups.get_mut(id) else { return };
        if group.state() == State::Dead {
            return;
        }
        if !group.elect_joined_leader() && group.members().len() > 0 {
            // Only static members, and none came: their session timeouts decide.
            let until = step.now.mono.plus_ms(group.rebalance_timeout_ms());
            self.timers.schedule(Timer::Join(id.clone()), until);
            return;
        }
        group.next_generation(step.now);
        if group.state() == State::Empty {
            let record = super::records::group(group, &Default::default());
            self.append(vec![record], Then::Nothing, step.fx);
            return;
        }
        let until = step.now.mono.plus_ms(group.rebalance_timeout_ms());
        self.answer_joins(id, step);
        self.timers.schedule(Timer::Sync(id.clone()), until);
    }

    /// The wait of the join phase has ended.
    pub(super) fn join_timer(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if group.state() != State::PreparingRebalance {
            return;
        }
        let delay = group.initial_delay.filter(|d| group.new_member_added && d.remaining_ms > 0);
        let Some(InitialDelay { delay_ms, remaining_ms }) = delay else {
            return self.complete_join(id, step);
        };
        group.new_member_added = false;
        let next_ms = self.config.initial_rebalance_delay_ms.min(remaining_ms);
        let left_ms = (remaining_ms - delay_ms).max(0);
        group.initial_delay = Some(InitialDelay { delay_ms: next_ms, remaining_ms: left_ms });
        self.timers.schedule(Timer::Join(id.clone()), step.now.mono.plus_ms(next_ms));
    }

    /// The wait of the sync phase has ended: who has not asked for its assignment is out.
    pub(super) fn sync_timer(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if !matches!(group.state(), State::CompletingRebalance | State::Stable) || group.pending_sync.is_empty() {
            return;
        }
        for member_id in std::mem::take(&mut group.pending_sync) {
            self.evict(id, &member_id, step);
        }
        self.prepare_rebalance(id, step);
    }

    /// A member was silent for its session timeout, or a pending member never came back.
    pub(super) fn session_timer(&mut self, id: &Arc<str>, member_id: &str, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if group.state() == State::Dead {
            return;
        }
        if group.pending_join.contains(member_id) {
            group.remove(member_id);
            // Kafka completes here also while a first rebalance still waits; so do we.
            if group.state() == State::PreparingRebalance && group.has_all_members_joined() {
                self.complete_join(id, step);
            }
            return;
        }
        let Some(member) = group.member(member_id) else { return };
        if member.has_satisfied_heartbeat() {
            return;
        }
        self.evict(id, member_id, step);
        let Some(group) = self.groups.get(id) else { return };
        match group.state() {
            State::Stable | State::CompletingRebalance => self.prepare_rebalance(id, step),
            State::PreparingRebalance if group.has_all_members_joined() => self.complete_join(id, step),
            State::PreparingRebalance | State::Empty | State::Dead => {}
        }
    }

    /// Takes a member (or pending member) out of the group. What it had parked is answered with
    /// error 25, so that a client still there begins anew.
    pub(super) fn evict(&mut self, id: &Arc<str>, member_id: &str, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if let Some(token) = group.unpark_join(member_id) {
            step.fx.answer(token, join_error("", ErrorCode::UnknownMemberId));
        }
        if let Some(token) = group.remove(member_id).and_then(|m| m.awaiting_sync) {
            step.fx.answer(token, sync_error(ErrorCode::UnknownMemberId));
        }
        self.timers.cancel(&Timer::Session(id.clone(), member_id.into()));
    }

    /// The member has shown life.
    pub(super) fn restart_session(&mut self, id: &Arc<str>, member_id: &str, now: Now) {
        let Some(member) = self.groups.get(id).and_then(|g| g.member(member_id)) else { return };
        let until = now.mono.plus_ms(i64::from(member.session_timeout_ms));
        self.timers.schedule(Timer::Session(id.clone(), member.id.clone()), until);
    }
}
