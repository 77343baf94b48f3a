//! The next target assignment of a group (`TargetAssignmentBuilder`): who asks for what goes to the assignor, what
//! comes out differently becomes records.

use super::assignor::{Assignor, MemberSpec, Spec};
use super::entry::{Entry, TargetEpoch};
use super::member::ConsumerMember;
use super::partitions::Partitions;
use super::{ConsumerGroup, SubscriptionType};
use crate::base::{TimestampMs, Uuid};
use crate::metadata::MetadataImage;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// A new target.
pub struct Target {
    /// What changes, the target's epoch last.
    pub entries: Vec<Entry>,
    /// What the member that caused it gets.
    pub of_member: Rc<Partitions>,
}

/// The target of `group` for `epoch`, with `updated` in place of the member it was (of another id where a static
/// member has come back).
pub fn next_target(
    group: &ConsumerGroup,
    updated: &ConsumerMember,
    epoch: i32,
    kind: SubscriptionType,
    assignor: Assignor,
    image: &MetadataImage,
    now: TimestampMs,
) -> Target {
    let previous = updated.instance_id.as_deref().and_then(|instance| group.static_member(instance));
    let replaced = previous.map(|member| &member.id).filter(|id| **id != updated.id);
    let mut members: BTreeMap<&Arc<str>, &ConsumerMember> = group.members().map(|m| (&m.id, &**m)).collect();
    members.insert(&updated.id, updated);
    if let Some(replaced) = replaced {
        members.remove(replaced);
    }
    let mut topics = TopicIds { group, image, by_subscription: HashMap::new() };
    let specs: Vec<MemberSpec> = members
        .values()
        .map(|member| {
            let holder = if member.id == updated.id { replaced.unwrap_or(&member.id) } else { &member.id };
            MemberSpec {
                id: member.id.clone(),
                instance_id: member.instance_id.clone(),
                topics: topics.of(member),
                before: group.target_of(holder).cloned().unwrap_or_default(),
            }
        })
        .collect();
    let partitions = |topic: &Uuid| image.topic_by_id(topic).map_or(0, |topic| topic.partition_count());
    let spec = Spec { members: &specs, kind, partitions: &partitions };
    let assigned = assignor.assign(&spec);
    let mut entries = Vec::new();
    let mut of_member = Rc::new(Partitions::new());
    for (member, partitions) in specs.iter().zip(assigned) {
        if member.id == updated.id {
            of_member = partitions.clone();
        }
        if group.target_of(&member.id) != Some(&partitions) {
            entries.push(Entry::Target(member.id.clone(), Some(partitions)));
        }
    }
    entries.push(Entry::TargetEpoch(Some(TargetEpoch { epoch, timestamp: now.0 })));
    Target { entries, of_member }
}

/// Topics by what members ask for: most members of a group ask for the same.
struct TopicIds<'a> {
    group: &'a ConsumerGroup,
    image: &'a MetadataImage,
    by_subscription: HashMap<(&'a BTreeSet<Arc<str>>, &'a str), Rc<BTreeSet<Uuid>>>,
}

impl<'a> TopicIds<'a> {
    fn of(&mut self, member: &'a ConsumerMember) -> Rc<BTreeSet<Uuid>> {
        let (group, image) = (self.group, self.image);
        let ids = || {
            let resolved = member.regex().and_then(|regex| group.resolved.get(regex));
            let names = member.topics.iter().chain(resolved.iter().flat_map(|resolved| &resolved.topics));
            Rc::new(names.filter_map(|name| Some(image.topic_by_name(name)?.id)).collect())
        };
        self.by_subscription.entry((&member.topics, &member.regex)).or_insert_with(ids).clone()
    }
}
