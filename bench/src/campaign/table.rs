//! Runs as a table: medians, spread, and ratios to the floor and to Apache Kafka.

use super::result::{self, Run, Series, Spread};
use std::io::{self, Write};

/// Prints one line for each workload and server.
pub fn print(runs: &[Run], out: &mut impl Write) -> io::Result<()> {
    if let Some(run) = runs.first() {
        let machine = &run.machine;
        let (kernel, cpu, cpus, fs) = (&machine.kernel, &machine.cpu, machine.cpus, &machine.file_system);
        writeln!(out, "{cpu}, {cpus} CPUs, {:.0} GB, Linux {kernel}, {fs}", machine.memory_bytes as f64 / 1e9)?;
    }
    let all = result::series(runs);
    for series in &all {
        let cost = series.spread(Run::cost);
        let unit = series.runs.first().map_or("", |run| run.unit());
        write!(out, "{:<32} {:<8} ", series.workload, series.server)?;
        write!(out, "{:.3} {unit} ({:.3} to {:.3})", cost.median, cost.min, cost.max)?;
        for (name, ratio) in ratios(&all, series, cost) {
            write!(out, ", {ratio:.2} x {name}")?;
        }
        let rate = series.spread(|run| run.requests as f64 / run.seconds);
        let latency = |percentile: f64| series.spread(|run| run.latency(percentile)).median / 1e3;
        write!(out, "; {:.0}/s; ms p50 {:.2} p99 {:.2}", rate.median, latency(50.0), latency(99.0))?;
        write!(out, " p99.9 {:.2} max {:.2}", latency(99.9), latency(100.0))?;
        let memory = series.spread(|run| run.rss_bytes as f64 / 1e6);
        writeln!(out, "; {:.0} MB", memory.median)?;
    }
    Ok(())
}

/// To the others of the same workload that serve as measures.
fn ratios<'a>(all: &[Series<'a>], series: &Series<'_>, cost: Spread) -> Vec<(&'a str, f64)> {
    let measures = all.iter().filter(|other| other.workload == series.workload && other.server != series.server);
    measures
        .filter(|other| other.server != "corelog")
        .filter(|_| series.server == "corelog")
        .map(|other| (other.server, cost.median / other.spread(Run::cost).median))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::run;
    use super::*;

    #[test]
    fn corelog_stands_beside_the_others() {
        let runs = [run("w", "corelog", 0.5, 3000.0), run("w", "Kafka", 2.0, 9000.0), run("w", "floor", 0.4, 1000.0)];
        let mut text = Vec::new();
        print(&runs, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("0.25 x Kafka, 1.25 x floor"), "{text}");
        assert!(text.contains("p99 3.00"), "{text}");
        assert_eq!(text.matches(" x ").count(), 2, "{text}");
    }
}
