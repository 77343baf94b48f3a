//! corelog's benchmarks: floors (what the machine can do at best), and the broker against them.
//!
//! The figure is CPU time of the serving process, per request or per GB, from `/proc/<pid>/task/*/schedstat`:
//! it survives a noisy machine, as a ratio between two servers measured in turn in one call.

mod bare;
mod broker;
mod campaign;
mod cgroup;
mod child;
mod cold;
mod compaction;
mod compressed;
mod cpu;
mod echo;
mod floor;
mod groups;
mod kafka;
mod load;
mod members;
mod recovery;
mod ring_echo;
mod server;
mod tail;
mod wire;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Echo of 100 bytes over 64 connections: bare io_uring against corelog's runtime; and the runtime idle.
    Echo(echo::Args),
    /// Bare loops: receive + crc + append, sendfile, read + send, small requests with and without append.
    Floor(floor::Args),
    /// Produces to a running broker: CPU, throughput, latency.
    Produce(broker::LoadArgs),
    /// Fetches from a running broker.
    Fetch(broker::LoadArgs),
    /// Produces single records of 100 bytes to one partition of a running broker.
    Small(broker::LoadArgs),
    /// CPU of a running broker with connections open and silent.
    Idle(broker::IdleArgs),
    /// Time from the start of the broker to its first connection, and its memory then.
    Start(broker::CompareArgs),
    /// Recovery of a log after an unclean stop, from the page cache: GB/s on one core.
    Recovery(recovery::Args),
    /// Latency at the tail with and without somebody who reads old data, in a memory group smaller than that data.
    Cold(cold::Args),
    /// Latency at the tail with and without logs being cleaned, and what cleaning costs.
    Compaction(compaction::Args),
    /// CPU for compressed batches that are looked into, and that are trusted.
    Compressed(compressed::Args),
    /// Heartbeats, commits, rebalances and loading of groups, beside Apache Kafka.
    Groups(groups::Args),
    /// The broker on one core against the floors, in turn, with ratios.
    Compare(broker::CompareArgs),
    /// Workloads out of a file, side by side in turn on corelog, Apache Kafka and the floors.
    Campaign(campaign::Args),
    /// Tables and plots of what campaigns measured.
    Report(campaign::ReportArgs),
    /// Two campaigns: what got better or worse beyond noise.
    Diff(campaign::DiffArgs),
    /// One of the servers above (started by the commands above as their own process).
    #[command(hide = true)]
    Serve(child::ServeArgs),
}

fn main() {
    let outcome = match Args::parse().command {
        Command::Echo(args) => echo::run(&args),
        Command::Floor(args) => floor::run(&args),
        Command::Produce(args) => broker::produce(&args),
        Command::Fetch(args) => broker::fetch(&args),
        Command::Small(args) => broker::small(&args),
        Command::Idle(args) => broker::idle(&args),
        Command::Start(args) => broker::start(&args),
        Command::Recovery(args) => recovery::run(&args),
        Command::Cold(args) => cold::run(&args),
        Command::Compaction(args) => compaction::run(&args),
        Command::Compressed(args) => compressed::run(&args),
        Command::Groups(args) => groups::run(&args),
        Command::Compare(args) => broker::compare(&args),
        Command::Campaign(args) => campaign::run(&args),
        Command::Report(args) => campaign::report(&args),
        Command::Diff(args) => campaign::diff(&args),
        Command::Serve(args) => child::serve(&args),
    };
    if let Err(error) = outcome {
        eprintln!("{error}");
        std::process::exit(1);
    }
}
