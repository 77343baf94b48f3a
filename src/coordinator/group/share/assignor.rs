//! The "simple" share assignor (`SimpleAssignor`): every partition has somebody, every member something, loads are
//! even, and who has a partition keeps it where that allows it.

use super::Partitions;
use crate::base::Uuid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a member wants and has.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The topics it wants that exist.
    pub topics: BTreeSet<Uuid>,
    /// Its last target.
    pub before: Partitions,
}

type Place = (Uuid, i32);

/// Assigns the `assignable` partitions.
pub fn assign(members: &BTreeMap<Arc<str>, Wish>, assignable: &Partitions) -> BTreeMap<Arc<str>, Partitions> {
    let mut assigned: BTreeMap<Arc<str>, Partitions> =
        members.keys().map(|id| (id.clone(), Partitions::new())).collect();
    // Members that want the same topics are dealt with together.
    let mut wishes: BTreeMap<&BTreeSet<Uuid>, Vec<&Arc<str>>> = BTreeMap::new();
    for (id, wish) in members {
        wishes.entry(&wish.topics).or_default().push(id);
    }
    for (topics, ids) in wishes {
        let places: Vec<Place> = topics
            .iter()
            .filter_map(|topic| Some((topic, assignable.get(topic)?)))
            .flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
            .collect();
        for (id, places) in among(members, &ids, &places) {
            let own = assigned.entry(id).or_default();
            for (topic, partition) in places {
                own.entry(topic).or_default().insert(partition);
            }
        }
    }
    assigned
}

/// Shares `places` among `ids`: each place as many members as even loads ask for.
fn among(members: &BTreeMap<Arc<str>, Wish>, ids: &[&Arc<str>], places: &[Place]) -> Vec<(Arc<str>, BTreeSet<Place>)> {
    if places.is_empty() {
        return Vec::new();
    }
    // So many members to a partition.
    let sharing = ids.len().div_ceil(places.len()).max(1);
    let total = sharing * places.len();
    let wanted = |index: usize| total / ids.len() + usize::from(index < total % ids.len());
    let mut holders: BTreeMap<Place, usize> = places.iter().map(|place| (*place, 0)).collect();
    let mut own: Vec<BTreeSet<Place>> = Vec::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        let before = members.get(*id).map(|wish| &wish.before);
        let mut kept = BTreeSet::new();
        for (topic, partitions) in before.into_iter().flatten() {
            for place in partitions.iter().map(|partition| (*topic, *partition)) {
                match holders.get_mut(&place) {
                    Some(count) if *count < sharing && kept.len() < wanted(index) => {
                        *count += 1;
                        kept.insert(place);
                    }
                    _ => {}
                }
            }
        }
        own.push(kept);
    }
    // The places with the fewest members are given away first.
    for (index, own) in own.iter_mut().enumerate() {
        while own.len() < wanted(index) {
            let free = holders.iter_mut().filter(|(place, count)| **count < sharing && !own.contains(*place));
            let Some((place, count)) = free.min_by_key(|(_, count)| **count) else { break };
            *count += 1;
            own.insert(*place);
        }
    }
    // Rounding may leave a place to nobody: the member with the least takes it.
    for (place, _) in holders.iter().filter(|(_, count)| **count == 0) {
        if let Some(least) = own.iter_mut().min_by_key(|own| own.len()) {
            least.insert(*place);
        }
    }
    ids.iter().map(|id| Arc::clone(id)).zip(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: Uuid = Uuid([1; 16]);

    fn members(n: usize, before: &BTreeMap<Arc<str>, Partitions>) -> BTreeMap<Arc<str>, Wish> {
        let wish = |id: &Arc<str>| Wish { topics: [TOPIC].into(), before: before.get(id).cloned().unwrap_or_default() };
        (0..n).map(|i| Arc::<str>::from(format!("m{i:02}"))).map(|id| (id.clone(), wish(&id))).collect()
    }

    fn run(n: usize, partitions: i32, before: &BTreeMap<Arc<str>, Partitions>) -> BTreeMap<Arc<str>, Partitions> {
        assign(&members(n, before), &[(TOPIC, (0..partitions).collect())].into())
    }

    fn loads(assigned: &BTreeMap<Arc<str>, Partitions>) -> (usize, usize) {
        let sizes: Vec<usize> = assigned.values().map(|p| p.values().map(BTreeSet::len).sum()).collect();
        (sizes.iter().copied().min().unwrap_or(0), sizes.iter().copied().max().unwrap_or(0))
    }

    #[test]
    fn every_partition_and_every_member_is_served_evenly() {
        for members in 1..12 {
            for partitions in 1..12 {
                let assigned = run(members, partitions, &BTreeMap::new());
                let held: BTreeSet<i32> = assigned.values().flat_map(|p| p.values().flatten()).copied().collect();
                assert_eq!(held.len(), partitions as usize, "{members} members, {partitions} partitions");
                let (least, most) = loads(&assigned);
                assert!(least >= 1 || members > partitions as usize, "{members} members, {partitions} partitions");
                assert!(least >= 1 && most - least <= 1, "{members}, {partitions}: {least} to {most}");
            }
        }
    }

    #[test]
    fn who_has_a_partition_keeps_it() {
        let before = run(2, 4, &BTreeMap::new());
        let after = run(3, 4, &before);
        for (id, own) in &before {
            let kept = own[&TOPIC].intersection(&after[id][&TOPIC]).count();
            assert!(kept >= 1, "{id} keeps some of {own:?}: {after:?}");
        }
        assert_eq!(run(3, 4, &after), after, "nothing changes: nothing moves");
    }

    #[test]
    fn topics_nobody_wants_or_that_have_not_begun_are_left_out() {
        let none = assign(&members(2, &BTreeMap::new()), &BTreeMap::new());
        assert!(none.values().all(BTreeMap::is_empty) && none.len() == 2);
        let other = assign(&members(1, &BTreeMap::new()), &[(Uuid([2; 16]), [0].into())].into());
        assert!(other.values().all(BTreeMap::is_empty));
    }
}
