//! Clients that write transactions through a coordinator into partitions, and what must hold whatever happens.

use super::harness::{World, add_of, end_of, init_of, world};
use super::partitions::Partition;
use crate::base::{ErrorCode, ProducerEpoch, ProducerId, TopicPartition};
use crate::coordinator::machine::Token;
use crate::coordinator::transaction::{AddKind, Answer, Init, Request};
use crate::log::{AppendError, Guard, Verification};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashMap, HashSet};

const IDS: [&str; 3] = ["a", "b", "c"];
const PARTITIONS: i32 = 3;

type Who = (ProducerId, ProducerEpoch);

/// What a client does at the moment.
#[derive(Clone, Debug)]
enum Doing {
    Nothing,
    Beginning(Token),
    /// A transaction is open; nothing is asked.
    Open,
    Adding(Token, TopicPartition, Option<Guard>),
    Ending(Token, bool),
    /// It was fenced, or does not know where it stands: it begins anew or never comes back.
    Lost,
}

struct Client {
    id: &'static str,
    who: Option<Who>,
    doing: Doing,
    number: u64,
    sequences: HashMap<TopicPartition, i32>,
    added: HashSet<TopicPartition>,
}

/// The world, its partitions and clients.
pub struct Model {
    pub world: World,
    rng: StdRng,
    version: i16,
    partitions: BTreeMap<TopicPartition, Partition>,
    clients: Vec<Client>,
    numbers: u64,
    /// The newest producer each id was told of, when it began: older ones must not write any more.
    newest: HashMap<&'static str, Who>,
    /// What clients were told of their transactions.
    told: HashMap<u64, bool>,
    pub committed: usize,
}

impl Model {
    pub fn new(seed: u64, version: i16) -> Self {
        let mut world = world(version);
        world.at_once = false;
        let client = |n: usize| Client {
            id: IDS[n % IDS.len()],
            who: None,
            doing: Doing::Nothing,
            number: 0,
            sequences: HashMap::new(),
            added: HashSet::new(),
        };
        Self {
            world,
            rng: StdRng::seed_from_u64(seed),
            version,
            partitions: (0..PARTITIONS).map(|n| (TopicPartition::new("t", n), Partition::default())).collect(),
            // Two clients for each id: one of them is the zombie.
            clients: (0..IDS.len() * 2).map(client).collect(),
            numbers: 0,
            newest: HashMap::new(),
            told: HashMap::new(),
            committed: 0,
        }
    }

    /// One thing happens.
    pub fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..50 => self.client_acts(),
            50..75 => {
                let fails = self.rng.random_ratio(1, 12);
                self.world.commit_one(if fails { Err(ErrorCode::NotEnoughReplicas) } else { Ok(()) });
            }
            75..80 => self.world.bring_id(),
            80..93 => self.markers_are_tried(),
            93..98 => {
                let ms = if self.rng.random_ratio(1, 10) { 30_000 } else { 200 };
                self.world.tick(ms);
            }
            98 if self.rng.random_ratio(1, 2) => self.restart(),
            _ => self.clients_give_up(),
        }
        self.check();
    }

    fn check(&mut self) {
        let mut ends: HashMap<u64, bool> = self.told.clone();
        for partition in self.partitions.values_mut() {
            partition.check_last_stable();
            for (number, committed) in &partition.ended {
                let other = *ends.entry(*number).or_insert(*committed);
                assert_eq!(other, *committed, "transaction {number} is half committed, or not as was told");
            }
        }
    }

    /// Everybody is gone: what is open ends by itself.
    pub fn settle(&mut self) {
        for _ in 0..200 {
            while !self.world.writing.is_empty() || self.world.ids_wanted > 0 || !self.world.markers.is_empty() {
                self.world.commit_one(Ok(()));
                self.world.bring_id();
                self.write_markers(|_| true);
            }
            self.world.tick(5_000);
        }
        self.check();
        for (name, partition) in &self.partitions {
            assert!(!partition.has_open(), "a transaction hangs in {name}");
        }
    }

    fn restart(&mut self) {
        // Some of what was accepted is in the log, though nobody was told.
        for _ in 0..self.rng.random_range(0..3) {
            if let Some(append) = self.world.writing.pop_front() {
                self.world.log.extend(append.records);
            }
        }
        self.world.restart();
        for client in &mut self.clients {
            if !matches!(client.doing, Doing::Nothing | Doing::Open) {
                client.doing = Doing::Lost;
            }
        }
    }

    fn clients_give_up(&mut self) {
        let n = self.rng.random_range(0..self.clients.len());
        // Also one that waits: its answer is lost.
        self.clients[n].doing = Doing::Lost;
    }

    fn markers_are_tried(&mut self) {
        let mut rng = self.rng.clone();
        self.write_markers(|_| rng.random_ratio(4, 5));
        self.rng = rng;
    }

    fn write_markers(&mut self, mut reachable: impl FnMut(&TopicPartition) -> bool) {
        let Some(work) = self.world.markers.pop_front() else { return };
        let mut results = Vec::new();
        for name in &work.partitions {
            let partition = self.partitions.get_mut(name).unwrap();
            let error = match reachable(name).then(|| partition.end(&work, self.world.now.wall)) {
                None => ErrorCode::NotLeaderOrFollower,
                Some(Ok(())) => ErrorCode::None,
                Some(Err(error)) => panic!("a marker is refused: {error:?} {work:?}"),
            };
            results.push((name.clone(), error));
        }
        self.world.markers_done(work, results);
    }

    fn client_acts(&mut self) {
        let n = self.rng.random_range(0..self.clients.len());
        match self.clients[n].doing.clone() {
            Doing::Nothing | Doing::Lost => self.begins(n),
            Doing::Open if self.rng.random_ratio(3, 5) => self.writes(n),
            Doing::Open => self.ends(n),
            Doing::Beginning(token) => {
                if let Some(Answer::Producer(answer)) = self.world.answers.remove(&token) {
                    self.has_begun(n, answer);
                }
            }
            Doing::Adding(token, partition, guard) => {
                if let Some(Answer::Added(results)) = self.world.answers.remove(&token) {
                    self.has_added(n, partition, guard, results[0].1);
                }
            }
            Doing::Ending(token, commit) => {
                if let Some(Answer::Producer(answer)) = self.world.answers.remove(&token) {
                    self.has_ended(n, commit, answer);
                }
            }
        }
    }

    fn begins(&mut self, n: usize) {
        let (id, who) = (self.clients[n].id, self.clients[n].who);
        let expected = who.filter(|_| self.rng.random_ratio(1, 3));
        let token = self.world.ask(Request::Init(Init { expected, ..init_of(id) }));
        self.clients[n].doing = Doing::Beginning(token);
    }

    fn has_begun(&mut self, n: usize, answer: Result<Who, ErrorCode>) {
        let client = &mut self.clients[n];
        match answer {
            Ok(who) => {
                // An old answer that is read late says nothing of who is the newest.
                let newest = self.newest.entry(client.id).or_insert(who);
                if who.0.0 > newest.0.0 || (who.0 == newest.0 && who.1 > newest.1) {
                    *newest = who;
                }
                client.who = Some(who);
                self.open_next(n);
            }
            Err(_) => {
                client.who = None;
                client.doing = Doing::Lost;
            }
        }
    }

    fn open_next(&mut self, n: usize) {
        self.numbers += 1;
        let client = &mut self.clients[n];
        client.number = self.numbers;
        client.added.clear();
        if self.version >= 2 || client.sequences.is_empty() {
            client.sequences.clear();
        }
        client.doing = Doing::Open;
    }

    fn writes(&mut self, n: usize) {
        let Some(who) = self.clients[n].who else { return self.clients[n].doing = Doing::Lost };
        let partition = TopicPartition::new("t", self.rng.random_range(0..PARTITIONS));
        if self.version < 2 && !self.clients[n].added.contains(&partition) {
            let add = add_of(self.clients[n].id, who, &[partition.clone()], AddKind::Explicit);
            let token = self.world.ask(Request::Add(add));
            self.clients[n].doing = Doing::Adding(token, partition, None);
            return;
        }
        self.append(n, partition, Verification::Wanted { raises_epochs: self.version >= 2 });
    }

    fn append(&mut self, n: usize, name: TopicPartition, sure: Verification) {
        let client = &mut self.clients[n];
        let Some(who) = client.who else { return };
        let sequence = client.sequences.get(&name).copied().unwrap_or(0);
        let partition = self.partitions.get_mut(&name).unwrap();
        match partition.write(who, sequence, sure, client.number, self.world.now) {
            Ok(()) => {
                let newest = self.newest[client.id];
                assert!(
                    who.0.0 > newest.0.0 || (who.0 == newest.0 && who.1 >= newest.1),
                    "a zombie of {} writes",
                    client.id
                );
                client.sequences.insert(name, sequence + 1);
                client.doing = Doing::Open;
            }
            Err(AppendError::Unverified(guard)) => {
                let kind = if self.version >= 2 { AddKind::Implicit } else { AddKind::Verify };
                let token = self.world.ask(Request::Add(add_of(client.id, who, &[name.clone()], kind)));
                client.doing = Doing::Adding(token, name, Some(guard));
            }
            Err(_) => client.doing = Doing::Lost,
        }
    }

    fn has_added(&mut self, n: usize, partition: TopicPartition, guard: Option<Guard>, error: ErrorCode) {
        match error {
            ErrorCode::None if guard.is_some() => self.append(n, partition, Verification::Given(guard)),
            ErrorCode::None => {
                self.clients[n].added.insert(partition);
                self.clients[n].doing = Doing::Open;
            }
            ErrorCode::ConcurrentTransactions | ErrorCode::CoordinatorNotAvailable => {
                self.clients[n].doing = Doing::Open;
            }
            _ => self.clients[n].doing = Doing::Lost,
        }
    }

    fn ends(&mut self, n: usize) {
        let commit = self.rng.random_ratio(3, 4);
        self.asks_to_end(n, commit);
    }

    fn asks_to_end(&mut self, n: usize, commit: bool) {
        let Some(who) = self.clients[n].who else { return self.clients[n].doing = Doing::Lost };
        let token = self.world.ask(Request::End(end_of(self.clients[n].id, who, commit, self.version)));
        self.clients[n].doing = Doing::Ending(token, commit);
    }

    fn has_ended(&mut self, n: usize, commit: bool, answer: Result<Who, ErrorCode>) {
        match answer {
            Ok(next) => {
                let client = &mut self.clients[n];
                self.told.insert(client.number, commit);
                self.committed += usize::from(commit);
                if self.version >= 2 {
                    client.who = Some(next);
                }
                self.open_next(n);
            }
            // It asks again; the answer to the first may have been lost as well.
            Err(ErrorCode::ConcurrentTransactions | ErrorCode::CoordinatorNotAvailable) => self.asks_to_end(n, commit),
            Err(_) => self.clients[n].doing = Doing::Lost,
        }
    }
}
