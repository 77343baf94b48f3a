//! Consumer groups of the new protocol (KIP-848; `org.apache.kafka.coordinator.group.modern.consumer.ConsumerGroup`):
//! members tell what they want, the coordinator assigns, and each member goes to its target at its own pace,
//! giving up before others get.
//!
//! A group changes by entries alone, the same ones that are written: [`ConsumerGroup::apply`] takes one at once, when
//! it goes to the log, and returns what takes it back should the write fail.

mod advance;
pub mod assignor;
mod classic_member;
mod convert;
mod describe;
mod entry;
mod hash;
mod heartbeat;
mod leave;
mod member;
mod offsets;
mod partitions;
mod reconcile;
mod regex;
mod subscription;
mod target;
mod timers;
mod write;

pub use advance::Refusal;
pub use entry::{Entry, GroupEpoch, Resolved, TargetEpoch};
pub use hash::TopicHashes;
#[cfg(test)]
pub use member::MemberState;
pub use member::{ConsumerMember, LEAVE_EPOCH, STATIC_LEAVE_EPOCH};
#[cfg(test)]
pub use partitions::without_epochs;
pub use partitions::{Owned, Partitions};
#[cfg(test)]
pub use reconcile::Reconcile;
pub use regex::RegexScan;
pub use subscription::{Count, SubscriptionType};
pub use write::{After, Before, Deferred, Done, Write};

use crate::base::Uuid;
use crate::coordinator::group::refresh::Refresh;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// Where a consumer group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsumerState {
    /// No members.
    Empty,
    /// The group's epoch has no target yet.
    Assigning,
    /// Some member has not reached its target.
    Reconciling,
    /// All members have what the target gives them.
    Stable,
}

impl ConsumerState {
    /// The name clients and tools see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Assigning => "Assigning",
            Self::Reconciling => "Reconciling",
            Self::Stable => "Stable",
        }
    }
}

/// A consumer group.
#[derive(Clone)]
pub struct ConsumerGroup {
    /// The group's id.
    pub id: Arc<str>,
    epoch: GroupEpoch,
    target_epoch: TargetEpoch,
    members: BTreeMap<Arc<str>, Rc<ConsumerMember>>,
    target: BTreeMap<Arc<str>, Rc<Partitions>>,
    resolved: BTreeMap<Arc<str>, Rc<Resolved>>,
    has_old_metadata: bool,
    // What follows from the above.
    static_members: HashMap<Arc<str>, Arc<str>>,
    subscribed: BTreeMap<Arc<str>, Count>,
    patterns: BTreeMap<Arc<str>, usize>,
    assignors: BTreeMap<Arc<str>, usize>,
    classic_members: usize,
    classic_protocols: HashMap<Arc<str>, usize>,
    /// Who holds a partition, told by its member's epoch.
    partition_epochs: HashMap<Uuid, HashMap<i32, i32>>,
    refresh: Option<Refresh>,
    /// Commits accepted but not yet in the log; the group is not deleted below them.
    pub commits_in_flight: usize,
}

/// What takes an entry back.
#[derive(Clone)]
pub enum Undo {
    /// The member as it was, or none.
    Member(Arc<str>, Option<Rc<ConsumerMember>>),
    /// The group's epoch as it was.
    Epoch(GroupEpoch),
    /// Whether there was a record of older versions.
    OldMetadata(bool),
    /// The target's epoch as it was.
    TargetEpoch(TargetEpoch),
    /// The member's target as it was.
    Target(Arc<str>, Option<Rc<Partitions>>),
    /// The pattern as it was.
    Regex(Arc<str>, Option<Rc<Resolved>>),
}

impl ConsumerGroup {
    /// A group without members.
    pub fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: GroupEpoch { epoch: 1, hash: 0 },
            target_epoch: TargetEpoch { epoch: 1, timestamp: 0 },
            members: BTreeMap::new(),
            target: BTreeMap::new(),
            resolved: BTreeMap::new(),
            has_old_metadata: false,
            static_members: HashMap::new(),
            subscribed: BTreeMap::new(),
            patterns: BTreeMap::new(),
            assignors: BTreeMap::new(),
            classic_members: 0,
            classic_protocols: HashMap::new(),
            partition_epochs: HashMap::new(),
            refresh: None,
            commits_in_flight: 0,
        }
    }

    /// Where it stands. Looks at every member.
    pub fn state(&self) -> ConsumerState {
        if self.members.is_empty() {
            ConsumerState::Empty
        } else if self.epoch.epoch > self.target_epoch.epoch {
            ConsumerState::Assigning
        } else if self.members.values().all(|m| m.is_reconciled_to(self.target_epoch.epoch)) {
            ConsumerState::Stable
        } else {
            ConsumerState::Reconciling
        }
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Rc<ConsumerMember>> {
        self.members.values()
    }

    /// The member `id`.
    pub fn member(&self, id: &str) -> Option<&Rc<ConsumerMember>> {
        self.members.get(id)
    }

    /// The static member that holds `instance_id`.
    pub fn static_member(&self, instance_id: &str) -> Option<&Rc<ConsumerMember>> {
        self.members.get(self.static_members.get(instance_id)?)
    }

    /// True when a member asks for `topic`, by name or by a pattern.
    pub fn is_subscribed(&self, topic: &str) -> bool {
        self.subscribed.contains_key(topic)
    }

    /// What the target gives to member `id`.
    pub fn target_of(&self, id: &str) -> Option<&Rc<Partitions>> {
        self.target.get(id)
    }

    /// The epoch at which somebody holds the partition.
    fn partition_epoch(&self, topic: &Uuid, partition: i32) -> Option<i32> {
        self.partition_epochs.get(topic)?.get(&partition).copied()
    }

    /// Takes an entry; returns what takes it back. The end of the group itself is its owner's to act on.
    pub fn apply(&mut self, entry: &Entry) -> Undo {
        match entry {
            Entry::Epoch(value) => {
                let value = value.unwrap_or(self.epoch);
                Undo::Epoch(std::mem::replace(&mut self.epoch, value))
            }
            Entry::OldMetadata(exists) => Undo::OldMetadata(std::mem::replace(&mut self.has_old_metadata, *exists)),
            Entry::Subscription(id, value) => {
                let next = value.as_ref().map(|value| match self.members.get(id) {
                    Some(old) => {
                        let mut next = ConsumerMember::clone(value);
                        next.take_current(old);
                        Rc::new(next)
                    }
                    None => {
                        // What it has comes with its own record.
                        let mut next = ConsumerMember::clone(value);
                        next.take_current(&ConsumerMember::new(id.clone()));
                        Rc::new(next)
                    }
                });
                Undo::Member(id.clone(), self.put_member(id, next))
            }
            Entry::Current(id, value) => {
                let old = self.members.get(id).cloned();
                let next = match (&old, value) {
                    (old, Some(value)) => {
                        let old = old.clone().unwrap_or_else(|| Rc::new(ConsumerMember::new(id.clone())));
                        let mut next = ConsumerMember::clone(&old);
                        next.take_current(value);
                        Some(Rc::new(next))
                    }
                    (Some(old), None) => {
                        let mut next = ConsumerMember::clone(old);
                        (next.epoch, next.previous_epoch) = (LEAVE_EPOCH, LEAVE_EPOCH);
                        (next.assigned, next.revoking) = (Rc::default(), Rc::default());
                        Some(Rc::new(next))
                    }
                    (None, None) => None,
                };
                Undo::Member(id.clone(), self.put_member(id, next))
            }
            Entry::TargetEpoch(value) => {
                let value = value.unwrap_or(TargetEpoch { epoch: -1, timestamp: 0 });
                Undo::TargetEpoch(std::mem::replace(&mut self.target_epoch, value))
            }
            Entry::Target(id, value) => Undo::Target(id.clone(), self.put_target(id, value.clone())),
            Entry::Regex(regex, value) => Undo::Regex(regex.clone(), self.put_regex(regex, value.clone())),
        }
    }

    /// Takes an entry back.
    pub fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::Member(id, member) => drop(self.put_member(&id, member)),
            Undo::Epoch(epoch) => self.epoch = epoch,
            Undo::OldMetadata(exists) => self.has_old_metadata = exists,
            Undo::TargetEpoch(epoch) => self.target_epoch = epoch,
            Undo::Target(id, partitions) => drop(self.put_target(&id, partitions)),
            Undo::Regex(regex, resolved) => drop(self.put_regex(&regex, resolved)),
        }
    }

    fn put_target(&mut self, id: &Arc<str>, value: Option<Rc<Partitions>>) -> Option<Rc<Partitions>> {
        match value {
            Some(value) => self.target.insert(id.clone(), value),
            None => self.target.remove(id),
        }
    }

    fn put_regex(&mut self, regex: &Arc<str>, value: Option<Rc<Resolved>>) -> Option<Rc<Resolved>> {
        let old = match &value {
            Some(value) => self.resolved.insert(regex.clone(), value.clone()),
            None => self.resolved.remove(regex),
        };
        for topic in old.iter().flat_map(|old| &old.topics) {
            subscription::count_regex(&mut self.subscribed, topic, false);
        }
        for topic in value.iter().flat_map(|value| &value.topics) {
            subscription::count_regex(&mut self.subscribed, topic, true);
        }
        old
    }

    fn put_member(&mut self, id: &Arc<str>, value: Option<Rc<ConsumerMember>>) -> Option<Rc<ConsumerMember>> {
        let old = match &value {
            Some(value) => self.members.insert(id.clone(), value.clone()),
            None => self.members.remove(id),
        };
        if let Some(old) = &old {
            self.count_member(old, false);
            self.release(&old.assigned, old.epoch);
            self.release(&old.revoking, old.epoch);
            if let Some(instance) = &old.instance_id
                && self.static_members.get(instance) == Some(id)
            {
                self.static_members.remove(instance);
            }
        }
        if let Some(new) = &value {
            self.count_member(new, true);
            self.hold(&new.assigned, new.epoch);
            self.hold(&new.revoking, new.epoch);
            if let Some(instance) = &new.instance_id {
                self.static_members.insert(instance.clone(), id.clone());
            }
        }
        old
    }

    fn count_member(&mut self, member: &ConsumerMember, up: bool) {
        for topic in &*member.topics {
            subscription::count_name(&mut self.subscribed, topic, up);
        }
        if let Some(regex) = member.regex() {
            subscription::count(&mut self.patterns, regex, up);
        }
        if let Some(assignor) = &member.assignor {
            subscription::count(&mut self.assignors, assignor, up);
        }
        if let Some(classic) = &member.classic {
            self.classic_members = if up { self.classic_members + 1 } else { self.classic_members.saturating_sub(1) };
            for protocol in &classic.protocols {
                let count = self.classic_protocols.entry(protocol.name.clone()).or_default();
                *count = if up { *count + 1 } else { count.saturating_sub(1) };
            }
        }
    }

    fn hold(&mut self, owned: &Owned, epoch: i32) {
        for (topic, partitions) in owned {
            let held = self.partition_epochs.entry(*topic).or_default();
            held.extend(partitions.keys().map(|partition| (*partition, epoch)));
        }
    }

    /// Somebody who got the partition since keeps it.
    fn release(&mut self, owned: &Owned, epoch: i32) {
        for (topic, partitions) in owned {
            let Some(held) = self.partition_epochs.get_mut(topic) else { continue };
            for partition in partitions.keys() {
                if held.get(partition) == Some(&epoch) {
                    held.remove(partition);
                }
            }
            if held.is_empty() {
                self.partition_epochs.remove(topic);
            }
        }
    }

    /// What holds after every step.
    #[cfg(test)]
    pub fn check(&self) {
        let mut owners = HashMap::new();
        for member in self.members.values() {
            for (topic, partitions) in member.assigned.iter().chain(&*member.revoking) {
                for partition in partitions.keys() {
                    let other = owners.insert((*topic, *partition), &member.id);
                    assert_eq!(other, None, "{topic}-{partition} is also held by {}", member.id);
                    assert_eq!(self.partition_epoch(topic, *partition), Some(member.epoch));
                }
            }
        }
        assert_eq!(self.partition_epochs.values().map(HashMap::len).sum::<usize>(), owners.len());
        let classic = self.members.values().filter(|m| m.classic.is_some()).count();
        assert_eq!(self.classic_members, classic, "classic members are counted");
    }
}
