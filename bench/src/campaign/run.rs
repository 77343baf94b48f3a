//! Runs a campaign: for each workload its servers, in turn.

use super::facts::Machine;
use super::plan::{Kind, Plan, Workload};
use super::result::{self, Run};
use super::table;
use crate::broker::{LoadArgs, batch_of};
use crate::load::Outcome;
use crate::server::{Server, Servers, Setup};
use crate::{child, cpu, floor, kafka};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Arguments of `campaign`.
#[derive(clap::Args)]
pub struct Args {
    /// The file of workloads (TOML).
    plan: PathBuf,
    #[command(flatten)]
    servers: Servers,
    /// Leaves the floors out.
    #[arg(long)]
    no_floor: bool,
    /// Takes each run as a line of JSON, behind what is there.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Only workloads whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Rounds, whatever the file says.
    #[arg(long)]
    rounds: Option<usize>,
}

/// Who serves.
enum Contender {
    Broker(&'static str, Server),
    Floor(floor::Floor),
}

/// What the server's process had used at one moment.
struct Used {
    user: f64,
    system: f64,
    switches: u64,
    written: u64,
}

impl Used {
    fn by(pid: u32) -> io::Result<Self> {
        let (user, system) = cpu::user_and_system(pid)?;
        let switches = cpu::context_switches(pid)?;
        Ok(Self { user: user.as_secs_f64(), system: system.as_secs_f64(), switches, written: cpu::written_bytes(pid)? })
    }
}

/// `campaign`.
pub fn run(args: &Args) -> io::Result<()> {
    let mut plan = Plan::read(&args.plan)?;
    plan.rounds = args.rounds.unwrap_or(plan.rounds).max(1);
    plan.workload.retain(|workload| workload.name.contains(&args.only));
    let machine = Machine::here(&args.servers.dir);
    let mut json = match &args.json {
        Some(path) => Some(File::options().create(true).append(true).open(path)?),
        None => None,
    };
    let mut runs = Vec::new();
    for (index, workload) in plan.workload.iter().enumerate() {
        let mut contenders = contenders(args, workload)?;
        // The first round warms up: buffers, the page cache, Java's compiler.
        for round in 0..=plan.rounds {
            for contender in &mut contenders {
                let mut run = one(contender, workload, &args.servers.dir, &machine)?;
                run.round = round;
                let of = format!("[{}/{}] {}", index + 1, plan.workload.len(), workload.name);
                eprintln!("{of}, round {round} of {}, {}: {:.3} {}", plan.rounds, run.server, run.cost(), run.unit());
                if round > 0 {
                    if let Some(json) = &mut json {
                        writeln!(json, "{}", serde_json::to_string(&run)?)?;
                    }
                    runs.push(run);
                }
            }
        }
    }
    table::print(&runs, &mut io::stdout())
}

fn contenders(args: &Args, workload: &Workload) -> io::Result<Vec<Contender>> {
    let setup = Setup {
        core: workload.cores.map(|_| 0),
        properties: workload.properties.iter().map(|(key, value)| (key.clone().into(), value.clone())).collect(),
        ..Setup::default()
    };
    let mut all = Vec::new();
    for kind in args.servers.kinds() {
        all.push(Contender::Broker(kind.name(), Server::start_in(&kind, &args.servers.dir, &setup)?));
    }
    // The floors are bare loops on one core, and closed.
    if !args.no_floor && workload.rate.is_none() && workload.cores == Some(1) {
        all.push(Contender::Floor(floor_of(workload)?));
    }
    Ok(all)
}

fn floor_of(workload: &Workload) -> io::Result<floor::Floor> {
    let mut floor = match workload.kind {
        Kind::Produce => floor::produce(workload.size),
        Kind::Fetch => floor::fetch(child::Kind::Sendfile, workload.size),
        Kind::Small => {
            let frame = kafka::produce("bench-produce-1234567890123456", 0, -1, kafka::batch(1, 100))?;
            floor::small(child::Kind::SmallAppend, frame.len())
        }
    };
    (floor.connections, floor.in_flight) = (workload.connections, workload.in_flight);
    floor.requests = workload.requests;
    Ok(floor)
}

fn one(contender: &Contender, workload: &Workload, dir: &Path, machine: &Machine) -> io::Result<Run> {
    match contender {
        Contender::Floor(floor) => {
            let outcome = floor.outcome(dir)?;
            let mut run = figures(workload, "floor", &outcome, machine);
            run.bytes = floor.bytes() as u64;
            Ok(run)
        }
        Contender::Broker(name, server) => {
            if workload.kind == Kind::Produce {
                cpu::warm_page_cache(dir, workload.size * workload.requests as usize * 3 / 2)?;
            }
            let before = Used::by(server.pid())?;
            let outcome = load(server, workload)?;
            let after = Used::by(server.pid())?;
            let mut run = figures(workload, name, &outcome, machine);
            run.user_seconds = after.user - before.user;
            run.system_seconds = after.system - before.system;
            run.context_switches = after.switches.saturating_sub(before.switches);
            run.written_bytes = after.written.saturating_sub(before.written);
            run.rss_bytes = cpu::resident_bytes(server.pid())?;
            Ok(run)
        }
    }
}

fn load(server: &Server, workload: &Workload) -> io::Result<Outcome> {
    let load = LoadArgs {
        connections: workload.connections,
        in_flight: workload.in_flight,
        acks: workload.acks,
        rate: workload.rate,
        // In the open loop the first requests count as all others do.
        warm_up: if workload.rate.is_some() { 0 } else { workload.requests / 4 },
        ..LoadArgs::closed_loop(server.address, server.pid(), workload.size, workload.requests)
    };
    match (workload.kind, workload.compression) {
        (Kind::Produce, None) => load.produce(workload.connections, &batch_of(workload.size)),
        (Kind::Produce, Some(codec)) => load.produce(workload.connections, &kafka::packed_text(workload.size, codec)?),
        (Kind::Fetch, _) => load.fetch(),
        (Kind::Small, _) => load.produce(1, &kafka::batch(1, 100)),
    }
}

fn figures(workload: &Workload, server: &str, outcome: &Outcome, machine: &Machine) -> Run {
    Run {
        workload: workload.name.clone(),
        server: server.to_owned(),
        round: 0,
        by_bytes: result::by_bytes(workload.kind),
        requests: outcome.replies,
        bytes: if workload.kind == Kind::Fetch { outcome.bytes_in } else { outcome.bytes_out },
        seconds: outcome.elapsed.as_secs_f64(),
        cpu_seconds: outcome.cpu.as_secs_f64(),
        user_seconds: 0.0,
        system_seconds: 0.0,
        rss_bytes: 0,
        context_switches: 0,
        written_bytes: 0,
        open_loop: workload.rate.is_some(),
        latency_us: result::percentiles(&outcome.latency),
        machine: machine.clone(),
    }
}
