//! JoinGroup (`GroupMetadataManager.classicGroupJoin*`).

use super::classic::ClassicGroup;
use super::config::NEW_MEMBER_JOIN_TIMEOUT_MS;
use super::in_flight::{StaticRejoin, Then};
use super::member::{Member, Protocol};
use super::request::{Caller, Request};
use super::state::State;
use super::timers::Timer;
use super::{Groups, Step, str_of};
use crate::base::ErrorCode;
use crate::protocol::Str;
use crate::protocol::messages::join_group_response::JoinGroupResponseMember;
use crate::protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use bytes::Bytes;
use std::sync::Arc;

/// Since this version a member without an id is given one and told to come again (KIP-394).
pub(super) const MEMBER_ID_REQUIRED_FROM: i16 = 4;
/// Since this version a returning static leader can be told to skip its assignment (KIP-814).
const SKIP_ASSIGNMENT_FROM: i16 = 9;

impl Groups {
    pub(super) fn join(&mut self, caller: &Caller, request: JoinGroupRequest, step: &mut Step) {
        if let Err(error) = self.check_join(&request) {
            return step.answer(join_error(&request.member_id, error));
        }
        let id: Arc<str> = Arc::from(&*request.group_id);
        if self.is_busy(&id) {
            return self.defer(&id, Request::Join(caller.clone(), request), step);
        }
        if self.join_consumer(&id, caller, &request, step) || self.join_streams(&id, caller, &request, step) {
            return;
        }
        let unknown = request.member_id.is_empty();
        let is_new = !self.groups.contains_key(&id);
        if is_new {
            if !unknown {
                return step.answer(join_error(&request.member_id, ErrorCode::UnknownMemberId));
            }
            if self.len() >= self.config.groups_max {
                return step.answer(join_error("", ErrorCode::CoordinatorNotAvailable));
            }
            self.groups.insert(id.clone(), ClassicGroup::new(id.clone(), step.now.wall));
        }
        if !self.accepts(&id, &request.member_id) {
            if let Some(group) = self.groups.get_mut(&id) {
                // The last to rejoin are turned away when group.max.size shrank.
                if let Some(token) = group.unpark_join(&request.member_id) {
                    step.fx.answer(token, join_error("", ErrorCode::GroupMaxSizeReached));
                }
                group.remove(&request.member_id);
            }
            step.answer(join_error("", ErrorCode::GroupMaxSizeReached));
        } else if unknown {
            self.join_new(&id, caller, request, step);
        } else {
            self.join_known(&id, caller, request, step);
        }
        if is_new && let Some(group) = self.groups.get(&id) {
            // The group is in the log from its first moment, so that others see it after a failover.
            let record = super::records::empty_group(group);
            self.append(vec![record], Then::Nothing, step.fx);
        }
    }

    fn check_join(&self, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let timeouts = self.config.session_timeout_ms_min..=self.config.session_timeout_ms_max;
        if !timeouts.contains(&request.session_timeout_ms) {
            return Err(ErrorCode::InvalidSessionTimeout);
        }
        if self.shares.contains_key(&*request.group_id) {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        let metadata_bytes: usize = request.protocols.iter().map(|p| p.name.len() + p.metadata.len()).sum();
        if metadata_bytes > self.config.member_metadata_bytes_max {
            return Err(ErrorCode::InvalidRequest);
        }
        Ok(())
    }

    /// `group.max.size`, and the bound on members of all groups: each has a session timer.
    fn accepts(&self, id: &str, member_id: &str) -> bool {
        let Some(group) = self.groups.get(id) else { return false };
        let known = group.member(member_id);
        if known.is_none() && !group.pending_join.contains(member_id) && self.timers.len() >= self.config.members_max {
            return false;
        }
        let max = self.config.members_per_group_max;
        match group.state() {
            State::Empty | State::Dead => true,
            State::PreparingRebalance => {
                known.is_some_and(|m| m.awaiting_join.is_some()) || group.awaiting_join() < max
            }
            State::CompletingRebalance | State::Stable => known.is_some() || group.members().len() < max,
        }
    }

    fn join_new(&mut self, id: &Arc<str>, caller: &Caller, request: JoinGroupRequest, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if group.state() == State::Dead {
            return step.answer(join_error("", ErrorCode::CoordinatorNotAvailable));
        }
        if !group.supports(&request.protocol_type, request.protocols.iter().map(|p| &*p.name)) {
            return step.answer(join_error("", ErrorCode::InconsistentGroupProtocol));
        }
        let prefix = request.group_instance_id.as_deref().unwrap_or(&caller.client_id);
        let member_id: Arc<str> = format!("{prefix}-{}", java_uuid(step.random)).into();
        match request.group_instance_id.as_deref() {
            Some(instance) if group.static_member(instance).is_some() => {
                self.rejoin_static(id, caller, &request, member_id, step);
            }
            None if caller.api_version >= MEMBER_ID_REQUIRED_FROM => {
                group.pending_join.insert(member_id.clone());
                let until = step.now.mono.plus_ms(i64::from(request.session_timeout_ms));
                self.timers.schedule(Timer::Session(id.clone(), member_id.clone()), until);
                step.answer(join_error(&member_id, ErrorCode::MemberIdRequired));
            }
            _ => self.add_member(id, caller, &request, member_id, step),
        }
    }

    fn join_known(&mut self, id: &Arc<str>, caller: &Caller, request: JoinGroupRequest, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let member_id: Arc<str> = Arc::from(&*request.member_id);
        let fail = |error| join_error(&request.member_id, error);
        if group.state() == State::Dead {
            return step.answer(fail(ErrorCode::CoordinatorNotAvailable));
        }
        if !group.supports(&request.protocol_type, request.protocols.iter().map(|p| &*p.name)) {
            return step.answer(fail(ErrorCode::InconsistentGroupProtocol));
        }
        if group.pending_join.contains(&member_id) {
            if request.group_instance_id.is_some() {
                // Only dynamic members are ever pending: Kafka fails on this one.
                return step.answer(fail(ErrorCode::UnknownServerError));
            }
            return self.add_member(id, caller, &request, member_id, step);
        }
        if let Err(error) = group.validate_member(&member_id, request.group_instance_id.as_deref()) {
            return step.answer(fail(error));
        }
        let same = group.member(&member_id).is_some_and(|m| same_protocols(m, &request));
        let leads = group.is_leader(&member_id);
        match group.state() {
            State::PreparingRebalance => self.update_member(id, &member_id, &request, step),
            // Same metadata: it only missed the answer. A leader in Stable asks for a rebalance
            // by joining again (topics changed).
            State::CompletingRebalance if same => step.answer(generation_answer(group, &member_id, leads, false)),
            State::Stable if same && !leads => step.answer(generation_answer(group, &member_id, false, false)),
            State::CompletingRebalance | State::Stable => self.update_member(id, &member_id, &request, step),
            State::Empty | State::Dead => step.answer(fail(ErrorCode::UnknownMemberId)),
        }
    }

    fn add_member(
        &mut self,
        id: &Arc<str>,
        caller: &Caller,
        request: &JoinGroupRequest,
        member_id: Arc<str>,
        step: &mut Step,
    ) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let member = Member {
            id: member_id.clone(),
            instance_id: request.group_instance_id.as_deref().map(Arc::from),
            client_id: caller.client_id.as_str().into(),
            client_host: caller.client_host.as_str().into(),
            rebalance_timeout_ms: rebalance_timeout(request),
            session_timeout_ms: request.session_timeout_ms,
            protocols: owned_protocols(request),
            assignment: Bytes::new(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: true,
        };
        if group.state() == State::PreparingRebalance && group.previous_state() == State::Empty {
            group.new_member_added = true;
        }
        group.add(member, &request.protocol_type);
        group.park_join(&member_id, step.token);
        // A new member cannot heartbeat: its parked request itself must not stay for ever.
        let until = step.now.mono.plus_ms(NEW_MEMBER_JOIN_TIMEOUT_MS);
        self.timers.schedule(Timer::Session(id.clone(), member_id), until);
        self.rebalance_or_complete(id, step);
    }

    fn update_member(&mut self, id: &Arc<str>, member_id: &str, request: &JoinGroupRequest, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        group.update(member_id, owned_protocols(request), rebalance_timeout(request), request.session_timeout_ms);
        if let Some(old) = group.park_join(member_id, step.token) {
            // The client asked again, on another connection: nobody reads the first answer.
            step.fx.answer(old, join_error(member_id, ErrorCode::RebalanceInProgress));
        }
        self.rebalance_or_complete(id, step);
    }

    /// A static member is back without its member id: it gets a new id in the old one's place.
    fn rejoin_static(
        &mut self,
        id: &Arc<str>,
        caller: &Caller,
        request: &JoinGroupRequest,
        new_id: Arc<str>,
        step: &mut Step,
    ) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let Some(instance) = request.group_instance_id.as_deref() else { return };
        let Some(old_id) = group.static_member(instance).cloned() else { return };
        let old_leader = group.leader.clone();
        let before = group.member(&old_id).cloned();
        let (join, sync) = group.replace_static(instance, &new_id);
        if let Some(token) = join {
            step.fx.answer(token, join_error(&old_id, ErrorCode::FencedInstanceId));
        }
        if let Some(token) = sync {
            step.fx.answer(token, super::sync::sync_error(ErrorCode::FencedInstanceId));
        }
        self.timers.cancel(&Timer::Session(id.clone(), old_id.clone()));
        group.update(&new_id, owned_protocols(request), rebalance_timeout(request), request.session_timeout_ms);
        group.park_join(&new_id, step.token);
        self.restart_session(id, &new_id, step.now);
        let Some(group) = self.groups.get_mut(id) else { return };
        match group.state() {
            State::Stable if group.select_protocol() == group.protocol_name => {
                let record = super::records::group(group, &group.assignments());
                let rejoin = StaticRejoin {
                    group: id.clone(),
                    new_id,
                    before,
                    old_leader,
                    skip_assignment: caller.api_version >= SKIP_ASSIGNMENT_FROM,
                };
                self.append(vec![record], Then::StaticRejoin(Box::new(rejoin)), step.fx);
            }
            State::Stable => self.rebalance_or_complete(id, step),
            // The leader may already know the old id: its assignment would miss the new one.
            State::CompletingRebalance => self.prepare_rebalance(id, step),
            State::PreparingRebalance | State::Empty | State::Dead => self.complete_join_if_ready(id, step),
        }
    }

    /// The record with a static member's new id is in the log, or could not be written.
    pub(super) fn static_rejoin_done(&mut self, rejoin: StaticRejoin, outcome: Result<(), ErrorCode>, step: &mut Step) {
        let Some(group) = self.groups.get_mut(&rejoin.group) else { return };
        let StaticRejoin { new_id, before, old_leader, skip_assignment, .. } = rejoin;
        let Some(token) = group.unpark_join(&new_id) else { return };
        let leads = group.is_leader(&new_id);
        match outcome {
            Ok(()) if skip_assignment => {
                step.fx.answer(token, generation_answer(group, &new_id, leads, leads));
            }
            Ok(()) => {
                let mut answer = generation_answer(group, &new_id, false, false);
                // Told its old id leads, the client will not compute an assignment.
                answer.leader = str_of(old_leader.as_deref().unwrap_or(""));
                step.fx.answer(token, answer);
            }
            Err(error) => {
                step.fx.answer(token, join_error("", crate::coordinator::machine::append_error(error)));
                let Some(old) = before else { return };
                let Some(instance) = old.instance_id.as_deref() else { return };
                group.update(&new_id, old.protocols, old.rebalance_timeout_ms, old.session_timeout_ms);
                group.replace_static(instance, &old.id);
                self.timers.cancel(&Timer::Session(rejoin.group.clone(), new_id));
                self.restart_session(&rejoin.group, &old.id, step.now);
            }
        }
    }

    /// Answers every parked JoinGroup of the group with its new generation.
    pub(super) fn answer_joins(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let ids: Vec<Arc<str>> = group.members().map(|m| m.id.clone()).collect();
        for member_id in ids {
            let Some(group) = self.groups.get_mut(id) else { return };
            let answer = generation_answer(group, &member_id, group.is_leader(&member_id), false);
            if let Some(token) = group.unpark_join(&member_id) {
                step.fx.answer(token, answer);
            }
            if let Some(member) = group.member_mut(&member_id) {
                member.is_new = false;
            }
            group.pending_sync.insert(member_id.clone());
            self.restart_session(id, &member_id, step.now);
        }
    }
}

/// The current generation as JoinGroup tells it; with the members' metadata for the leader.
fn generation_answer(group: &ClassicGroup, member_id: &str, with_members: bool, skip: bool) -> JoinGroupResponse {
    let protocol = group.protocol_name.as_deref();
    let metadata = |m: &Member| protocol.and_then(|p| m.metadata(p)).cloned().unwrap_or_default();
    let members = if with_members {
        group
            .members()
            .map(|m| JoinGroupResponseMember {
                member_id: str_of(&m.id),
                group_instance_id: m.instance_id.as_deref().map(str_of),
                metadata: metadata(m),
            })
            .collect()
    } else {
        Vec::new()
    };
    JoinGroupResponse {
        generation_id: group.generation,
        protocol_type: group.protocol_type.as_deref().map(str_of),
        protocol_name: protocol.map(str_of),
        leader: str_of(group.leader.as_deref().unwrap_or("")),
        skip_assignment: skip,
        member_id: str_of(member_id),
        members,
        ..Default::default()
    }
}

/// A JoinGroup answer that carries an error.
pub(super) fn join_error(member_id: &str, error: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse { error_code: error as i16, member_id: str_of(member_id), ..Default::default() }
}

/// Version 0 has no rebalance timeout: the session's serves.
pub(super) fn rebalance_timeout(request: &JoinGroupRequest) -> i32 {
    if request.rebalance_timeout_ms < 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms }
}

pub(super) fn owned_protocols(request: &JoinGroupRequest) -> Vec<Protocol> {
    let own = |name: &Str, metadata: &Bytes| Protocol {
        name: Arc::from(&**name),
        metadata: Bytes::copy_from_slice(metadata),
    };
    request.protocols.iter().map(|p| own(&p.name, &p.metadata)).collect()
}

fn same_protocols(member: &Member, request: &JoinGroupRequest) -> bool {
    member.protocols.len() == request.protocols.len()
        && member.protocols.iter().zip(&request.protocols).all(|(a, b)| *a.name == *b.name && a.metadata == b.metadata)
}

/// Random bytes as `java.util.UUID.randomUUID().toString()` would print them.
fn java_uuid(mut b: [u8; 16]) -> String {
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    let hex: String = b.iter().map(|x| format!("{x:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
