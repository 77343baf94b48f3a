//! `echo`: what corelog's runtime costs above a bare io_uring loop, and that it costs nothing when idle.

use crate::child::{Kind, ServeArgs, Server};
use crate::cpu;
use crate::load::{self, Frames, Length, Load, Replies, on_last_core};
use crate::target::{Gauge, Meter};
use std::io;
use std::net::TcpStream;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// Requests per run.
    #[arg(long, default_value_t = 300_000)]
    requests: u64,
    /// Runs of each server, in turn.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Connections, one request in flight on each.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Bytes per request.
    #[arg(long, default_value_t = 100)]
    size: usize,
}

pub fn run(args: &Args) -> io::Result<()> {
    let mut figures = [Vec::new(), Vec::new()];
    for _ in 0..args.runs {
        for (index, kind) in [Kind::BareEcho, Kind::RingEcho].into_iter().enumerate() {
            figures[index].push(one(kind, args)?);
        }
    }
    let [bare, ring] = figures.map(|mut runs| cpu::median(&mut runs));
    println!("echo {} B x {} connections, CPU us per request, medians of {}:", args.size, args.connections, args.runs);
    println!("  bare io_uring     {bare:.2}");
    println!("  corelog's runtime {ring:.2}  = {:.2} x (goal: 1.15)", ring / bare);
    idle()
}

fn one(kind: Kind, args: &Args) -> io::Result<f64> {
    let serve = ServeArgs { kind, core: 0, size: args.size, dir: std::env::temp_dir() };
    let server = Server::start(&serve)?;
    let gauge = Gauge::Process(server.pid());
    let meter = Meter::new(&gauge);
    let load = Load {
        address: server.address,
        connections: args.connections,
        in_flight: 1,
        frames: &|_| Ok(Frames::same(load::of_bytes(args.size))),
        replies: Replies::Echo,
        length: Length::Requests(args.requests),
        rate: None,
    };
    on_last_core();
    let outcome = load.run(&meter)?;
    Ok(meter.end()?.cpu.unwrap_or(f64::NAN) * 1e6 / outcome.replies as f64)
}

/// CPU of the runtime in ten seconds with 1,000 connections open and silent.
fn idle() -> io::Result<()> {
    let serve = ServeArgs { kind: Kind::RingEcho, core: 0, size: 100, dir: std::env::temp_dir() };
    let server = Server::start(&serve)?;
    let connections: Vec<_> = (0..1000).map(|_| TcpStream::connect(server.address)).collect::<io::Result<_>>()?;
    std::thread::sleep(Duration::from_secs(1));
    let before = cpu::of_process(server.pid())?;
    std::thread::sleep(Duration::from_secs(10));
    let used = cpu::of_process(server.pid())? - before;
    println!("  idle with {} connections: {:.4} % CPU", connections.len(), used.as_secs_f64() * 10.0);
    Ok(())
}
