//! What the scenarios share: a round run to its end on an open log, and what a consumer then reads.

use crate::base::{Offset, TimestampMs};
use crate::log::cleaner::range::{Cleanable, LogState, cleanable};
use crate::log::cleaner::{CleanError, FileTimes, Round, RoundPlan, RoundStats, RoundStep, last_records};
use crate::log::{Log, LogConfig};
use crate::record::rewrite::timestamp_of;
use crate::record::{BatchView, Records, batches};
use std::sync::Arc;

pub use crate::log::tests::support::*;

/// What a consumer gets of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub headers: usize,
    pub producer: i64,
    pub control: bool,
}

/// All bytes of the log from its start to its written end.
pub fn bytes_of(log: &mut Log) -> Vec<u8> {
    let (mut at, end) = (log.start_offset().0, log.written_offset().0);
    let mut bytes = Vec::new();
    while at < end {
        let read = read(log, at, u32::MAX, end, true).unwrap();
        let Some(last) = batches(&read).last() else { break };
        at = last.unwrap().header().next_offset().0;
        bytes.extend_from_slice(&read);
    }
    bytes
}

pub fn seen_in(bytes: &[u8]) -> Vec<Seen> {
    batches(bytes).flat_map(|batch| seen_of(&batch.unwrap())).collect()
}

fn seen_of(batch: &BatchView<'_>) -> Vec<Seen> {
    batch.check_crc().unwrap();
    let header = batch.header();
    let unpacked = batch.unpacked(1 << 30).unwrap();
    let records = Records::new(&unpacked, header.count());
    let of = |r: crate::record::Record<'_>| Seen {
        offset: header.base_offset().0 + i64::from(r.offset_delta),
        key: r.key.map(<[u8]>::to_vec),
        value: r.value.map(<[u8]>::to_vec),
        timestamp: timestamp_of(header, &r).0,
        headers: r.headers.len(),
        producer: header.producer_id().0,
        control: header.is_control(),
    };
    records.map(|r| of(r.unwrap())).collect()
}

pub fn seen(log: &mut Log) -> Vec<Seen> {
    seen_in(&bytes_of(log))
}

/// The data records as `offset key=value`.
pub fn told(log: &mut Log) -> Vec<String> {
    let text =
        |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or("null".to_owned(), |b| String::from_utf8_lossy(b).into_owned());
    let data = seen(log).into_iter().filter(|s| !s.control);
    data.map(|s| format!("{} {}={}", s.offset, text(&s.key), text(&s.value))).collect()
}

pub fn state_of(log: &Log, cleaned: Option<Offset>) -> LogState {
    let end = log.written_offset();
    LogState {
        closed: log.closed_segments(),
        active_base: log.active_base(),
        start: log.start_offset(),
        end,
        last_stable: log.first_unstable_offset(end).unwrap_or(end),
        cleaned,
    }
}

pub fn range_of(log: &Log, cleaned: Option<Offset>, now_ms: i64) -> Cleanable {
    let times = FileTimes(log.dir().into());
    cleanable(&state_of(log, cleaned), log.config(), &times, TimestampMs(now_ms)).unwrap()
}

pub fn plan(log: &Log, cleaned: Option<Offset>, now_ms: i64) -> RoundPlan {
    RoundPlan {
        dir: Arc::from(log.dir()),
        config: log.config().clone(),
        closed: log.closed_segments(),
        active_base: log.active_base(),
        range: range_of(log, cleaned, now_ms),
        producers: last_records(log.producers()),
        now: TimestampMs(now_ms),
        map_bytes: 1 << 20,
        load_factor: 0.9,
        window_bytes: 64 * 1024,
        secret: [now_ms as u64, 11],
    }
}

/// Runs a round to its end; gives up to where the log is clean.
pub fn run(log: &mut Log, plan: RoundPlan) -> Result<(Offset, RoundStats), CleanError> {
    let mut round = Round::new(plan);
    loop {
        match round.step(10_000) {
            Ok(RoundStep::Worked(_)) => {}
            Ok(RoundStep::Swap(replacement)) => {
                assert!(log.begin_replace(&replacement));
                for path in replacement.swap().unwrap() {
                    crate::ring::fs::remove_file(&path).unwrap();
                }
                log.complete_replace(*replacement);
            }
            Ok(RoundStep::Done(upto)) => return Ok((upto, round.stats())),
            Err(error) => {
                round.abandon().unwrap();
                return Err(error);
            }
        }
    }
}

/// Cleans at `now_ms` what may be cleaned.
pub fn clean(log: &mut Log, cleaned: Option<Offset>, now_ms: i64) -> Offset {
    let plan = plan(log, cleaned, now_ms);
    run(log, plan).unwrap().0
}

/// A compacted log with small segments.
pub fn config(segment_bytes: u32) -> LogConfig {
    LogConfig { segment_bytes, index_interval_bytes: 100, compact: true, delete: false, ..LogConfig::default() }
}
