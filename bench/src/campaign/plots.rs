//! Plots as SVG: bars with their spread, and curves.

use super::result::Spread;
use plotters::coord::Shift;
use plotters::prelude::*;

const SIZE: (u32, u32) = (620, 320);
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 110, 180), RGBColor(210, 80, 30), RGBColor(90, 90, 90), RGBColor(0, 140, 80)];

/// An SVG, or why there is none.
pub type Drawn = Result<String, Box<dyn std::error::Error + Send + Sync>>;

/// A curve: its name and its points.
pub type Curve = (String, Vec<(f64, f64)>);

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

/// Bars of medians, each with the smallest and the largest. What is no number has no bar.
pub fn bars(title: &str, of: &[(String, Spread)]) -> Drawn {
    let of: Vec<_> = of.iter().filter(|(_, spread)| spread.max.is_finite()).collect();
    let highest = of.iter().map(|(_, spread)| spread.max).fold(0.0, f64::max) * 1.1;
    drawn(|area| {
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..of.len().max(1) as f64, 0.0..highest.max(1e-9))
            .map_err(|error| error.to_string())?;
        let name = |x: &f64| {
            let one = of.get(*x as usize).filter(|_| x.fract() == 0.5);
            one.map_or(String::new(), |(name, _)| name.clone())
        };
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh().x_labels(of.len() * 2 + 1).x_label_formatter(&name);
        mesh.draw().map_err(|error| error.to_string())?;
        for (index, (_, spread)) in of.iter().enumerate() {
            let (x, colour) = (index as f64, COLOURS[index % COLOURS.len()]);
            let bar = Rectangle::new([(x + 0.2, 0.0), (x + 0.8, spread.median)], colour.filled());
            let ends = PathElement::new(vec![(x + 0.5, spread.min), (x + 0.5, spread.max)], BLACK.stroke_width(2));
            chart.draw_series([bar]).map_err(|error| error.to_string())?;
            chart.draw_series([ends]).map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

/// How the axis to the right is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Evenly.
    Even,
    /// In powers of ten.
    Tens,
    /// Percentiles by their nines: values are `-log10(1 - percentile)`.
    Nines,
}

impl Axis {
    fn place(self, x: f64) -> f64 {
        if self == Self::Tens { x.max(1e-9).log10() } else { x }
    }

    fn label(self, place: f64) -> String {
        match self {
            Self::Even => format!("{place:.0}"),
            Self::Tens => format!("{:.0}", 10f64.powf(place)),
            Self::Nines => format!("p{}", 100.0 - 100.0 / 10f64.powf(place)),
        }
    }
}

/// Curves; upwards in powers of ten.
pub fn curves(title: &str, axis: Axis, of: &[Curve]) -> Drawn {
    let of: Vec<Curve> = of
        .iter()
        .map(|(name, points)| {
            let sound = points.iter().filter(|(x, y)| x.is_finite() && *y > 0.0 && y.is_finite());
            (name.clone(), sound.map(|(x, y)| (axis.place(*x), *y)).collect())
        })
        .collect();
    let all = || of.iter().flat_map(|(_, points)| points);
    let highest = all().map(|(_, y)| *y).fold(1e-3, f64::max) * 1.5;
    let lowest = all().map(|(_, y)| *y).fold(highest, f64::min) / 2.0;
    let right = all().map(|(x, _)| *x).fold(f64::MIN, f64::max).max(0.001);
    let left = if axis == Axis::Tens { all().map(|(x, _)| *x).fold(right, f64::min) } else { 0.0 };
    drawn(|area| {
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 16))
            .margin(10)
            .margin_right(40)
            .x_label_area_size(30)
            .y_label_area_size(60)
            .build_cartesian_2d(left..right.max(left + 0.001) * 1.02, (lowest..highest).log_scale())
            .map_err(|error| error.to_string())?;
        let label = |place: &f64| axis.label(*place);
        chart.configure_mesh().x_labels(6).x_label_formatter(&label).draw().map_err(|error| error.to_string())?;
        for (index, (name, points)) in of.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let line = chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)).point_size(3));
            let key = move |(x, y): (i32, i32)| PathElement::new(vec![(x, y), (x + 20, y)], colour.stroke_width(2));
            line.map_err(|error| error.to_string())?.label(name).legend(key);
        }
        let mut legend = chart.configure_series_labels();
        legend.background_style(WHITE).border_style(BLACK).position(SeriesLabelPosition::LowerRight);
        legend.draw().map_err(|error| error.to_string())?;
        Ok(())
    })
}
