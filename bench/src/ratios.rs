//! `ratios`: corelog on one core against the floors, in turn, and the ratios of the medians. A server is started anew for
//! each run, so that no run stands on what another left.

use crate::campaign::workload_of;
use crate::child::Kind as FloorKind;
use crate::cpu;
use crate::floor::Floor;
use crate::load::on_last_core;
use crate::schedule::Share;
use crate::server::{Kind, Server, Setup};
use crate::start;
use crate::target::Meter;
use crate::workload::{Unit, Work};
use std::io;
use std::path::{Path, PathBuf};

/// Arguments of `ratios`.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// corelog.
    #[arg(long, default_value = "target/release/corelog")]
    binary: PathBuf,
    /// Where its log dir, and the floors' files, shall lie.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Runs of each, in turn.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only workloads whose name contains this (produce, fetch, small, start).
    #[arg(long, default_value = "")]
    only: String,
}

/// A workload, its flags, its goal.
const WORKLOADS: &[(&str, &str, f64)] = &[
    ("produce(1048576)", "produce --size=1048576 --in-flight=2 --requests=256", 1.3),
    ("produce(16384), 64 connections", "produce --size=16384 --connections=64 --requests=16384", 1.3),
    ("fetch(1048576)", "fetch --size=1048576 --requests=2048", 1.25),
    ("fetch(65536)", "fetch --size=65536 --requests=32768", 0.0),
    ("small", "small --requests=300000", 1.5),
];

/// `ratios`.
pub fn run(args: &Args) -> io::Result<()> {
    on_last_core();
    let kind = corelog::ring::fs::fs_kind(&args.dir)?;
    println!("corelog on one core against the floors on {kind}, medians of {} runs in turn:", args.runs);
    let wanted = |name: &str| name.to_lowercase().contains(&args.only.to_lowercase());
    for (name, flags, goal) in WORKLOADS.iter().filter(|(name, ..)| wanted(name)) {
        let flags: Vec<String> = flags.split(' ').chain(["--closed"]).map(str::to_owned).collect();
        let workload = workload_of(&flags).map_err(io::Error::other)?;
        one(args, name, workload.work(), *goal)?;
    }
    if wanted("start") { start::run_on(&args.binary, &args.dir, args.runs) } else { Ok(()) }
}

/// The floors of a workload: of two ways to send a range the cheaper counts.
fn floors(work: &dyn Work) -> io::Result<Vec<Floor>> {
    let floor = work.floor()?.ok_or_else(|| io::Error::other("a workload without a floor"))?;
    let other = (floor.kind == FloorKind::Sendfile).then_some(Floor { kind: FloorKind::ReadSend, ..floor });
    Ok(std::iter::once(floor).chain(other).collect())
}

fn one(args: &Args, name: &str, work: &dyn Work, goal: f64) -> io::Result<()> {
    let floors = floors(work)?;
    let mut figures = vec![Vec::new(); floors.len() + 1];
    for run in 0..=args.runs {
        let of_floor = |floor: &Floor| Ok(per(work, &floor.run(&args.dir)?));
        let mut once: Vec<f64> = floors.iter().map(of_floor).collect::<io::Result<_>>()?;
        once.push(broker(&args.binary, &args.dir, work)?);
        // The first run only warms up.
        if run > 0 {
            figures.iter_mut().zip(once).for_each(|(all, figure)| all.push(figure));
        }
    }
    let medians: Vec<f64> = figures.iter_mut().map(|all| cpu::median(all)).collect();
    let (broker, floors) = medians.split_last().map_or((f64::NAN, &[][..]), |(last, rest)| (*last, rest));
    let floor = floors.iter().copied().fold(f64::INFINITY, f64::min);
    let unit = if work.unit() == Unit::Requests { "us per request" } else { "s/GB" };
    println!(
        "{name}: floor {floor:.3} {unit} (of {floors:.3?}), broker {broker:.3}: {:.2} x (goal: {goal})",
        broker / floor
    );
    Ok(())
}

fn per(work: &dyn Work, run: &crate::floor::FloorRun) -> f64 {
    if work.unit() == Unit::Requests { run.per_request() } else { run.per_gb() }
}

fn broker(binary: &Path, dir: &Path, work: &dyn Work) -> io::Result<f64> {
    let setup = Setup { cores: Some(1), ..Setup::default() };
    let server = Server::start_in(&Kind::Corelog(binary.to_owned()), dir, &setup)?;
    cpu::warm_page_cache(dir, work.written_bytes() as usize * 3 / 2)?;
    let target = server.target();
    let ground = work.prepare(&target)?;
    let meter = Meter::new(&target.gauge);
    let measured = work.load(&target, &ground, Share::WHOLE, &meter)?;
    let used = meter.end()?.cpu.unwrap_or(f64::NAN);
    let count =
        if work.unit() == Unit::Requests { measured.requests as f64 / 1e6 } else { measured.bytes as f64 / 1e9 };
    Ok(used / count)
}
