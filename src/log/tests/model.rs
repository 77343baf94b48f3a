//! A log beside a model of it, under random operations: appends, rolls, restarts clean and torn, reads, truncation.

use super::support::*;
use crate::base::{LeaderEpoch, Offset, TimestampMs};
use crate::log::{AppendOrigin, Log, LogConfig, Recovery};
use crate::record::batches;
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::path::Path;

#[derive(Clone, Debug)]
struct Batch {
    base: i64,
    last: i64,
    size: u64,
    first_time: i64,
}

struct World {
    random: StdRng,
    config: LogConfig,
    written: Vec<Batch>,
    epoch: i32,
    clock: i64,
}

impl World {
    fn end(&self) -> i64 {
        self.written.last().map_or(0, |b| b.last + 1)
    }

    fn step(&mut self, mut log: Log, dir: &Path) -> Log {
        match self.random.random_range(0..20) {
            0..=9 => self.append(&mut log),
            10..=13 => self.read(&mut log),
            14 => self.look(&log),
            15 => flush(&mut log),
            16 => {
                let target = self.random.random_range(0..=self.end() + 3);
                log.truncate_to(Offset(target)).unwrap();
                self.written.retain(|b| b.last < target);
            }
            17 => {
                log.close().unwrap();
                log = open(dir, &self.config, CLEAN);
            }
            _ => log = self.crash(log, dir),
        }
        assert_eq!(log.end_offset(), Offset(self.end()));
        assert_eq!(log.written_offset(), Offset(self.end()));
        log
    }

    fn append(&mut self, log: &mut Log) {
        for _ in 0..self.random.random_range(1..6) {
            if self.random.random_bool(0.05) {
                self.epoch += 1;
            }
            self.clock += self.random.random_range(0..5);
            let count = self.random.random_range(1..8);
            let bytes: Bytes = batch(count, self.random.random_range(0..300), self.clock);
            let (size, first_time) = (bytes.len() as u64, self.clock);
            self.clock += count as i64;
            let info = log.append_as_leader(bytes, AppendOrigin::Client, LeaderEpoch(self.epoch), now()).unwrap();
            self.written.push(Batch { base: info.first_offset.0, last: info.last_offset.0, size, first_time });
        }
        write(log);
    }

    fn read(&mut self, log: &mut Log) {
        let end = self.end();
        let from = self.random.random_range(0..=end);
        let boundary = self.random.random_range(0..=self.written.len());
        let upto = self.written.get(boundary).map_or(end, |b| b.base);
        let max = self.random.random_range(0..3000);
        let one = self.random.random_bool(0.5);
        let bytes = read(log, from, max, upto, one).unwrap();
        let Some(first) = self.written.iter().position(|b| b.last >= from && b.base < upto && from < upto) else {
            assert!(bytes.is_empty(), "from {from} upto {upto}");
            return;
        };
        if max == 0 && !one {
            assert!(bytes.is_empty());
            return;
        }
        let first_size = self.written[first].size;
        let limit = if one { u64::from(max).max(first_size) } else { u64::from(max) };
        assert!(bytes.len() as u64 <= limit);
        assert!(bytes.len() as u64 >= limit.min(first_size), "from {from} upto {upto} max {max}: {}", bytes.len());
        for (found, expected) in batches(&bytes).filter_map(Result::ok).zip(&self.written[first..]) {
            found.check_crc().unwrap();
            assert_eq!(
                (found.header().base_offset().0, found.header().last_offset().0),
                (expected.base, expected.last)
            );
            assert!(expected.last < upto);
        }
    }

    fn look(&mut self, log: &Log) {
        let time = self.random.random_range(0..=self.clock + 2);
        let expected = self
            .written
            .iter()
            .flat_map(|b| (b.base..=b.last).map(|o| (b.first_time + o - b.base, o)))
            .find(|(t, _)| *t >= time);
        let found = look(log.offset_for_timestamp(TimestampMs(NOW_MS + time)));
        assert_eq!(found.map(|f| (f.timestamp.0 - NOW_MS, f.offset.0)), expected, "time {time}");
    }

    /// The process dies, and perhaps the machine: then bytes after the recovery point may be missing.
    fn crash(&mut self, log: Log, dir: &Path) -> Log {
        let recovery_point = log.flushed_offset();
        drop(log);
        if self.random.random_bool(0.7) {
            let files = dir.join("t-0");
            if let Some(last) = names(&files).into_iter().filter(|n| n.ends_with(".log")).next_back() {
                let path = files.join(&last);
                let base: i64 = last[..20].parse().unwrap();
                let bytes = std::fs::read(&path).unwrap();
                let durable: u64 =
                    self.written.iter().filter(|b| b.base >= base && b.last < recovery_point.0).map(|b| b.size).sum();
                let keep = self.random.random_range(durable..=bytes.len() as u64);
                let mut torn = bytes[..keep as usize].to_vec();
                if self.random.random_bool(0.3) {
                    // Never by chance the very byte that was torn off: the batch would be whole again, and rightly kept.
                    torn.extend(bytes.get(keep as usize).map(|byte| !byte));
                    torn.extend((0..self.random.random_range(0..200)).map(|_| self.random.random::<u8>()));
                }
                std::fs::write(&path, torn).unwrap();
                let mut at = 0;
                self.written.retain(|b| {
                    at += if b.base >= base { b.size } else { 0 };
                    b.base < base || at <= keep
                });
            }
        }
        open(dir, &self.config, Recovery { clean: false, recovery_point, log_start: Offset(0) })
    }
}

#[test]
fn a_log_behaves_as_its_model_under_random_operations() {
    let seeds: Vec<u64> = match std::env::var("LOG_MODEL_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => {
            let runs = std::env::var("LOG_MODEL_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
            (0..runs).map(|_| rand::rng().random()).collect()
        }
    };
    for seed in seeds {
        println!("LOG_MODEL_SEED={seed}");
        let dir = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(seed);
        let config = LogConfig {
            segment_bytes: random.random_range(3000..20_000),
            index_interval_bytes: random.random_range(100..3000),
            ..LogConfig::default()
        };
        let mut log = open(dir.path(), &config, CLEAN);
        let mut world = World { random, config, written: Vec::new(), epoch: 0, clock: 0 };
        for _ in 0..120 {
            log = world.step(log, dir.path());
        }
    }
}
