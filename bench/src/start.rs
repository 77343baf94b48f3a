//! `start`: how long a server takes until it accepts connections on an empty directory, and its memory then.

use crate::cpu;
use crate::server::{Kind, Server, Servers, Setup};
use std::io;
use std::path::Path;
use std::time::Duration;

/// Arguments of `start`.
#[derive(clap::Args, Clone)]
pub struct Args {
    #[command(flatten)]
    servers: Servers,
    /// Runs.
    #[arg(long, default_value_t = 5)]
    runs: usize,
}

/// `start`.
pub fn run(args: &Args) -> io::Result<()> {
    args.servers.kinds().iter().try_for_each(|kind| of(kind, &args.servers.dir, args.runs))
}

/// The same of corelog alone.
pub fn run_on(binary: &Path, dir: &Path, runs: usize) -> io::Result<()> {
    of(&Kind::Corelog(binary.to_owned()), dir, runs)
}

fn of(kind: &Kind, dir: &Path, runs: usize) -> io::Result<()> {
    let (mut starts, mut memory, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs.max(1) {
        let server = Server::start_in(kind, dir, &Setup { cores: Some(1), ..Setup::default() })?;
        std::thread::sleep(Duration::from_secs(1));
        starts.push(server.until_listening.as_secs_f64() * 1e3);
        memory.push(cpu::resident_bytes(server.pid())? as f64 / 1e6);
        let before = cpu::of_process(server.pid())?;
        std::thread::sleep(Duration::from_secs(2));
        idle.push((cpu::of_process(server.pid())? - before).as_secs_f64() * 50.0);
    }
    println!(
        "{} on one core: {:.0} ms to the first connection (goal: 100), then {:.1} MB resident (goal: 30), idle at {:.4} % CPU (goal: 0.00)",
        kind.name(),
        cpu::median(&mut starts),
        cpu::median(&mut memory),
        cpu::median(&mut idle)
    );
    Ok(())
}
