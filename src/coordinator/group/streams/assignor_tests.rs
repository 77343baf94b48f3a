//! Every task has one owner and its replicas in other processes, loads are even, little moves.

use super::assignor::{Candidate, assign};
use super::configure::ConfiguredSubtopology;
use super::tasks::{Tasks, build::sets};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

type Subtopologies = BTreeMap<Arc<str>, ConfiguredSubtopology>;

fn subtopologies(all: &[(&str, i32, bool)]) -> Subtopologies {
    let of = |(id, tasks, is_stateful): &(&str, i32, bool)| {
        let subtopology = ConfiguredSubtopology {
            tasks: *tasks,
            is_stateful: *is_stateful,
            sources: Vec::new(),
            repartition_sinks: Vec::new(),
            repartition_sources: Vec::new(),
            changelogs: Vec::new(),
        };
        (Arc::from(*id), subtopology)
    };
    all.iter().map(of).collect()
}

/// Members by id, each with its process.
type Members = BTreeMap<Arc<str>, Arc<str>>;
type Targets = BTreeMap<Arc<str>, Tasks>;

fn members(all: &[(&str, &str)]) -> Members {
    all.iter().map(|(id, process)| (Arc::from(*id), Arc::from(*process))).collect()
}

fn run(members: &Members, before: &Targets, subtopologies: &Subtopologies, standbys: usize) -> Targets {
    let none = Tasks::default();
    let candidates: Vec<Candidate> = members
        .iter()
        .map(|(id, process)| Candidate {
            id: id.clone(),
            process: process.clone(),
            before: before.get(id).unwrap_or(&none),
        })
        .collect();
    let targets = assign(&candidates, subtopologies, standbys);
    check(members, &targets, subtopologies, standbys);
    targets
}

/// What every target keeps.
fn check(members: &Members, targets: &Targets, subtopologies: &Subtopologies, standbys: usize) {
    assert_eq!(targets.len(), members.len(), "every member has a target");
    let mut active: HashSet<(Arc<str>, i32)> = HashSet::new();
    let mut copies: HashMap<(Arc<str>, i32), HashSet<Arc<str>>> = HashMap::new();
    for (id, tasks) in targets {
        assert!(tasks.warmup.is_empty());
        let process = &members[id];
        for (role, all) in [("active", &tasks.active), ("standby", &tasks.standby)] {
            for task in all.iter().flat_map(|(s, partitions)| partitions.iter().map(|p| (s.clone(), *p))) {
                if role == "active" {
                    assert!(active.insert(task.clone()), "{task:?} has two owners");
                } else {
                    assert!(subtopologies[&task.0].is_stateful, "{task:?} keeps no state");
                }
                let fresh = copies.entry(task.clone()).or_default().insert(process.clone());
                assert!(fresh, "{task:?} twice in {process}");
            }
        }
    }
    let all: usize = subtopologies.values().map(|s| s.tasks as usize).sum();
    assert_eq!(active.len(), all, "every task has an owner");
    let processes = members.values().collect::<HashSet<_>>().len();
    for (task, places) in &copies {
        let wanted = if subtopologies[&task.0].is_stateful { (1 + standbys).min(processes) } else { 1 };
        assert_eq!(places.len(), wanted, "{task:?} is where it should be");
    }
}

fn count(tasks: &Tasks) -> usize {
    tasks.active.values().chain(tasks.standby.values()).map(|all| all.len()).sum()
}

fn active(tasks: &Tasks) -> usize {
    tasks.active.values().map(|all| all.len()).sum()
}

#[test]
fn a_fresh_group_shares_evenly() {
    let subtopologies = subtopologies(&[("0", 6, false), ("1", 6, true)]);
    let members = members(&[("a", "p"), ("b", "q"), ("c", "r")]);
    let targets = run(&members, &Targets::new(), &subtopologies, 1);
    for (id, tasks) in &targets {
        assert_eq!((active(tasks), count(tasks)), (4, 6), "{id}");
    }
}

#[test]
fn nothing_moves_where_nothing_changes() {
    let subtopologies = subtopologies(&[("0", 5, false), ("1", 7, true)]);
    let members = members(&[("a", "p"), ("b", "q"), ("c", "r")]);
    let first = run(&members, &Targets::new(), &subtopologies, 1);
    assert_eq!(run(&members, &first, &subtopologies, 1), first);
}

#[test]
fn a_new_member_takes_its_part_and_no_more() {
    let subtopologies = subtopologies(&[("0", 12, true)]);
    let before = run(&members(&[("a", "p"), ("b", "q")]), &Targets::new(), &subtopologies, 0);
    let after = run(&members(&[("a", "p"), ("b", "q"), ("c", "r")]), &before, &subtopologies, 0);
    for id in ["a", "b"] {
        let (before, after) = (&before[id].active["0"], &after[id].active["0"]);
        assert_eq!((after.len(), after.is_subset(before)), (4, true), "{id} only gives up");
    }
}

#[test]
fn who_follows_a_task_takes_it_over() {
    let subtopologies = subtopologies(&[("0", 4, true)]);
    let all = members(&[("a", "p"), ("b", "q")]);
    let before: Targets = [
        (
            Arc::from("a"),
            Tasks { active: sets(&[("0", &[0, 1])]), standby: sets(&[("0", &[2, 3])]), ..Tasks::default() },
        ),
        (
            Arc::from("b"),
            Tasks { active: sets(&[("0", &[2, 3])]), standby: sets(&[("0", &[0, 1])]), ..Tasks::default() },
        ),
    ]
    .into();
    assert_eq!(run(&all, &before, &subtopologies, 1), before);
    let alone = run(&members(&[("a", "p")]), &before, &subtopologies, 1);
    assert_eq!(alone["a"].active, sets(&[("0", &[0, 1, 2, 3])]));
    assert!(alone["a"].standby.is_empty(), "no other process to follow it");
}

#[test]
fn a_process_of_many_threads_gets_more() {
    let subtopologies = subtopologies(&[("0", 12, true)]);
    let members = members(&[("a1", "p"), ("a2", "p"), ("a3", "p"), ("b", "q")]);
    let targets = run(&members, &Targets::new(), &subtopologies, 0);
    assert!(targets.values().all(|tasks| active(tasks) == 3));
}

#[test]
fn no_members_no_tasks() {
    assert!(assign(&[], &subtopologies(&[("0", 3, true)]), 1).is_empty());
    let targets = run(&members(&[("a", "p")]), &Targets::new(), &Subtopologies::new(), 2);
    assert_eq!(targets["a"], Tasks::default());
}

#[test]
fn a_history_of_random_groups_stays_whole_even_and_sticky() {
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let standbys = rng.random_range(0..3);
        let all: Vec<(&str, i32, bool)> =
            ["0", "1", "2"].into_iter().map(|id| (id, rng.random_range(1..9), rng.random_bool(0.6))).collect();
        let subtopologies = subtopologies(&all);
        let mut group = Members::new();
        let mut targets = Targets::new();
        for round in 0..8 {
            for _ in 0..rng.random_range(0..3) {
                let (id, process) = (rng.random_range(0..8), rng.random_range(0..3));
                if rng.random_bool(0.6) {
                    group.entry(format!("m{id}").into()).or_insert(format!("p{process}").into());
                } else {
                    group.remove(&*format!("m{id}"));
                }
            }
            let before: Targets = targets.into_iter().filter(|(id, _)| group.contains_key(id)).collect();
            if group.is_empty() {
                targets = Targets::new();
                continue;
            }
            targets = run(&group, &before, &subtopologies, standbys);
            // An even target that is computed again stays: who is where follows from who was where.
            let again = run(&group, &targets, &subtopologies, standbys);
            let owners = |targets: &Targets| -> Vec<_> {
                targets.iter().map(|(id, tasks)| (id.clone(), tasks.active.clone())).collect()
            };
            let least = targets.values().map(active).min().unwrap_or(0);
            if targets.values().all(|tasks| active(tasks) <= least + 1) {
                assert_eq!(owners(&again), owners(&targets), "seed {seed}, round {round}");
            }
            let tasks: usize = subtopologies.values().map(|s| s.tasks as usize).sum();
            let most = targets.values().map(active).max().unwrap_or(0);
            assert!(most <= tasks.div_ceil(group.len()), "seed {seed}, round {round}: one has {most} of {tasks}");
        }
    }
}
