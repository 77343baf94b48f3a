//! `partitions`: what many partitions cost, at the same total rate.

use super::batches::Batches;
use super::{Ground, Measured, Unit, Work};
use crate::load::Gate;
use crate::payload::Payload;
use crate::schedule::{Schedule, Share, Usual};
use crate::target::Target;
use std::io;

const USUAL: Usual = Usual { rate: 5000, connections: 16 };

/// Flags of `partitions`.
#[derive(clap::Args, Clone, Debug)]
pub struct Partitions {
    /// Partitions, each connection writing to its share of them in turn.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    partitions: u32,
    /// Bytes of a request.
    #[arg(long, default_value_t = 16 << 10, value_parser = clap::value_parser!(u32).range(100..=64 << 20))]
    size: u32,
    #[command(flatten)]
    payload: Payload,
    #[command(flatten)]
    schedule: Schedule,
}

impl Partitions {
    fn batches(&self) -> Batches<'_> {
        let (payload, schedule) = (&self.payload, &self.schedule);
        Batches { size: self.size, partitions: self.partitions, payload, schedule, usual: USUAL }
    }
}

impl Work for Partitions {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let ground = self.batches().prepare(on, "partitions")?;
        self.batches().touch(on, &ground)?;
        Ok(ground)
    }

    fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let measured = self.batches().load(on, ground, share, gate)?;
        Ok(measured.with("partitions", f64::from(self.partitions)))
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    fn written_bytes(&self) -> u64 {
        self.batches().written_bytes()
    }

    fn divides(&self) -> bool {
        true
    }

    fn open_loop(&self) -> bool {
        !self.schedule.closed
    }
}
