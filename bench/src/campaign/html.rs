//! Runs as one HTML file that needs nothing else: tables, and plots as SVG.

use super::result::{self, PERCENTILES, Run, Series};
use super::table;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

const SIZE: (u32, u32) = (620, 320);
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 110, 180), RGBColor(210, 80, 30), RGBColor(90, 90, 90), RGBColor(0, 140, 80)];

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

fn page(runs: &[Run]) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut table = Vec::new();
    table::print(runs, &mut table)?;
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Broker bench</title>\
         <style>body{font:15px sans-serif;margin:2em}pre{background:#f4f4f4;padding:1em;overflow-x:auto}</style>\
         <h1>Broker bench</h1>",
    );
    write!(page, "<pre>{}</pre>", escaped(&String::from_utf8_lossy(&table)))?;
    let all = result::series(runs);
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

type Drawn = Result<String, Box<dyn std::error::Error + Send + Sync>>;

fn drawn(
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), Box<dyn std::error::Error + Send + Sync>>,
) -> Drawn {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|error| error.to_string())?;
    draw(&area)?;
    area.present().map_err(|error| error.to_string())?;
    drop(area);
    Ok(svg)
}

/// What the workload cost on each server: bars of the medians, with the smallest and the largest.
fn costs(of: &[&Series<'_>]) -> Drawn {
    let highest = of.iter().map(|series| series.spread(Run::cost).max).fold(0.0, f64::max) * 1.1;
    let unit = of.first().and_then(|series| series.runs.first()).map_or("", |run| run.unit());
    drawn(|area| {
        let mut chart = ChartBuilder::on(area)
            .caption(unit, ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..of.len() as f64, 0.0..highest.max(f64::MIN_POSITIVE))
            .map_err(|error| error.to_string())?;
        let name = |x: &f64| {
            let series = of.get(*x as usize).filter(|_| x.fract() == 0.5);
            series.map_or(String::new(), |series| series.server.to_owned())
        };
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh().x_labels(of.len() * 2 + 1).x_label_formatter(&name);
        mesh.draw().map_err(|error| error.to_string())?;
        for (index, series) in of.iter().enumerate() {
            let (cost, x, colour) = (series.spread(Run::cost), index as f64, COLOURS[index % COLOURS.len()]);
            let bar = Rectangle::new([(x + 0.2, 0.0), (x + 0.8, cost.median)], colour.filled());
            let ends = PathElement::new(vec![(x + 0.5, cost.min), (x + 0.5, cost.max)], BLACK.stroke_width(2));
            chart.draw_series([bar]).map_err(|error| error.to_string())?;
            chart.draw_series([ends]).map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

/// Latency by percentile, both in powers of ten: nines to the right.
fn latencies(of: &[&Series<'_>]) -> Drawn {
    let nines = |percentile: f64| -(1.0 - percentile.min(99.999) / 100.0).log10();
    let median = |series: &Series<'_>, percentile: f64| series.spread(|run| run.latency(percentile)).median.max(1.0);
    let points = |series: &Series<'_>| -> Vec<(f64, f64)> {
        PERCENTILES.iter().map(|&percentile| (nines(percentile), median(series, percentile))).collect()
    };
    let highest = of.iter().flat_map(|series| points(series)).map(|(_, us)| us).fold(10.0, f64::max) * 1.5;
    let lowest = of.iter().flat_map(|series| points(series)).map(|(_, us)| us).fold(highest, f64::min) / 2.0;
    drawn(|area| {
        let mut chart = ChartBuilder::on(area)
            .caption("latency in microseconds by percentile", ("sans-serif", 16))
            .margin(10)
            .margin_right(40)
            .x_label_area_size(30)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..5.0_f64, (lowest..highest).log_scale())
            .map_err(|error| error.to_string())?;
        let label = |x: &f64| format!("p{}", 100.0 - 100.0 / 10f64.powf(*x));
        chart.configure_mesh().x_labels(6).x_label_formatter(&label).draw().map_err(|error| error.to_string())?;
        for (index, series) in of.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let line = chart.draw_series(LineSeries::new(points(series), colour.stroke_width(2)));
            let key = move |(x, y): (i32, i32)| PathElement::new(vec![(x, y), (x + 20, y)], colour.stroke_width(2));
            line.map_err(|error| error.to_string())?.label(series.server).legend(key);
        }
        let mut legend = chart.configure_series_labels();
        legend.background_style(WHITE).border_style(BLACK).position(SeriesLabelPosition::LowerRight);
        legend.draw().map_err(|error| error.to_string())?;
        Ok(())
    })
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
}
