//! `loading`: a server starts with commits of offsets behind it, and serves all their groups again.

use super::commits::{commit, committed};
use super::{Ground, Measured, Unit, Work};
use crate::load::{Gate, histogram};
use crate::schedule::Share;
use crate::target::Target;
use crate::wire::Connection;
use crate::{interrupt, kafka, ready};
use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

/// Partitions of a commit.
const PARTITIONS: i32 = 100;
/// Commits in flight.
const IN_FLIGHT: u64 = 50;

/// Flags of `loading`.
#[derive(clap::Args, Clone, Debug)]
pub struct Loading {
    /// Offsets that are committed before the start, 100 in a request.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..))]
    commits: u64,
    /// Groups, in turn.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    groups: u64,
}

impl Loading {
    fn names(&self) -> Vec<String> {
        (0..self.groups).map(|n| format!("bench-loading-{n}")).collect()
    }
}

impl Work for Loading {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let topic = kafka::fresh_topic("loading");
        kafka::create_topic(on.address, &topic, PARTITIONS)?;
        let names = self.names();
        ready::coordinators(on.address, &names)?;
        let mut connection = Connection::open(on.address)?;
        let requests = self.commits.div_ceil(PARTITIONS as u64).max(self.groups);
        for first in (0..requests).step_by(IN_FLIGHT as usize) {
            interrupt::check()?;
            let numbers = first..(first + IN_FLIGHT).min(requests);
            for number in numbers.clone() {
                let name = &names[(number % self.groups) as usize];
                commit(&mut connection, name, &topic, 0..PARTITIONS, number as i64)?;
            }
            numbers.clone().try_for_each(|_| committed(connection.receive()?))?;
        }
        Ok(Ground { topics: vec![topic] })
    }

    fn restarts(&self) -> bool {
        true
    }

    fn load(&self, on: &Target, _: &Ground, _: Share, gate: &dyn Gate) -> io::Result<Measured> {
        gate.connected()?;
        gate.measuring()?;
        let began = Instant::now();
        ready::offsets(on.address, &self.names())?;
        let took = began.elapsed();
        let mut latency = histogram()?;
        let _ = latency.record(took.as_nanos() as u64);
        let (requests, seconds) = (self.commits, took.as_secs_f64());
        let measured = Measured { requests, records: 0, bytes: 0, seconds, latency, figures: BTreeMap::new() };
        let total = on.gauge.read()?.cpu;
        let measured = measured.with("s from the first connection", seconds);
        Ok(match (on.until_listening, total) {
            (Some(before), Some(cpu)) => measured
                .with("s from the start of the process", seconds + before.as_secs_f64())
                .with("CPU s since that", cpu),
            _ => measured,
        })
    }

    fn unit(&self) -> Unit {
        Unit::Whole
    }

    fn open_loop(&self) -> bool {
        false
    }
}
