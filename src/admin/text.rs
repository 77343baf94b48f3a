//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

/// What a family of samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the next start.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets of a distribution.
    Histogram,
}

/// The text of one scrape.
#[derive(Default)]
pub struct Text(String);

/// The samples of one name.
pub struct Family<'a> {
    out: &'a mut String,
    name: &'a str,
}

impl Text {
    /// Begins a family; all of its samples follow at once.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { out: &mut self.0, name }
    }

    /// A family of one sample.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help).sample(&[], value);
    }

    /// A family of one sample that only grows.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Counter, help).sample(&[], value);
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// One sample.
    pub fn sample(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.sample_of("", labels, value);
    }

    /// One sample of a histogram's `_bucket`, `_sum` or `_count`.
    pub fn sample_of(&mut self, suffix: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        let _ = write!(self.out, "{}{suffix}", self.name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.out, "{}{label}=\"", if at == 0 { '{' } else { ',' });
            let _ = write!(Escaped(self.out), "{text}");
            self.out.push('"');
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.out, "{end} {value}");
    }
}

/// Escapes what stands between a label's quotes.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for c in text.chars() {
            match c {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_stand_as_prometheus_reads_them() {
        let mut text = Text::default();
        text.gauge("up", "Whether.", 1);
        let mut family = text.family("kafka_x", Kind::Counter, "How many.");
        family.sample(&[("topic", &"a\"b\\c\nd"), ("partition", &3)], 7);
        assert_eq!(
            text.finish(),
            "# HELP up Whether.\n# TYPE up gauge\nup 1\n# HELP kafka_x How many.\n# TYPE kafka_x counter\n\
             kafka_x{topic=\"a\\\"b\\\\c\\nd\",partition=\"3\"} 7\n"
        );
    }
}
