//! Acquisition: which of the fetched records a member gets (`SharePartition.acquire`).

use super::partition::SharePartition;
use super::runs::{Hold, Run};
use super::state::RecordState;
use crate::base::{Instant, Offset};
use std::sync::Arc;

/// How exactly `max_records` is kept (KIP-1206).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcquireMode {
    /// Whole batches of the log, so that acknowledgements are cheap; a few more than asked for.
    BatchOptimized,
    /// Never more than asked for.
    RecordLimit,
}

/// A batch of the log that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogBatch {
    /// Its first offset.
    pub base: Offset,
    /// Its last offset.
    pub last: Offset,
}

/// What is to be acquired.
#[derive(Clone, Debug)]
pub struct AcquireAsk<'a> {
    /// For whom.
    pub member: &'a Arc<str>,
    /// How exactly `records_max` is kept.
    pub mode: AcquireMode,
    /// Records per entry of the answer, at least.
    pub batch_size: i64,
    /// At most (about) so many records.
    pub records_max: i64,
    /// From where the log was read.
    pub fetch_offset: Offset,
    /// What was read, ascending.
    pub batches: &'a [LogBatch],
    /// Batches of aborted transactions among them: nobody is to have them.
    pub aborted: &'a [LogBatch],
}

/// Records a member got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquired {
    /// The first offset.
    pub first: Offset,
    /// The last offset.
    pub last: Offset,
    /// How often they are delivered with this time.
    pub delivery_count: i16,
}

impl Acquired {
    /// How many offsets.
    pub fn count(&self) -> i64 {
        self.last.0 - self.first.0 + 1
    }
}

/// One acquisition under way.
struct Taking<'a> {
    ask: AcquireAsk<'a>,
    hold: Hold,
    left: i64,
    taken: Vec<Acquired>,
}

impl SharePartition {
    /// Acquires records out of what was read; empty where all of it is held by others or done with.
    pub fn acquire(&mut self, ask: AcquireAsk, now: Instant) -> Vec<Acquired> {
        let (Some(first), Some(last)) = (ask.batches.first(), ask.batches.last()) else { return Vec::new() };
        let (upto, left) = self.bound(ask.fetch_offset, ask.records_max, last.last);
        if left <= 0 {
            return Vec::new();
        }
        if ask.fetch_offset < first.base {
            // What stood there before is no longer in the log.
            self.archive_available(ask.fetch_offset, first.base.plus(-1));
        }
        let hold = Hold { member: ask.member.clone(), until: now.plus(self.limits.lock_duration) };
        let base = first.base.max(self.start);
        let aborted = ask.aborted;
        let mut taking = Taking { ask, hold, left, taken: Vec::new() };
        let overlap = self.runs.overlapping(base, upto);
        if overlap.is_empty() {
            self.take_new(base, upto, &mut taking);
        } else {
            self.take_known(base, upto, overlap, &mut taking);
        }
        let taken = taking.taken;
        if aborted.is_empty() { taken } else { self.without_aborted(taken, aborted) }
    }

    /// The last offset that may be acquired, and how many records.
    fn bound(&self, fetch_offset: Offset, wanted: i64, last: Offset) -> (Offset, i64) {
        let free = self.limits.record_locks_max - self.in_flight();
        if free > 0 {
            return (last, wanted.min(free));
        }
        if fetch_offset > self.end {
            return (last, 0);
        }
        // All locks are taken, but some records between them may be delivered again.
        (last.min(self.end), wanted.min(self.end.0 - fetch_offset.0 + 1))
    }

    /// Takes what is available of runs in flight, then what lies behind them.
    fn take_known(&mut self, base: Offset, upto: Offset, overlap: Vec<Offset>, taking: &mut Taking) {
        let mut at = base;
        for key in overlap {
            if taking.left <= 0 {
                break;
            }
            let Some(run) = self.runs.get(key) else { continue };
            let (last, free, count, batch) = (run.last, run.is_available(), run.delivery_count, run.batch);
            if self.active_gap().is_some() && at < key {
                self.take_new(at, key.plus(-1), taking);
                if taking.left <= 0 {
                    break;
                }
            }
            at = last.plus(1);
            if !free {
                continue;
            }
            let throttled = count >= self.limits.throttle_from();
            if throttled && !taking.taken.is_empty() {
                taking.left = 0;
                break;
            }
            let (first, last) = (key.max(base), last.min(upto));
            let mut n = last.0 - first.0 + 1;
            if taking.ask.mode == AcquireMode::RecordLimit {
                n = n.min(taking.left);
            }
            if throttled {
                n = n.min(self.throttled(count, batch));
            }
            self.take_run(first, first.plus(n - 1), taking);
            if throttled {
                taking.left = 0;
            }
        }
        if taking.left > 0 && at <= upto {
            self.take_new(at, upto, taking);
        }
        if let Some(last) = taking.taken.last() {
            self.gap_moves_to(last.last.plus(1));
        }
    }

    /// How many records of a batch go out together that were delivered `count` times: half, a quarter ... one.
    fn throttled(&self, count: i16, batch: (Offset, Offset)) -> i64 {
        if count >= self.limits.delivery_count_max - 1 {
            return 1;
        }
        let halvings = u32::try_from(count - self.limits.throttle_from() + 1).unwrap_or(63).min(63);
        ((batch.1.0 - batch.0.0 + 1) >> halvings).max(1)
    }

    fn take_run(&mut self, first: Offset, last: Offset, taking: &mut Taking) {
        let hold = taking.hold.clone();
        let mut delivery_count = 0;
        for key in self.runs.isolate(first, last) {
            self.runs.change(key, |run| {
                run.state = RecordState::Acquired;
                run.delivery_count = run.delivery_count.saturating_add(1);
                run.hold = Some(hold.clone());
                delivery_count = run.delivery_count;
            });
        }
        taking.got(Acquired { first, last, delivery_count });
    }

    /// Takes records that were not in flight yet.
    fn take_new(&mut self, first: Offset, upto: Offset, taking: &mut Taking) {
        let fresh = self.runs.is_empty();
        let first = if fresh { first.max(self.end) } else { first };
        if first > upto {
            return;
        }
        let mut last = upto;
        if taking.left < upto.0 - first.0 + 1 {
            let wanted = first.plus(taking.left - 1);
            let whole = taking.ask.batches.iter().find(|b| b.base <= wanted && wanted <= b.last);
            last = whole.map_or(wanted, |b| b.last);
            if self.active_gap().is_some() {
                last = last.min(upto);
            }
        }
        let exact = taking.ask.mode == AcquireMode::RecordLimit;
        let taken_last = if exact { last.min(first.plus(taking.left - 1)) } else { last };
        for (piece, piece_last) in pieces(first, taken_last, taking) {
            let batch = if exact { (first, last) } else { (piece, piece_last) };
            let hold = Some(taking.hold.clone());
            self.runs.insert(piece, new_run(piece_last, RecordState::Acquired, 1, hold, batch));
            taking.taken.push(Acquired { first: piece, last: piece_last, delivery_count: 1 });
            taking.left -= piece_last.0 - piece.0 + 1;
        }
        if taken_last < last {
            // The rest of the last batch waits for the next member.
            let rest = new_run(last, RecordState::Available, 0, None, (first, last));
            self.runs.insert(taken_last.plus(1), rest);
            self.look_for_available = true;
        }
        if self.runs.first().is_some_and(|(key, _)| key == first) {
            self.start = self.start.max(first);
        }
        self.end = self.end.max(last);
        self.gap_moves_to(taken_last.plus(1));
    }

    /// Archives what belongs to aborted transactions, and leaves it out of `taken`.
    fn without_aborted(&mut self, taken: Vec<Acquired>, aborted: &[LogBatch]) -> Vec<Acquired> {
        let mut kept = Vec::with_capacity(taken.len());
        for part in taken {
            let mut at = part.first;
            for batch in aborted.iter().filter(|b| b.last >= part.first && b.base <= part.last) {
                let (first, last) = (batch.base.max(at), batch.last.min(part.last));
                if first > last {
                    continue;
                }
                if at < first {
                    kept.push(Acquired { first: at, last: first.plus(-1), ..part });
                }
                for key in self.runs.isolate(first, last) {
                    self.runs.change(key, |run| (run.state, run.hold) = (RecordState::Archived, None));
                }
                at = last.plus(1);
            }
            if at <= part.last {
                kept.push(Acquired { first: at, ..part });
            }
        }
        self.advance_start();
        kept
    }
}

fn new_run(last: Offset, state: RecordState, count: i16, hold: Option<Hold>, batch: (Offset, Offset)) -> Run {
    Run { last, state, delivery_count: count, hold, transition: None, batch }
}

/// The entries new records come in: batches of the log together, at least `batch_size` offsets each.
fn pieces(first: Offset, last: Offset, taking: &Taking) -> Vec<(Offset, Offset)> {
    let mut pieces = Vec::new();
    let mut from = first;
    let size = taking.ask.batch_size.max(1);
    if taking.ask.mode == AcquireMode::BatchOptimized && last.0 - first.0 + 1 > size {
        for batch in taking.ask.batches {
            if batch.base > last {
                break;
            }
            if batch.base.0 - from.0 >= size {
                pieces.push((from, batch.base.plus(-1)));
                from = batch.base;
            }
        }
    }
    pieces.push((from, last));
    pieces
}

impl Taking<'_> {
    /// Notes what was taken; one entry for neighbours delivered equally often.
    fn got(&mut self, part: Acquired) {
        self.left -= part.count();
        match self.taken.last_mut() {
            Some(last) if last.last.plus(1) == part.first && last.delivery_count == part.delivery_count => {
                last.last = part.last;
            }
            _ => self.taken.push(part),
        }
    }
}
