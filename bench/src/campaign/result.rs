//! One run's result, as a line of JSON, and what is made of several.

use super::facts::Machine;
use crate::workload::Unit;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Percentiles that are kept of each run.
pub const PERCENTILES: &[f64] = &[50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.99, 100.0];

/// One run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Run {
    /// The workload's name.
    pub workload: String,
    /// Its name without what varies: points of one curve.
    pub family: String,
    /// What varies.
    pub varied: BTreeMap<String, String>,
    /// The flags with which `bench` makes the same run.
    pub args: Vec<String>,
    /// `corelog`, `Kafka`, `floor`.
    pub server: String,
    /// From 1 on.
    pub round: usize,
    /// What CPU time is divided by.
    pub per: Unit,
    /// Replies.
    pub requests: u64,
    /// Records in them.
    pub records: u64,
    /// Of payload: sent (produce) or received (fetch).
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
    /// CPU time of the server's process. This and the next ones are absent where they cannot be known.
    pub cpu_seconds: Option<f64>,
    /// Of these in user mode (in clock ticks).
    pub user_seconds: Option<f64>,
    /// And in the kernel.
    pub system_seconds: Option<f64>,
    /// Memory of the server after the run.
    pub rss_bytes: Option<u64>,
    /// Switches of its threads, waited and forced.
    pub context_switches: Option<u64>,
    /// Bytes of pages it made dirty, or wrote.
    pub dirtied_bytes: Option<u64>,
    /// Bytes of pages the machine wrote back meanwhile, whoever made them dirty.
    pub written_back_bytes: Option<u64>,
    /// Counted in the run that warms up, where that was asked.
    pub syscalls_per_request: Option<f64>,
    /// Whether requests came by a schedule.
    pub open_loop: bool,
    /// Percentile to microseconds.
    pub latency_us: BTreeMap<String, f64>,
    /// What else there is to say, by name.
    pub figures: BTreeMap<String, f64>,
    /// Where it ran.
    pub machine: Machine,
}

impl Run {
    /// CPU seconds per GB, microseconds per request, percent of a core, or milliseconds; not a number where no CPU time is
    /// known.
    pub fn cost(&self) -> f64 {
        let cpu = self.cpu_seconds.unwrap_or(f64::NAN);
        match self.per {
            Unit::Bytes => cpu * 1e9 / self.bytes.max(1) as f64,
            Unit::Requests => cpu * 1e6 / self.requests.max(1) as f64,
            Unit::Time => cpu * 100.0 / self.seconds,
            Unit::Whole => cpu * 1e3,
        }
    }

    /// Its unit.
    pub const fn unit(&self) -> &'static str {
        match self.per {
            Unit::Bytes => "CPU s/GB",
            Unit::Requests => "CPU us/request",
            Unit::Time => "% of a core",
            Unit::Whole => "CPU ms",
        }
    }

    /// The latency at a percentile, in microseconds.
    pub fn latency(&self, percentile: f64) -> f64 {
        self.latency_us.get(&percentile.to_string()).copied().unwrap_or(f64::NAN)
    }

    /// Resident memory in MB.
    pub fn rss_mb(&self) -> f64 {
        self.rss_bytes.map_or(f64::NAN, |bytes| bytes as f64 / 1e6)
    }
}

/// The percentiles of a run.
pub fn percentiles(latency: &Histogram<u64>) -> BTreeMap<String, f64> {
    let at = |p: &f64| (p.to_string(), latency.value_at_percentile(*p) as f64 / 1e3);
    PERCENTILES.iter().map(at).collect()
}

/// All runs of a file.
///
/// # Errors
/// The file, or the line that is no run.
pub fn read(path: &Path) -> io::Result<Vec<Run>> {
    let mut runs = Vec::new();
    for (number, line) in BufReader::new(std::fs::File::open(path)?).lines().enumerate() {
        let line = line?;
        if !line.trim().is_empty() {
            let wrong = |error| io::Error::other(format!("{}, line {}: {error}", path.display(), number + 1));
            runs.push(serde_json::from_str(&line).map_err(wrong)?);
        }
    }
    if runs.is_empty() {
        return Err(io::Error::other(format!("{}: no runs in it", path.display())));
    }
    Ok(runs)
}

/// The runs of one workload on one server.
pub struct Series<'a> {
    /// The workload's name.
    pub workload: &'a str,
    /// The server's.
    pub server: &'a str,
    /// In order of their rounds.
    pub runs: Vec<&'a Run>,
}

/// The middle and the ends of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl<'a> Series<'a> {
    /// The name of the family its workload belongs to.
    pub fn family(&self) -> Option<&'a str> {
        self.runs.first().map(|run| run.family.as_str())
    }

    /// Of one figure over all runs.
    pub fn spread(&self, figure: impl Fn(&Run) -> f64) -> Spread {
        let mut values: Vec<f64> = self.runs.iter().map(|run| figure(run)).collect();
        let median = crate::cpu::median(&mut values);
        let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        Spread { median, min: end(values.first()), max: end(values.last()) }
    }
}

/// Runs by workload and server, in the order of their first appearance.
pub fn series(runs: &[Run]) -> Vec<Series<'_>> {
    let mut all: Vec<Series<'_>> = Vec::new();
    for run in runs {
        match all.iter_mut().find(|series| series.workload == run.workload && series.server == run.server) {
            Some(series) => series.runs.push(run),
            None => all.push(Series { workload: &run.workload, server: &run.server, runs: vec![run] }),
        }
    }
    all
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A run with a cost and a latency.
    pub fn run(workload: &str, server: &str, cost: f64, p99: f64) -> Run {
        Run {
            workload: workload.to_owned(),
            family: workload.to_owned(),
            varied: BTreeMap::new(),
            args: vec!["produce".to_owned()],
            server: server.to_owned(),
            round: 1,
            per: Unit::Bytes,
            requests: 1000,
            records: 5000,
            bytes: 1_000_000_000,
            seconds: 1.0,
            cpu_seconds: Some(cost),
            user_seconds: None,
            system_seconds: None,
            rss_bytes: Some(10_000_000),
            context_switches: Some(5),
            dirtied_bytes: None,
            written_back_bytes: None,
            syscalls_per_request: None,
            open_loop: false,
            latency_us: PERCENTILES.iter().map(|p| (p.to_string(), if *p < 99.0 { p99 / 2.0 } else { p99 })).collect(),
            figures: BTreeMap::new(),
            machine: Machine::default(),
        }
    }

    #[test]
    fn a_run_is_the_same_after_a_file() {
        let path = std::env::temp_dir().join(format!("bench-runs-{}", std::process::id()));
        let runs = [run("a", "corelog", 0.25, 900.0), run("a", "Kafka", 1.5, 4000.0)];
        let lines: Vec<_> = runs.iter().map(|run| serde_json::to_string(run).unwrap()).collect();
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        assert_eq!(read(&path).unwrap(), runs);
        std::fs::write(&path, format!("{}\nnoise\n", lines[0])).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("line 2"));
        std::fs::write(&path, "\n").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("no runs"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn runs_are_gathered_by_workload_and_server() {
        let runs = [run("a", "x", 3.0, 1.0), run("a", "y", 9.0, 1.0), run("a", "x", 1.0, 1.0), run("a", "x", 2.0, 1.0)];
        let all = series(&runs);
        assert_eq!(all.iter().map(|s| (s.server, s.runs.len())).collect::<Vec<_>>(), [("x", 3), ("y", 1)]);
        assert_eq!(all[0].spread(Run::cost), Spread { median: 2.0, min: 1.0, max: 3.0 });
    }
}
