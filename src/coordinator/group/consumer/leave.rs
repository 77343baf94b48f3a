//! Members go: by their own word, by an administrator's, or because they were silent
//! (`GroupMetadataManager.consumerGroupLeave`, `consumerGroupFenceMembers`).

use super::ConsumerGroup;
use super::advance::Refusal;
use super::entry::{Entry, GroupEpoch};
use super::member::{ConsumerMember, STATIC_LEAVE_EPOCH};
use crate::base::ErrorCode;
use crate::coordinator::group::Groups;
use crate::coordinator::group::effects::Step;
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use std::rc::Rc;
use std::sync::Arc;

impl Groups {
    /// A heartbeat with epoch -1 or -2.
    pub(super) fn consumer_leave(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        step: &mut Step,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let group = self.consumer_group(&request.group_id)?;
        let id = group.id.clone();
        let member = group.leaving_member(&request.member_id, request.instance_id.as_deref())?.clone();
        if request.member_epoch == STATIC_LEAVE_EPOCH {
            self.change(&id, vec![goes_for_a_while(&member)], step.fx);
        } else {
            self.fence(&id, &[member.id.clone()], step);
        }
        Ok(ConsumerGroupHeartbeatResponse {
            member_id: Some(request.member_id.clone()),
            member_epoch: request.member_epoch,
            ..Default::default()
        })
    }

    /// The consumer group `id`, or 69.
    pub(super) fn consumer_group(&self, id: &str) -> Result<&ConsumerGroup, Refusal> {
        self.consumers.get(id).ok_or_else(|| self.no_consumer_group(id))
    }

    /// Says that `id` is none.
    pub(super) fn no_consumer_group(&self, id: &str) -> Refusal {
        let exists = self.groups.contains_key(id) || self.shares.contains_key(id) || self.streams.contains_key(id);
        let what = if exists { "is not a consumer group" } else { "not found" };
        Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {id} {what}."))
    }

    /// Takes members out: their records end, the group's epoch rises. Where all others speak the classic protocol,
    /// the group becomes a classic one.
    pub(super) fn fence(&mut self, id: &Arc<str>, member_ids: &[Arc<str>], step: &mut Step) {
        let Some(group) = self.consumers.get(id) else { return };
        let members: Vec<Rc<ConsumerMember>> = member_ids.iter().filter_map(|id| group.member(id)).cloned().collect();
        if members.is_empty() {
            return;
        }
        if self.would_convert(id, &members) {
            return self.downgrade(id, &members, step);
        }
        let mut entries: Vec<Entry> = members.iter().flat_map(|member| end_of(&member.id)).collect();
        let regexes = group.regexes_without(&members);
        entries.extend(regexes.iter().map(|regex| Entry::Regex(regex.clone(), None)));
        let topics = group.topics_without(members.iter().map(|member| &**member), &regexes);
        let hash = self.hashes.of_group(topics.keys(), &self.image);
        let epoch = group.epoch.epoch.saturating_add(1);
        entries.push(Entry::Epoch(Some(GroupEpoch { epoch, hash })));
        self.change(id, entries, step.fx);
        for member in members {
            self.cancel_member(id, &member.id);
        }
    }
}

/// The tombstones of a member, in the order in which they are read.
pub fn end_of(member_id: &Arc<str>) -> [Entry; 3] {
    [
        Entry::Current(member_id.clone(), None),
        Entry::Target(member_id.clone(), None),
        Entry::Subscription(member_id.clone(), None),
    ]
}

/// A static member keeps its place and its partitions; whoever comes back with its instance id gets them.
fn goes_for_a_while(member: &ConsumerMember) -> Entry {
    let mut away = member.clone();
    away.epoch = STATIC_LEAVE_EPOCH;
    away.revoking = Rc::default();
    Rc::make_mut(&mut away.assigned).values_mut().flat_map(|epochs| epochs.values_mut()).for_each(|epoch| *epoch = 0);
    Entry::Current(member.id.clone(), Some(Rc::new(away)))
}

impl ConsumerGroup {
    fn leaving_member(&self, member_id: &str, instance_id: Option<&str>) -> Result<&Rc<ConsumerMember>, Refusal> {
        match instance_id {
            None => self.known_member(member_id),
            Some(instance) => self.known_static_member(instance, member_id),
        }
    }

    /// The member, or 25.
    pub fn known_member(&self, member_id: &str) -> Result<&Rc<ConsumerMember>, Refusal> {
        self.member(member_id).ok_or_else(|| {
            let group = &self.id;
            Refusal::new(ErrorCode::UnknownMemberId, format!("Member {member_id} is not a member of group {group}."))
        })
    }

    /// The holder of `instance`, or 25; 82 where that is another member.
    pub fn known_static_member(&self, instance: &str, member_id: &str) -> Result<&Rc<ConsumerMember>, Refusal> {
        let member = self
            .static_member(instance)
            .ok_or_else(|| Refusal::new(ErrorCode::UnknownMemberId, format!("Instance id {instance} is unknown.")))?;
        if &*member.id == member_id {
            return Ok(member);
        }
        let text = format!("Static member {member_id} with instance id {instance} was fenced by member {}.", member.id);
        Err(Refusal::new(ErrorCode::FencedInstanceId, text))
    }

    /// Patterns that only `members` have.
    fn regexes_without(&self, members: &[Rc<ConsumerMember>]) -> Vec<Arc<str>> {
        let having = |regex: &Arc<str>| members.iter().filter(|member| member.regex == *regex).count();
        self.patterns.iter().filter(|(regex, count)| having(regex) == **count).map(|(regex, _)| regex.clone()).collect()
    }
}
