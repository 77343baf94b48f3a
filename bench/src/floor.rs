//! `floor`: what the machine can do at best, as bare loops.

use crate::child::{Kind, ServeArgs, Server};
use crate::cpu;
use crate::load::{Load, Outcome, frame};
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
    /// Requests per run.
    pub requests: u64,
}

/// Produce with frames of `size`, 256 MiB a run.
pub const fn produce(size: usize) -> Floor {
    let requests = (256 << 20) / size as u64;
    Floor { kind: Kind::Produce, size, request_bytes: size, connections: 4, in_flight: 2, requests }
}

/// Fetch of ranges of `size`, 2 GiB a run.
pub const fn fetch(kind: Kind, size: usize) -> Floor {
    let requests = (2 << 30) / size as u64;
    Floor { kind, size, request_bytes: 100, connections: 4, in_flight: 1, requests }
}

/// Small requests over 64 connections.
pub const fn small(kind: Kind, request_bytes: usize) -> Floor {
    Floor { kind, size: request_bytes, request_bytes, connections: 64, in_flight: 1, requests: 300_000 }
}

impl Floor {
    /// CPU seconds of the server for one run.
    pub fn run(&self, dir: &std::path::Path) -> io::Result<f64> {
        Ok(self.outcome(dir)?.cpu.as_secs_f64())
    }

    /// One run.
    pub fn outcome(&self, dir: &std::path::Path) -> io::Result<Outcome> {
        let server = Server::start(&ServeArgs { kind: self.kind, core: 0, size: self.size, dir: dir.into() })?;
        let load = Load {
            address: server.address,
            connections: self.connections,
            in_flight: self.in_flight,
            request: &|_| frame(self.request_bytes),
            framed_replies: true,
            server: server.pid(),
            requests: self.requests + self.warm_up(),
            warm_up: self.warm_up(),
            core: 1,
            rate: None,
        };
        cpu::warm_page_cache(dir, self.written_bytes() * 3 / 2)?;
        load.run()
    }

    /// Requests before those that are measured.
    pub const fn warm_up(&self) -> u64 {
        self.requests / 4
    }

    /// Median CPU seconds.
    pub fn median(&self, dir: &std::path::Path, runs: usize) -> io::Result<f64> {
        let mut figures = (0..runs).map(|_| self.run(dir)).collect::<io::Result<Vec<_>>>()?;
        Ok(cpu::median(&mut figures))
    }

    /// Bytes one run puts into the page cache.
    pub fn written_bytes(&self) -> usize {
        if self.kind == Kind::Produce { self.bytes() as usize * 5 / 4 } else { 0 }
    }

    /// Bytes of payload per run.
    pub fn bytes(&self) -> f64 {
        (self.size as u64 * self.requests) as f64
    }
}

pub fn run(args: &Args) -> io::Result<()> {
    let kind = corelog::ring::fs::fs_kind(&args.dir)?;
    println!("floors on {kind}, medians of {}:", args.runs);
    for size in [1 << 20, 16 << 10] {
        let floor = produce(size);
        println!(
            "  produce {:>5} KiB  {:.3} CPU s/GB",
            size >> 10,
            floor.median(&args.dir, args.runs)? * 1e9 / floor.bytes()
        );
    }
    for size in [1 << 20, 64 << 10, 16 << 10, 4 << 10] {
        for kind in [Kind::Sendfile, Kind::ReadSend] {
            let floor = fetch(kind, size);
            let figure = floor.median(&args.dir, args.runs)? * 1e9 / floor.bytes();
            println!("  fetch   {:>5} KiB  {figure:.3} CPU s/GB by {kind:?}", size >> 10);
        }
    }
    for kind in [Kind::SmallCrc, Kind::SmallAppend] {
        let floor = small(kind, 200);
        let figure = floor.median(&args.dir, args.runs)? * 1e6 / floor.requests as f64;
        println!("  small   200 B      {figure:.2} CPU us per request, {kind:?}");
    }
    Ok(())
}
