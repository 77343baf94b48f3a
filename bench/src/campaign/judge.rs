//! A short campaign whose ratios to the floors are compared with recorded ones: it fails only far outside of them, so it
//! can run on any machine, beside other work, with any build of the floors that is the same as when they were recorded.

use super::plan::Plan;
use super::result::{self, Run};
use super::run;
use super::table;
use crate::how::Once;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// Arguments of `judge`.
#[derive(clap::Args)]
pub struct JudgeArgs {
    /// The file of workloads (TOML).
    plan: PathBuf,
    /// The file of recorded ratios (TOML).
    recorded: PathBuf,
    /// Ratios above so many times the recorded ones are failures, if a second try says the same.
    #[arg(long, default_value_t = 1.5)]
    factor: f64,
    /// Writes the file of recorded ratios anew, instead of judging by it.
    #[arg(long)]
    record: bool,
    #[command(flatten)]
    once: Once,
}

/// What was measured when all was well.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Recorded {
    /// On which machine, with which build of `bench`.
    machine: String,
    /// How to record anew.
    command: String,
    /// By workload: CPU of corelog as a multiple of the floor's.
    ratio: BTreeMap<String, f64>,
}

/// `judge`.
pub fn judge(args: &JudgeArgs) -> io::Result<()> {
    let plan = Plan::read(&args.plan)?;
    let runs = run::all(&plan, &args.once)?.runs;
    table::print(&runs, &mut io::stdout())?;
    let measured = ratios(&runs);
    if args.record {
        return write(args, &runs, measured);
    }
    let text = std::fs::read_to_string(&args.recorded)?;
    let recorded: Recorded = toml::from_str(&text).map_err(io::Error::other)?;
    let far = far_off(&recorded.ratio, &measured, args.factor);
    if far.is_empty() {
        println!("all ratios lie within {} x of those recorded on {}", args.factor, recorded.machine);
        return Ok(());
    }
    // Other work may have spoilt it: what is really so, is so again.
    let again = Plan { items: plan.items.into_iter().filter(|item| far.contains_key(&item.name)).collect(), ..plan };
    let mut second = measured;
    second.extend(ratios(&run::all(&again, &args.once)?.runs));
    let still = far_off(&recorded.ratio, &second, args.factor);
    let both: Vec<&str> =
        far.iter().filter(|(name, _)| still.contains_key(*name)).map(|(_, why)| why.as_str()).collect();
    if both.is_empty() {
        Ok(())
    } else {
        Err(io::Error::other(format!("far from what was recorded: {}", both.join("; "))))
    }
}

fn write(args: &JudgeArgs, runs: &[Run], ratio: BTreeMap<String, f64>) -> io::Result<()> {
    let machine = runs.first().map(|run| &run.machine).ok_or_else(|| io::Error::other("nothing was measured"))?;
    let (cpu, cpus, kernel, fs) = (&machine.cpu, machine.cpus, &machine.kernel, &machine.file_system);
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let recorded = Recorded {
        machine: format!("{cpu}, {cpus} CPUs, Linux {kernel}, {fs}; {build} build of bench, release build of corelog"),
        command: format!("bench judge --record {} {}", args.plan.display(), args.recorded.display()),
        ratio: ratio.into_iter().map(|(name, ratio)| (name, (ratio * 1000.0).round() / 1000.0)).collect(),
    };
    std::fs::write(&args.recorded, toml::to_string(&recorded).map_err(io::Error::other)?)
}

/// By workload: what corelog cost as a multiple of what the floor cost, medians of each.
fn ratios(runs: &[Run]) -> BTreeMap<String, f64> {
    let all = result::series(runs);
    let cost = |workload: &str, server: &str| {
        let series = all.iter().find(|series| series.workload == workload && series.server == server)?;
        Some(series.spread(Run::cost).median)
    };
    let ratio = |name: &str| Some((name.to_owned(), cost(name, "corelog")? / cost(name, "floor")?));
    all.iter().filter_map(|series| ratio(series.workload)).collect()
}

/// By workload, what is wrong: a ratio beyond `factor` times the recorded one, or one that only one side has.
fn far_off(
    recorded: &BTreeMap<String, f64>,
    measured: &BTreeMap<String, f64>,
    factor: f64,
) -> BTreeMap<String, String> {
    let mut wrong = BTreeMap::new();
    for (name, then) in recorded {
        match measured.get(name) {
            Some(now) if *now <= then * factor => {}
            Some(now) => {
                drop(wrong.insert(name.clone(), format!("{name}: {now:.2} x the floor, recorded {then:.2} x")))
            }
            None => drop(wrong.insert(name.clone(), format!("{name}: recorded, and not measured"))),
        }
    }
    for name in measured.keys().filter(|name| !recorded.contains_key(*name)) {
        wrong.insert(name.clone(), format!("{name}: measured, and not recorded"));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::run;
    use super::*;
    use std::path::Path;

    #[test]
    fn only_ratios_far_outside_fail() {
        let recorded = BTreeMap::from([("a".to_owned(), 1.2), ("b".to_owned(), 0.5)]);
        let measured = |a: f64, b: f64| {
            // The floor costs 0.4 here; what counts is the ratio.
            ratios(&[
                run("a", "corelog", a * 0.4, 1.0),
                run("a", "floor", 0.4, 1.0),
                run("b", "floor", 0.4, 1.0),
                run("b", "corelog", b * 0.4, 1.0),
                run("b", "Kafka", 9.0, 1.0),
            ])
        };
        let far = |a, b| far_off(&recorded, &measured(a, b), 1.5).into_values().collect::<Vec<_>>();
        assert!(far(1.79, 0.74).is_empty() && far(0.1, 0.1).is_empty());
        assert_eq!(far(1.85, 0.4), ["a: 1.85 x the floor, recorded 1.20 x"]);
        assert_eq!(far(1.0, 0.8).len(), 1);
        assert_eq!(far(f64::NAN, 0.4).len(), 1, "what is no number is no pass");
    }

    #[test]
    fn what_is_missing_on_either_side_fails() {
        let (one, none) = (BTreeMap::from([("a".to_owned(), 1.0)]), BTreeMap::new());
        assert_eq!(far_off(&one, &none, 1.5)["a"], "a: recorded, and not measured");
        assert_eq!(far_off(&none, &one, 1.5)["a"], "a: measured, and not recorded");
    }

    #[test]
    fn the_recorded_ratios_of_this_repository_are_those_of_its_plan() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns/ci");
        let recorded = std::fs::read_to_string(dir.join("recorded.toml")).unwrap();
        let recorded: Recorded = toml::from_str(&recorded).unwrap();
        let plan = Plan::read(&dir.join("plan.toml")).unwrap();
        let names: std::collections::BTreeSet<_> = plan.items.iter().map(|item| &item.name).collect();
        assert_eq!(recorded.ratio.keys().collect::<std::collections::BTreeSet<_>>(), names);
    }
}
