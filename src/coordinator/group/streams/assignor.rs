//! The sticky task assignor (`StickyTaskAssignor`): first every active task to who has it, then to who follows its
//! state, then to the process with the least to do; standby tasks likewise, never two roles of a task in one process.
//! No member gets more than its part while somebody has room. Racks and tags play no part, as in Apache Kafka 4.3.

use super::configure::ConfiguredSubtopology;
use super::process::Process;
use super::tasks::{TaskSets, Tasks};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// A task: subtopology and partition number.
pub type Task = (Arc<str>, i32);

/// A member as the assignor sees it.
pub struct Candidate<'a> {
    /// Its id.
    pub id: Arc<str>,
    /// The process it is a thread of.
    pub process: Arc<str>,
    /// Its target until now.
    pub before: &'a Tasks,
}

/// Where a member is: its process, and its place within.
type Place = (usize, usize);

/// How many tasks each member may have while others have room; less is left for the rest when somebody is full.
struct Quota {
    tasks: usize,
    members: usize,
    each: usize,
}

impl Quota {
    fn new(tasks: usize, members: usize) -> Self {
        Self { tasks, members, each: tasks.div_ceil(members.max(1)) }
    }

    /// A member has `count` tasks now.
    fn reached(&mut self, count: usize) {
        if count == self.each && self.members > 0 {
            self.members -= 1;
            self.tasks = self.tasks.saturating_sub(count);
            self.each = if self.members == 0 { 0 } else { self.tasks.div_ceil(self.members) };
        }
    }
}

struct Assignment {
    processes: Vec<Process>,
    active: Quota,
    all: Quota,
    had_active: HashMap<Task, Place>,
    had_standby: HashMap<Task, Vec<Place>>,
}

/// The target of each member.
pub fn assign(
    members: &[Candidate],
    subtopologies: &BTreeMap<Arc<str>, ConfiguredSubtopology>,
    standbys: usize,
) -> BTreeMap<Arc<str>, Tasks> {
    let tasks = |stateful_only: bool| {
        let wanted = subtopologies.iter().filter(move |(_, s)| s.is_stateful || !stateful_only);
        wanted.flat_map(|(id, s)| (0..s.tasks).map(|partition| (id.clone(), partition))).collect::<Vec<Task>>()
    };
    let (active, stateful) = (tasks(false), tasks(true));
    let mut assignment = Assignment::new(members, active.len(), stateful.len().saturating_mul(standbys));
    if !members.is_empty() {
        assignment.give_active(active);
        if standbys > 0 {
            assignment.give_standby(stateful, standbys);
        }
    }
    assignment.into_targets()
}

impl Assignment {
    fn new(members: &[Candidate], active: usize, standby: usize) -> Self {
        let mut by_process: BTreeMap<&Arc<str>, Vec<&Candidate>> = BTreeMap::new();
        for member in members {
            by_process.entry(&member.process).or_default().push(member);
        }
        let mut had_active = HashMap::new();
        let mut had_standby: HashMap<Task, Vec<Place>> = HashMap::new();
        let mut processes = Vec::with_capacity(by_process.len());
        for (at, members) in by_process.values().enumerate() {
            for (place, member) in members.iter().enumerate() {
                for task in each(&member.before.active) {
                    had_active.insert(task, (at, place));
                }
                for task in each(&member.before.standby) {
                    had_standby.entry(task).or_default().push((at, place));
                }
            }
            processes.push(Process::new(members.iter().map(|member| member.id.clone())));
        }
        Self {
            processes,
            active: Quota::new(active, members.len()),
            all: Quota::new(active + standby, members.len()),
            had_active,
            had_standby,
        }
    }

    fn give_active(&mut self, mut tasks: Vec<Task>) {
        // As the partitions were spread by ranges, equal numbers come together.
        tasks.sort_unstable_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        tasks.retain(|task| !self.give_back(task, self.had_active.get(task).copied()));
        tasks.retain(|task| !self.give_back(task, self.least_loaded(self.had_standby.get(task))));
        tasks.sort_unstable();
        let mut queue: BTreeSet<(u64, usize)> = self.queue();
        for task in tasks {
            let Some((_, at)) = queue.pop_first() else { return };
            if let Some(process) = self.processes.get_mut(at) {
                let count = process.give_to_least_loaded(task, true);
                self.active.reached(count);
                self.all.reached(count);
                queue.insert((self.load(at), at));
            }
        }
    }

    /// True where the member at `place` has got the active task again.
    fn give_back(&mut self, task: &Task, place: Option<Place>) -> bool {
        let Some((at, member)) = place else { return false };
        let Some(process) = self.processes.get_mut(at) else { return false };
        if process.count_of(member) >= self.active.each {
            return false;
        }
        let count = process.give(member, task.clone(), true);
        self.active.reached(count);
        self.all.reached(count);
        true
    }

    fn give_standby(&mut self, mut tasks: Vec<Task>, standbys: usize) {
        tasks.sort_unstable_by(|a, b| (b.1, &b.0).cmp(&(a.1, &a.0)));
        let mut left: Vec<(Task, usize)> = Vec::new();
        for task in tasks {
            let stayed = (0..standbys).take_while(|_| self.keep_standby(&task)).count();
            if stayed < standbys {
                left.push((task, standbys - stayed));
            }
        }
        left.sort_unstable_by(|a, b| b.0.cmp(&a.0));
        let mut queue = self.queue();
        for (task, count) in left {
            for _ in 0..count {
                // No process without the task: there are fewer processes than replicas.
                let Some(next) = queue.iter().find(|(_, at)| !self.has(*at, &task)).copied() else { break };
                queue.remove(&next);
                if let Some(process) = self.processes.get_mut(next.1) {
                    let count = process.give_to_least_loaded(task.clone(), false);
                    self.all.reached(count);
                }
                queue.insert((self.load(next.1), next.1));
            }
        }
    }

    /// One more replica to who had the task: the member it was active on, else one that followed it.
    fn keep_standby(&mut self, task: &Task) -> bool {
        let had_active = self.had_active.get(task).copied();
        let followed = self
            .had_standby
            .get(task)
            .map(|places| places.iter().copied().filter(|(at, _)| !self.has(*at, task)).collect::<Vec<Place>>());
        for place in [had_active, self.least_loaded(followed.as_ref())].into_iter().flatten() {
            let (at, member) = place;
            if self.has(at, task) {
                continue;
            }
            let Some(process) = self.processes.get_mut(at) else { continue };
            if process.count_of(member) < self.all.each {
                let count = process.give(member, task.clone(), false);
                self.all.reached(count);
                return true;
            }
        }
        false
    }

    fn has(&self, at: usize, task: &Task) -> bool {
        self.processes.get(at).is_some_and(|process| process.has(task))
    }

    fn load(&self, at: usize) -> u64 {
        self.processes.get(at).map_or(0, Process::load)
    }

    fn least_loaded(&self, places: Option<&Vec<Place>>) -> Option<Place> {
        let load = |(at, member): &Place| {
            let count = self.processes.get(*at).map_or(0, |process| process.count_of(*member));
            (self.load(*at), count)
        };
        places?.iter().copied().min_by_key(load)
    }

    fn queue(&self) -> BTreeSet<(u64, usize)> {
        (0..self.processes.len()).map(|at| (self.load(at), at)).collect()
    }

    fn into_targets(self) -> BTreeMap<Arc<str>, Tasks> {
        self.processes.into_iter().flat_map(Process::into_targets).collect()
    }
}

fn each(tasks: &TaskSets) -> impl Iterator<Item = Task> {
    tasks.iter().flat_map(|(subtopology, all)| all.iter().map(|partition| (subtopology.clone(), *partition)))
}
