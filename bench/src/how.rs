//! How, and on what, a workload runs: what a campaign's file may say for each workload, and what is said once on the
//! command line.

use crate::server::Servers;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A workload with all its flags.
#[derive(clap::Args, Clone, Debug)]
pub struct With<W: clap::Args> {
    /// What it does.
    #[command(flatten)]
    pub work: W,
    #[command(flatten)]
    setting: Setting,
    #[command(flatten)]
    once: Once,
}

/// Both kinds of flags that all workloads have.
#[derive(Clone, Copy)]
pub struct Both<'a> {
    /// Of the server it runs on.
    pub setting: &'a Setting,
    /// Of the whole call.
    pub once: &'a Once,
}

impl<W: clap::Args> With<W> {
    /// The flags that all workloads have.
    pub const fn both(&self) -> Both<'_> {
        Both { setting: &self.setting, once: &self.once }
    }
}

/// How servers of our own stand, for one workload.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Servers of our own")]
pub struct Setting {
    /// Cores they may use, from the first on; without it: all.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub cores: Option<u32>,
    /// MB of memory, page cache included, in a memory group (root).
    #[arg(long)]
    pub memory: Option<u64>,
    /// A line of their file, KEY=VALUE; may be given several times.
    #[arg(long = "property", value_parser = key_value)]
    pub properties: Vec<(String, String)>,
}

/// What is said once: on the command line, for all workloads.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Servers and results")]
pub struct Once {
    /// A broker that runs already, instead of servers of our own.
    #[arg(long)]
    pub address: Option<SocketAddr>,
    /// Its process on this machine, for CPU and memory.
    #[arg(long, requires = "address", conflicts_with_all = ["metrics", "cgroup"])]
    pub pid: Option<u32>,
    /// Its /metrics, for CPU and memory (host:port).
    #[arg(long, requires = "address", conflicts_with = "cgroup")]
    pub metrics: Option<SocketAddr>,
    /// Its group of processes on this machine (a directory below /sys/fs/cgroup), for CPU and memory.
    #[arg(long, requires = "address")]
    pub cgroup: Option<PathBuf>,
    /// Its name in tables.
    #[arg(long, default_value = "broker")]
    pub label: String,
    #[command(flatten)]
    pub servers: Servers,
    /// Leaves the floor out.
    #[arg(long)]
    pub no_floor: bool,
    /// Runs that count; one more before them warms up.
    #[arg(long)]
    pub runs: Option<usize>,
    /// Takes each run as a line of JSON, behind what is there.
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Nodes (`bench node`) that drive the load together, instead of this process.
    #[arg(long, value_delimiter = ',')]
    pub nodes: Vec<SocketAddr>,
    /// Counts system calls and io_uring requests in the run that warms up (perf).
    #[arg(long)]
    pub syscalls: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is wanted")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
