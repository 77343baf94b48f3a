//! Members of the classic protocol in a consumer group (KIP-848; `classicGroupJoinToConsumerGroup` and its kin): they
//! join, sync and send heartbeats as ever, the coordinator assigns, and no member leads.

use super::ConsumerGroup;
use super::advance::{Plan, Refusal};
use super::convert::Base;
use super::heartbeat::take_place;
use super::member::{ClassicMetadata, ConsumerMember, MemberState};
use super::partitions::{self, Partitions};
use crate::base::{ErrorCode, Uuid};
use crate::coordinator::codec::prefixed;
use crate::coordinator::group::Groups;
use crate::coordinator::group::classic::{CONSUMER_PROTOCOL_TYPE, ClassicGroup};
use crate::coordinator::group::effects::Step;
use crate::coordinator::group::join::{MEMBER_ID_REQUIRED_FROM, join_error, owned_protocols, rebalance_timeout};
use crate::coordinator::group::request::{Caller, Request};
use crate::coordinator::group::sync::sync_error;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::{records, str_of};
use crate::metadata::MetadataImage;
use crate::protocol::messages::consumer_protocol_assignment::TopicPartition;
use crate::protocol::messages::leave_group_request::MemberIdentity;
use crate::protocol::messages::leave_group_response::MemberResponse;
use crate::protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, SyncGroupRequest, SyncGroupResponse,
};
use crate::protocol::{Decoder, Message};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// The newest version of the embedded protocol.
const EMBEDDED_VERSION_MAX: i16 = 3;

/// What a classic member says it wants; `None` when it cannot be read.
pub fn read_subscription(metadata: &Bytes) -> Option<ConsumerProtocolSubscription> {
    read_embedded(metadata)
}

/// What the leader of a classic group gave to a member; `None` when it cannot be read.
pub fn read_assignment(assignment: &Bytes) -> Option<ConsumerProtocolAssignment> {
    read_embedded(assignment)
}

fn read_embedded<M: Message>(bytes: &Bytes) -> Option<M> {
    let mut decoder = Decoder::new(bytes.clone());
    let version = decoder.i16().ok()?;
    // Later versions only append.
    M::decode(&mut decoder, version.clamp(0, EMBEDDED_VERSION_MAX)).ok()
}

/// Partitions as a member with the subscription `metadata` reads them.
pub fn assignment_bytes(partitions: &Partitions, image: &MetadataImage, metadata: &Bytes) -> Bytes {
    let version = Decoder::new(metadata.clone()).i16().unwrap_or(0).clamp(0, EMBEDDED_VERSION_MAX);
    let topic = |(id, all): (&Uuid, &BTreeSet<i32>)| {
        let topic = image.topic_by_id(id)?;
        Some(TopicPartition { topic: str_of(&topic.name), partitions: all.iter().copied().collect() })
    };
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: partitions.iter().filter_map(topic).collect(),
        user_data: None,
    };
    prefixed(version, &assignment, version)
}

impl Groups {
    /// JoinGroup to a consumer group. False: there is none with members, the group is for the classic protocol alone.
    pub(in crate::coordinator::group) fn join_consumer(
        &mut self,
        id: &Arc<str>,
        caller: &Caller,
        request: &JoinGroupRequest,
        step: &mut Step,
    ) -> bool {
        let Some(group) = self.consumers.get(id) else { return false };
        if group.is_empty() {
            if self.is_writing(id) {
                self.defer(id, Request::Join(caller.clone(), request.clone()), step);
                return true;
            }
            self.end_empty(id, step);
            return false;
        }
        if self.is_writing(id) && group.downgrades_with(request).is_some() {
            self.defer(id, Request::Join(caller.clone(), request.clone()), step);
            return true;
        }
        match self.join_beside(id, caller, request, step) {
            Ok(response) => {
                let request = || Request::Join(caller.clone(), request.clone());
                self.answer_written(id, response.into(), request, step);
            }
            Err(refusal) => step.answer(join_error(&request.member_id, refusal.code)),
        }
        true
    }

    /// A consumer group without members makes room for a classic one.
    fn end_empty(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.consumers.remove(id) else { return };
        let mut classic = ClassicGroup::new(id.clone(), step.now.wall);
        classic.commits_in_flight = group.commits_in_flight;
        let mut written: Vec<_> = group.end().iter().map(|entry| entry.record(id)).collect();
        written.push(records::empty_group(&classic));
        self.replace(id, super::write::Before::Consumer(Box::new(group)), classic.into(), written, step.fx);
    }

    fn join_beside(
        &mut self,
        id: &Arc<str>,
        caller: &Caller,
        request: &JoinGroupRequest,
        step: &mut Step,
    ) -> Result<JoinGroupResponse, Refusal> {
        let group = self.consumer_group(id)?;
        let inconsistent = |text: &str| Refusal::new(ErrorCode::InconsistentGroupProtocol, text);
        if self.config.consumer.migration.is_disabled() {
            return Err(inconsistent("The migration of groups is disabled."));
        }
        let unknown = request.member_id.is_empty();
        let member_id: Arc<str> = match unknown {
            true => Uuid(step.random).to_string().into(),
            false => Arc::from(&*request.member_id),
        };
        self.check_room(group, &member_id)?;
        if !group.supports(request) {
            return Err(inconsistent("The member's protocols are not supported."));
        }
        if unknown && request.group_instance_id.is_none() && caller.api_version >= MEMBER_ID_REQUIRED_FROM {
            return Ok(join_error(&member_id, ErrorCode::MemberIdRequired));
        }
        let protocol = request.protocols.first().ok_or_else(|| inconsistent("The member has no protocol."))?;
        let subscription = read_subscription(&protocol.metadata)
            .ok_or_else(|| Refusal::new(ErrorCode::UnknownServerError, "The subscription cannot be read."))?;
        let downgraded = group.downgrades_with(request).filter(|_| self.may_downgrade(group)).cloned();
        let mut entries = Vec::new();
        let mut replaced = None;
        let member = match request.group_instance_id.as_deref() {
            None => group.member(&member_id).map_or_else(|| ConsumerMember::new(member_id), |m| (**m).clone()),
            Some(instance) if unknown => match group.static_member(instance) {
                None => ConsumerMember::new(member_id),
                Some(holder) => {
                    replaced = Some(holder.id.clone());
                    take_place(group, holder, member_id, &mut entries)
                }
            },
            Some(instance) => (**group.known_static_member(instance, &member_id)?).clone(),
        };
        let updated = joined_member(&member, caller, request, &subscription);
        let owned = owned_partitions(&subscription, &self.image);
        let settings = self.settings(id);
        let mut hashes = std::mem::take(&mut self.hashes);
        let group = self.consumer_group(id)?;
        let mut ground = self.ground(group, &settings, &mut hashes, step);
        let planned = Plan::begin(&mut ground, entries, &member, updated).and_then(|mut plan| {
            let standing = group.target_epoch.epoch >= plan.epoch;
            let target =
                if downgraded.is_some() { plan.standing_target(&ground) } else { plan.retarget(&ground, &member) };
            if downgraded.is_none() || standing {
                plan.step_to(&ground, target, Some(&owned))?;
            }
            Ok((plan, standing))
        });
        self.hashes = hashes;
        let (plan, standing) = planned?;
        let response = JoinGroupResponse {
            member_id: str_of(&plan.member.id),
            generation_id: plan.member.epoch,
            protocol_type: Some(crate::protocol::Str::from_static(CONSUMER_PROTOCOL_TYPE)),
            protocol_name: Some(protocol.name.copied()),
            ..Default::default()
        };
        match downgraded {
            Some(holder) => self.downgrade_joined(id, &holder, plan, standing, step),
            None => {
                let member_id = plan.member.id.clone();
                self.carry_out(id, Base::Existing, plan, replaced, step);
                self.timers.cancel(&Timer::Rejoin(id.clone(), member_id.clone()));
                let until = step.now.mono.plus_ms(i64::from(rebalance_timeout(request)));
                self.timers.schedule(Timer::Resync(id.clone(), member_id), until);
            }
        }
        Ok(response)
    }

    fn may_downgrade(&self, group: &ConsumerGroup) -> bool {
        self.config.consumer.migration.downgrade && group.members().len() <= self.config.members_per_group_max
    }

    /// The last member of the new protocol came back with the classic one: the group is a classic one from now on.
    fn downgrade_joined(
        &mut self,
        id: &Arc<str>,
        holder: &Rc<ConsumerMember>,
        plan: Plan,
        standing: bool,
        step: &mut Step,
    ) {
        let Some(group) = self.consumers.remove(id) else { return };
        let target = group.target_of(&holder.id).cloned();
        let stay = group.members().filter(|member| member.id != holder.id);
        let mut members: Vec<_> = stay.map(|member| (member.clone(), group.target_of(&member.id).cloned())).collect();
        members.push((Rc::new(plan.member), target));
        let ends = group.end();
        self.become_classic(id, group, members, ends, step);
        if !standing {
            self.prepare_rebalance(id, step);
        }
    }

    pub(in crate::coordinator::group) fn sync_consumer(&mut self, request: SyncGroupRequest, step: &mut Step) {
        let id: Arc<str> = Arc::from(&*request.group_id);
        match self.synced_consumer(&id, &request, step) {
            Ok(response) => self.answer_written(&id, response.into(), || Request::Sync(request), step),
            Err(error) => step.answer(sync_error(error)),
        }
    }

    fn synced_consumer(
        &mut self,
        id: &Arc<str>,
        request: &SyncGroupRequest,
        step: &Step,
    ) -> Result<SyncGroupResponse, ErrorCode> {
        let group = self.consumers.get(id).ok_or(ErrorCode::UnknownMemberId)?;
        let member = group.classic_member(&request.member_id, request.group_instance_id.as_deref())?.clone();
        if request.generation_id != member.epoch {
            return Err(ErrorCode::IllegalGeneration);
        }
        let protocol = member.classic.as_ref().and_then(|classic| classic.protocols.first());
        let differs = |asked: Option<&str>, is: Option<&str>| matches!((asked, is), (Some(a), Some(b)) if a != b);
        if differs(request.protocol_type.as_deref(), Some(CONSUMER_PROTOCOL_TYPE))
            || differs(request.protocol_name.as_deref(), protocol.map(|protocol| &*protocol.name))
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        if group.target_epoch.epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
            self.expect_rejoin(id, &member, step);
            return Err(ErrorCode::RebalanceInProgress);
        }
        self.timers.cancel(&Timer::Resync(id.clone(), member.id.clone()));
        self.restart_consumer_session(id, &member.id, step.now);
        let metadata = protocol.map(|protocol| protocol.metadata.clone()).unwrap_or_default();
        let assigned = partitions::without_epochs(&member.assigned);
        Ok(SyncGroupResponse {
            protocol_type: request.protocol_type.clone(),
            protocol_name: request.protocol_name.clone(),
            assignment: assignment_bytes(&assigned, &self.image, &metadata),
            ..Default::default()
        })
    }

    /// A rebalance is under way: the member has its rebalance timeout to join again.
    fn expect_rejoin(&mut self, id: &Arc<str>, member: &ConsumerMember, step: &Step) {
        let timer = Timer::Rejoin(id.clone(), member.id.clone());
        if !self.timers.is_set(&timer) {
            self.timers.schedule(timer, step.now.mono.plus_ms(i64::from(member.rebalance_timeout_ms)));
        }
    }

    pub(in crate::coordinator::group) fn beat_classic(
        &mut self,
        id: &Arc<str>,
        request: &HeartbeatRequest,
        step: &Step,
    ) -> Result<(), ErrorCode> {
        let group = self.consumers.get(id).ok_or(ErrorCode::UnknownMemberId)?;
        let member = group.classic_member(&request.member_id, request.group_instance_id.as_deref())?.clone();
        if request.generation_id != member.epoch {
            return Err(ErrorCode::IllegalGeneration);
        }
        let rebalances = member.epoch < group.target_epoch.epoch
            || match member.state {
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => !group.waits_for_others(&member),
                MemberState::Stable | MemberState::Unknown => false,
            };
        self.restart_consumer_session(id, &member.id, step.now);
        if rebalances {
            self.expect_rejoin(id, &member, step);
            return Err(ErrorCode::RebalanceInProgress);
        }
        Ok(())
    }

    pub(in crate::coordinator::group) fn leave_consumer(&mut self, request: LeaveGroupRequest, step: &mut Step) {
        let id: Arc<str> = Arc::from(&*request.group_id);
        let Some(group) = self.consumers.get(&id) else { return };
        let mut leaving: Vec<Rc<ConsumerMember>> = Vec::new();
        let mut members = Vec::with_capacity(request.members.len());
        for identity in &request.members {
            let found = group.leaving_classic(identity);
            members.push(MemberResponse {
                member_id: identity.member_id.clone(),
                group_instance_id: identity.group_instance_id.clone(),
                error_code: found.as_ref().err().copied().unwrap_or(ErrorCode::None) as i16,
            });
            leaving.extend(found.ok().filter(|found| !leaving.iter().any(|other| other.id == found.id)).cloned());
        }
        if self.is_writing(&id) && self.would_convert(&id, &leaving) {
            return self.defer(&id, Request::Leave(request), step);
        }
        let ids: Vec<Arc<str>> = leaving.iter().map(|member| member.id.clone()).collect();
        self.fence(&id, &ids, step);
        let response = LeaveGroupResponse { members, ..Default::default() };
        self.answer_written(&id, response.into(), || Request::Leave(request), step);
    }
}

impl ConsumerGroup {
    /// True when a member that offers this can be beside the classic members there are.
    fn supports(&self, request: &JoinGroupRequest) -> bool {
        let spoken = |name: &str| self.classic_protocols.get(name).copied().unwrap_or(0) == self.classic_members;
        &*request.protocol_type == CONSUMER_PROTOCOL_TYPE && request.protocols.iter().any(|p| spoken(&p.name))
    }

    /// The static member whose place the request takes, where it is the last of the new protocol.
    fn downgrades_with(&self, request: &JoinGroupRequest) -> Option<&Rc<ConsumerMember>> {
        let holder = self.static_member(request.group_instance_id.as_deref()?)?;
        (holder.classic.is_none() && self.classic_members + 1 == self.members.len()).then_some(holder)
    }

    /// The member, which speaks the classic protocol; 25 or 82.
    fn classic_member(&self, member_id: &str, instance: Option<&str>) -> Result<&Rc<ConsumerMember>, ErrorCode> {
        let member = match instance {
            None => self.known_member(member_id),
            Some(instance) => self.known_static_member(instance, member_id),
        };
        let member = member.map_err(|refusal| refusal.code)?;
        if member.classic.is_some() { Ok(member) } else { Err(ErrorCode::UnknownMemberId) }
    }

    fn leaving_classic(&self, identity: &MemberIdentity) -> Result<&Rc<ConsumerMember>, ErrorCode> {
        let member = match identity.group_instance_id.as_deref() {
            None => self.known_member(&identity.member_id),
            Some(instance) if identity.member_id.is_empty() => {
                return self.static_member(instance).ok_or(ErrorCode::UnknownMemberId);
            }
            Some(instance) => self.known_static_member(instance, &identity.member_id),
        };
        member.map_err(|refusal| refusal.code)
    }

    /// True while others hold what the target gives to the member.
    fn waits_for_others(&self, member: &ConsumerMember) -> bool {
        let Some(target) = self.target_of(&member.id) else { return false };
        target.iter().any(|(topic, all)| {
            let missing = |partition: &&i32| !partitions::contains(&member.assigned, topic, **partition);
            all.iter().filter(missing).any(|partition| self.partition_epoch(topic, *partition).is_some())
        })
    }
}

fn joined_member(
    member: &ConsumerMember,
    caller: &Caller,
    request: &JoinGroupRequest,
    subscription: &ConsumerProtocolSubscription,
) -> ConsumerMember {
    let mut updated = member.clone();
    updated.instance_id = request.group_instance_id.as_deref().map(Arc::from).or(updated.instance_id);
    let rack = subscription.rack_id.as_deref().filter(|rack| !rack.is_empty());
    updated.rack_id = rack.map(Arc::from).or(updated.rack_id);
    updated.rebalance_timeout_ms = rebalance_timeout(request);
    updated.topics = Rc::new(subscription.topics.iter().map(|topic| Arc::from(&**topic)).collect());
    updated.regex = "".into();
    updated.client_id = caller.client_id.as_str().into();
    updated.client_host = caller.client_host.as_str().into();
    updated.classic =
        Some(ClassicMetadata { session_timeout_ms: request.session_timeout_ms, protocols: owned_protocols(request) });
    updated
}

fn owned_partitions(subscription: &ConsumerProtocolSubscription, image: &MetadataImage) -> Partitions {
    let topics = subscription.owned_partitions.iter().filter_map(|topic| {
        let id = image.topic_by_name(&topic.topic)?.id;
        Some((id, topic.partitions.iter().copied().collect()))
    });
    topics.collect()
}
