//! Threads of several processes come, go, fall silent and lose answers in any order, topics go and come, the
//! coordinator starts anew, the log fails single appends of threads that ask together. At no time do two threads believe that an active task is theirs, nor one process that it
//! has a task twice; epochs never go back, and in the end every task has an owner. `World::step` checks the
//! coordinator's own bookkeeping.

use super::support::*;
use crate::coordinator::group::Token;
use crate::coordinator::group::tests::consumer::{removed, topic};
use crate::coordinator::group::tests::harness::World;
use crate::protocol::messages::StreamsGroupHeartbeatRequest;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{HashMap, HashSet};

const RUNS: u64 = 60;
const STEPS: usize = 200;
/// The session timeout and a bit.
const SESSION_MS: i64 = 45_100;

/// A thread as the coordinator's answers make it.
#[derive(Clone)]
struct Thread {
    id: String,
    process: String,
    epoch: i32,
    /// Tasks it runs.
    has: Has,
    /// What it was last told to have; it gives up what is not in it, later.
    told: Has,
    /// When it last sent a heartbeat that arrived; it stops after its session.
    heard: i64,
}

struct Model {
    seed: u64,
    rng: StdRng,
    world: World,
    threads: Vec<Thread>,
    next_id: u32,
    has_source: bool,
    now: i64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let world = standby_world((seed % 3) as i32);
        let rng = StdRng::seed_from_u64(seed);
        Self { seed, rng, world, threads: Vec::new(), next_id: 0, has_source: true, now: 0 }
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..12 if self.threads.len() < 8 => self.join(),
            12..64 => self.beat_somebody(),
            64..72 => self.beats_on_a_failing_log(),
            72..76 => self.leave(),
            76..79 => self.vanish(),
            79..83 => self.topics(),
            83..87 => self.world.restart(),
            _ => {
                let ms = self.rng.random_range(1..9_000);
                self.pass(ms);
            }
        }
        self.check();
    }

    fn pass(&mut self, ms: i64) {
        self.world.pass(ms);
        self.now += ms;
        // A thread that could not reach the coordinator for its session gives up its tasks.
        let now = self.now;
        self.threads.retain(|thread| now - thread.heard < SESSION_MS - 200);
    }

    fn join(&mut self) {
        self.next_id += 1;
        let process = format!("p{}", self.rng.random_range(0..3));
        let id = format!("m{}", self.next_id);
        let (has, told) = (Has::default(), Has::default());
        self.threads.push(Thread { id, process, epoch: 0, has, told, heard: self.now });
        let last = self.threads.len() - 1;
        self.beat(last);
    }

    fn beat_somebody(&mut self) {
        if self.threads.is_empty() {
            return;
        }
        let index = self.rng.random_range(0..self.threads.len());
        if self.rng.random_bool(0.6) {
            self.threads[index].give_up();
        }
        self.beat(index);
    }

    /// Many ask before the log has any of it; then each append fails or not.
    fn beats_on_a_failing_log(&mut self) {
        self.world.commits_at_once = false;
        let mut asked = Vec::new();
        for index in 0..self.threads.len() {
            if self.rng.random_bool(0.6) {
                self.threads[index].give_up();
            }
            let request = self.request(index);
            asked.push((index, self.world.ask_streams(request)));
            if self.rng.random_bool(0.3) {
                self.append_ends();
            }
        }
        while !self.world.writing.is_empty() {
            self.append_ends();
        }
        self.world.commits_at_once = true;
        for (index, token) in asked {
            self.hear(index, token);
            self.check();
        }
    }

    fn append_ends(&mut self) {
        self.world.append_ends(self.rng.random_ratio(1, 3));
    }

    fn request(&self, index: usize) -> StreamsGroupHeartbeatRequest {
        let thread = &self.threads[index];
        match thread.epoch {
            0 => StreamsGroupHeartbeatRequest {
                process_id: Some(thread.process.as_str().into()),
                // Who is slow to give up is out with its session only: a client would notice before.
                rebalance_timeout_ms: 600_000,
                ..joining(&thread.id)
            },
            epoch => owning(&thread.id, epoch, &thread.has),
        }
    }

    fn beat(&mut self, index: usize) {
        let request = self.request(index);
        let token = self.world.ask_streams(request);
        self.hear(index, token);
    }

    fn hear(&mut self, index: usize, token: Token) {
        let told = told(self.world.answer(token).expect("an answer"));
        let (now, lost) = (self.now, self.rng.random_bool(0.1));
        let thread = &mut self.threads[index];
        match told.error {
            0 if lost => thread.heard = now,
            0 => {
                assert!(told.epoch >= thread.epoch, "seed {}: {} went back", self.seed, thread.id);
                thread.heard = now;
                thread.epoch = told.epoch;
                if let Some(has) = told.has {
                    // What is new is begun at once.
                    thread.has.active.extend(has.active.iter().cloned());
                    thread.has.standby.extend(has.standby.iter().cloned());
                    thread.told = has;
                }
            }
            25 | 110 => {
                thread.epoch = 0;
                (thread.has, thread.told) = (Has::default(), Has::default());
            }
            // It was not written: the thread asks again with what it knew.
            15 => {}
            other => panic!("seed {}: error {other}", self.seed),
        }
    }

    fn leave(&mut self) {
        if !self.threads.is_empty() {
            let index = self.rng.random_range(0..self.threads.len());
            let thread = self.threads.swap_remove(index);
            if thread.epoch > 0 {
                self.world.stream(beating(&thread.id, -1));
            }
        }
    }

    fn vanish(&mut self) {
        if !self.threads.is_empty() {
            let index = self.rng.random_range(0..self.threads.len());
            self.threads.swap_remove(index);
        }
    }

    fn topics(&mut self) {
        self.has_source = !self.has_source;
        let records = if self.has_source { topic("in", IN, 0..3) } else { removed(IN) };
        self.world.metadata(records);
    }

    fn check(&self) {
        let mut owners = HashSet::new();
        let mut in_process: HashMap<&str, All> = HashMap::new();
        for thread in &self.threads {
            for task in &thread.has.active {
                assert!(owners.insert(task.clone()), "seed {}: {task:?} has two owners", self.seed);
            }
            let all = in_process.entry(&thread.process).or_default();
            for task in thread.has.active.iter().chain(&thread.has.standby) {
                assert!(all.insert(task.clone()), "seed {}: {task:?} twice in {}", self.seed, thread.process);
            }
        }
    }

    fn settle(&mut self) {
        if !self.has_source {
            self.topics();
        }
        // Those that vanished are found out.
        for _ in 0..6 {
            self.pass(8_000);
            for index in 0..self.threads.len() {
                self.threads[index].give_up();
                self.beat(index);
            }
        }
        for _ in 0..40 {
            for index in 0..self.threads.len() {
                self.threads[index].give_up();
                self.beat(index);
                self.check();
            }
        }
        if !self.threads.is_empty() {
            let owned: usize = self.threads.iter().map(|thread| thread.has.active.len()).sum();
            assert_eq!(owned, 6, "seed {}: every task has an owner", self.seed);
            assert_eq!(self.world.streams_state(), "Stable", "seed {}", self.seed);
        }
    }
}

impl Thread {
    fn give_up(&mut self) {
        self.has.active.retain(|task| self.told.active.contains(task));
        self.has.standby.retain(|task| self.told.standby.contains(task));
    }
}

#[test]
fn whatever_happens_a_task_has_one_owner() {
    for seed in 0..RUNS {
        let mut model = Model::new(seed);
        (0..STEPS).for_each(|_| model.step());
        model.settle();
    }
}
