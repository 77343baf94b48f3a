//! Groups change their kind online (KIP-848; `convertToConsumerGroup`, `convertToClassicGroup`): a classic group becomes
//! a consumer group when a member of the new protocol comes, and a classic group again when the last of those goes.

use super::ConsumerGroup;
use super::advance::Refusal;
use super::classic_member::{assignment_bytes, read_assignment, read_subscription};
use super::entry::{Entry, GroupEpoch, TargetEpoch};
use super::member::{ClassicMetadata, ConsumerMember};
use super::partitions::{self, Partitions};
use super::write::{After, Before};
use crate::base::{ErrorCode, Now};
use crate::coordinator::group::classic::{CONSUMER_PROTOCOL_TYPE, ClassicGroup};
use crate::coordinator::group::effects::{Record, Step};
use crate::coordinator::group::member::Member;
use crate::coordinator::group::state::State;
use crate::coordinator::group::timers::Timer;
use crate::coordinator::group::{Groups, records};
use bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;

/// What a request of the new protocol finds.
pub enum Base {
    /// A consumer group.
    Existing,
    /// Nothing: the group comes into being.
    Fresh(Box<ConsumerGroup>),
    /// A classic group without members, whose end is written first.
    Emptied(Box<ConsumerGroup>),
    /// A classic group as a consumer group, by these entries.
    Upgraded(Box<ConsumerGroup>, Vec<Entry>),
}

impl Groups {
    /// The consumer group `id`; where `create`, it comes into being or out of a classic group.
    pub(super) fn base_of(&mut self, id: &Arc<str>, create: bool) -> Result<Base, Refusal> {
        if self.consumers.contains_key(id) {
            return Ok(Base::Existing);
        }
        let fresh = || Box::new(ConsumerGroup::new(id.clone()));
        let not_found = |text: &str| Err(Refusal::new(ErrorCode::GroupIdNotFound, format!("Group {id} {text}.")));
        if self.shares.contains_key(id) || self.streams.contains_key(id) {
            return not_found("is not a consumer group");
        }
        let Some(group) = self.groups.get(id) else {
            if !create {
                return not_found("not found");
            }
            if self.len() >= self.config.groups_max {
                return Err(Refusal::new(ErrorCode::CoordinatorNotAvailable, "There are too many groups."));
            }
            return Ok(Base::Fresh(fresh()));
        };
        match group.state() {
            _ if !create => not_found("is not a consumer group"),
            State::Dead => Err(Refusal::new(ErrorCode::CoordinatorNotAvailable, "The group is being deleted.")),
            State::Empty => Ok(Base::Emptied(fresh())),
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                let (group, entries) = self.upgrade(id)?;
                Ok(Base::Upgraded(Box::new(group), entries))
            }
        }
    }

    /// The group that decisions are made on.
    pub(super) fn group_of<'a>(&'a self, base: &'a Base, id: &str) -> Result<&'a ConsumerGroup, Refusal> {
        match base {
            Base::Existing => self.consumer_group(id),
            Base::Fresh(group) | Base::Emptied(group) | Base::Upgraded(group, _) => Ok(group),
        }
    }

    /// Applies and writes `entries`, on what they were decided on.
    pub(super) fn take_base(&mut self, id: &Arc<str>, base: Base, entries: Vec<Entry>, step: &mut Step) {
        let (mut group, mut all) = match base {
            Base::Existing | Base::Fresh(_) => return self.change(id, entries, step.fx),
            Base::Emptied(group) => (group, Vec::new()),
            Base::Upgraded(group, all) => (group, all),
        };
        let Some(mut classic) = self.groups.remove(id) else { return };
        self.end_rebalance(id, &mut classic, step.fx);
        group.commits_in_flight = classic.commits_in_flight;
        entries.iter().for_each(|entry| drop(group.apply(entry)));
        all.extend(entries);
        tracing::info!(group = %id, members = classic.members().len(), "a classic group becomes a consumer group");
        let mut records: Vec<Record> = vec![records::group_tombstone(id)];
        records.extend(all.iter().map(|entry| entry.record(id)));
        self.replace(id, Before::Classic(Box::new(classic)), After::Consumer(group), records, step.fx);
        self.schedule_members(id, step.now);
    }

    /// A classic group of consumers as a consumer group of the same members, assignments and epoch.
    fn upgrade(&mut self, id: &Arc<str>) -> Result<(ConsumerGroup, Vec<Entry>), Refusal> {
        let refuse = |why: &str| {
            let text = format!("Cannot upgrade classic group {id} to consumer group because {why}.");
            Refusal::new(ErrorCode::GroupIdNotFound, text)
        };
        let Some(classic) = self.groups.get(id) else { return Err(refuse("it is not there")) };
        if !self.config.consumer.migration.upgrade {
            return Err(refuse("online upgrade is disabled"));
        }
        if !classic.is_consumer_group() {
            return Err(refuse("the group does not use the consumer embedded protocol"));
        }
        if classic.members().len() > self.config.consumer.members_per_group_max {
            return Err(refuse("the group size exceeds the consumer group maximum size"));
        }
        let protocol = classic.protocol_name.clone().or_else(|| classic.select_protocol());
        let protocol = protocol.ok_or_else(|| refuse("its members have no protocol in common"))?;
        let mut members = Vec::with_capacity(classic.members().len());
        for member in classic.members() {
            let upgraded = self.upgraded_member(member, &protocol, classic.generation);
            members.push(Rc::new(upgraded.map_err(refuse)?));
        }
        let epoch = classic.generation;
        let mut group = ConsumerGroup::new(id.clone());
        let mut entries: Vec<Entry> =
            members.iter().map(|member| Entry::Subscription(member.id.clone(), Some(member.clone()))).collect();
        entries.iter().for_each(|entry| drop(group.apply(entry)));
        let hash = self.hashes.of_group(group.subscribed.keys(), &self.image);
        let begun = entries.len();
        entries.push(Entry::Epoch(Some(GroupEpoch { epoch, hash })));
        entries.extend(members.iter().map(|member| {
            let target = partitions::without_epochs(&member.assigned);
            Entry::Target(member.id.clone(), Some(Rc::new(target)))
        }));
        entries.push(Entry::TargetEpoch(Some(TargetEpoch { epoch, timestamp: 0 })));
        entries.extend(members.iter().map(|member| Entry::Current(member.id.clone(), Some(member.clone()))));
        entries[begun..].iter().for_each(|entry| drop(group.apply(entry)));
        Ok((group, entries))
    }

    fn upgraded_member(&self, member: &Member, protocol: &str, epoch: i32) -> Result<ConsumerMember, &'static str> {
        const MALFORMED: &str = "the embedded consumer protocol is malformed";
        let subscription = member.metadata(protocol).and_then(read_subscription).ok_or(MALFORMED)?;
        let assigned = match member.assignment.is_empty() {
            true => Partitions::new(),
            false => {
                let assignment = read_assignment(&member.assignment).ok_or(MALFORMED)?;
                if assignment.user_data.is_some_and(|data| !data.is_empty()) {
                    return Err("an unsupported custom assignor is in use");
                }
                let topics = assignment.assigned_partitions.iter().filter_map(|topic| {
                    let id = self.image.topic_by_name(&topic.topic)?.id;
                    Some((id, topic.partitions.iter().copied().collect()))
                });
                topics.collect()
            }
        };
        Ok(ConsumerMember {
            epoch,
            previous_epoch: epoch,
            instance_id: member.instance_id.clone(),
            rack_id: subscription.rack_id.as_deref().filter(|rack| !rack.is_empty()).map(Arc::from),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            topics: Rc::new(subscription.topics.iter().map(|topic| Arc::from(&**topic)).collect()),
            assigned: Rc::new(partitions::with_epoch(&assigned, epoch)),
            classic: Some(ClassicMetadata {
                session_timeout_ms: member.session_timeout_ms,
                protocols: member.protocols.clone(),
            }),
            ..ConsumerMember::new(member.id.clone())
        })
    }

    /// True when the group becomes a classic one as `leaving` go: all others speak the classic protocol.
    pub(super) fn would_convert(&self, id: &str, leaving: &[Rc<ConsumerMember>]) -> bool {
        let Some(group) = self.consumers.get(id) else { return false };
        let classic_leaving = leaving.iter().filter(|member| member.classic.is_some()).count();
        let left = group.members().len().saturating_sub(leaving.len());
        self.config.consumer.migration.downgrade
            && left > 0
            && left <= self.config.members_per_group_max
            && group.classic_members.saturating_sub(classic_leaving) == left
    }

    /// The group without `leaving` is a classic one from now on, and rebalances.
    pub(super) fn downgrade(&mut self, id: &Arc<str>, leaving: &[Rc<ConsumerMember>], step: &mut Step) {
        let Some(group) = self.consumers.remove(id) else { return };
        let stays = |member: &&Rc<ConsumerMember>| !leaving.iter().any(|gone| gone.id == member.id);
        let members: Vec<Rc<ConsumerMember>> = group.members().filter(stays).cloned().collect();
        let targets: Vec<_> = members.iter().map(|member| group.target_of(&member.id).cloned()).collect();
        let ends = group.end();
        self.become_classic(id, group, members.into_iter().zip(targets).collect(), ends, step);
        self.prepare_rebalance(id, step);
    }

    /// A classic group of `members` with their targets as assignments takes the place of `group`.
    pub(super) fn become_classic(
        &mut self,
        id: &Arc<str>,
        group: ConsumerGroup,
        members: Vec<(Rc<ConsumerMember>, Option<Rc<Partitions>>)>,
        ends: Vec<Entry>,
        step: &mut Step,
    ) {
        for member in group.members() {
            self.cancel_member(id, &member.id);
        }
        self.timers.cancel(&Timer::Regex(id.clone()));
        self.scans.remove(id);
        let loaded = members.iter().map(|(member, _)| classic_member(member)).collect();
        let mut classic = ClassicGroup::loaded(id.clone(), loaded, Some(CONSUMER_PROTOCOL_TYPE.into()));
        classic.generation = group.epoch.epoch;
        classic.state_since = Some(step.now.wall);
        let first = classic.members().next().map(|member| member.id.clone());
        classic.leader = first;
        classic.protocol_name = classic.select_protocol();
        classic.subscribed_topics = classic.read_subscriptions();
        classic.commits_in_flight = group.commits_in_flight;
        let protocol = classic.protocol_name.clone();
        for (member, target) in &members {
            let Some(own) = classic.member_mut(&member.id) else { continue };
            let metadata = protocol.as_deref().and_then(|name| own.metadata(name)).cloned().unwrap_or_default();
            let target = target.clone().unwrap_or_default();
            own.assignment = assignment_bytes(&target, &self.image, &metadata);
        }
        tracing::info!(group = %id, members = members.len(), "a consumer group becomes a classic group");
        let mut written: Vec<Record> = ends.iter().map(|entry| entry.record(id)).collect();
        written.push(records::group(&classic, &classic.assignments()));
        self.replace(id, Before::Consumer(Box::new(group)), After::Classic(Box::new(classic)), written, step.fx);
        self.schedule_classic(id, step.now);
    }

    /// A consumer group without members ends.
    pub(in crate::coordinator::group) fn end_consumer(&mut self, id: &Arc<str>, step: &mut Step) {
        let Some(group) = self.consumers.remove(id) else { return };
        let records = group.end().iter().map(|entry| entry.record(id)).collect();
        self.replace(id, Before::Consumer(Box::new(group)), After::Nothing, records, step.fx);
    }

    /// The deadlines of a classic group, all anew.
    pub(in crate::coordinator::group) fn schedule_classic(&mut self, id: &Arc<str>, now: Now) {
        let Some(group) = self.groups.get(id) else { return };
        let until = now.mono.plus_ms(group.rebalance_timeout_ms());
        match group.state() {
            State::PreparingRebalance => self.timers.schedule(Timer::Join(id.clone()), until),
            State::CompletingRebalance => self.timers.schedule(Timer::Sync(id.clone()), until),
            State::Empty | State::Stable | State::Dead => {}
        }
        let members: Vec<Arc<str>> = group.members().map(|member| member.id.clone()).collect();
        for member_id in members {
            self.restart_session(id, &member_id, now);
        }
    }
}

fn classic_member(member: &ConsumerMember) -> Member {
    let classic = member.classic.clone();
    Member {
        id: member.id.clone(),
        instance_id: member.instance_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: classic.as_ref().map_or(0, |classic| classic.session_timeout_ms),
        protocols: classic.map(|classic| classic.protocols).unwrap_or_default(),
        assignment: Bytes::new(),
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
    }
}

impl ConsumerGroup {
    /// The tombstones of the whole group, in the order in which they are read.
    pub fn end(&self) -> Vec<Entry> {
        let ids = || self.members.keys().cloned();
        let mut entries: Vec<Entry> = ids().map(|id| Entry::Current(id, None)).collect();
        entries.extend(ids().map(|id| Entry::Target(id, None)));
        entries.push(Entry::TargetEpoch(None));
        entries.extend(ids().map(|id| Entry::Subscription(id, None)));
        entries.extend(self.resolved.keys().map(|regex| Entry::Regex(regex.clone(), None)));
        entries.push(Entry::OldMetadata(false));
        entries.push(Entry::Epoch(None));
        entries
    }
}
