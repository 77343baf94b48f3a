//! A coordinator, a clock, a log in memory, and what it asks of the broker.

use crate::base::{
    ErrorCode, Instant, LeaderEpoch, Now, Offset, ProducerEpoch, ProducerId, TimestampMs, TopicPartition,
};
use crate::coordinator::machine::{Append, Entry, Machine, Record, Token};
use crate::coordinator::transaction::{
    Add, AddKind, Answer, Effects, End, Init, InitAnswer, MarkerWork, Request, Step, TransactionNumbers, Transactions,
    TxnState, Work,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

pub const TIMEOUT_MS: i32 = 60_000;

/// The world around one coordinator. What it wants done waits until somebody does it, unless `at_once`.
pub struct World {
    pub machine: Transactions,
    pub numbers: TransactionNumbers,
    pub now: Now,
    /// What is committed.
    pub log: Vec<Record>,
    /// Accepted, not yet committed.
    pub writing: VecDeque<Append>,
    /// Appends commit and producer ids come at once.
    pub at_once: bool,
    /// Markers to be written.
    pub markers: VecDeque<MarkerWork>,
    pub ids_wanted: usize,
    pub next_id: i64,
    pub answers: HashMap<Token, Answer>,
    last_token: u64,
}

pub fn world(version: i16) -> World {
    let numbers = TransactionNumbers { version, ..TransactionNumbers::default() };
    let now = Now { mono: Instant(1), wall: TimestampMs(1_700_000_000_000) };
    let mut world = World {
        machine: Transactions::new(numbers.clone()),
        numbers,
        now,
        log: Vec::new(),
        writing: VecDeque::new(),
        at_once: true,
        markers: VecDeque::new(),
        ids_wanted: 0,
        next_id: 1000,
        answers: HashMap::new(),
        last_token: 0,
    };
    world.step(|machine, step| machine.loaded(LeaderEpoch(3), step));
    world
}

pub fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

pub fn init_of(id: &str) -> Init {
    Init {
        transactional_id: Arc::from(id),
        timeout_ms: TIMEOUT_MS,
        expected: None,
        enable_2pc: false,
        keep_prepared: false,
    }
}

impl World {
    pub fn step(&mut self, f: impl FnOnce(&mut Transactions, &mut Step)) -> Token {
        self.last_token += 1;
        let token = Token(self.last_token);
        let mut fx = Effects::default();
        f(&mut self.machine, &mut Step { token, now: self.now, random: [0; 16], fx: &mut fx });
        self.take(fx);
        token
    }

    fn take(&mut self, fx: Effects) {
        for (token, answer) in fx.answers {
            if token != Token(0) {
                assert!(self.answers.insert(token, answer).is_none(), "{token:?} is answered twice");
            }
        }
        self.writing.extend(fx.appends);
        for work in fx.work {
            match work {
                Work::ProducerId => self.ids_wanted += 1,
                Work::Markers(work) => self.markers.push_back(work),
            }
        }
        while self.at_once && (!self.writing.is_empty() || self.ids_wanted > 0) {
            self.commit_one(Ok(()));
            self.bring_id();
        }
    }

    /// The outcome of the oldest append.
    pub fn commit_one(&mut self, outcome: Result<(), ErrorCode>) {
        let Some(append) = self.writing.pop_front() else { return };
        let first = Offset(self.log.len() as i64);
        if outcome.is_ok() {
            self.log.extend(append.records);
        }
        self.step(|machine, step| machine.on_append(append.id, outcome.map(|()| first), step));
    }

    pub fn bring_id(&mut self) {
        if self.ids_wanted > 0 {
            self.ids_wanted -= 1;
            self.next_id += 1;
            let id = ProducerId(self.next_id);
            self.step(|machine, step| machine.handle(Request::NextId(Ok(id)), step));
        }
    }

    /// All markers that wait are written.
    pub fn write_markers(&mut self) {
        while let Some(work) = self.markers.pop_front() {
            let results = work.partitions.iter().map(|p| (p.clone(), ErrorCode::None)).collect();
            self.markers_done(work, results);
        }
    }

    pub fn markers_done(&mut self, work: MarkerWork, results: Vec<(TopicPartition, ErrorCode)>) {
        self.step(|machine, step| machine.handle(Request::Written(work, results), step));
    }

    pub fn ask(&mut self, request: Request) -> Token {
        self.step(|machine, step| machine.handle(request, step))
    }

    pub fn answer(&mut self, request: Request) -> Answer {
        let token = self.ask(request);
        self.answers.remove(&token).expect("an answer at once")
    }

    pub fn producer(&mut self, request: Request) -> InitAnswer {
        match self.answer(request) {
            Answer::Producer(answer) => answer,
            other => panic!("{other:?}"),
        }
    }

    pub fn init(&mut self, id: &str) -> InitAnswer {
        self.producer(Request::Init(init_of(id)))
    }

    pub fn add(
        &mut self,
        id: &str,
        who: (ProducerId, ProducerEpoch),
        to: &[TopicPartition],
        kind: AddKind,
    ) -> ErrorCode {
        match self.answer(Request::Add(add_of(id, who, to, kind))) {
            Answer::Added(results) => results[0].1,
            other => panic!("{other:?}"),
        }
    }

    pub fn end(&mut self, id: &str, who: (ProducerId, ProducerEpoch), commit: bool, client_version: i16) -> InitAnswer {
        self.producer(Request::End(end_of(id, who, commit, client_version)))
    }

    pub fn tick(&mut self, ms: i64) {
        self.now = Now { mono: self.now.mono.plus_ms(ms), wall: TimestampMs(self.now.wall.0 + ms) };
        self.step(|machine, step| machine.on_timer(step));
    }

    /// The state as DescribeTransactions tells it.
    pub fn state(&mut self, id: &str) -> Option<TxnState> {
        match self.answer(Request::Describe(vec![id.into()])) {
            Answer::Described(states) => TxnState::from_name(&states[0].transaction_state),
            other => panic!("{other:?}"),
        }
    }

    /// The process ends, and another one reads what is committed.
    pub fn restart(&mut self) {
        self.machine = Transactions::new(self.numbers.clone());
        self.writing.clear();
        self.markers.clear();
        self.ids_wanted = 0;
        for (offset, record) in self.log.iter().enumerate() {
            let entry = Entry::Record {
                offset: Offset(offset as i64),
                producer: ProducerId::NONE,
                key: &record.key,
                value: record.value.as_ref(),
            };
            self.machine.replay(entry, self.now).expect("a record that was written can be read");
        }
        self.step(|machine, step| machine.loaded(LeaderEpoch(4), step));
    }
}

pub fn add_of(id: &str, who: (ProducerId, ProducerEpoch), to: &[TopicPartition], kind: AddKind) -> Add {
    let partitions = to.iter().cloned().collect();
    Add { transactional_id: Arc::from(id), producer: who.0, epoch: who.1, partitions, kind }
}

pub fn end_of(id: &str, who: (ProducerId, ProducerEpoch), commit: bool, client_version: i16) -> End {
    End { transactional_id: Arc::from(id), producer: who.0, epoch: who.1, commit, client_version }
}
