//! `fetch`.

use super::batches::NoGate;
use super::{Ground, Measured, Unit, Work};
use crate::child::Kind;
use crate::floor::{self, Floor};
use crate::kafka;
use crate::load::{Frames, Gate, Length, Load, Replies};
use crate::payload::Payload;
use crate::schedule::{Schedule, Share, Usual};
use crate::target::Target;
use bytes::Bytes;
use std::fs::File;
use std::io;
use std::path::Path;

const USUAL: Usual = Usual { rate: 500, connections: 4 };

/// Flags of `fetch`.
#[derive(clap::Args, Clone, Debug)]
pub struct Fetch {
    /// Bytes of a range: one batch, up to a MiB.
    #[arg(long, default_value_t = 1 << 20, value_parser = clap::value_parser!(u32).range(1000..=64 << 20))]
    size: u32,
    /// Where the data is when it is read.
    #[arg(long, value_enum, default_value_t = From::CatchUp)]
    from: From,
    /// MB in each partition, of which each connection reads one, from its begin to its end and again.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    data: u32,
    #[command(flatten)]
    payload: Payload,
    #[command(flatten)]
    schedule: Schedule,
}

/// Where data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    /// In the page cache.
    CatchUp,
    /// On the disk: it is put out of the page cache before each run (servers on this machine), and read once.
    Cold,
}

impl Fetch {
    fn batch(&self) -> io::Result<(Bytes, u64)> {
        let size = self.size.min(1 << 20);
        self.payload.batch(size - 4096.min(size / 4))
    }

    /// Batches in a partition.
    fn batches(&self, batch: &Bytes) -> u64 {
        ((u64::from(self.data) << 20) / batch.len() as u64).max(2)
    }

    /// Batches that one fetch brings.
    fn at_once(&self, batch: &Bytes) -> u64 {
        (u64::from(self.size) / batch.len() as u64).max(1)
    }
}

impl Work for Fetch {
    fn prepare(&self, on: &Target) -> io::Result<Ground> {
        let topic = kafka::fresh_topic("fetch");
        let connections = self.schedule.all_connections(USUAL);
        kafka::create_topic(on.address, &topic, connections as i32)?;
        let (batch, _) = self.batch()?;
        // A fifth of them counts as the warm-up of this load.
        let total = self.batches(&batch) * u64::from(connections);
        let fill = Load {
            address: on.address,
            connections: 1,
            in_flight: 4,
            frames: &|_| {
                let partitions = (0..i64::from(connections)).collect();
                Frames::varying(partitions, 4, |partition| kafka::produce(&topic, partition as i32, -1, batch.clone()))
            },
            replies: Replies::Framed(kafka::produced_error),
            length: Length::Requests(total - total / 5),
            rate: None,
        };
        fill.run(&NoGate)?;
        let first = kafka::fetch(&topic, 0, 0, self.size as i32)?;
        let bytes = kafka::fetched_bytes(on.address, &first)?;
        if bytes < batch.len() {
            return Err(io::Error::other(format!("a fetch of {} brings only {bytes} bytes", self.size)));
        }
        if self.from == From::Cold {
            let data = on.data.as_ref().ok_or_else(|| io::Error::other("cold data only with a server of our own"))?;
            evict(data, &topic)?;
        }
        Ok(Ground { topics: vec![topic] })
    }

    fn load(&self, on: &Target, ground: &Ground, share: Share, gate: &dyn Gate) -> io::Result<Measured> {
        let pace = self.schedule.pace(USUAL, share);
        let (batch, records) = self.batch()?;
        let (step, there) = (self.at_once(&batch), self.batches(&batch) * 4 / 5);
        let offsets: Vec<i64> = (0..there / step).map(|n| (n * step * records) as i64).collect();
        let length = match self.from {
            From::CatchUp => pace.length,
            // Each once.
            From::Cold => Length::Requests((offsets.len() * pace.connections * 4 / 5).max(1) as u64),
        };
        let topic = &ground.topics[0];
        let frames = |number: usize| {
            let partition = (pace.first + number as u64) as i32;
            Frames::varying(offsets.clone(), 8, |offset| kafka::fetch(topic, partition, offset, self.size as i32))
        };
        let load = Load {
            address: on.address,
            connections: pace.connections,
            in_flight: pace.in_flight,
            frames: &frames,
            replies: Replies::Framed(kafka::fetched_error),
            length,
            rate: pace.rate,
        };
        let outcome = load.run(gate)?;
        let bytes = outcome.bytes_in;
        Ok(Measured { bytes, ..Measured::of(outcome, 0, records * step) })
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    fn floor(&self) -> io::Result<Option<Floor>> {
        let pace = self.schedule.pace(USUAL, Share::WHOLE);
        Ok((self.from == From::CatchUp).then(|| Floor {
            connections: pace.connections,
            in_flight: pace.in_flight,
            length: pace.length,
            rate: pace.rate,
            ..floor::fetch(Kind::Sendfile, self.size as usize)
        }))
    }

    fn divides(&self) -> bool {
        self.from == From::CatchUp
    }

    fn open_loop(&self) -> bool {
        !self.schedule.closed
    }
}

/// Puts the logs of a topic onto the disk and out of the page cache.
fn evict(data: &Path, topic: &str) -> io::Result<()> {
    for partition in std::fs::read_dir(data)? {
        let partition = partition?;
        if !partition.file_name().to_string_lossy().starts_with(topic) {
            continue;
        }
        for file in std::fs::read_dir(partition.path())? {
            let file = File::open(file?.path())?;
            file.sync_all()?;
            nix::fcntl::posix_fadvise(&file, 0, 0, nix::fcntl::PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
        }
    }
    Ok(())
}
