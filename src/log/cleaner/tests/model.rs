//! Logs beside a model of them: random keys, tombstones, codecs, producers and transactions, cleaned at random times.

use super::support::*;
use crate::base::{LeaderEpoch, Now, Offset, ProducerEpoch, ProducerId, TimestampMs};
use crate::log::{AppendOrigin, Log, LogConfig};
use crate::record::control::EndTxnMarker;
use crate::record::{BatchBuilder, BatchView, Compression, rewrite};
use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{HashMap, HashSet};
use std::path::Path;

const RETENTION: i64 = 1000;

/// What was written: of each record everything, and whether its transaction was aborted.
struct World {
    random: StdRng,
    config: LogConfig,
    clock: i64,
    written: Vec<Seen>,
    aborted: HashSet<i64>,
    /// Data offsets of producers with a transaction open.
    open: HashMap<i64, Vec<i64>>,
    sequences: HashMap<i64, i32>,
    cleaned: Option<Offset>,
    /// When a round first found a tombstone below its end.
    tombstones: HashMap<i64, i64>,
}

fn packed(plain: &Bytes, codec: i16) -> Bytes {
    let batch = BatchView::parse_checked(plain).unwrap();
    let records: Vec<_> = batch.records().map(Result::unwrap).collect();
    let mut bytes = plain.to_vec();
    // The rewriter packs by the codec in the header.
    bytes[22] |= codec as u8;
    let bent = BatchView::parse(&bytes).unwrap();
    let mut out = Vec::new();
    rewrite::rewrite(&bent, &records, None, &mut Vec::new(), &mut out).unwrap();
    assert_eq!(BatchView::parse_checked(&out).unwrap().header().compression(), Compression::from_id(codec));
    out.into()
}

impl World {
    fn now(&self) -> Now {
        Now { wall: TimestampMs(self.clock), ..now() }
    }

    fn append(&mut self, log: &mut Log) {
        let producer = self.random.random_range(-3..4).max(-1);
        let transactional = producer >= 2;
        let sequence = self.sequences.entry(producer).or_insert(0);
        let epoch = ProducerEpoch(if producer < 0 { -1 } else { 0 });
        let first = if producer < 0 { -1 } else { *sequence };
        let mut builder = BatchBuilder::new(Offset(0)).producer(ProducerId(producer), epoch, first);
        if transactional {
            builder = builder.transactional();
        }
        let count = self.random.random_range(1..6);
        *sequence += count;
        let base = log.end_offset().0;
        for i in 0..i64::from(count) {
            self.clock += self.random.random_range(0..3);
            let key = format!("key {}", self.random.random_range(0..12)).into_bytes();
            let value = vec![b'v'; self.random.random_range(0..60)];
            let value = self.random.random_bool(0.8).then_some(value);
            let headers: &[(&str, Option<&[u8]>)] = if self.random.random_bool(0.2) { &[("h", None)] } else { &[] };
            builder.append(TimestampMs(self.clock), Some(&key), value.as_deref(), headers);
            self.written.push(Seen {
                offset: base + i,
                key: Some(key),
                value,
                timestamp: self.clock,
                headers: headers.len(),
                producer,
                control: false,
            });
            if transactional {
                self.open.entry(producer).or_default().push(base + i);
            }
        }
        let bytes = packed(&builder.build(), self.random.random_range(0..5));
        log.append_as_leader(bytes, AppendOrigin::Coordinator, LeaderEpoch(0), self.now()).unwrap();
        write(log);
    }

    fn end_transaction(&mut self, log: &mut Log) {
        let Some(producer) = self.open.keys().copied().min() else { return };
        let offsets = self.open.remove(&producer).unwrap();
        let commit = self.random.random_bool(0.5);
        if !commit {
            self.aborted.extend(offsets);
        }
        let mut builder =
            BatchBuilder::new(Offset(0)).producer(ProducerId(producer), ProducerEpoch(0), -1).transactional();
        let marker = EndTxnMarker { commit, coordinator_epoch: 0 };
        builder.append_control(TimestampMs(self.clock), marker.control_type(), &marker.value());
        log.append_as_leader(builder.build(), AppendOrigin::Coordinator, LeaderEpoch(0), self.now()).unwrap();
        write(log);
    }

    fn clean(&mut self, log: &mut Log) {
        self.clock += self.random.random_range(0..2 * RETENTION);
        let mut plan = plan(log, self.cleaned, self.clock);
        if plan.range.dirty_bytes == 0 {
            return;
        }
        if self.random.random_bool(0.3) {
            plan.map_bytes = self.random.random_range(64..256);
        }
        plan.window_bytes = self.random.random_range(1..3000);
        let (upto, _) = run(log, plan).unwrap();
        self.cleaned = Some(upto);
        let found = seen(log);
        for tombstone in found.iter().filter(|s| s.value.is_none() && !s.control) {
            self.tombstones.entry(tombstone.offset).or_insert(self.clock);
        }
        self.check(log, upto.0);
    }

    fn check(&self, log: &mut Log, upto: i64) {
        let found: Vec<Seen> = seen(log).into_iter().filter(|s| !s.control).collect();
        assert!(found.windows(2).all(|two| two[0].offset < two[1].offset));
        let written: HashMap<i64, &Seen> = self.written.iter().map(|s| (s.offset, s)).collect();
        let here: HashSet<i64> = found.iter().map(|s| s.offset).collect();
        let mut keys = HashSet::new();
        for record in &found {
            assert_eq!(written.get(&record.offset), Some(&record), "a record is what was written at its offset");
            if record.offset < upto {
                assert!(keys.insert(record.key.clone()), "{record:?} is not the last of its key");
                assert!(!self.aborted.contains(&record.offset), "{record:?} was aborted");
            }
        }
        let mut last: HashMap<&Option<Vec<u8>>, &Seen> = HashMap::new();
        for record in self.written.iter().filter(|s| !self.aborted.contains(&s.offset)) {
            last.insert(&record.key, record);
        }
        for record in last.values() {
            let old = self.tombstones.get(&record.offset).is_some_and(|met| self.clock >= met + RETENTION);
            let may_go = record.value.is_none() && old;
            assert!(here.contains(&record.offset) || may_go, "{record:?} was the last of its key");
        }
    }

    fn restart(&mut self, log: Log, dir: &Path) -> Log {
        let producers = |log: &Log| {
            let mut all: Vec<_> =
                log.producers().iter().map(|(id, e)| (id.0, e.last_sequence(), e.txn_first_offset)).collect();
            all.sort();
            all
        };
        let (end, before) = (log.end_offset(), producers(&log));
        if self.random.random_bool(0.5) {
            log.close().unwrap();
        }
        for name in names(&dir.join("t-0")).into_iter().filter(|n| n.ends_with("snapshot") || n.ends_with("txnindex")) {
            std::fs::remove_file(dir.join("t-0").join(name)).unwrap();
        }
        let log = open(dir, &self.config, UNCLEAN);
        assert_eq!(log.end_offset(), end);
        assert_eq!(producers(&log), before, "told by the batches alone");
        log
    }
}

#[test]
fn a_cleaned_log_behaves_as_its_model() {
    let seeds: Vec<u64> = match std::env::var("CLEANER_MODEL_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => {
            let runs = std::env::var("CLEANER_MODEL_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
            (0..runs).map(|_| rand::rng().random()).collect()
        }
    };
    for seed in seeds {
        println!("CLEANER_MODEL_SEED={seed}");
        let dir = tempfile::tempdir().unwrap();
        let mut random = StdRng::seed_from_u64(seed);
        let segment_bytes = random.random_range(700..6000);
        let config = LogConfig { delete_retention_ms: RETENTION, ..config(segment_bytes) };
        let mut log = open(dir.path(), &config, CLEAN);
        let mut world = World {
            random,
            config,
            clock: NOW_MS,
            written: Vec::new(),
            aborted: HashSet::new(),
            open: HashMap::new(),
            sequences: HashMap::new(),
            cleaned: None,
            tombstones: HashMap::new(),
        };
        for _ in 0..150 {
            match world.random.random_range(0..20) {
                0..=11 => world.append(&mut log),
                12..=15 => world.end_transaction(&mut log),
                16..=18 => world.clean(&mut log),
                _ => log = world.restart(log, dir.path()),
            }
        }
    }
}
