//! One step of a member towards its target (`CurrentAssignmentBuilder`): first it gives up what it must, then its
//! epoch rises, and it gets what nobody else holds any more.

use super::member::{ConsumerMember, MemberState};
use super::partitions::{self, Owned, Partitions};
use super::{ConsumerGroup, Resolved};
use crate::base::Uuid;
use crate::metadata::MetadataImage;
use std::rc::Rc;

/// The member is in a state of a later version and still owns something: it has to begin anew (110).
#[derive(Debug, PartialEq, Eq)]
pub struct Fenced;

/// What a step is decided on.
pub struct Reconcile<'a> {
    /// The group as it stands.
    pub group: &'a ConsumerGroup,
    /// The topics there are.
    pub image: &'a MetadataImage,
    /// The epoch of the target.
    pub target_epoch: i32,
    /// The member's target.
    pub target: &'a Partitions,
    /// The member asks for other topics than before.
    pub subscription_changed: bool,
    /// What the member says it owns; `None` when it does not say.
    pub owned: Option<&'a Partitions>,
}

impl Reconcile<'_> {
    /// The member after the step; the same when nothing changes.
    pub fn step(&self, member: &ConsumerMember) -> Result<ConsumerMember, Fenced> {
        match member.state {
            MemberState::Stable if member.epoch != self.target_epoch => Ok(self.next(member, member.epoch)),
            MemberState::UnrevokedPartitions if !self.still_owns(&member.revoking) => {
                Ok(self.next(member, member.epoch))
            }
            MemberState::Stable | MemberState::UnrevokedPartitions if self.subscription_changed => {
                Ok(self.without_unwanted(member))
            }
            MemberState::Stable | MemberState::UnrevokedPartitions => Ok(member.clone()),
            MemberState::UnreleasedPartitions => Ok(self.next(member, member.epoch)),
            MemberState::Unknown if self.owned.is_some_and(Partitions::is_empty) => {
                Ok(self.next(member, self.target_epoch))
            }
            MemberState::Unknown => Err(Fenced),
        }
    }

    /// True while the client has, or does not say that it has not, any of `revoking`.
    fn still_owns(&self, revoking: &Owned) -> bool {
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|(topic, all)| all.iter().any(|partition| partitions::contains(revoking, topic, *partition)))
    }

    /// Topics the member asks for no more are taken from it at once, the target's epoch notwithstanding.
    fn without_unwanted(&self, member: &ConsumerMember) -> ConsumerMember {
        let wanted = Wanted::of(self, member);
        let unwanted: Owned =
            member.assigned.iter().filter(|(topic, _)| !wanted.has(topic)).map(|(t, e)| (*t, e.clone())).collect();
        let mut next = member.clone();
        if unwanted.is_empty() {
            return next;
        }
        Rc::make_mut(&mut next.assigned).retain(|topic, _| !unwanted.contains_key(topic));
        let mut revoking = Owned::clone(&member.revoking);
        partitions::merge(&mut revoking, &unwanted);
        next.advance_to(member.epoch);
        if self.still_owns(&revoking) {
            next.state = MemberState::UnrevokedPartitions;
            next.revoking = Rc::new(revoking);
        }
        next
    }

    fn next(&self, member: &ConsumerMember, epoch: i32) -> ConsumerMember {
        let wanted = Wanted::of(self, member);
        let mut kept = Owned::new();
        let mut revoking = Owned::new();
        for (topic, epochs) in &*member.assigned {
            let target = self.target.get(topic).filter(|_| wanted.has(topic));
            for (partition, at) in epochs {
                let stays = target.is_some_and(|target| target.contains(partition));
                let side = if stays { &mut kept } else { &mut revoking };
                side.entry(*topic).or_default().insert(*partition, *at);
            }
        }
        let mut next = member.clone();
        if !revoking.is_empty() && self.still_owns(&revoking) {
            next.state = MemberState::UnrevokedPartitions;
            next.advance_to(epoch);
            (next.assigned, next.revoking) = (Rc::new(kept), Rc::new(revoking));
            return next;
        }
        let mut unreleased = false;
        for (topic, target) in self.target.iter().filter(|(topic, _)| wanted.has(topic)) {
            for partition in target {
                if partitions::contains(&kept, topic, *partition) {
                    continue;
                }
                // What the member itself was giving up it may have back.
                let held = self.group.partition_epoch(topic, *partition).is_some();
                if held && !partitions::contains(&member.revoking, topic, *partition) {
                    unreleased = true;
                } else {
                    kept.entry(*topic).or_default().insert(*partition, self.target_epoch);
                }
            }
        }
        next.state = if unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
        next.advance_to(self.target_epoch);
        (next.assigned, next.revoking) = (Rc::new(kept), Rc::default());
        next
    }
}

/// The topics a member asks for.
struct Wanted<'a> {
    member: &'a ConsumerMember,
    resolved: Option<&'a Rc<Resolved>>,
    image: &'a MetadataImage,
}

impl<'a> Wanted<'a> {
    fn of(of: &'a Reconcile, member: &'a ConsumerMember) -> Self {
        let resolved = member.regex().and_then(|regex| of.group.resolved.get(regex));
        Self { member, resolved, image: of.image }
    }

    fn has(&self, topic: &Uuid) -> bool {
        let Some(topic) = self.image.topic_by_id(topic) else { return false };
        self.member.topics.contains(&topic.name) || self.resolved.is_some_and(|r| r.topics.contains(&topic.name))
    }
}
