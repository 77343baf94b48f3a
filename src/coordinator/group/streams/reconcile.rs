//! One step of a member towards its target (`CurrentAssignmentBuilder`): first it gives up what it must, then its epoch
//! rises, and it gets what nobody else has any more. A task has one active owner, and one role within a process.

use super::entry::{Current, MemberState};
use super::holders::Holders;
use super::tasks::{Held, TaskEpochs, TaskSets, Tasks};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The member is in a state of a later version and still owns something: it has to begin anew (110).
#[derive(Debug, PartialEq, Eq)]
pub struct Fenced;

/// What a step is decided on.
pub struct Reconcile<'a> {
    /// Who has which task.
    pub holders: &'a Holders,
    /// The member's process.
    pub process: &'a str,
    /// The epoch of the target.
    pub target_epoch: i32,
    /// The member's target.
    pub target: &'a Tasks,
    /// What the member says it owns; `None` when it does not say.
    pub owned: Option<&'a Tasks>,
}

/// The parts of a role's tasks.
struct Split<T> {
    stays: T,
    goes: T,
    comes: T,
    waits: bool,
}

impl Reconcile<'_> {
    /// The member after the step; the same when nothing changes.
    pub fn step(&self, current: &Current) -> Result<Current, Fenced> {
        match current.state {
            MemberState::Stable if current.epoch == self.target_epoch => Ok(current.clone()),
            MemberState::Stable | MemberState::UnreleasedTasks => Ok(self.next(current, current.epoch)),
            MemberState::UnrevokedTasks => match self.owned {
                Some(owned) if !owned.contains_any(&current.revoking) => Ok(self.next(current, current.epoch + 1)),
                Some(_) | None => Ok(current.clone()),
            },
            MemberState::Unknown => match self.owned {
                Some(owned) if *owned == Tasks::default() => Ok(self.next(current, self.target_epoch)),
                Some(_) | None => Err(Fenced),
            },
        }
    }

    fn next(&self, current: &Current, epoch: i32) -> Current {
        let active = self.split_active(&current.assigned.active);
        let standby = self.split(&current.assigned.standby, &self.target.standby);
        let warmup = self.split(&current.assigned.warmup, &self.target.warmup);
        let waits = active.waits || standby.waits || warmup.waits;
        let mut assigned = Held { active: active.stays, standby: standby.stays, warmup: warmup.stays };
        let revoking = Held { active: active.goes, standby: standby.goes, warmup: warmup.goes };
        let comes = Held { active: active.comes, standby: standby.comes, warmup: warmup.comes };
        let has_to_give_up = !revoking.is_empty() && self.owned.is_none_or(|owned| owned.contains_any(&revoking));
        if has_to_give_up {
            let state = MemberState::UnrevokedTasks;
            return Current { epoch, previous_epoch: current.epoch, state, assigned, revoking };
        }
        assigned.merge(comes);
        Current {
            epoch: self.target_epoch,
            previous_epoch: current.epoch,
            state: if waits { MemberState::UnreleasedTasks } else { MemberState::Stable },
            assigned,
            revoking: Held::default(),
        }
    }

    fn split_active(&self, has: &TaskEpochs) -> Split<TaskEpochs> {
        let mut split =
            Split { stays: TaskEpochs::new(), goes: TaskEpochs::new(), comes: TaskEpochs::new(), waits: false };
        let is_wanted = |subtopology: &Arc<str>, partition: &i32| {
            self.target.active.get(subtopology).is_some_and(|all| all.contains(partition))
        };
        for (subtopology, epochs) in has {
            for (partition, epoch) in epochs {
                let stays = is_wanted(subtopology, partition);
                let side = if stays { &mut split.stays } else { &mut split.goes };
                side.entry(subtopology.clone()).or_default().insert(*partition, *epoch);
            }
        }
        for (subtopology, wanted) in &self.target.active {
            for partition in wanted {
                if has.get(subtopology).is_some_and(|epochs| epochs.contains_key(partition)) {
                    continue;
                }
                if self.holders.has_active(subtopology, *partition)
                    || self.holders.is_in_process(subtopology, *partition, self.process)
                {
                    split.waits = true;
                } else {
                    split.comes.entry(subtopology.clone()).or_default().insert(*partition, self.target_epoch);
                }
            }
        }
        split
    }

    fn split(&self, has: &TaskSets, target: &TaskSets) -> Split<TaskSets> {
        let none = BTreeSet::new();
        let mut split = Split { stays: TaskSets::new(), goes: TaskSets::new(), comes: TaskSets::new(), waits: false };
        for (subtopology, partitions) in has {
            let wanted = target.get(subtopology).unwrap_or(&none);
            put(&mut split.stays, subtopology, partitions.intersection(wanted));
            put(&mut split.goes, subtopology, partitions.difference(wanted));
        }
        for (subtopology, wanted) in target {
            let missing = wanted.difference(has.get(subtopology).unwrap_or(&none));
            let (taken, free): (Vec<i32>, Vec<i32>) =
                missing.partition(|partition| self.holders.is_in_process(subtopology, **partition, self.process));
            split.waits |= !taken.is_empty();
            put(&mut split.comes, subtopology, free.iter());
        }
        split
    }
}

fn put<'a>(to: &mut TaskSets, subtopology: &Arc<str>, partitions: impl Iterator<Item = &'a i32>) {
    let partitions: BTreeSet<i32> = partitions.copied().collect();
    if !partitions.is_empty() {
        to.insert(subtopology.clone(), partitions);
    }
}
