//! One topic among members of different loads.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// How many partitions each member has.
pub struct Loads(Vec<usize>);

impl Loads {
    /// Nobody has any.
    pub fn new(members: usize) -> Self {
        Self(vec![0; members])
    }
}

/// A topic, its subscribers, and who has which partition.
pub struct Topic {
    subscribers: Vec<usize>,
    owners: Vec<Option<usize>>,
}

impl Topic {
    /// A topic nobody asks for yet.
    pub fn new(partitions: usize) -> Self {
        Self { subscribers: Vec::new(), owners: vec![None; partitions] }
    }

    /// A member asks for it.
    pub fn subscribe(&mut self, member: usize) {
        self.subscribers.push(member);
    }

    /// A member had the partition and keeps it, unless somebody else has it or it does not exist.
    pub fn keep(&mut self, partition: i32, member: usize, loads: &mut Loads) {
        let owner = usize::try_from(partition).ok().and_then(|index| self.owners.get_mut(index));
        if let Some(owner @ None) = owner {
            *owner = Some(member);
            loads.0[member] += 1;
        }
    }

    /// True when its partitions can move.
    pub fn is_shared(&self) -> bool {
        self.subscribers.len() >= 2
    }

    /// Topics with most partitions for each subscriber come first, then those with fewer subscribers.
    pub fn before(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (self.subscribers.len(), other.subscribers.len());
        let ratio = (other.owners.len() * mine).cmp(&(self.owners.len() * theirs));
        ratio.then_with(|| mine.cmp(&theirs))
    }

    /// Every free partition goes to the subscriber that has least.
    pub fn fill(&mut self, loads: &mut Loads) {
        let mut queue = self.by_load(loads);
        for owner in self.owners.iter_mut().filter(|owner| owner.is_none()) {
            let Some((load, member)) = queue.pop_first() else { return };
            *owner = Some(member);
            loads.0[member] = load + 1;
            queue.insert((load + 1, member));
        }
    }

    /// Moves partitions from those who have most to those who have least; returns how many.
    pub fn balance(&mut self, loads: &mut Loads) -> usize {
        let mut queue = self.by_load(loads);
        let mut own: Vec<Vec<usize>> = vec![Vec::new(); loads.0.len()];
        for (partition, owner) in self.owners.iter().enumerate() {
            if let Some(owner) = owner {
                own[*owner].push(partition);
            }
        }
        // Who has nothing of this topic to give is left out from above, not from below.
        let mut givers = queue.clone();
        let mut moved = 0;
        while let (Some(&(most, giver)), Some(&(least, taker))) = (givers.last(), queue.first()) {
            if most <= least + 1 {
                break;
            }
            givers.remove(&(most, giver));
            let Some(partition) = own[giver].pop() else { continue };
            self.owners[partition] = Some(taker);
            own[taker].push(partition);
            moved += 1;
            for (member, before, after) in [(giver, most, most - 1), (taker, least, least + 1)] {
                queue.remove(&(before, member));
                queue.insert((after, member));
                if givers.remove(&(before, member)) || member == giver {
                    givers.insert((after, member));
                }
                loads.0[member] = after;
            }
        }
        moved
    }

    /// Its partitions and their owners.
    pub fn owners(&self) -> impl Iterator<Item = (i32, usize)> + '_ {
        (0..).zip(&self.owners).filter_map(|(partition, owner)| Some((partition, (*owner)?)))
    }

    fn by_load(&self, loads: &Loads) -> BTreeSet<(usize, usize)> {
        self.subscribers.iter().map(|member| (loads.0[*member], *member)).collect()
    }
}
