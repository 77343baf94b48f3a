//! `client`: what the load itself costs, so that it is known that the server is what is measured: its own CPU time against
//! servers that do as little as can be.

use crate::child::{Kind, ServeArgs, Server};
use crate::cpu;
use crate::load::{self, Frames, Gate, Length, Load, Replies, on_last_core};
use std::cell::Cell;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `client`.
#[derive(clap::Args)]
pub struct Args {
    /// Directory for the file of the server that takes large requests.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Runs of each; the best counts, as other work only ever adds.
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

/// This process's CPU time at the begin of the measured part.
#[derive(Default)]
struct Own(Cell<Duration>);

impl Own {
    fn now() -> io::Result<Duration> {
        cpu::of_process(std::process::id())
    }
}

impl Gate for Own {
    fn connected(&self) -> io::Result<()> {
        Ok(())
    }

    fn measuring(&self) -> io::Result<()> {
        self.0.set(Self::now()?);
        Ok(())
    }
}

/// What is sent, and to whom.
struct Case {
    kind: Kind,
    bytes: usize,
    connections: usize,
    in_flight: usize,
    requests: u64,
}

impl Case {
    /// Requests a second by the clock, and for a second of the client's CPU.
    fn run(&self, args: &Args) -> io::Result<(f64, f64)> {
        let server = Server::start(&ServeArgs { kind: self.kind, core: 0, size: self.bytes, dir: args.dir.clone() })?;
        let load = Load {
            address: server.address,
            connections: self.connections,
            in_flight: self.in_flight,
            frames: &|_| Ok(Frames::same(load::of_bytes(self.bytes))),
            replies: if self.kind == Kind::BareEcho { Replies::Echo } else { Replies::Framed(|_| 0) },
            length: Length::Requests(self.requests),
            rate: None,
        };
        let own = Own::default();
        let outcome = load.run(&own)?;
        let used = Own::now()?.saturating_sub(own.0.get());
        let requests = outcome.replies as f64;
        Ok((requests / outcome.elapsed.as_secs_f64(), requests / used.as_secs_f64()))
    }

    fn best(&self, args: &Args) -> io::Result<(f64, f64)> {
        let mut best = (0.0, 0.0);
        for _ in 0..args.runs.max(1) {
            let (clock, core) = self.run(args)?;
            best = (f64::max(best.0, clock), f64::max(best.1, core));
        }
        Ok(best)
    }
}

/// `client`.
pub fn run(args: &Args) -> io::Result<()> {
    on_last_core();
    let large = Case { kind: Kind::Produce, bytes: 1 << 20, connections: 4, in_flight: 2, requests: 1000 };
    let (clock, core) = large.best(args)?;
    let gb = large.bytes as f64 / 1e9;
    println!(
        "1 MiB requests: {:.2} GB/s by the clock, {:.2} GB for a second of CPU (goal: 1.5)",
        clock * gb,
        core * gb
    );
    for in_flight in [1, 16] {
        let requests = 1_000_000;
        let small = Case { kind: Kind::BareEcho, bytes: 100, connections: 64, in_flight, requests };
        let (clock, core) = small.best(args)?;
        let goal = if in_flight > 1 { " (goal: 300,000)" } else { "" };
        println!(
            "100 bytes, 64 connections, {in_flight} in flight: {clock:.0}/s by the clock, {core:.0} for a second of CPU{goal}"
        );
    }
    Ok(())
}
