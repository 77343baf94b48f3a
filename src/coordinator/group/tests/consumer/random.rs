//! Members come, go, fall silent and lose answers in any order, topics come and grow, the coordinator starts anew, the
//! log fails single appends of members that ask together.
//! At no time do two members believe that a partition is theirs, epochs never go back, and in the end everything is
//! assigned. `World::step` checks the coordinator's own bookkeeping.

use super::support::*;
use crate::base::Uuid;
use crate::coordinator::group::Token;
use crate::coordinator::group::tests::harness::World;
use crate::protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{HashMap, HashSet};

const RUNS: u64 = 60;
const STEPS: usize = 200;
/// The session timeout and a bit.
const SESSION_MS: i64 = 45_100;

/// A client as the coordinator's answers make it.
#[derive(Clone)]
struct Client {
    id: String,
    epoch: i32,
    /// Partitions it reads from.
    owned: Parts,
    /// It was told to give these up and has not yet.
    giving_up: Parts,
    topics: Vec<&'static str>,
    static_id: Option<String>,
    /// When it last sent a heartbeat that arrived; it stops reading after its session.
    heard: i64,
}

struct Model {
    seed: u64,
    rng: StdRng,
    world: World,
    clients: Vec<Client>,
    next_id: u32,
    sizes: HashMap<Uuid, i32>,
    now: i64,
}

fn id_of(name: &str) -> Uuid {
    Uuid([name.as_bytes()[0]; 16])
}

const TOPICS: [&str; 3] = ["t", "u", "v"];

impl Model {
    fn new(seed: u64) -> Self {
        let mut world = consumer_world();
        world.metadata(removed(T));
        world.metadata(removed(U));
        let rng = StdRng::seed_from_u64(seed);
        Self { seed, rng, world, clients: Vec::new(), next_id: 0, sizes: HashMap::new(), now: 0 }
    }

    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..12 if self.clients.len() < 8 => self.join(),
            12..62 => self.beat_somebody(),
            62..70 => self.beats_on_a_failing_log(),
            70..74 => self.leave(),
            74..78 => self.vanish(),
            78..82 => self.change_subscription(),
            82..87 => self.topics(),
            87..90 => self.world.restart(),
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
        // A client that could not reach the coordinator for its session stops reading.
        let now = self.now;
        self.clients.retain(|client| now - client.heard < SESSION_MS - 200);
    }

    fn wanted(&mut self) -> Vec<&'static str> {
        let all: Vec<&'static str> = TOPICS.into_iter().filter(|_| self.rng.random_bool(0.7)).collect();
        if all.is_empty() { vec!["t"] } else { all }
    }

    fn join(&mut self) {
        self.next_id += 1;
        let (id, topics) = (format!("m{}", self.next_id), self.wanted());
        let static_id = self.rng.random_bool(0.2).then(|| format!("i{}", self.next_id));
        let client =
            Client { id, epoch: 0, owned: Parts::new(), giving_up: Parts::new(), topics, static_id, heard: self.now };
        self.clients.push(client);
        let last = self.clients.len() - 1;
        self.beat(last);
    }

    fn beat_somebody(&mut self) {
        if !self.clients.is_empty() {
            let index = self.rng.random_range(0..self.clients.len());
            self.may_give_up(index);
            self.beat(index);
        }
    }

    fn may_give_up(&mut self, index: usize) {
        if self.rng.random_bool(0.6) {
            let client = &mut self.clients[index];
            for gone in std::mem::take(&mut client.giving_up) {
                client.owned.remove(&gone);
            }
        }
    }

    /// Many ask before the log has any of it; then each append fails or not.
    fn beats_on_a_failing_log(&mut self) {
        self.world.commits_at_once = false;
        let mut asked = Vec::new();
        for index in 0..self.clients.len() {
            self.may_give_up(index);
            let request = self.request(index);
            asked.push((index, self.world.ask_beat_v(1, request)));
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

    fn request(&self, index: usize) -> ConsumerGroupHeartbeatRequest {
        let client = &self.clients[index];
        let instance_id = client.static_id.as_deref().map(Into::into);
        let request = match client.epoch {
            0 => joining(&client.id, &client.topics),
            epoch => ConsumerGroupHeartbeatRequest {
                rebalance_timeout_ms: 30_000,
                subscribed_topic_names: Some(client.topics.iter().map(|topic| (*topic).into()).collect()),
                ..owning(&client.id, epoch, &client.owned)
            },
        };
        ConsumerGroupHeartbeatRequest { instance_id, ..request }
    }

    fn beat(&mut self, index: usize) {
        let request = self.request(index);
        let token = self.world.ask_beat_v(1, request);
        self.hear(index, token);
    }

    fn hear(&mut self, index: usize, token: Token) {
        let told = told(self.world.answer::<ConsumerGroupHeartbeatResponse>(token).expect("an answer"));
        let lost = self.rng.random_bool(0.1);
        let client = &mut self.clients[index];
        if lost {
            // The client asks again with what it knew.
            return;
        }
        match told.error {
            0 => {
                assert!(told.epoch >= client.epoch, "seed {}: {} went back", self.seed, client.id);
                client.epoch = told.epoch;
                client.heard = self.now;
                if let Some(assigned) = told.assigned {
                    client.giving_up = client.owned.difference(&assigned).copied().collect();
                    client.owned.extend(assigned);
                }
            }
            // Fenced or unknown: it gives up everything and joins again.
            // A static member whose place is not free (its first answer was lost) comes again until it is.
            25 | 82 | 110 | 111 => {
                client.epoch = 0;
                client.owned.clear();
                client.giving_up.clear();
            }
            // It was not written: the client asks again with what it knew.
            15 => {}
            other => panic!("seed {}: {} was told {other}", self.seed, client.id),
        }
    }

    fn leave(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let index = self.rng.random_range(0..self.clients.len());
        let client = self.clients.remove(index);
        if client.epoch > 0 {
            let instance_id = client.static_id.as_deref().map(Into::into);
            let request = ConsumerGroupHeartbeatRequest { instance_id, ..beating(&client.id, -1) };
            let error = self.world.beat(request).error;
            assert!([0, 25, 69].contains(&error), "seed {}: {error}", self.seed);
        }
    }

    /// The process dies: nobody tells the coordinator.
    fn vanish(&mut self) {
        if !self.clients.is_empty() {
            let index = self.rng.random_range(0..self.clients.len());
            self.clients.remove(index);
        }
    }

    fn change_subscription(&mut self) {
        if !self.clients.is_empty() {
            let index = self.rng.random_range(0..self.clients.len());
            self.clients[index].topics = self.wanted();
        }
    }

    fn topics(&mut self) {
        let name = TOPICS[self.rng.random_range(0..TOPICS.len())];
        let id = id_of(name);
        let size = self.sizes.get(&id).copied().unwrap_or(0);
        if size == 0 {
            let size = self.rng.random_range(1..5);
            self.world.metadata(topic(name, id, 0..size));
            self.sizes.insert(id, size);
        } else if size < 9 {
            self.world.metadata(topic(name, id, size..size + 1));
            self.sizes.insert(id, size + 1);
        }
    }

    /// No partition is read by two members. Who is none any more, having given up too late, learns it with its next
    /// heartbeat.
    fn check(&mut self) {
        let members: HashSet<String> = self.world.group().members.iter().map(|m| m.member_id.to_string()).collect();
        let mut readers: HashMap<(Uuid, i32), &str> = HashMap::new();
        for client in self.clients.iter().filter(|client| members.contains(&client.id)) {
            for partition in &client.owned {
                let other = readers.insert(*partition, &client.id);
                assert_eq!(other, None, "seed {}: {partition:?} is also read by {}", self.seed, client.id);
            }
        }
    }

    /// Everybody sends heartbeats for long enough: all that is asked for is read by somebody.
    fn calm_down(&mut self) {
        for _ in 0..40 {
            for index in 0..self.clients.len() {
                for gone in std::mem::take(&mut self.clients[index].giving_up) {
                    self.clients[index].owned.remove(&gone);
                }
                self.beat(index);
                self.check();
            }
            self.pass(3_000);
        }
        for index in 0..self.clients.len() {
            for gone in std::mem::take(&mut self.clients[index].giving_up) {
                self.clients[index].owned.remove(&gone);
            }
        }
        let wanted: Parts = self
            .clients
            .iter()
            .flat_map(|client| client.topics.iter().map(|topic| id_of(topic)))
            .flat_map(|id| (0..self.sizes.get(&id).copied().unwrap_or(0)).map(move |partition| (id, partition)))
            .collect();
        let read: Parts = self.clients.iter().flat_map(|client| client.owned.iter().copied()).collect();
        assert_eq!(read, wanted, "seed {}: what is asked for is read", self.seed);
    }
}

#[test]
fn any_order_keeps_one_owner_and_ends_with_all_assigned() {
    for seed in 0..RUNS {
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            model.step();
        }
        model.calm_down();
    }
}
