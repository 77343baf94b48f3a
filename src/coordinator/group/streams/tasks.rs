//! Sets of tasks. A task is one partition number of one subtopology (`TasksTuple`, `TasksTupleWithEpochs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Partition numbers by subtopology.
pub type TaskSets = BTreeMap<Arc<str>, BTreeSet<i32>>;

/// Partition numbers by subtopology, each with the epoch in which its owner got the task.
pub type TaskEpochs = BTreeMap<Arc<str>, BTreeMap<i32, i32>>;

/// Tasks by role: a target, or what a member says it owns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Those it processes.
    pub active: TaskSets,
    /// Those whose state it follows.
    pub standby: TaskSets,
    /// Those whose state it builds up in order to process them soon.
    pub warmup: TaskSets,
}

/// Tasks that a member has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Those it processes.
    pub active: TaskEpochs,
    /// Those whose state it follows.
    pub standby: TaskSets,
    /// Those whose state it builds up in order to process them soon.
    pub warmup: TaskSets,
}

impl Held {
    /// True without tasks.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.standby.is_empty() && self.warmup.is_empty()
    }

    /// True where `owned` has all of these, in the same role.
    pub fn is_within(&self, owned: &Tasks) -> bool {
        let active = self.active.iter().all(|(subtopology, epochs)| {
            epochs.is_empty()
                || owned
                    .active
                    .get(subtopology)
                    .is_some_and(|all| epochs.keys().all(|partition| all.contains(partition)))
        });
        active && is_subset(&self.standby, &owned.standby) && is_subset(&self.warmup, &owned.warmup)
    }

    /// Adds `more`.
    pub fn merge(&mut self, more: Self) {
        for (subtopology, epochs) in more.active {
            self.active.entry(subtopology).or_default().extend(epochs);
        }
        for (mine, more) in [(&mut self.standby, more.standby), (&mut self.warmup, more.warmup)] {
            for (subtopology, partitions) in more {
                mine.entry(subtopology).or_default().extend(partitions);
            }
        }
    }
}

impl Tasks {
    /// True where a task of `held` is among these, in the same role.
    pub fn contains_any(&self, held: &Held) -> bool {
        let active = held.active.iter().any(|(subtopology, epochs)| {
            self.active.get(subtopology).is_some_and(|mine| epochs.keys().any(|partition| mine.contains(partition)))
        });
        active || overlap(&self.standby, &held.standby) || overlap(&self.warmup, &held.warmup)
    }

    /// True where all of these are among `held`, in the same role.
    pub fn is_within(&self, held: &Held) -> bool {
        let active = self.active.iter().all(|(subtopology, mine)| {
            mine.is_empty() || held.active.get(subtopology).is_some_and(|all| mine.iter().all(|p| all.contains_key(p)))
        });
        active && is_subset(&self.standby, &held.standby) && is_subset(&self.warmup, &held.warmup)
    }
}

/// The tasks without their epochs.
pub fn without_epochs(tasks: &TaskEpochs) -> TaskSets {
    tasks.iter().map(|(subtopology, epochs)| (subtopology.clone(), epochs.keys().copied().collect())).collect()
}

fn overlap(one: &TaskSets, other: &TaskSets) -> bool {
    one.iter().any(|(subtopology, mine)| other.get(subtopology).is_some_and(|all| !mine.is_disjoint(all)))
}

fn is_subset(one: &TaskSets, all: &TaskSets) -> bool {
    one.iter().all(|(subtopology, mine)| {
        mine.is_empty() || all.get(subtopology).is_some_and(|partitions| mine.is_subset(partitions))
    })
}

#[cfg(test)]
pub mod build {
    use super::*;

    /// `&[("0", &[1, 2])]` as tasks.
    pub fn sets(tasks: &[(&str, &[i32])]) -> TaskSets {
        tasks.iter().map(|(subtopology, all)| (Arc::from(*subtopology), all.iter().copied().collect())).collect()
    }
}
