//! bench: load for brokers that speak Kafka's protocol, and the floors (what the machine can do at best) beside them.
//!
//! The figure is CPU time of the serving process, per request or per GB, from `/proc/<pid>/task/*/schedstat`:
//! it survives a noisy machine, as a ratio between two servers measured in turn in one call.

mod bare;
mod campaign;
mod cgroup;
mod child;
mod client;
mod compressed;
mod cpu;
mod echo;
mod floor;
mod how;
mod interrupt;
mod kafka;
mod load;
mod node;
mod payload;
mod progress;
mod ratios;
mod ready;
mod recovery;
mod ring_echo;
mod schedule;
mod server;
mod start;
mod syscalls;
mod target;
mod wire;
mod workload;

use clap::{Parser, Subcommand};
use std::io;

#[derive(Parser)]
#[command(about = "Load and measurements for brokers that speak Kafka's protocol")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(flatten)]
    Workload(Box<workload::Workload>),
    /// Workloads out of a file, side by side in turn on corelog, Apache Kafka and the floors.
    Campaign(campaign::Args),
    /// Tables and plots of what campaigns measured.
    Report(campaign::ReportArgs),
    /// Two files of runs: what got better or worse beyond noise.
    #[command(alias = "diff")]
    Compare(campaign::DiffArgs),
    /// A campaign whose ratios to the floors are compared with recorded ones.
    Judge(campaign::JudgeArgs),
    /// corelog on one core against the floors, in turn, with ratios.
    Ratios(ratios::Args),
    /// Bare loops: receive + crc + append, sendfile, read + send, small requests with and without append.
    Floor(floor::Args),
    /// Echo of 100 bytes over 64 connections: bare io_uring against corelog's runtime; and the runtime idle.
    Echo(echo::Args),
    /// What the load itself costs: GB and requests that one core drives.
    Client(client::Args),
    /// Time from the start of a server to its first connection, its memory, and its CPU then.
    Start(start::Args),
    /// Recovery of a log after an unclean stop, from the page cache: GB/s on one core.
    Recovery(recovery::Args),
    /// CPU for compressed batches that are looked into, and that are trusted.
    Compressed(compressed::Args),
    /// Heartbeats, commits, rebalances and loading of groups: the campaign `campaigns/groups.toml`.
    Groups(campaign::GroupsArgs),
    /// Drives shares of loads for other machines (`--nodes` of a workload or a campaign), until it is ended.
    Node(node::Args),
    /// One of the bare loops (started by the commands above as their own process).
    #[command(hide = true)]
    Serve(child::ServeArgs),
}

/// As many descriptors as are allowed: each connection needs one, and servers inherit the limit.
fn raise_files() -> io::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}

fn main() {
    // Before anybody pins this process.
    let _ = cpu::allowed();
    let outcome = raise_files().and_then(|()| match Args::parse().command {
        Command::Workload(workload) => campaign::one_workload(&workload, std::env::args().skip(1).collect()),
        Command::Campaign(args) => campaign::run(&args),
        Command::Report(args) => campaign::report(&args),
        Command::Compare(args) => campaign::diff(&args),
        Command::Judge(args) => campaign::judge(&args),
        Command::Ratios(args) => ratios::run(&args),
        Command::Floor(args) => floor::run(&args),
        Command::Echo(args) => echo::run(&args),
        Command::Client(args) => client::run(&args),
        Command::Start(args) => start::run(&args),
        Command::Recovery(args) => recovery::run(&args),
        Command::Compressed(args) => compressed::run(&args),
        Command::Groups(args) => campaign::groups(&args),
        Command::Node(args) => node::run(&args),
        Command::Serve(args) => child::serve(&args),
    });
    match outcome {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            eprintln!("interrupted; what was measured until then is kept");
            std::process::exit(130);
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}
