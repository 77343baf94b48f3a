//! ConsumerGroupHeartbeat (`GroupMetadataManager.consumerGroupHeartbeat`, `GroupCoordinatorService`): a member joins,
//! stays, says what it wants and owns, and is told what it may have.

use super::advance::{Ground, Plan, Refusal};
use super::convert::Base;
use super::entry::Entry;
use super::leave::end_of;
use super::member::{ConsumerMember, LEAVE_EPOCH, STATIC_LEAVE_EPOCH};
use super::partitions::{self, Owned, Partitions};
use super::{ConsumerGroup, TopicHashes};
use crate::base::{ErrorCode, Uuid};
use crate::coordinator::group::Groups;
use crate::coordinator::group::effects::Step;
use crate::coordinator::group::request::{Answer, Caller, Request};
use crate::coordinator::group::timers::Timer;
use crate::metadata::{ConfigMap, ResourceType};
use crate::protocol::Str;
use crate::protocol::messages::consumer_group_heartbeat_response::{Assignment, TopicPartitions};
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use std::rc::Rc;
use std::sync::Arc;

/// Since this version the client makes the member id.
const CLIENT_MAKES_ID_FROM: i16 = 1;

type Beat = Result<ConsumerGroupHeartbeatResponse, Refusal>;

impl Groups {
    pub(in crate::coordinator::group) fn consumer_heartbeat(
        &mut self,
        caller: Caller,
        request: ConsumerGroupHeartbeatRequest,
        step: &mut Step,
    ) {
        if let Err(refusal) = self.check_heartbeat(&caller, &request) {
            return step.answer(refused(&refusal));
        }
        let id: Arc<str> = Arc::from(&*request.group_id);
        if self.is_busy(&id) || (self.is_writing(&id) && self.needs_group_alone(&request)) {
            return self.defer(&id, Request::ConsumerHeartbeat(caller, request), step);
        }
        let outcome = match request.member_epoch {
            LEAVE_EPOCH | STATIC_LEAVE_EPOCH => self.consumer_leave(&request, step),
            _ => self.beat_consumer(&id, &caller, &request, step),
        };
        match outcome {
            Err(refusal) => step.answer(refused(&refusal)),
            Ok(response) => {
                let refused = |request| Request::ConsumerHeartbeat(caller, request);
                self.answer_written(&id, response.into(), || refused(request), step);
            }
        }
    }

    /// Answers now, or when what the group has on its way is in the log.
    pub(in crate::coordinator::group) fn answer_written(
        &mut self,
        id: &str,
        answer: Answer,
        request: impl FnOnce() -> Request,
        step: &mut Step,
    ) {
        match self.writing.get(id) {
            None => step.answer(answer),
            Some((_, newest)) => self.answer_with(*newest, step.token, answer, request()),
        }
    }

    fn check_heartbeat(&self, caller: &Caller, request: &ConsumerGroupHeartbeatRequest) -> Result<(), Refusal> {
        let invalid = |text: &str| Err(Refusal::new(ErrorCode::InvalidRequest, text));
        let is_blank = |text: &Option<Str>| text.as_deref().is_some_and(|text| text.trim().is_empty());
        let epoch = request.member_epoch;
        let needs_id = caller.api_version >= CLIENT_MAKES_ID_FROM || epoch > 0 || epoch == LEAVE_EPOCH;
        if needs_id && request.member_id.trim().is_empty() {
            return invalid("MemberId can't be empty.");
        }
        if request.group_id.trim().is_empty() {
            return invalid("GroupId can't be empty.");
        }
        if is_blank(&request.instance_id) {
            return invalid("InstanceId can't be empty.");
        }
        if is_blank(&request.rack_id) {
            return invalid("RackId can't be empty.");
        }
        match epoch {
            0 if request.rebalance_timeout_ms == -1 => {
                return invalid("RebalanceTimeoutMs must be provided in first request.");
            }
            0 if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) => {
                return invalid("TopicPartitions must be empty when (re-)joining.");
            }
            0 if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() => {
                return invalid("SubscribedTopicNames or SubscribedTopicRegex must be given when (re-)joining.");
            }
            STATIC_LEAVE_EPOCH if request.instance_id.is_none() => return invalid("InstanceId can't be null."),
            _ if epoch < STATIC_LEAVE_EPOCH => return invalid("MemberEpoch is invalid."),
            _ => {}
        }
        let assignors = &self.config.consumer.assignors;
        match request.server_assignor.as_deref() {
            Some(name) if !assignors.iter().any(|assignor| assignor.name() == name) => {
                let names: Vec<_> = assignors.iter().map(|assignor| assignor.name()).collect();
                let text =
                    format!("ServerAssignor {name} is not supported. Supported assignors: {}.", names.join(", "));
                Err(Refusal::new(ErrorCode::UnsupportedAssignor, text))
            }
            _ => Ok(()),
        }
    }

    /// True for what may make the group one of another kind.
    fn needs_group_alone(&self, request: &ConsumerGroupHeartbeatRequest) -> bool {
        match request.member_epoch {
            0 => self.groups.contains_key(&*request.group_id),
            LEAVE_EPOCH => {
                let member = self.consumers.get(&*request.group_id).and_then(|group| group.member(&request.member_id));
                member.is_some_and(|member| self.would_convert(&request.group_id, std::slice::from_ref(member)))
            }
            _ => false,
        }
    }

    fn beat_consumer(
        &mut self,
        id: &Arc<str>,
        caller: &Caller,
        request: &ConsumerGroupHeartbeatRequest,
        step: &mut Step,
    ) -> Beat {
        let joins = request.member_epoch == 0;
        let base = self.base_of(id, joins)?;
        let settings = self.settings(id);
        let mut hashes = std::mem::take(&mut self.hashes);
        let decided = self.decide(&base, id, caller, request, &settings, &mut hashes, step);
        self.hashes = hashes;
        let (before, replaced, plan) = decided?;
        let heartbeat_interval_ms =
            self.config.consumer.heartbeat_interval_ms.of(&settings, "consumer.heartbeat.interval.ms");
        let response = response(request, &before, &plan.member, heartbeat_interval_ms);
        self.carry_out(id, base, plan, replaced, step);
        Ok(response)
    }

    /// The member before, the static member that it takes the place of, and the plan.
    #[expect(clippy::too_many_arguments, reason = "the parts of the state that a decision reads and the request")]
    fn decide(
        &self,
        base: &Base,
        id: &Arc<str>,
        caller: &Caller,
        request: &ConsumerGroupHeartbeatRequest,
        settings: &ConfigMap,
        hashes: &mut TopicHashes,
        step: &Step,
    ) -> Result<(ConsumerMember, Option<Arc<str>>, Plan), Refusal> {
        let group = self.group_of(base, id)?;
        let mut ground = self.ground(group, settings, hashes, step);
        let member_id: Arc<str> = match &*request.member_id {
            "" => Uuid(step.random).to_string().into(),
            given => given.into(),
        };
        self.check_room(group, &member_id)?;
        let owned = request.topic_partitions.as_ref().map(|topics| {
            topics.iter().map(|t| (t.topic_id, t.partitions.iter().copied().collect())).collect::<Partitions>()
        });
        let joins = request.member_epoch == 0;
        let mut entries = Vec::new();
        let mut replaced = None;
        let member = match request.instance_id.as_deref() {
            None => match group.member(&member_id) {
                Some(member) => {
                    check_epoch(member, request.member_epoch, owned.as_ref())?;
                    ConsumerMember::clone(member)
                }
                None if joins => ConsumerMember::new(member_id),
                None => return Err(group.known_member(&member_id).err().unwrap_or_else(unknown)),
            },
            Some(instance) if joins => match group.static_member(instance) {
                None => group.member(&member_id).map_or_else(|| ConsumerMember::new(member_id), |m| (**m).clone()),
                Some(holder) => {
                    if !holder.is_away() && holder.classic.is_none() {
                        return Err(unreleased(holder, instance));
                    }
                    replaced = Some(holder.id.clone());
                    take_place(group, holder, member_id, &mut entries)
                }
            },
            Some(instance) => {
                let member = group.known_static_member(instance, &member_id)?;
                check_epoch(member, request.member_epoch, owned.as_ref())?;
                ConsumerMember::clone(member)
            }
        };
        let updated = updated_member(&member, caller, request);
        let mut plan = Plan::begin(&mut ground, entries, &member, updated)?;
        let target = plan.retarget(&ground, &member);
        plan.step_to(&ground, target, owned.as_ref())?;
        Ok((member, replaced, plan))
    }

    /// What a decision about `group` is made on.
    pub(super) fn ground<'a>(
        &'a self,
        group: &'a ConsumerGroup,
        settings: &ConfigMap,
        hashes: &'a mut TopicHashes,
        step: &Step,
    ) -> Ground<'a> {
        let interval_ms = self.config.consumer.assignment_interval_ms.of(settings, "consumer.assignment.interval.ms");
        Ground {
            group,
            image: &self.image,
            hashes,
            config: &self.config.consumer,
            assignment_interval_ms: i64::from(interval_ms),
            topics_since: self.topics_since,
            resolving: self.timers.is_set(&Timer::Regex(group.id.clone())),
            now: step.now,
        }
    }

    /// `group.consumer.max.size`, and the bound on members of all groups.
    pub(super) fn check_room(&self, group: &ConsumerGroup, member_id: &str) -> Result<(), Refusal> {
        let max = self.config.consumer.members_per_group_max;
        let is_full = group.members().len() >= max || self.timers.len() >= self.config.members_max;
        if is_full && group.member(member_id).is_none() {
            let text = format!("The consumer group has reached its maximum capacity of {max} members.");
            return Err(Refusal::new(ErrorCode::GroupMaxSizeReached, text));
        }
        Ok(())
    }

    /// The settings of group `id` alone.
    pub(super) fn settings(&self, id: &str) -> Arc<ConfigMap> {
        self.image.config(ResourceType::Group, id)
    }

    /// Applies and writes a plan, sets the member's deadlines.
    pub(super) fn carry_out(
        &mut self,
        id: &Arc<str>,
        base: Base,
        plan: Plan,
        replaced: Option<Arc<str>>,
        step: &mut Step,
    ) {
        let (member_id, stepped, resolve, refresh) = (plan.member.id.clone(), plan.stepped, plan.resolve, plan.refresh);
        self.take_base(id, base, plan.entries, step);
        if let Some(group) = self.consumers.get_mut(id)
            && refresh.is_some()
        {
            group.refresh = refresh;
        }
        if let Some(replaced) = replaced.filter(|replaced| *replaced != member_id) {
            self.cancel_member(id, &replaced);
        }
        self.restart_consumer_session(id, &member_id, step.now);
        if stepped {
            self.schedule_revocation(id, &member_id, step.now);
        }
        if resolve {
            self.timers.schedule(Timer::Regex(id.clone()), step.now.mono);
        }
    }
}

fn unknown() -> Refusal {
    Refusal::new(ErrorCode::UnknownMemberId, "The member is unknown.")
}

fn unreleased(holder: &ConsumerMember, instance: &str) -> Refusal {
    let text = format!("The instance id {instance} is owned by member {}, which has not left.", holder.id);
    Refusal::new(ErrorCode::UnreleasedInstanceId, text)
}

/// The member as its word makes it; what it leaves out stays as it was.
fn updated_member(member: &ConsumerMember, caller: &Caller, request: &ConsumerGroupHeartbeatRequest) -> ConsumerMember {
    let own = |text: &Option<Str>| text.as_deref().map(Arc::<str>::from);
    let mut updated = member.clone();
    updated.instance_id = own(&request.instance_id).or(updated.instance_id);
    updated.rack_id = own(&request.rack_id).or(updated.rack_id);
    updated.assignor = own(&request.server_assignor).or(updated.assignor);
    updated.regex = own(&request.subscribed_topic_regex).unwrap_or(updated.regex);
    if request.rebalance_timeout_ms != -1 {
        updated.rebalance_timeout_ms = request.rebalance_timeout_ms;
    }
    if let Some(topics) = &request.subscribed_topic_names {
        updated.topics = Rc::new(topics.iter().map(|topic| Arc::from(&**topic)).collect());
    }
    if *updated.client_id != *caller.client_id {
        updated.client_id = caller.client_id.as_str().into();
    }
    if *updated.client_host != *caller.client_host {
        updated.client_host = caller.client_host.as_str().into();
    }
    updated.classic = None;
    updated
}

/// 110 unless the epoch is the member's, or the one before while it owns nothing else: then it missed an answer.
fn check_epoch(member: &ConsumerMember, epoch: i32, owned: Option<&Partitions>) -> Result<(), Refusal> {
    let missed_answer =
        || epoch == member.previous_epoch && owned.is_some_and(|owned| is_subset(owned, &member.assigned));
    if epoch == 0 || epoch == member.epoch || (epoch < member.epoch && missed_answer()) {
        return Ok(());
    }
    let text = format!(
        "The member's epoch {epoch} is not the {} that the coordinator knows: it must give up all and rejoin.",
        member.epoch
    );
    Err(Refusal::new(ErrorCode::FencedMemberEpoch, text))
}

fn is_subset(owned: &Partitions, assigned: &Owned) -> bool {
    owned.iter().all(|(topic, all)| all.iter().all(|partition| partitions::contains(assigned, topic, *partition)))
}

/// A static member under a new id: the old one's records end, the new one's begin with its target.
pub(super) fn take_place(
    group: &ConsumerGroup,
    holder: &ConsumerMember,
    new_id: Arc<str>,
    entries: &mut Vec<Entry>,
) -> ConsumerMember {
    let member = ConsumerMember { id: new_id.clone(), epoch: 0, previous_epoch: 0, ..holder.clone() };
    let shared = Rc::new(member.clone());
    entries.extend(end_of(&holder.id));
    entries.push(Entry::Subscription(new_id.clone(), Some(shared.clone())));
    entries.push(Entry::Target(new_id.clone(), Some(group.target_of(&holder.id).cloned().unwrap_or_default())));
    entries.push(Entry::Current(new_id, Some(shared)));
    member
}

fn response(
    request: &ConsumerGroupHeartbeatRequest,
    before: &ConsumerMember,
    member: &ConsumerMember,
    heartbeat_interval_ms: i32,
) -> ConsumerGroupHeartbeatResponse {
    let subscribes = request.subscribed_topic_names.is_some() || request.subscribed_topic_regex.is_some();
    let is_full = request.rebalance_timeout_ms != -1 && subscribes && request.topic_partitions.is_some();
    let tell = request.member_epoch == 0 || is_full || before.assigned != member.assigned;
    let topic = |(topic_id, epochs): (&Uuid, &std::collections::BTreeMap<i32, i32>)| TopicPartitions {
        topic_id: *topic_id,
        partitions: epochs.keys().copied().collect(),
    };
    ConsumerGroupHeartbeatResponse {
        member_id: Some(crate::coordinator::group::str_of(&member.id)),
        member_epoch: member.epoch,
        heartbeat_interval_ms,
        assignment: tell.then(|| Assignment { topic_partitions: member.assigned.iter().map(topic).collect() }),
        ..Default::default()
    }
}

fn refused(refusal: &Refusal) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code: refusal.code as i16,
        error_message: Some(refusal.message.as_str().into()),
        ..Default::default()
    }
}
