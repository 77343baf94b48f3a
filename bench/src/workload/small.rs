//! `small`.

use super::batches::Batches;
use super::{Ground, Measured, Unit, Work};
use crate::floor::Floor;
use crate::kafka;
use crate::load::Gate;
use crate::payload::{Durability, Payload};
use crate::schedule::{Schedule, Share, Usual};
use crate::target::Target;
use std::io;

const USUAL: Usual = Usual { rate: 10_000, connections: 64 };

/// Flags of `small`.
#[derive(clap::Args, Clone, Debug)]
pub struct Small {
    /// Bytes of a record's value.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=4000))]
    record: u32,
    /// Partitions, by connections in turn.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    partitions: u32,
    /// Required acknowledgements: -1 (all), 1 or 0.
    #[arg(long, default_value_t = -1, allow_hyphen_values = true, value_parser = clap::value_parser!(i16).range(-1..=1))]
    acks: i16,
    /// Whether a record is acknowledged from the page cache (parity) or when it is on the disk (sync).
    #[arg(long, value_enum, default_value_t = Durability::Parity)]
    durability: Durability,
    #[command(flatten)]
    schedule: Schedule,
}

impl Small {
    fn with<R>(&self, then: impl FnOnce(&Batches<'_>) -> R) -> R {
        let (record, acks, durability) = (self.record, self.acks, self.durability);
        let payload = Payload { record, keys: 0, compression: None, acks, durability };
        // Room for one record and no second.
        let size = kafka::batch(1, record as usize).len() as u32 + 90;
        let (partitions, schedule) = (self.partitions, &self.schedule);
        then(&Batches { size, partitions, payload: &payload, schedule, usual: USUAL })
    }
}

impl Work for Small {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        self.with(|batches| batches.prepare(on, "small"))
    }

    fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        self.with(|batches| batches.load(on, ground, share, gate))
    }

    fn unit(&self) -> Unit {
        Unit::Requests
    }

    fn floor(&self) -> io::Result<Option<Floor>> {
        self.with(|batches| batches.small_floor().map(Some))
    }

    fn divides(&self) -> bool {
        true
    }

    fn open_loop(&self) -> bool {
        !self.schedule.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        small: Small,
    }

    #[test]
    fn a_small_request_holds_one_record() {
        for record in ["1", "100", "150", "4000"] {
            let small = Only::parse_from(["x", "--record", record]).small;
            let (batch, records) = small.with(|batches| batches.payload.batch(batches.size)).unwrap();
            assert_eq!(records, 1, "{record}: {}", batch.len());
        }
    }
}
