//! `produce`.

use super::batches::Batches;
use super::{Ground, Measured, Unit, Work};
use crate::floor::Floor;
use crate::load::Gate;
use crate::payload::Payload;
use crate::schedule::{Schedule, Share, Usual};
use crate::target::Target;
use std::io;

const USUAL: Usual = Usual { rate: 200, connections: 4 };

/// Flags of `produce`.
#[derive(clap::Args, Clone, Debug)]
pub struct Produce {
    /// Bytes of a request.
    #[arg(long, default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(100..=64 << 20))]
    size: u32,
    /// Partitions; without it one for each connection.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    partitions: Option<u32>,
    #[command(flatten)]
    payload: Payload,
    #[command(flatten)]
    schedule: Schedule,
}

impl Produce {
    fn batches(&self) -> Batches<'_> {
        let partitions = self.partitions.unwrap_or_else(|| self.schedule.all_connections(USUAL));
        Batches { size: self.size, partitions, payload: &self.payload, schedule: &self.schedule, usual: USUAL }
    }
}

impl Work for Produce {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        self.batches().prepare(on, "produce")
    }

    fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        self.batches().load(on, ground, share, gate)
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    fn floor(&self) -> io::Result<Option<Floor>> {
        // Packed batches are smaller than they say, and a floor for fdatasync there is for small requests only.
        let plain = self.payload.compression.is_none() && self.payload.topic_configs().is_empty();
        Ok(plain.then(|| self.batches().floor(self.size as usize)))
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
