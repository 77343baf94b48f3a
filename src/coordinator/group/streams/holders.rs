//! Which processes have a task, given up ones that are still on their way out included.

use super::entry::Current;
use super::tasks::{Held, TaskSets};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Who has a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holder {
    /// Processes whose members process it: one, or none.
    active: Vec<Arc<str>>,
    /// Processes whose members follow it.
    following: Vec<Arc<str>>,
}

/// The processes by task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holders(BTreeMap<Arc<str>, HashMap<i32, Holder>>);

impl Holders {
    /// A member of `process` has what `current` says, or (false) no longer.
    pub fn count(&mut self, process: &Arc<str>, current: &Current, up: bool) {
        for held in [&current.assigned, &current.revoking] {
            self.count_held(process, held, up);
        }
    }

    fn count_held(&mut self, process: &Arc<str>, held: &Held, up: bool) {
        for (subtopology, epochs) in &held.active {
            for partition in epochs.keys() {
                self.change(subtopology, *partition, up, |holder| step(&mut holder.active, process, up));
            }
        }
        let followed = |tasks: &TaskSets, this: &mut Self| {
            for (subtopology, partitions) in tasks {
                for partition in partitions {
                    this.change(subtopology, *partition, up, |holder| step(&mut holder.following, process, up));
                }
            }
        };
        followed(&held.standby, self);
        followed(&held.warmup, self);
    }

    fn change(&mut self, subtopology: &Arc<str>, partition: i32, up: bool, f: impl FnOnce(&mut Holder)) {
        if up {
            return f(self.0.entry(subtopology.clone()).or_default().entry(partition).or_default());
        }
        let Some(tasks) = self.0.get_mut(subtopology) else { return };
        if let Some(holder) = tasks.get_mut(&partition) {
            f(holder);
            if *holder == Holder::default() {
                tasks.remove(&partition);
            }
        }
        if tasks.is_empty() {
            self.0.remove(subtopology);
        }
    }

    /// True where some process has the active task.
    pub fn has_active(&self, subtopology: &str, partition: i32) -> bool {
        self.get(subtopology, partition).is_some_and(|holder| !holder.active.is_empty())
    }

    /// True where `process` has the task in any role.
    pub fn is_in_process(&self, subtopology: &str, partition: i32, process: &str) -> bool {
        let has = |all: &[Arc<str>]| all.iter().any(|other| **other == *process);
        self.get(subtopology, partition).is_some_and(|holder| has(&holder.active) || has(&holder.following))
    }

    fn get(&self, subtopology: &str, partition: i32) -> Option<&Holder> {
        self.0.get(subtopology)?.get(&partition)
    }
}

fn step(processes: &mut Vec<Arc<str>>, process: &Arc<str>, up: bool) {
    if up {
        processes.push(process.clone());
    } else if let Some(at) = processes.iter().position(|other| other == process) {
        processes.swap_remove(at);
    }
}

#[cfg(test)]
impl Holders {
    /// The same processes, in any order.
    pub fn is_same(&self, other: &Self) -> bool {
        let sorted = |all: &Self| {
            let tasks =
                all.0.iter().flat_map(|(s, tasks)| tasks.iter().map(move |(p, holder)| (s.clone(), *p, holder)));
            let mut tasks: Vec<_> = tasks
                .map(|(s, p, holder)| {
                    let mut holder = holder.clone();
                    holder.active.sort();
                    holder.following.sort();
                    (s, p, holder.active, holder.following)
                })
                .collect();
            tasks.sort();
            tasks
        };
        sorted(self) == sorted(other)
    }
}
