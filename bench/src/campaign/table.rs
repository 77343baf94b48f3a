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
        let of = |figure: &dyn Fn(&Run) -> f64| series.spread(figure).median;
        write!(out, "; {:.0}/s", of(&|run| run.requests as f64 / run.seconds))?;
        if of(&|run| run.records as f64) > of(&|run| run.requests as f64) {
            write!(out, ", {:.0} records/s", of(&|run| run.records as f64 / run.seconds))?;
        }
        if of(&|run| run.bytes as f64) > 0.0 {
            write!(out, ", {:.0} MB/s", of(&|run| run.bytes as f64 / run.seconds / 1e6))?;
        }
        let latency = |percentile: f64| of(&|run| run.latency(percentile)) / 1e3;
        write!(out, "; ms p50 {:.2} p99 {:.2}", latency(50.0), latency(99.0))?;
        write!(out, " p99.9 {:.2} p99.99 {:.2} max {:.2}", latency(99.9), latency(99.99), latency(100.0))?;
        more(series, out)?;
    }
    Ok(())
}

/// What is known of the server beside its CPU time, and what the workload says.
fn more(series: &Series<'_>, out: &mut impl Write) -> io::Result<()> {
    let requests = |run: &Run| run.requests.max(1) as f64;
    let optional = |value: Option<u64>| value.map_or(f64::NAN, |value| value as f64);
    let user = |run: &Run| run.user_seconds.zip(run.system_seconds).map_or(f64::NAN, |(u, s)| u / (u + s) * 100.0);
    let known: [(&dyn Fn(&Run) -> f64, &str); 6] = [
        (&Run::rss_mb, "MB"),
        (&user, "% of it user"),
        (&|run| optional(run.context_switches) / requests(run), "switches/request"),
        (&|run| run.syscalls_per_request.unwrap_or(f64::NAN), "system calls/request"),
        (&|run| optional(run.dirtied_bytes) / 1e6, "MB dirtied"),
        (&|run| optional(run.written_back_bytes) / 1e6, "MB written back"),
    ];
    for (figure, unit) in known {
        let value = series.spread(figure).median;
        if value.is_finite() && value > 0.005 {
            write!(out, "; {value:.*} {unit}", if value < 10.0 { 2 } else { 0 })?;
        }
    }
    for name in series.runs.first().map(|run| run.figures.keys()).into_iter().flatten() {
        let value = series.spread(|run| run.figures.get(name).copied().unwrap_or(f64::NAN)).median;
        write!(out, "; {name} {value:.*}", if value.fract() == 0.0 { 0 } else { 2 })?;
    }
    writeln!(out)
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
