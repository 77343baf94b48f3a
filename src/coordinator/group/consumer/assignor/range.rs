//! `range` (`RangeAssignor`): each topic is cut into runs, one for each member that asks for it; members stand in the
//! order of their instance ids, then of their ids, so that equal numbers of several topics meet in one member.

use super::{MemberSpec, Spec};
use crate::base::Uuid;
use crate::coordinator::group::consumer::partitions::Partitions;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

/// A topic on its way to its members.
struct Cut {
    partitions: i32,
    /// Members that have not had their run.
    members_left: i32,
    next: i32,
}

impl Cut {
    /// The first members get one more where the cut is uneven.
    fn take(&mut self) -> std::ops::Range<i32> {
        let left = self.partitions - self.next;
        let quota = if self.members_left > 0 { (left + self.members_left - 1) / self.members_left } else { 0 };
        self.members_left -= 1;
        let start = self.next;
        self.next += quota;
        start..self.next
    }
}

pub fn assign(spec: &Spec) -> Vec<Rc<Partitions>> {
    let mut cuts: HashMap<Uuid, Cut> = HashMap::new();
    for topic in spec.members.iter().flat_map(|member| member.topics.iter()) {
        let cut = || Cut { partitions: (spec.partitions)(topic), members_left: 0, next: 0 };
        cuts.entry(*topic).or_insert_with(cut).members_left += 1;
    }
    let mut order: Vec<usize> = (0..spec.members.len()).collect();
    order.sort_by(|a, b| by_instance(&spec.members[*a], &spec.members[*b]));
    let mut assigned = vec![Rc::new(Partitions::new()); spec.members.len()];
    for index in order {
        let mut own = Partitions::new();
        for topic in spec.members[index].topics.iter() {
            let Some(cut) = cuts.get_mut(topic) else { continue };
            let run = cut.take();
            if !run.is_empty() {
                own.insert(*topic, run.collect());
            }
        }
        assigned[index] = Rc::new(own);
    }
    assigned
}

fn by_instance(a: &MemberSpec, b: &MemberSpec) -> Ordering {
    match (&a.instance_id, &b.instance_id) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.id.cmp(&b.id),
    }
}
