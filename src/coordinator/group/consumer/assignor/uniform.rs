//! `uniform` where all members ask for the same topics (`UniformHomogeneousAssignmentBuilder`): everybody keeps what
//! it had up to its share, the rest goes to those who have less.

use super::{MemberSpec, Spec};
use crate::base::Uuid;
use crate::coordinator::group::consumer::partitions::Partitions;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

pub fn assign(spec: &Spec) -> Vec<Rc<Partitions>> {
    let Some(topics) = spec.members.first().map(|member| &member.topics) else { return Vec::new() };
    let counts: HashMap<Uuid, i32> = topics.iter().map(|topic| (*topic, (spec.partitions)(topic))).collect();
    let mut owned: HashMap<Uuid, BTreeSet<i32>> = HashMap::new();
    for (topic, partitions) in spec.members.iter().flat_map(|member| member.before.iter()) {
        owned.entry(*topic).or_default().extend(partitions);
    }
    let mut free: Vec<(Uuid, i32)> = Vec::new();
    for topic in topics.iter() {
        let owned = owned.get(topic);
        free.extend((0..counts[topic]).filter(|p| !owned.is_some_and(|o| o.contains(p))).map(|p| (*topic, p)));
    }
    let total: usize = counts.values().map(|count| usize::try_from(*count).unwrap_or(0)).sum();
    let members = spec.members.len();
    let share = total / members;
    let mut extras = total % members;
    let mut assigned: Vec<(Rc<Partitions>, usize)> = Vec::with_capacity(members);
    for (index, member) in spec.members.iter().enumerate() {
        let mut quota = share + usize::from(extras > 0);
        let mut has_extra = extras > 0;
        let kept = keep(member, &mut owned, &counts, &mut quota, &mut free);
        // An extra one goes first to those who have it already; later members must still be enough to take the rest.
        if quota > 0 && has_extra && members - index > extras {
            quota -= 1;
            has_extra = false;
        }
        extras -= usize::from(has_extra);
        assigned.push((kept, quota));
    }
    let mut free = free.into_iter();
    for (partitions, quota) in &mut assigned {
        for (topic, partition) in free.by_ref().take(*quota) {
            Rc::make_mut(partitions).entry(topic).or_default().insert(partition);
        }
    }
    assigned.into_iter().map(|(partitions, _)| partitions).collect()
}

/// What the member keeps: of topics it still asks for, up to `quota`, which falls by as much. The rest is free.
/// `owned` loses what was looked at: a partition has one owner even where the targets before say otherwise.
fn keep(
    member: &MemberSpec,
    owned: &mut HashMap<Uuid, BTreeSet<i32>>,
    counts: &HashMap<Uuid, i32>,
    quota: &mut usize,
    free: &mut Vec<(Uuid, i32)>,
) -> Rc<Partitions> {
    let exists = |topic: &Uuid, partition: &i32| counts.get(topic).is_some_and(|count| partition < count);
    let mut kept = Partitions::new();
    let mut same = true;
    for (topic, partitions) in member.before.iter() {
        for partition in partitions {
            let first = owned.get_mut(topic).is_some_and(|owned| owned.remove(partition));
            if !first || !exists(topic, partition) {
                same = false;
            } else if *quota > 0 {
                *quota -= 1;
                kept.entry(*topic).or_default().insert(*partition);
            } else {
                same = false;
                free.push((*topic, *partition));
            }
        }
    }
    // Who keeps all of it shares it with what was.
    if same { member.before.clone() } else { Rc::new(kept) }
}
