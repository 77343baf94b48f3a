//! One round of cleaning one log (`Cleaner.doClean`), in bounded steps: first the dirty segments are read for the last
//! offset of each key, then groups of segments are written anew without what is superseded. Blocking; whoever runs the
//! steps may pause between them, or give up.

use super::error::CleanError;
use super::filter::{Filter, LastRecord, Scratch, records_of};
use super::groups::group;
use super::legacy::map_legacy;
use super::map::OffsetMap;
use super::output::Output;
use super::range::Cleanable;
use super::source::{Found, Source};
use super::transactions::{Marker, Transactions};
use crate::base::{Offset, TimestampMs};
use crate::log::LogConfig;
use crate::log::files::FileKind;
use crate::log::replace::{ClosedSegment, Replacement};
use crate::log::txn_index::{self, AbortedTxn};
use crate::record::BatchView;
use crate::ring::file::{File, OpenMode};
use crate::ring::fs;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a round needs to know.
#[derive(Clone, Debug)]
pub struct RoundPlan {
    /// The partition's directory.
    pub dir: Arc<Path>,
    /// The log's settings.
    pub config: LogConfig,
    /// Its closed segments.
    pub closed: Vec<ClosedSegment>,
    /// Where the active segment begins.
    pub active_base: Offset,
    /// What to clean.
    pub range: Cleanable,
    /// The last records of its producers.
    pub producers: HashMap<i64, LastRecord>,
    /// The wall clock.
    pub now: TimestampMs,
    /// Memory for the map (`log.cleaner.dedupe.buffer.size` of one cleaner).
    pub map_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`.
    pub load_factor: f64,
    /// What is read at once (`log.cleaner.io.buffer.size` of one cleaner).
    pub window_bytes: usize,
    /// Random, for the map.
    pub secret: [u64; 2],
}

/// What a round did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoundStats {
    /// Bytes read for the map.
    pub mapped_bytes: u64,
    /// Keys in the map.
    pub keys: usize,
    /// Bytes of the segments that were written anew.
    pub bytes_before: u64,
    /// Bytes of what took their place.
    pub bytes_after: u64,
    /// Records in them before.
    pub records_before: u64,
    /// Records that stayed.
    pub records_after: u64,
    /// Records without a key that went.
    pub keyless: u64,
}

/// What a step came to.
#[derive(Debug)]
pub enum RoundStep {
    /// So many bytes were read and written; go on.
    Worked(u64),
    /// A group is done: its segments are to be replaced before the next step.
    Swap(Box<Replacement>),
    /// The round is over: everything before this offset is clean.
    Done(Offset),
}

/// A group on its way.
struct Group {
    old: Vec<ClosedSegment>,
    at: usize,
    source: Option<Source>,
    /// Tombstones in formats 0 and 1 of the current segment stay.
    keep_legacy_tombstones: bool,
    output: Output,
}

enum Phase {
    Mapping { left: VecDeque<ClosedSegment>, source: Option<Source> },
    Cleaning { left: VecDeque<Vec<ClosedSegment>>, group: Option<Box<Group>> },
}

/// See the module.
pub struct Round {
    plan: RoundPlan,
    map: OffsetMap,
    transactions: Transactions,
    /// Segments with a transaction index, ascending; `None` until it was looked for.
    indexed: Option<Vec<Offset>>,
    /// In segments last written before this, the tombstones of formats 0 and 1 go (`legacyDeleteHorizonMs`).
    legacy_horizon: TimestampMs,
    scratch: Scratch,
    unpacked: Vec<u8>,
    kept: Vec<u8>,
    phase: Phase,
    stats: RoundStats,
}

impl Round {
    /// A round that has not begun. Nothing is read yet.
    pub fn new(plan: RoundPlan) -> Self {
        let range = &plan.range;
        let offsets = u64::try_from(range.end.since(range.first_dirty)).unwrap_or(0);
        let map = OffsetMap::new(plan.map_bytes, plan.load_factor, offsets, range.first_dirty, plan.secret);
        let begin = plan.closed.partition_point(|s| s.base <= range.first_dirty).saturating_sub(1);
        let dirty = plan.closed.iter().skip(begin).take_while(|s| s.base < range.end).cloned().collect();
        Self {
            phase: Phase::Mapping { left: dirty, source: None },
            plan,
            map,
            transactions: Transactions::default(),
            indexed: None,
            legacy_horizon: TimestampMs(0),
            scratch: Scratch::default(),
            unpacked: Vec::new(),
            kept: Vec::new(),
            stats: RoundStats::default(),
        }
    }

    /// What was done so far.
    pub fn stats(&self) -> RoundStats {
        RoundStats { keys: self.map.keys(), ..self.stats }
    }

    /// Goes on for about `bytes` bytes.
    ///
    /// # Errors
    /// See [`CleanError`]; the round is over, and [`Self::abandon`] is to be called.
    pub fn step(&mut self, bytes: u64) -> Result<RoundStep, CleanError> {
        match self.phase {
            Phase::Mapping { .. } => self.map_some(bytes).map(RoundStep::Worked),
            Phase::Cleaning { .. } => self.clean_some(bytes),
        }
    }

    /// Gives up: a half-written segment goes.
    pub fn abandon(self) -> io::Result<()> {
        match self.phase {
            Phase::Cleaning { group: Some(group), .. } => group.output.discard(),
            _ => Ok(()),
        }
    }

    /// Puts keys of the dirty segments into the map (`Cleaner.buildOffsetMap`).
    fn map_some(&mut self, bytes: u64) -> Result<u64, CleanError> {
        if self.indexed.is_none() {
            let (from, to) = (self.plan.range.first_dirty, self.plan.range.end);
            let aborted = self.aborted_between(from, to)?;
            self.transactions.add(aborted);
        }
        let Phase::Mapping { left, source } = &mut self.phase else { return Ok(0) };
        let mut done = 0;
        while done < bytes {
            let Some(segment) = left.front() else {
                self.begin_cleaning()?;
                return Ok(done);
            };
            if source.is_none() {
                *source = Some(open_source(&self.plan, segment)?);
            }
            let Some(reading) = source else { break };
            let base = reading.segment();
            let Some(batch) = reading.next()? else {
                left.pop_front();
                *source = None;
                // Where offsets are missing behind the last batch, the next segment says how far this one goes.
                let next = left.front().map_or(self.plan.range.end, |s| s.base);
                self.map.advance(next.plus(-1));
                continue;
            };
            done += batch.size() as u64;
            self.stats.mapped_bytes += batch.size() as u64;
            let from = self.plan.range.first_dirty;
            let fits = match &batch {
                Found::Batch(batch) => {
                    map_batch(batch, from, &mut self.map, &mut self.transactions, &mut self.unpacked)
                }
                Found::Legacy(view) => map_legacy(view, from, &mut self.map, &mut self.unpacked),
            };
            if !fits.map_err(|why| CleanError::uncleanable(base, why))? {
                self.begin_cleaning()?;
                return Ok(done);
            }
        }
        Ok(done)
    }

    fn begin_cleaning(&mut self) -> Result<(), CleanError> {
        let first_dirty = self.plan.range.first_dirty;
        if let Some(clean) = self.plan.closed.iter().rev().find(|s| s.base < first_dirty) {
            let written = modified(&self.plan, clean.base)?;
            self.legacy_horizon = TimestampMs(written.0.saturating_sub(self.plan.config.delete_retention_ms));
        }
        let upto = self.map.latest().plus(1);
        let segments: Vec<_> = self.plan.closed.iter().take_while(|s| s.base < upto).cloned().collect();
        let left = group(&segments, &self.plan.config, self.plan.range.end).into();
        self.transactions = Transactions::default();
        self.phase = Phase::Cleaning { left, group: None };
        Ok(())
    }

    /// Writes groups anew (`Cleaner.cleanSegments`).
    fn clean_some(&mut self, bytes: u64) -> Result<RoundStep, CleanError> {
        let mut done = 0;
        while done < bytes {
            if let Phase::Cleaning { left, group: group @ None } = &mut self.phase {
                let Some(old) = left.pop_front() else {
                    return Ok(RoundStep::Done(self.map.latest().plus(1).max(self.plan.range.first_dirty)));
                };
                *group = Some(Box::new(begin_group(&self.plan, old)?));
            }
            if let Some(more) = self.clean_batches(bytes - done)? {
                done += more;
                continue;
            }
            if let Phase::Cleaning { group, .. } = &mut self.phase
                && let Some(finished) = group.take()
            {
                return self.finish_group(*finished).map(|r| RoundStep::Swap(Box::new(r)));
            }
        }
        Ok(RoundStep::Worked(done))
    }

    fn finish_group(&mut self, group: Group) -> Result<Replacement, CleanError> {
        self.stats.bytes_after += u64::from(group.output.size());
        let last = group.old.last().map_or(self.plan.active_base, |s| s.base);
        let next = self.next_base(last);
        group.output.finish(group.old, next)
    }

    /// Cleans batches of the current group's current segment; `None` when the group has no more.
    fn clean_batches(&mut self, bytes: u64) -> Result<Option<u64>, CleanError> {
        let Some((segment, opened)) = self.current_segment() else { return Ok(None) };
        if !opened {
            let next = self.next_base(segment.base);
            let aborted = self.aborted_between(segment.base, next)?;
            self.transactions.add(aborted);
            let source = open_source(&self.plan, &segment)?;
            let keep = modified(&self.plan, segment.base)? > self.legacy_horizon;
            if let Phase::Cleaning { group: Some(group), .. } = &mut self.phase {
                (group.source, group.keep_legacy_tombstones) = (Some(source), keep);
            }
        }
        let Phase::Cleaning { group: Some(group), .. } = &mut self.phase else { return Ok(None) };
        let Some(source) = &mut group.source else { return Ok(None) };
        let filter = Filter {
            map: &self.map,
            producers: &self.plan.producers,
            round_end: self.plan.range.end,
            now: self.plan.now,
            delete_retention_ms: self.plan.config.delete_retention_ms,
        };
        let (mut read, mut ended) = (0, false);
        self.kept.clear();
        while read < bytes {
            let Some(batch) = source.next()? else {
                ended = true;
                break;
            };
            let outcome = match &batch {
                Found::Batch(batch) => filter.batch(batch, &mut self.transactions, &mut self.scratch, &mut self.kept),
                Found::Legacy(view) => {
                    filter.legacy(view, group.keep_legacy_tombstones, &mut self.scratch, &mut self.kept)
                }
            };
            let outcome = outcome.map_err(|why| CleanError::uncleanable(segment.base, why))?;
            read += batch.size() as u64;
            self.stats.records_before += outcome.records;
            self.stats.records_after += outcome.kept;
            self.stats.keyless += outcome.keyless;
            if let Some(txn) = outcome.aborted {
                group.output.aborted(txn);
            }
            if self.kept.len() >= self.plan.window_bytes {
                break;
            }
        }
        if !self.kept.is_empty() {
            group.output.append(&self.kept)?;
        }
        if ended {
            group.source = None;
            group.at += 1;
        }
        self.stats.bytes_before += read;
        Ok(Some(read + self.kept.len() as u64))
    }

    /// The segment the current group is at, and whether it is open.
    fn current_segment(&self) -> Option<(ClosedSegment, bool)> {
        let Phase::Cleaning { group: Some(group), .. } = &self.phase else { return None };
        group.old.get(group.at).map(|segment| (segment.clone(), group.source.is_some()))
    }

    fn next_base(&self, base: Offset) -> Offset {
        let after = self.plan.closed.partition_point(|s| s.base <= base);
        self.plan.closed.get(after).map_or(self.plan.active_base, |s| s.base)
    }

    /// The aborted transactions that overlap a range (`UnifiedLog.collectAbortedTransactions`): from the indexes of the
    /// segment that holds `from` and of those after it, until one says that nothing older was open.
    fn aborted_between(&mut self, from: Offset, to: Offset) -> Result<Vec<AbortedTxn>, CleanError> {
        let indexed = match self.indexed.take() {
            Some(indexed) => indexed,
            None => indexed_segments(&self.plan.dir).map_err(CleanError::Read)?,
        };
        let first = self.plan.closed.iter().rev().find(|s| s.base <= from).map_or(Offset::ZERO, |s| s.base);
        let mut found = Vec::new();
        let mut result = Ok(());
        for base in indexed.iter().filter(|base| **base >= first) {
            match txn_index::read(&FileKind::TxnIndex.path(&self.plan.dir, *base), *base) {
                Ok(entries) => {
                    found.extend(entries.iter().filter(|txn| txn.last >= from && txn.first < to));
                    if entries.iter().any(|txn| txn.last_stable >= to) {
                        break;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    result = Err(CleanError::uncleanable(*base, e));
                    break;
                }
                Err(e) => {
                    result = Err(CleanError::Read(e));
                    break;
                }
            }
        }
        self.indexed = Some(indexed);
        result.map(|()| found)
    }
}

/// Puts a batch's keys into the map; false when it is full.
fn map_batch(
    batch: &BatchView<'_>,
    from: Offset,
    map: &mut OffsetMap,
    transactions: &mut Transactions,
    unpacked: &mut Vec<u8>,
) -> Result<bool, String> {
    let header = batch.header();
    let void = if header.is_control() {
        transactions.on_control(header, Marker::of(batch));
        true
    } else {
        transactions.on_data(header)
    };
    if header.last_offset() < from {
        return Ok(true);
    }
    if !void {
        for record in records_of(batch, unpacked).map_err(|e| e.to_string())? {
            let record = record.map_err(|e| e.to_string())?;
            let offset = header.base_offset().plus(i64::from(record.offset_delta));
            if let Some(key) = record.key.filter(|_| offset >= from)
                && !map.put(key, offset)
            {
                return Ok(false);
            }
        }
    }
    map.advance(header.last_offset());
    Ok(true)
}

fn open_source(plan: &RoundPlan, segment: &ClosedSegment) -> Result<Source, CleanError> {
    let file = File::open(&FileKind::Log.path(&plan.dir, segment.base), OpenMode::Read).map_err(CleanError::Read)?;
    Ok(Source::new(segment.base, file, u64::from(segment.size), plan.window_bytes))
}

/// When a segment was last written.
fn modified(plan: &RoundPlan, base: Offset) -> Result<TimestampMs, CleanError> {
    fs::mtime_ms(&FileKind::Log.path(&plan.dir, base)).map(TimestampMs).map_err(CleanError::Read)
}

fn begin_group(plan: &RoundPlan, old: Vec<ClosedSegment>) -> Result<Group, CleanError> {
    let first = old.first().map_or(plan.active_base, |s| s.base);
    let mut cached = true;
    for segment in old.iter().filter(|s| s.size > 0) {
        let path = FileKind::Log.path(&plan.dir, segment.base);
        let file = File::open(&path, OpenMode::Read).map_err(CleanError::Read)?;
        cached &= file.is_resident(0, segment.size as usize);
    }
    let interval = plan.config.index_interval_bytes;
    let output = Output::create(plan.dir.clone(), first, interval, plan.now, !cached)?;
    Ok(Group { old, at: 0, source: None, keep_legacy_tombstones: true, output })
}

/// The segments that have a transaction index with something in it.
fn indexed_segments(dir: &Path) -> io::Result<Vec<Offset>> {
    let mut bases: Vec<Offset> = fs::read_dir(dir)?
        .into_iter()
        .filter(|entry| entry.len > 0)
        .filter_map(|entry| match FileKind::parse(&entry.name) {
            Some((FileKind::TxnIndex, base)) => Some(base),
            _ => None,
        })
        .collect();
    bases.sort_unstable();
    Ok(bases)
}
