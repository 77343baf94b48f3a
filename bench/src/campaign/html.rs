//! Runs as one HTML file that needs nothing else: tables, and plots as SVG.

use super::plots::{self, Axis, Curve, Drawn};
use super::result::{self, PERCENTILES, Run, Series, Spread};
use super::table;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

/// The name of floors in results.
const FLOOR: &str = "floor";

/// Arguments of `report`.
#[derive(clap::Args)]
pub struct ReportArgs {
    /// Runs (JSON lines of `campaign`).
    runs: Vec<PathBuf>,
    /// The HTML file to write; absent: only the table is printed.
    #[arg(long)]
    html: Option<PathBuf>,
}

/// `report`.
pub fn run(args: &ReportArgs) -> io::Result<()> {
    let mut runs = Vec::new();
    for file in &args.runs {
        runs.extend(result::read(file)?);
    }
    if let Some(path) = &args.html {
        std::fs::write(path, page(&runs).map_err(io::Error::other)?)?;
    }
    table::print(&runs, &mut io::stdout())
}

fn page(runs: &[Run]) -> Drawn {
    let mut table = Vec::new();
    table::print(runs, &mut table)?;
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Broker bench</title>\
         <style>body{font:15px sans-serif;margin:2em}pre{background:#f4f4f4;padding:1em;overflow-x:auto}</style>\
         <h1>Broker bench</h1>",
    );
    write!(page, "<pre>{}</pre>", escaped(&String::from_utf8_lossy(&table)))?;
    let all = result::series(runs);
    let against = against_floor(&all)?;
    if !against.is_empty() {
        write!(page, "<h2>Against the floor</h2>{against}")?;
    }
    let mut families: Vec<&str> = all.iter().filter_map(Series::family).collect();
    families.dedup();
    for name in families {
        let of: Vec<_> = all.iter().filter(|series| series.family() == Some(name)).collect();
        let drawn = family(&of)?;
        if !drawn.is_empty() {
            write!(page, "<h2>{}</h2>{drawn}", escaped(name))?;
        }
    }
    let mut names: Vec<&str> = all.iter().map(|series| series.workload).collect();
    names.dedup();
    for name in names {
        let of: Vec<_> = all.iter().filter(|series| series.workload == name).collect();
        write!(page, "<h2>{}</h2>{}{}", escaped(name), costs(&of)?, latencies(&of)?)?;
    }
    if let Some(run) = runs.first() {
        write!(page, "<h2>Machine</h2><pre>{}</pre>", escaped(&serde_json::to_string_pretty(&run.machine)?))?;
    }
    page.push_str("</html>\n");
    Ok(page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What the workload cost on each server.
fn costs(of: &[&Series<'_>]) -> Drawn {
    let unit = of.first().and_then(|series| series.runs.first()).map_or("", |run| run.unit());
    let cost = |series: &&Series<'_>| (series.server.to_owned(), series.spread(Run::cost));
    plots::bars(unit, &of.iter().map(cost).collect::<Vec<_>>())
}

/// CPU of each server as a multiple of the floor's, where there is one.
fn against_floor(all: &[Series<'_>]) -> Drawn {
    let mut bars = Vec::new();
    for floor in all.iter().filter(|series| series.server == FLOOR) {
        let least = floor.spread(Run::cost).median;
        for series in all.iter().filter(|other| other.workload == floor.workload && other.server != FLOOR) {
            let Spread { median, min, max } = series.spread(Run::cost);
            let name = format!("{}, {}", series.workload, series.server);
            bars.push((name, Spread { median: median / least, min: min / least, max: max / least }));
        }
    }
    if bars.is_empty() {
        Ok(String::new())
    } else {
        plots::bars("CPU against the floor (1: as little as can be)", &bars)
    }
}

/// Latency by percentile: nines to the right.
fn latencies(of: &[&Series<'_>]) -> Drawn {
    let nines = |percentile: f64| -(1.0 - percentile.min(99.999) / 100.0).log10();
    let median = |series: &Series<'_>, percentile: f64| series.spread(|run| run.latency(percentile)).median.max(1.0);
    let curve = |series: &&Series<'_>| -> Curve {
        let points = PERCENTILES.iter().map(|&percentile| (nines(percentile), median(series, percentile)));
        (series.server.to_owned(), points.collect())
    };
    plots::curves("latency in microseconds by percentile", Axis::Nines, &of.iter().map(curve).collect::<Vec<_>>())
}

/// The curve of each server over the workloads of a family that differ in `by` alone.
fn over(family: &[&Series<'_>], by: &str, point: impl Fn(&Series<'_>) -> (f64, f64)) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for series in family.iter().filter(|series| series.runs.iter().all(|run| run.varied.contains_key(by))) {
        match curves.iter_mut().find(|(name, _)| name == series.server) {
            Some((_, points)) => points.push(point(series)),
            None => curves.push((series.server.to_owned(), vec![point(series)])),
        }
    }
    curves.iter_mut().for_each(|(_, points)| points.sort_by(|a, b| a.0.total_cmp(&b.0)));
    curves.retain(|(_, points)| points.len() > 1);
    curves
}

/// What a family of workloads shows together: throughput against latency, memory and CPU against partitions.
fn family(of: &[&Series<'_>]) -> Drawn {
    let rate = |series: &Series<'_>| series.spread(|run| run.requests as f64 / run.seconds).median;
    let partitions =
        |series: &Series<'_>| series.spread(|run| run.figures.get("partitions").copied().unwrap_or(f64::NAN)).median;
    let unit = of.first().and_then(|series| series.runs.first()).map_or("", |run| run.unit());
    let plots: [(&str, String, Axis, Vec<Curve>); 4] = [
        ("p50", "latency (p50, us) against requests a second".to_owned(), Axis::Even, {
            over(of, "rate", |series| (rate(series), series.spread(|run| run.latency(50.0)).median))
        }),
        ("p99", "latency (p99, us) against requests a second".to_owned(), Axis::Even, {
            over(of, "rate", |series| (rate(series), series.spread(|run| run.latency(99.0)).median))
        }),
        ("memory", "memory (MB) against partitions".to_owned(), Axis::Tens, {
            over(of, "partitions", |series| (partitions(series), series.spread(Run::rss_mb).median))
        }),
        ("cpu", format!("{unit} against partitions"), Axis::Tens, {
            over(of, "partitions", |series| (partitions(series), series.spread(Run::cost).median))
        }),
    ];
    let mut drawn = String::new();
    for (_, title, axis, curves) in plots.iter().filter(|(.., curves)| !curves.is_empty()) {
        drawn += &plots::curves(title, *axis, curves)?;
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::run;
    use super::*;

    #[test]
    fn a_report_stands_alone_and_shows_every_workload_and_server() {
        let runs =
            [run("a <b>", "corelog", 0.5, 3000.0), run("a <b>", "Kafka", 2.0, 9000.0), run("c", "corelog", 1.0, 5.0)];
        let page = page(&runs).unwrap();
        assert_eq!(page.matches("<svg").count(), 4);
        for expected in ["a &lt;b&gt;", "<h2>c</h2>", "Kafka", "p99.9"] {
            assert!(page.contains(expected), "{expected}");
        }
        assert!(!page.contains("href=\"http") && !page.contains("src=\"http"), "nothing is fetched");
    }

    #[test]
    fn families_have_curves_and_floors_a_plot_of_ratios() {
        let point = |by: &str, value: f64, server: &str| {
            let mut run = run(&format!("w, {by} {value}"), server, 0.5 * value, 3000.0);
            run.family = "w".to_owned();
            run.varied.insert(by.to_owned(), value.to_string());
            run.figures.insert("partitions".to_owned(), value);
            run
        };
        let by_rate = page(&[point("rate", 1.0, "corelog"), point("rate", 2.0, "corelog")]).unwrap();
        assert!(by_rate.contains("latency (p99, us) against requests a second"));
        let by_partitions =
            page(&[point("partitions", 6.0, "corelog"), point("partitions", 1000.0, "corelog")]).unwrap();
        assert!(by_partitions.contains("memory (MB) against partitions"));
        assert!(by_partitions.contains("CPU s/GB against partitions"));
        let floor = page(&[run("w", "corelog", 0.5, 3.0), run("w", FLOOR, 0.4, 3.0)]).unwrap();
        assert!(floor.contains("CPU against the floor") && !by_rate.contains("CPU against the floor"));
        let mut unknown = run("w", "remote", 0.5, 3.0);
        unknown.cpu_seconds = None;
        assert!(page(&[unknown]).unwrap().contains("<svg"), "no CPU time is no reason for no report");
    }
}
