//! A tail segment of 1 MiB with any byte flipped, and cut at any length. Recovery never panics, keeps exactly the sound
//! batches in front, and serves nothing whose checksum is wrong.
//!
//! Some hundred places, spread evenly from a random first one, are tried; `LOG_FAULT_STEP=1` tries all (a release build
//! takes some minutes: `scripts/test-faults.sh`). `LOG_FAULT_SEED` repeats a run.

use super::support::*;
use crate::base::{LeaderEpoch, Offset, TimestampMs};
use crate::log::{AppendOrigin, LogConfig};
use crate::record::{BatchBuilder, batches};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::fs;
use std::path::{Path, PathBuf};

/// The tail's size, about.
const TAIL_BYTES: usize = 1 << 20;
/// So many places are tried unless all are.
const PLACES: usize = 200;
/// The first and the last byte of the leader epoch in a header.
const EPOCH_FIELD: std::ops::Range<usize> = 12..16;

/// A log with a closed segment and a tail, as files.
struct Tail {
    dir: tempfile::TempDir,
    path: PathBuf,
    bytes: Vec<u8>,
    /// Where each batch of the tail begins, and its first offset; then the end.
    starts: Vec<(usize, i64)>,
    /// Every file beside it, to be put back.
    others: Vec<(PathBuf, Vec<u8>)>,
    random: StdRng,
    step: usize,
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn config() -> LogConfig {
    LogConfig { segment_bytes: 2 << 20, ..LogConfig::default() }
}

impl Tail {
    fn make() -> Self {
        let seed = number("LOG_FAULT_SEED").unwrap_or_else(rand::random::<u64>);
        println!("LOG_FAULT_SEED={seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let dir = tempfile::tempdir().unwrap();
        let mut log = open(dir.path(), &config(), CLEAN);
        let mut epoch = 0;
        let mut append = |log: &mut crate::log::Log, random: &mut StdRng| {
            epoch += i32::from(random.random_ratio(1, 20));
            let mut builder = BatchBuilder::new(Offset(0));
            for _ in 0..random.random_range(1..5) {
                let mut value = vec![0; 1 << random.random_range(0..14)];
                random.fill(&mut value[..]);
                builder.append(TimestampMs(NOW_MS), Some(b"key"), Some(&value), &[]);
            }
            log.append_as_leader(builder.build(), AppendOrigin::Client, LeaderEpoch(epoch), now()).unwrap();
            write(log);
        };
        while log.segment_count() < 2 {
            append(&mut log, &mut random);
        }
        let files = dir.path().join("t-0");
        let path = files.join(names(&files).into_iter().rfind(|name| name.ends_with(".log")).unwrap());
        while (fs::metadata(&path).unwrap().len() as usize) < TAIL_BYTES {
            append(&mut log, &mut random);
        }
        drop(log);
        let bytes = fs::read(&path).unwrap();
        let mut at = 0;
        let mut starts = Vec::new();
        for batch in batches(&bytes) {
            let batch = batch.unwrap();
            starts.push((at, batch.header().base_offset().0));
            at += batch.size();
        }
        let last = batches(&bytes).last().unwrap().unwrap().header().next_offset().0;
        starts.push((at, last));
        let others = names(&files).into_iter().map(|name| files.join(name)).filter(|other| *other != path);
        let others = others.map(|other| (other.clone(), fs::read(&other).unwrap())).collect();
        let step = number("LOG_FAULT_STEP").unwrap_or(bytes.len() / PLACES).max(1);
        Self { dir, path, bytes, starts, others, random, step }
    }

    /// The batch that holds this byte.
    fn batch_at(&self, byte: usize) -> usize {
        self.starts.partition_point(|(start, _)| *start <= byte) - 1
    }

    fn places(&mut self) -> Vec<usize> {
        let first = self.random.random_range(0..self.step);
        (first..self.bytes.len()).step_by(self.step).collect()
    }

    /// Recovers with `tail` as the tail's bytes; gives the log's end and what is left of the tail.
    fn recovered(&self, tail: &[u8], serve: bool) -> (i64, usize) {
        for (path, bytes) in &self.others {
            fs::write(path, bytes).unwrap();
        }
        fs::write(&self.path, tail).unwrap();
        let mut log = open(self.dir.path(), &config(), UNCLEAN);
        if serve {
            // Verifies the checksum of each batch.
            let last = all(&mut log).last().map_or(0, |(_, last)| last + 1);
            assert_eq!(last, log.written_offset().0, "all that is there is served");
        }
        let left = fs::read(&self.path).unwrap();
        assert!(tail.starts_with(&left), "recovery only cuts");
        (log.written_offset().0, left.len())
    }
}

#[test]
fn a_flipped_byte_anywhere_ends_the_log_before_its_batch() {
    let mut tail = Tail::make();
    let last = tail.starts.len() - 2;
    // Also every byte outside the checksum of one batch in the middle and of the last one.
    let heads = [last / 2, last].map(|batch| tail.starts[batch].0).into_iter().flat_map(|at| at..at + 61);
    let places: Vec<_> = tail.places().into_iter().chain(heads).collect();
    for (n, at) in places.into_iter().enumerate() {
        let bit = tail.random.random_range(1..=255u8);
        let mut bent = tail.bytes.clone();
        bent[at] ^= bit;
        let batch = tail.batch_at(at);
        let (start, offset) = tail.starts[batch];
        let recovered = tail.recovered(&bent, n % 16 == 0);
        let whole = (tail.starts[last + 1].1, tail.bytes.len());
        // A raised epoch in the very last batch may be a new leader's: nothing determines it.
        let undetermined = batch == last && EPOCH_FIELD.contains(&(at - start)) && recovered == whole;
        assert!(
            recovered == (offset, start) || undetermined,
            "byte {at} ^ {bit:#x}: {recovered:?} instead of {offset} at {start}"
        );
    }
}

#[test]
fn a_tail_of_any_length_keeps_its_whole_batches() {
    let mut tail = Tail::make();
    let boundaries: Vec<_> = tail.starts.iter().step_by(10).flat_map(|(at, _)| at.saturating_sub(1)..at + 2).collect();
    let places: Vec<_> = tail.places().into_iter().chain(boundaries).filter(|len| *len <= tail.bytes.len()).collect();
    for (n, len) in places.into_iter().enumerate() {
        let batch = if len == tail.bytes.len() { tail.starts.len() - 1 } else { tail.batch_at(len) };
        let (start, offset) = tail.starts[batch];
        assert_eq!(tail.recovered(&tail.bytes[..len], n % 16 == 0), (offset, start), "cut at {len}");
    }
}

#[test]
fn any_other_file_of_a_log_is_rebuilt_from_the_batches() {
    let mut tail = Tail::make();
    let end = tail.starts.last().unwrap().1;
    let files: Vec<(PathBuf, Vec<u8>)> = tail.others.clone();
    for (path, whole) in files.iter().filter(|(path, _)| !is_segment(path) && !is_metadata(path)) {
        let mut noise = whole.clone();
        tail.random.fill(&mut noise[..]);
        let mut longer = whole.clone();
        longer.resize(whole.len() + 4096, 0x55);
        for damage in [vec![], whole[..whole.len() / 2].to_vec(), noise, longer] {
            let at = tail.others.iter().position(|(other, _)| other == path).unwrap();
            tail.others[at].1 = damage;
            let recovered = tail.recovered(&tail.bytes, true);
            assert_eq!(recovered, (end, tail.bytes.len()), "{}", path.display());
            tail.others[at].1.clone_from(whole);
        }
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "log")
}

fn is_metadata(path: &Path) -> bool {
    path.ends_with("partition.metadata")
}
