//! Clients that do anything in any order, against a log that sometimes fails.

use super::harness::*;
use crate::base::ErrorCode;
use crate::coordinator::group::{Answer, Request};
use crate::protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// One run: what clients know of ids and generations is a mixture of right, old and wrong.
struct Run {
    w: World,
    rng: StdRng,
    ids: Vec<String>,
    generation: i32,
    asked: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut w = world();
        w.commits_at_once = false;
        Self { w, rng: StdRng::seed_from_u64(seed), ids: vec!["".into()], generation: 0, asked: 0 }
    }

    fn id(&mut self) -> String {
        self.ids.choose(&mut self.rng).expect("at least the empty one").clone()
    }

    fn generation(&mut self) -> i32 {
        self.generation - i32::from(self.rng.random_ratio(1, 8))
    }

    fn join(&mut self) {
        let names: &[&str] = [&["range"][..], &["sticky", "range"], &["sticky"]][self.rng.random_range(0..3)];
        let instance = ["i1", "i2"].choose(&mut self.rng).filter(|_| self.rng.random_ratio(1, 3)).copied();
        let request = JoinGroupRequest {
            group_instance_id: instance.map(Into::into),
            protocols: names.iter().map(|name| protocol(name, &["t"])).collect(),
            session_timeout_ms: self.rng.random_range(6_000..20_000),
            ..join_request("")
        };
        let member_id = self.id().as_str().into();
        let version = self.rng.random_range(0..=9);
        let token = self.w.join_v(version, JoinGroupRequest { member_id, ..request });
        self.learn(token);
    }

    fn learn(&mut self, token: crate::coordinator::group::Token) {
        if let Some(answer) = self.w.answer::<Answer>(token) {
            self.asked -= 1;
            self.take(answer);
        }
    }

    fn take(&mut self, answer: Answer) {
        if let Answer::Join(JoinGroupResponse { member_id, generation_id, .. }) = answer {
            if !member_id.is_empty() && !self.ids.iter().any(|id| *id == *member_id) {
                self.ids.push(member_id.to_string());
            }
            self.generation = self.generation.max(generation_id);
        }
    }

    fn step(&mut self) {
        self.asked += 1;
        let (id, generation) = (self.id(), self.generation());
        match self.rng.random_range(0..14) {
            0..=3 => self.join(),
            4 | 5 => {
                let other = self.id();
                self.w.sync(&id, generation, &[(&other, "share")]);
            }
            6 => {
                self.w.commit(&id, generation, 1);
            }
            7 => {
                self.w.leave(&[(&id, None), ("", Some("i1"))]);
            }
            8 => {
                self.w.ask(Request::Fetch(World::fetch_request(), true));
            }
            9 => {
                self.w.ask(Request::Delete(vec!["g".into()]));
            }
            10 => {
                self.asked -= 1;
                self.w.heartbeat(&id, generation);
            }
            11 => {
                self.asked -= 1;
                self.w.pass(i64::from(self.rng.random_range(1..8_000)));
            }
            _ => {
                self.asked -= 1;
                self.log_moves();
            }
        }
    }

    fn log_moves(&mut self) {
        if self.w.writing.is_empty() {
            return;
        }
        match self.rng.random_range(0..5) {
            0 => self.w.fail_next(ErrorCode::NotEnoughReplicas),
            _ => self.w.commit_all(),
        }
    }
}

#[test]
fn every_request_is_answered_once_and_the_group_stays_whole() {
    for seed in 0..200 {
        let mut run = Run::new(seed);
        for _ in 0..300 {
            run.step();
        }
        // The log goes on, and whoever is silent goes: in the end nobody waits.
        run.w.commits_at_once = true;
        run.w.commit_all();
        run.w.pass(3_600_000);
        assert_eq!(run.w.answers_left() as u64, run.asked, "seed {seed}: who waits for ever");
        assert_ne!(run.w.state(), "Stable", "seed {seed}");
    }
}

#[test]
fn resigning_leaves_nobody_waiting() {
    for seed in 0..100 {
        let mut run = Run::new(seed);
        for _ in 0..200 {
            run.step();
        }
        run.w.resign();
        assert_eq!(run.w.answers_left() as u64, run.asked, "seed {seed}: who waits for ever");
        assert_eq!(run.w.groups.next_deadline(), None);
    }
}
