//! `uniform` where members ask for different topics (`UniformHeterogeneousAssignmentBuilder`): everybody keeps what it
//! still asks for, free partitions go to whoever has least, then partitions move until nothing gets better.

use super::Spec;
use super::balance::{Loads, Topic};
use crate::base::Uuid;
use crate::coordinator::group::consumer::partitions::Partitions;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How often all topics are gone through: each round about halves what is uneven.
const ROUNDS_MAX: usize = 16;

pub fn assign(spec: &Spec) -> Vec<Rc<Partitions>> {
    let mut topics = topics(spec);
    let mut loads = Loads::new(spec.members.len());
    for (index, member) in spec.members.iter().enumerate() {
        for (id, partitions) in member.before.iter().filter(|(id, _)| member.topics.contains(id)) {
            let Some(topic) = topics.get_mut(id) else { continue };
            partitions.iter().for_each(|partition| topic.keep(*partition, index, &mut loads));
        }
    }
    let mut order: Vec<Uuid> = topics.keys().copied().collect();
    order.sort_by(|a, b| topics[a].before(&topics[b]).then_with(|| a.cmp(b)));
    for id in &order {
        if let Some(topic) = topics.get_mut(id) {
            topic.fill(&mut loads);
        }
    }
    let shared: Vec<&Uuid> = order.iter().filter(|id| topics[*id].is_shared()).collect();
    balance(&mut topics, &shared, &mut loads);
    let mut assigned = vec![Partitions::new(); spec.members.len()];
    for (id, topic) in &topics {
        for (partition, owner) in topic.owners() {
            assigned[owner].entry(*id).or_default().insert(partition);
        }
    }
    let same = |(index, new): (usize, Partitions)| {
        let before = &spec.members[index].before;
        if **before == new { before.clone() } else { Rc::new(new) }
    };
    assigned.into_iter().enumerate().map(same).collect()
}

fn topics(spec: &Spec) -> BTreeMap<Uuid, Topic> {
    let mut topics = BTreeMap::new();
    for (index, member) in spec.members.iter().enumerate() {
        for id in member.topics.iter() {
            let new = || Topic::new(usize::try_from((spec.partitions)(id)).unwrap_or(0));
            topics.entry(*id).or_insert_with(new).subscribe(index);
        }
    }
    topics
}

/// Until a whole round moves nothing.
fn balance(topics: &mut BTreeMap<Uuid, Topic>, order: &[&Uuid], loads: &mut Loads) {
    for _ in 0..ROUNDS_MAX {
        let moved: usize = order.iter().filter_map(|id| Some(topics.get_mut(*id)?.balance(loads))).sum();
        if moved == 0 {
            return;
        }
    }
}
