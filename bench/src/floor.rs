//! `floor`: what the machine can do at best, as bare loops.

use crate::child::{Kind, ServeArgs, Server};
use crate::cpu;
use crate::load::{self, Frames, Length, Load, Outcome, Replies};
use crate::target::{Gauge, Meter, Used};
use std::io;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Directory on the file system to measure.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Runs of each.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// One floor: which server under which load.
#[derive(Clone, Copy)]
pub struct Floor {
    /// The server.
    pub kind: Kind,
    /// Frame or range size.
    pub size: usize,
    /// Bytes of one request.
    pub request_bytes: usize,
    /// Connections.
    pub connections: usize,
    /// Requests in flight on each.
    pub in_flight: usize,
    /// How much a run is.
    pub length: Length,
    /// Requests a second; `None` is the closed loop.
    pub rate: Option<u64>,
}

/// Produce with frames of `size`, 256 MiB a run.
pub const fn produce(size: usize) -> Floor {
    let requests = (256 << 20) / size as u64;
    Floor {
        kind: Kind::Produce,
        size,
        request_bytes: size,
        connections: 4,
        in_flight: 2,
        length: Length::Requests(requests),
        rate: None,
    }
}

/// Fetch of ranges of `size`, 2 GiB a run.
pub const fn fetch(kind: Kind, size: usize) -> Floor {
    let requests = (2 << 30) / size as u64;
    Floor {
        kind,
        size,
        request_bytes: 100,
        connections: 4,
        in_flight: 1,
        length: Length::Requests(requests),
        rate: None,
    }
}

/// Small requests over 64 connections.
pub const fn small(kind: Kind, request_bytes: usize) -> Floor {
    let length = Length::Requests(300_000);
    Floor { kind, size: request_bytes, request_bytes, connections: 64, in_flight: 1, length, rate: None }
}

/// A run of a floor.
pub struct FloorRun {
    /// What the client saw.
    pub outcome: Outcome,
    /// What the server used.
    pub used: Used,
    /// Bytes of payload.
    pub bytes: u64,
}

impl FloorRun {
    /// CPU seconds for a GB of payload.
    pub fn per_gb(&self) -> f64 {
        self.used.cpu.unwrap_or(f64::NAN) * 1e9 / self.bytes as f64
    }

    /// CPU microseconds for a request.
    pub fn per_request(&self) -> f64 {
        self.used.cpu.unwrap_or(f64::NAN) * 1e6 / self.outcome.replies as f64
    }
}

impl Floor {
    /// One run.
    pub fn run(&self, dir: &std::path::Path) -> io::Result<FloorRun> {
        let server = Server::start(&ServeArgs { kind: self.kind, core: 0, size: self.size, dir: dir.into() })?;
        let gauge = Gauge::Process(server.pid());
        let meter = Meter::new(&gauge);
        let load = Load {
            address: server.address,
            connections: self.connections,
            in_flight: self.in_flight,
            frames: &|_| Ok(Frames::same(load::of_bytes(self.request_bytes))),
            replies: Replies::Framed(|_| 0),
            length: self.length,
            rate: self.rate,
        };
        cpu::warm_page_cache(dir, self.written_bytes() as usize)?;
        let outcome = load.run(&meter)?;
        let used = meter.end()?;
        let bytes = outcome.replies * self.size as u64;
        Ok(FloorRun { outcome, used, bytes })
    }

    /// Median of a figure.
    pub fn median(&self, dir: &std::path::Path, runs: usize, figure: fn(&FloorRun) -> f64) -> io::Result<f64> {
        let mut figures = (0..runs).map(|_| Ok(figure(&self.run(dir)?))).collect::<io::Result<Vec<_>>>()?;
        Ok(cpu::median(&mut figures))
    }

    /// Bytes one run puts into the page cache, about.
    pub fn written_bytes(&self) -> u64 {
        match (self.kind, self.length) {
            (Kind::Produce, Length::Requests(requests)) => requests * self.size as u64 * 15 / 8,
            (Kind::Produce, Length::Time(_)) => 256 << 20,
            _ => 0,
        }
    }
}

pub fn run(args: &Args) -> io::Result<()> {
    let kind = corelog::ring::fs::fs_kind(&args.dir)?;
    println!("floors on {kind}, medians of {}:", args.runs);
    for size in [1 << 20, 16 << 10] {
        let floor = produce(size);
        let figure = floor.median(&args.dir, args.runs, FloorRun::per_gb)?;
        println!("  produce {:>5} KiB  {figure:.3} CPU s/GB", size >> 10);
    }
    for size in [1 << 20, 64 << 10, 16 << 10, 4 << 10] {
        for kind in [Kind::Sendfile, Kind::ReadSend] {
            let floor = fetch(kind, size);
            let figure = floor.median(&args.dir, args.runs, FloorRun::per_gb)?;
            println!("  fetch   {:>5} KiB  {figure:.3} CPU s/GB by {kind:?}", size >> 10);
        }
    }
    for kind in [Kind::SmallCrc, Kind::SmallAppend] {
        let floor = small(kind, 200);
        let figure = floor.median(&args.dir, args.runs, FloorRun::per_request)?;
        println!("  small   200 B      {figure:.2} CPU us per request, {kind:?}");
    }
    Ok(())
}
