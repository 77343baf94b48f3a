//! Runs a campaign: for each workload its servers, in turn.

use super::contender::{self, Contender};
use super::facts::Machine;
use super::plan::{Item, Plan};
use super::result::{self, Run};
use super::table;
use crate::how::Once;
use crate::load::on_last_core;
use crate::progress::Progress;
use crate::schedule::Share;
use crate::syscalls::Counter;
use crate::target::{Meter, Used};
use crate::workload::{Measured, Workload};
use crate::{cpu, interrupt, kafka, node};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// Arguments of `campaign`.
#[derive(clap::Args)]
pub struct Args {
    /// The file of workloads (TOML).
    plan: PathBuf,
    /// Only workloads whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    #[command(flatten)]
    once: Once,
}

/// `campaign`.
pub fn run(args: &Args) -> io::Result<()> {
    let mut plan = Plan::read(&args.plan)?;
    plan.items.retain(|item| item.name.contains(&args.only));
    if plan.items.is_empty() {
        return Err(io::Error::other(format!("no workload is called like {:?}", args.only)));
    }
    print(&all(&plan, &args.once)?)
}

/// Arguments of `groups`.
#[derive(clap::Args)]
pub struct GroupsArgs {
    /// Only what contains this: heartbeats, commits, rebalance, load.
    #[arg(long, default_value = "")]
    only: String,
    #[command(flatten)]
    once: Once,
}

/// `groups`: the campaign of groups that stands in the binary.
pub fn groups(args: &GroupsArgs) -> io::Result<()> {
    let mut plan = Plan::parse(include_str!("../../campaigns/groups.toml")).map_err(io::Error::other)?;
    plan.items.retain(|item| item.name.contains(&args.only));
    print(&all(&plan, &args.once)?)
}

/// A workload as a subcommand: a campaign of one.
pub fn one_workload(workload: &Workload, args: Vec<String>) -> io::Result<()> {
    let name = args.first().cloned().unwrap_or_default();
    let (family, varied) = (name.clone(), std::collections::BTreeMap::new());
    let item = Item { name, family, varied, args, workload: workload.clone() };
    print(&all(&Plan { rounds: 3, items: vec![item] }, workload.how().once)?)
}

/// What came of a campaign.
pub struct Made {
    /// The runs that count; after Ctrl-C those that were made until then.
    pub runs: Vec<Run>,
    /// Workloads that could not be run to their end, and why.
    pub failed: Vec<String>,
}

fn print(made: &Made) -> io::Result<()> {
    table::print(&made.runs, &mut io::stdout())?;
    interrupt::check()?;
    if made.failed.is_empty() { Ok(()) } else { Err(io::Error::other(made.failed.join("\n"))) }
}

/// Runs all of it; a workload that fails does not keep the others from being run.
///
/// # Errors
/// What no workload can do without: files, nodes that cannot share a workload.
pub fn all(plan: &Plan, once: &Once) -> io::Result<Made> {
    if let Some(item) = plan.items.iter().find(|item| !once.nodes.is_empty() && !item.workload.work().divides()) {
        return Err(io::Error::other(format!("{}: this workload cannot be divided among nodes", item.name)));
    }
    interrupt::watch()?;
    on_last_core();
    let rounds = once.runs.unwrap_or(plan.rounds).max(1);
    let machine = Machine::here(&once.servers.dir);
    let mut json = match &once.json {
        Some(path) => Some(File::options().create(true).append(true).open(path)?),
        None => None,
    };
    let progress = Progress::of(plan.items.len() * (rounds + 1));
    let (mut runs, mut failed) = (Vec::new(), Vec::new());
    for (index, item) in plan.items.iter().enumerate() {
        let of = format!("[{}/{}] {}", index + 1, plan.items.len(), item.name);
        let outcome = contender::of(once, item).and_then(|mut contenders| {
            let mut tell = |run: Run| {
                let (round, server, cost, unit) = (run.round, &run.server, run.cost(), run.unit());
                progress.tell(&format!("{of}, run {round} of {rounds}, {server}: {cost:.3} {unit}"));
                if run.round > 0 {
                    if let Some(json) = &mut json {
                        writeln!(json, "{}", serde_json::to_string(&run)?)?;
                    }
                    runs.push(run);
                }
                Ok(())
            };
            let rounds = Rounds { item, once, rounds, machine: &machine, progress: &progress };
            rounds.in_turn(&mut contenders, &mut tell)
        });
        match outcome {
            Err(_) if interrupt::requested() => break,
            Err(error) => {
                progress.tell(&format!("{of} failed: {error}"));
                failed.push(format!("{}: {error}", item.name));
            }
            Ok(()) => {}
        }
    }
    Ok(Made { runs, failed })
}

/// All rounds of one workload.
struct Rounds<'a> {
    item: &'a Item,
    once: &'a Once,
    rounds: usize,
    machine: &'a Machine,
    progress: &'a Progress,
}

impl Rounds<'_> {
    /// On all servers in turn, each run told.
    fn in_turn(&self, contenders: &mut [Contender], tell: &mut dyn FnMut(Run) -> io::Result<()>) -> io::Result<()> {
        let mut counted = vec![None; contenders.len()];
        // The first round warms up: buffers, the page cache, Java's compiler.
        for round in 0..=self.rounds {
            for (contender, counted) in contenders.iter_mut().zip(&mut counted) {
                self.progress.now(&format!("{} on {}", self.item.name, contender.name()));
                let counter = (round == 0 && self.once.syscalls).then(|| Counter::start(contender));
                let (measured, used) = run_once(contender, self.item, self.once)?;
                if let Some(counter) = counter {
                    // The warm-up of the run is in it too.
                    *counted = counter.end(contender.name(), measured.requests * 5 / 4);
                }
                let mut run = figures(self.item, contender.name(), measured, used, self.machine);
                (run.round, run.syscalls_per_request) = (round, *counted);
                tell(run)?;
            }
            self.progress.round();
        }
        Ok(())
    }
}

fn run_once(contender: &mut Contender, item: &Item, once: &Once) -> io::Result<(Measured, Used)> {
    let work = item.workload.work();
    let (target, server) = match contender {
        Contender::Floor(floor) => {
            let run = floor.run(&once.servers.dir)?;
            let bytes = run.bytes;
            return Ok((Measured { bytes, ..Measured::of(run.outcome, 0, 0) }, run.used));
        }
        Contender::Own { server, .. } => {
            cpu::warm_page_cache(&once.servers.dir, (work.written_bytes() as usize * 3 / 2).min(4 << 30))?;
            (server.target(), Some(server))
        }
        Contender::Other(_, target) => (target.clone(), None),
    };
    let ground = work.prepare(&target)?;
    let target = match server {
        Some(server) if work.restarts() => {
            server.restart()?;
            server.target()
        }
        None if work.restarts() => return Err(io::Error::other("only a server of our own can be restarted")),
        _ => target,
    };
    let meter = Meter::new(&target.gauge);
    let outcome = if once.nodes.is_empty() {
        work.load(&target, &ground, Share::WHOLE, &meter)
    } else {
        node::load(&once.nodes, &item.args, &target, &ground, &meter)
    };
    let outcome = outcome.and_then(|measured| Ok((measured, meter.end()?)));
    for topic in &ground.topics {
        let _ = kafka::delete_topic(target.address, topic);
    }
    outcome
}

fn figures(item: &Item, server: &str, measured: Measured, used: Used, machine: &Machine) -> Run {
    Run {
        workload: item.name.clone(),
        family: item.family.clone(),
        varied: item.varied.clone(),
        args: item.args.clone(),
        server: server.to_owned(),
        round: 0,
        per: item.workload.work().unit(),
        requests: measured.requests,
        records: measured.records,
        bytes: measured.bytes,
        seconds: measured.seconds,
        cpu_seconds: used.cpu,
        user_seconds: used.user,
        system_seconds: used.system,
        rss_bytes: used.rss_bytes,
        context_switches: used.context_switches,
        dirtied_bytes: used.dirtied_bytes,
        written_back_bytes: used.written_back_bytes,
        syscalls_per_request: None,
        open_loop: item.workload.work().open_loop(),
        latency_us: result::percentiles(&measured.latency),
        figures: measured.figures,
        machine: machine.clone(),
    }
}
