//! Members come, fetch, acknowledge, forget, fall silent and go, in any order; writes fail; leaders change. Whatever
//! happens: a record is held by one member at most, is delivered at most as often as allowed, is never delivered again
//! once it was accepted, and none is lost: at the end every record was accepted, rejected or delivered often enough.

use super::support::*;
use crate::base::{Instant, Offset};
use crate::share::{
    AcknowledgementBatch, AcquireAsk, AcquireMode, Limits, LogBatch, SharePartition, StateBatch, Write,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

const SEEDS: u64 = 100;
const STEPS: usize = 400;
const RECORDS: i64 = 120;
const MEMBERS: usize = 4;
const DELIVERIES: i16 = 4;
const LOCK: u64 = 1_000;

#[derive(Default)]
struct Record {
    deliveries: i16,
    accepted: bool,
    rejected: bool,
}

/// A write on its way, and what it says of records.
struct Pending {
    write: Write,
    accepts: Vec<i64>,
    rejects: Vec<i64>,
}

struct Model {
    rng: StdRng,
    log: Vec<LogBatch>,
    partition: SharePartition,
    /// What the persister has: state and count of an offset, and the start.
    persisted: BTreeMap<i64, (i8, i16)>,
    persisted_start: i64,
    /// Who holds what, and until when, as the members know it.
    held: HashMap<i64, (usize, u64)>,
    records: Vec<Record>,
    pending: Vec<Pending>,
    now: u64,
    seed: u64,
}

fn member(index: usize) -> Arc<str> {
    format!("m{index}").into()
}

fn limits() -> Limits {
    Limits {
        delivery_count_max: DELIVERIES,
        record_locks_max: 40,
        lock_duration: Duration::from_nanos(LOCK),
        renews: true,
    }
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut log = Vec::new();
        let mut at = 0;
        while at < RECORDS {
            let last = (at + rng.random_range(0..8)).min(RECORDS - 1);
            log.push(LogBatch { base: Offset(at), last: Offset(last) });
            at = last + 1;
        }
        Self {
            rng,
            log,
            partition: SharePartition::new(limits(), Offset(0), &[]).expect("nothing to contradict"),
            persisted: BTreeMap::new(),
            persisted_start: 0,
            held: HashMap::new(),
            records: (0..RECORDS).map(|_| Record::default()).collect(),
            pending: Vec::new(),
            now: 1,
            seed,
        }
    }

    fn fetch(&mut self, who: usize, all: bool) -> bool {
        if !self.partition.can_acquire() {
            return false;
        }
        let from = self.partition.next_fetch_offset();
        let exact = self.rng.random_bool(0.5);
        let begin = self.log.iter().position(|b| b.last >= from).unwrap_or(self.log.len());
        let count = if all { self.log.len() } else { self.rng.random_range(1..5) };
        let batches: Vec<LogBatch> = self.log.iter().skip(begin).take(count).copied().collect();
        let max = if all { 500 } else { self.rng.random_range(1..15) };
        let id = member(who);
        let ask = AcquireAsk {
            member: &id,
            mode: if exact { AcquireMode::RecordLimit } else { AcquireMode::BatchOptimized },
            batch_size: 5,
            records_max: max,
            fetch_offset: from,
            batches: &batches,
            aborted: &[],
        };
        let acquired = self.partition.acquire(ask, Instant(self.now));
        let total: i64 = acquired.iter().map(|a| a.count()).sum();
        assert!(!exact || total <= max, "seed {}: {total} of {max}", self.seed);
        for part in &acquired {
            for offset in part.first.0..=part.last.0 {
                let record = &mut self.records[offset as usize];
                assert!(!record.accepted, "seed {}: {offset} was accepted and comes again", self.seed);
                assert!(!record.rejected, "seed {}: {offset} was rejected and comes again", self.seed);
                let other = self.held.insert(offset, (who, self.now + LOCK));
                let free = other.is_none_or(|(_, until)| until <= self.now);
                assert!(free, "seed {}: {offset} is held by two: {other:?} and {who}", self.seed);
                record.deliveries = part.delivery_count;
                assert!(part.delivery_count <= DELIVERIES, "seed {}: {offset} comes too often", self.seed);
            }
        }
        !acquired.is_empty()
    }

    fn acknowledge(&mut self, who: usize, kind: i8) {
        let now = self.now;
        let mut mine: Vec<i64> =
            self.held.iter().filter(|(_, (holder, until))| *holder == who && *until > now).map(|(o, _)| *o).collect();
        mine.sort_unstable();
        if mine.is_empty() {
            return;
        }
        let keep = if self.rng.random_bool(0.3) { mine.len() } else { self.rng.random_range(1..=mine.len()) };
        mine.truncate(keep);
        let batches: Vec<AcknowledgementBatch> = mine.iter().map(|offset| ack(*offset, *offset, &[kind])).collect();
        let write = self.partition.acknowledge(&member(who), &batches, Instant(now));
        let write = write.unwrap_or_else(|error| panic!("seed {}: {mine:?} of {who}: {error:?}", self.seed));
        if kind == 4 {
            self.held.extend(mine.iter().map(|offset| (*offset, (who, now + LOCK))));
            return;
        }
        self.held.retain(|offset, _| !mine.contains(offset));
        let write = write.expect("a new state is written");
        let (accepts, rejects) = match kind {
            1 => (mine, Vec::new()),
            3 => (Vec::new(), mine),
            _ => (Vec::new(), Vec::new()),
        };
        self.pending.push(Pending { write, accepts, rejects });
    }

    /// The oldest write ends.
    fn settle(&mut self, fails: bool) {
        if self.pending.is_empty() {
            return;
        }
        let Pending { write, accepts, rejects } = self.pending.remove(0);
        if fails {
            // Whose lock is over meanwhile loses the records; the others have them back. The model only forgets.
            self.partition.complete(write.id, false, Instant(self.now + 10 * LOCK));
        } else {
            self.persist(&write);
            accepts.iter().for_each(|offset| self.records[*offset as usize].accepted = true);
            rejects.iter().for_each(|offset| self.records[*offset as usize].rejected = true);
            self.partition.complete(write.id, true, Instant(self.now));
        }
    }

    fn persist(&mut self, write: &Write) {
        for batch in &write.batches {
            for offset in batch.first.0..=batch.last.0 {
                let rank = (batch.delivery_count, batch.state);
                let state = self.persisted.entry(offset).or_insert((batch.state, batch.delivery_count));
                if rank >= (state.1, state.0) {
                    *state = (batch.state, batch.delivery_count);
                }
            }
        }
        self.persisted_start = self.persisted_start.max(write.start.0);
        let start = self.persisted_start;
        self.persisted.retain(|offset, _| *offset >= start);
    }

    fn expire(&mut self) {
        self.now += self.rng.random_range(0..2 * LOCK);
        let now = self.now;
        if let Some(write) = self.partition.expire(Instant(now)) {
            self.persist(&write);
            self.partition.complete(write.id, true, Instant(now));
        }
        self.held.retain(|_, (_, until)| *until > now);
    }

    fn leave(&mut self, who: usize) {
        if let Some(write) = self.partition.release(&member(who)) {
            self.pending.push(Pending { write, accepts: Vec::new(), rejects: Vec::new() });
        }
        self.held.retain(|_, (holder, _)| *holder != who);
    }

    /// A new leader has what is persisted, and nothing else.
    fn fail_over(&mut self) {
        self.pending.clear();
        self.held.clear();
        let batches: Vec<StateBatch> = self
            .persisted
            .iter()
            .map(|(offset, (state, count))| StateBatch {
                first: Offset(*offset),
                last: Offset(*offset),
                state: *state,
                delivery_count: *count,
            })
            .collect();
        let start = Offset(self.persisted_start);
        self.partition = SharePartition::new(limits(), start, &batches).expect("what was persisted is consistent");
    }

    fn step(&mut self) {
        let who = self.rng.random_range(0..MEMBERS);
        match self.rng.random_range(0..100) {
            0..35 => drop(self.fetch(who, false)),
            35..60 => self.acknowledge(who, 1),
            60..68 => self.acknowledge(who, 2),
            68..71 => self.acknowledge(who, 3),
            71..75 => self.acknowledge(who, 4),
            75..88 => self.settle(false),
            88..90 => self.settle(true),
            90..95 => self.expire(),
            95..98 => self.leave(who),
            _ => self.fail_over(),
        }
    }

    /// Everything is accepted from now on, until nothing is left.
    fn finish(&mut self) {
        for round in 0.. {
            assert!(round < 1_000, "seed {}: records are left that nobody gets", self.seed);
            while !self.pending.is_empty() {
                self.settle(false);
            }
            self.now += 3 * LOCK;
            self.expire();
            if self.partition.start_offset() >= Offset(RECORDS) {
                break;
            }
            self.fetch(0, true);
            self.acknowledge(0, 1);
        }
        let lost: Vec<i64> = (0..RECORDS)
            .filter(|offset| {
                let record = &self.records[*offset as usize];
                !record.accepted && !record.rejected && record.deliveries < DELIVERIES
            })
            .collect();
        assert!(lost.is_empty(), "seed {}: nobody was done with {lost:?}", self.seed);
    }
}

#[test]
fn whatever_members_do_no_record_is_held_twice_delivered_too_often_or_lost() {
    for seed in 0..SEEDS {
        let mut model = Model::new(seed);
        for _ in 0..STEPS {
            model.step();
        }
        model.finish();
    }
}
