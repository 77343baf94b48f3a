//! Members of both protocols in one group, in any order, against a log that is slow and fails single appends, with
//! restarts. The group changes its kind to and fro. Every request is answered once, no partition has two holders
//! (`World::step` checks that), and whenever the log has all, reading it gives what memory has.

use super::support::*;
use crate::coordinator::group::tests::harness::{World, join_request};
use crate::coordinator::group::{Answer, Request, Token};
use crate::protocol::messages::consumer_group_describe_response::DescribedGroup;
use crate::protocol::messages::{ConsumerGroupHeartbeatResponse, HeartbeatRequest, JoinGroupRequest};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;

const RUNS: u64 = 150;
const STEPS: usize = 250;

struct Model {
    seed: u64,
    rng: StdRng,
    world: World,
    /// Ids and epochs of members of the new protocol, as last heard.
    consumers: Vec<(String, i32)>,
    /// Ids of classic members, right and old ones.
    classic: Vec<String>,
    generation: i32,
    next_id: u32,
    /// Answers that have not come yet.
    waiting: BTreeSet<Token>,
    /// Groups that were seen of each kind.
    seen: (usize, usize),
}

impl Model {
    fn new(seed: u64) -> Self {
        let (rng, world) = (StdRng::seed_from_u64(seed), consumer_world());
        Self {
            seed,
            rng,
            world,
            consumers: Vec::new(),
            classic: vec![String::new()],
            generation: 0,
            next_id: 0,
            waiting: BTreeSet::new(),
            seen: (0, 0),
        }
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..8 => self.consumer_joins(),
            8..30 => self.consumer_beats(),
            30..36 => self.consumer_leaves(),
            36..50 => self.classic_joins(),
            50..58 => self.classic_syncs(),
            58..66 => self.classic_beats(),
            66..70 => self.classic_leaves(),
            70..73 => drop(self.ask(Request::Fetch(World::fetch_request(), true))),
            73..76 => drop(self.ask(Request::Commit(Default::default(), World::commit_request("", -1, 7)))),
            76..86 => self.log_moves(),
            86..89 => self.restarts(),
            _ => {
                let ms = self.rng.random_range(1..9_000);
                self.world.pass(ms);
            }
        }
        self.hear();
        self.seen.0 += usize::from(!self.world.groups.groups.is_empty());
        self.seen.1 += usize::from(!self.world.groups.consumers.is_empty());
        assert!(self.world.groups.len() <= 1, "seed {}: a group is of one kind", self.seed);
    }

    fn ask(&mut self, request: Request) -> Token {
        let token = self.world.ask(request);
        self.waiting.insert(token);
        token
    }

    /// Takes the answers that have come; what they say of ids and epochs is remembered.
    fn hear(&mut self) {
        for token in self.waiting.clone() {
            let Some(answer) = self.world.answer::<Answer>(token) else { continue };
            self.waiting.remove(&token);
            match answer {
                Answer::Join(join) => {
                    self.generation = self.generation.max(join.generation_id);
                    if !join.member_id.is_empty() && !self.classic.iter().any(|id| *id == *join.member_id) {
                        self.classic.push(join.member_id.to_string());
                    }
                }
                Answer::ConsumerHeartbeat(answer) => self.take(&answer),
                _ => {}
            }
        }
    }

    fn take(&mut self, answer: &ConsumerGroupHeartbeatResponse) {
        let Some(id) = answer.member_id.as_deref() else { return };
        if answer.error_code == 0
            && let Some(member) = self.consumers.iter_mut().find(|(known, _)| *known == *id)
        {
            member.1 = answer.member_epoch;
        }
    }

    fn beat(&mut self, request: crate::protocol::messages::ConsumerGroupHeartbeatRequest) {
        let token = self.world.ask_beat_v(1, request);
        self.waiting.insert(token);
    }

    fn consumer_joins(&mut self) {
        self.next_id += 1;
        let id = format!("m{}", self.next_id);
        self.beat(joining(&id, &["t", "u"]));
        self.consumers.push((id, 0));
    }

    fn consumer_beats(&mut self) {
        let Some((id, epoch)) = self.consumers.choose(&mut self.rng).cloned() else { return };
        if epoch == 0 {
            return self.beat(joining(&id, &["t"]));
        }
        // It owns what the coordinator thinks it should own: giving up is quick.
        let target = self.world.groups.consumers.get("g").and_then(|group| group.target_of(&id).cloned());
        let owned: Parts =
            target.iter().flat_map(|t| t.iter()).flat_map(|(t, all)| all.iter().map(|p| (*t, *p))).collect();
        self.beat(owning(&id, epoch, &owned));
    }

    fn consumer_leaves(&mut self) {
        if let Some(at) = (!self.consumers.is_empty()).then(|| self.rng.random_range(0..self.consumers.len())) {
            let (id, _) = self.consumers.remove(at);
            self.beat(beating(&id, -1));
        }
    }

    fn a_classic_id(&mut self) -> String {
        self.classic.choose(&mut self.rng).cloned().unwrap_or_default()
    }

    fn classic_joins(&mut self) {
        let request = JoinGroupRequest { member_id: self.a_classic_id().into(), ..join_request("") };
        let version = self.rng.random_range(0..=9);
        let token = self.world.join_v(version, request);
        self.waiting.insert(token);
    }

    fn classic_syncs(&mut self) {
        let (id, generation) = (self.a_classic_id(), self.a_generation());
        let token = self.world.sync(&id, generation, &[]);
        self.waiting.insert(token);
    }

    fn a_generation(&mut self) -> i32 {
        self.generation - i32::from(self.rng.random_ratio(1, 8))
    }

    fn classic_beats(&mut self) {
        let (id, generation_id) = (self.a_classic_id(), self.a_generation());
        let member_id = id.as_str().into();
        self.ask(Request::Heartbeat(HeartbeatRequest {
            group_id: "g".into(),
            generation_id,
            member_id,
            group_instance_id: None,
        }));
    }

    fn classic_leaves(&mut self) {
        let id = self.a_classic_id();
        let token = self.world.leave(&[(&id, None)]);
        self.waiting.insert(token);
    }

    fn log_moves(&mut self) {
        self.world.commits_at_once = self.rng.random_bool(0.5);
        if self.world.commits_at_once {
            return self.world.commit_all();
        }
        if !self.world.writing.is_empty() {
            self.world.append_ends(self.rng.random_ratio(1, 4));
        }
    }

    fn described(&mut self) -> DescribedGroup {
        self.world.group()
    }

    /// A restart with everything in the log changes nothing of a consumer group.
    fn restarts(&mut self) {
        let lost_some = self.rng.random_bool(0.5) && !self.world.writing.is_empty();
        if lost_some {
            self.world.resign();
            self.hear();
            assert!(self.waiting.is_empty(), "seed {}: who waits for ever: {:?}", self.seed, self.waiting);
        } else {
            self.world.commit_all();
        }
        self.hear();
        let before = (!lost_some).then(|| (self.described(), self.world.offset_if_any()));
        // Joins and syncs that wait are told to go elsewhere.
        self.world.resign();
        self.hear();
        assert!(self.waiting.is_empty(), "seed {}: who waits for ever: {:?}", self.seed, self.waiting);
        self.world.restart();
        if let Some(before) = before {
            let after = (self.described(), self.world.offset_if_any());
            assert_eq!(after, before, "seed {}: memory and log say the same", self.seed);
        }
    }
}

#[test]
fn both_protocols_in_any_order_leave_the_group_whole() {
    let mut seen = (0, 0);
    for seed in 0..RUNS {
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            model.step();
        }
        model.world.commits_at_once = true;
        model.world.commit_all();
        // Whoever is silent goes: in the end nobody waits.
        model.world.pass(3_600_000);
        model.hear();
        assert!(model.waiting.is_empty(), "seed {seed}: who waits for ever: {:?}", model.waiting);
        seen = (seen.0 + model.seen.0, seen.1 + model.seen.1);
    }
    assert!(seen.0 > 1_000 && seen.1 > 1_000, "the group was of either kind: {seen:?}");
}
