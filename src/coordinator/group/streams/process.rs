//! One process of an application while tasks are given out (`ProcessState`): its members share its tasks.

use super::assignor::Task;
use super::tasks::{TaskSets, Tasks};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Loads are compared as tasks for each member in units of 1/2^32.
const UNIT: u32 = 32;

/// A process and what it has got.
pub struct Process {
    members: Vec<Member>,
    /// The members by how much they have.
    by_count: BTreeSet<(usize, usize)>,
    tasks: HashSet<Task>,
}

struct Member {
    id: Arc<str>,
    active: Vec<Task>,
    standby: Vec<Task>,
}

impl Process {
    /// A process of these members, without tasks.
    pub fn new(ids: impl Iterator<Item = Arc<str>>) -> Self {
        let members: Vec<Member> = ids.map(|id| Member { id, active: Vec::new(), standby: Vec::new() }).collect();
        let by_count = (0..members.len()).map(|at| (0, at)).collect();
        Self { members, by_count, tasks: HashSet::new() }
    }

    /// Tasks for each member.
    pub fn load(&self) -> u64 {
        let members = self.members.len().max(1) as u64;
        ((self.tasks.len() as u64) << UNIT) / members
    }

    /// True where a member has the task in any role.
    pub fn has(&self, task: &Task) -> bool {
        self.tasks.contains(task)
    }

    /// How many tasks the member has.
    pub fn count_of(&self, member: usize) -> usize {
        self.members.get(member).map_or(0, |member| member.active.len() + member.standby.len())
    }

    /// Gives a task to a member; returns how many it has then.
    pub fn give(&mut self, member: usize, task: Task, is_active: bool) -> usize {
        let before = self.count_of(member);
        let Some(to) = self.members.get_mut(member) else { return 0 };
        self.tasks.insert(task.clone());
        if is_active {
            to.active.push(task)
        } else {
            to.standby.push(task)
        }
        self.by_count.remove(&(before, member));
        self.by_count.insert((before + 1, member));
        before + 1
    }

    /// Gives a task to the member that has the fewest; returns how many it has then.
    pub fn give_to_least_loaded(&mut self, task: Task, is_active: bool) -> usize {
        let least = self.by_count.first().map_or(0, |(_, member)| *member);
        self.give(least, task, is_active)
    }

    /// What each member has got.
    pub fn into_targets(self) -> impl Iterator<Item = (Arc<str>, Tasks)> {
        self.members.into_iter().map(|member| {
            let tasks = Tasks { active: sets(member.active), standby: sets(member.standby), warmup: TaskSets::new() };
            (member.id, tasks)
        })
    }
}

fn sets(tasks: Vec<Task>) -> TaskSets {
    let mut sets = TaskSets::new();
    for (subtopology, partition) in tasks {
        sets.entry(subtopology).or_default().insert(partition);
    }
    sets
}
