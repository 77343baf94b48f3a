//! The newest values of one client instance.

use super::attributes::ClientAttributes;
use super::otlp::Point;
use std::collections::BTreeMap;

/// What tells one series from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// The metric's name, such as `org.apache.kafka.producer.record.send.rate`.
    pub name: String,
    /// Its labels, by name.
    pub labels: Vec<(String, String)>,
    /// A count that only grows, since the client began.
    pub is_counter: bool,
}

/// One series of one client, as an exporter gets it.
#[derive(Clone, Copy, Debug)]
pub struct ClientSeries<'a> {
    /// Whose.
    pub client: &'a ClientAttributes,
    /// What.
    pub series: &'a Series,
    /// How much.
    pub value: f64,
}

/// By series the newest value; what was pushed as a difference is added up.
#[derive(Clone, Debug, Default)]
pub struct Newest(BTreeMap<Series, f64>);

impl Newest {
    /// Takes a point; a new series beyond `series_max` is left out.
    pub fn put(&mut self, point: Point, series_max: usize) {
        if let Some(value) = self.0.get_mut(&point.series) {
            *value = if point.is_delta { *value + point.value } else { point.value };
        } else if self.0.len() < series_max {
            self.0.insert(point.series, point.value);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Series, f64)> {
        self.0.iter().map(|(series, value)| (series, *value))
    }
}
