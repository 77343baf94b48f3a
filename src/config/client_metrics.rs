//! What is asked of clients' metrics: the configuration of a client metrics resource (`ClientMetricsConfigs`; KIP-714).

use super::table::Table;
use regex::Regex;
use std::collections::BTreeMap;

/// How often clients push that no subscription tells otherwise, in milliseconds.
pub const INTERVAL_MS_DEFAULT: i32 = 300_000;
/// In a list of metrics: all of them.
pub const ALL_METRICS: &str = "*";
const INTERVAL_MS: std::ops::RangeInclusive<i64> = 100..=3_600_000;

/// What a pattern may look at.
const ATTRIBUTES: &[&str] = &[
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// One resource: which metrics, how often, of which clients.
#[derive(Clone, Debug)]
pub struct ClientMetrics {
    /// Prefixes of names; one that is [`ALL_METRICS`] stands for all.
    pub metrics: Vec<String>,
    /// How often they are pushed.
    pub interval_ms: i32,
    /// By attribute what its whole value must match; none is any client.
    patterns: BTreeMap<String, Regex>,
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidClientMetrics {
    /// INVALID_REQUEST.
    Request(String),
    /// INVALID_CONFIG.
    Config(String),
}

impl ClientMetrics {
    /// Reads what is set for a resource.
    pub fn read(set: &BTreeMap<String, String>) -> Result<Self, InvalidClientMetrics> {
        let table = Table::client_metrics();
        if let Some(key) = set.keys().find(|key| table.get(key).is_none()) {
            return Err(InvalidClientMetrics::Request(format!("Unknown client metrics configuration: {key}")));
        }
        let interval = match (set.get("interval.ms"), table.get("interval.ms")) {
            (Some(text), Some(key)) => {
                let value = key.parse(text).map_err(InvalidClientMetrics::Config)?;
                let ms = value.text().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
                if !INTERVAL_MS.contains(&ms) {
                    return Err(InvalidClientMetrics::Request(format!(
                        "Invalid value {ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                    )));
                }
                ms as i32
            }
            _ => INTERVAL_MS_DEFAULT,
        };
        let list = |key: &str| list(key, set.get(key).map_or("", String::as_str));
        let metrics = list("metrics")?;
        let patterns = list("match")?.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?;
        Ok(Self { metrics, interval_ms: interval, patterns })
    }

    /// True for a client with these attributes.
    pub fn wants<'a>(&self, attribute: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.patterns.iter().all(|(name, pattern)| attribute(name).is_some_and(|value| pattern.is_match(value)))
    }
}

/// Each value once, none of them empty.
fn list(key: &str, text: &str) -> Result<Vec<String>, InvalidClientMetrics> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: Vec<String> = Vec::new();
    for value in text.split(',').map(str::trim) {
        if value.is_empty() {
            let text = format!("Configuration '{key}' values must not be empty.");
            return Err(InvalidClientMetrics::Config(text));
        }
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    Ok(values)
}

fn pattern(text: &str) -> Result<(String, Regex), InvalidClientMetrics> {
    let illegal = || InvalidClientMetrics::Config(format!("Illegal client matching pattern: {text}"));
    let (name, value) = text.split_once('=').ok_or_else(illegal)?;
    let (name, value) = (name.trim(), value.trim());
    if value.is_empty() || value.contains('=') || !ATTRIBUTES.contains(&name) {
        return Err(illegal());
    }
    // As Java's `matches`: the whole of it.
    let whole = Regex::new(&format!("^(?:{value})$")).map_err(|_| illegal())?;
    Ok((name.to_owned(), whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ClientMetrics, InvalidClientMetrics> {
        ClientMetrics::read(&pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    /// What Apache Kafka 4.3.1 refused, and its words.
    #[test]
    fn wrong_settings_are_refused_in_kafkas_words() {
        let interval = "interval must be between 100 and 3600000 (1 hour)";
        let table: &[(&str, &str, &str)] = &[
            ("interval.ms", "99", interval),
            ("interval.ms", "3600001", interval),
            ("interval.ms", "x", "Invalid value x for configuration interval.ms: Not a number of type INT"),
            ("match", "foo=1", "Illegal client matching pattern: foo=1"),
            ("match", "client_id", "Illegal client matching pattern: client_id"),
            ("match", "client_id=[", "Illegal client matching pattern: client_id=["),
            ("metrics", "a,,b", "Configuration 'metrics' values must not be empty."),
            ("nonsense", "", "Unknown client metrics configuration: nonsense"),
        ];
        for (key, value, told) in table {
            match read(&[(key, value)]) {
                Err(InvalidClientMetrics::Request(said) | InvalidClientMetrics::Config(said)) => {
                    assert!(said.contains(told), "{key}={value}: {said}");
                }
                Ok(read) => panic!("{key}={value}: {read:?}"),
            }
        }
    }

    #[test]
    fn all_patterns_of_a_subscription_must_match_the_whole_value() {
        let read = read(&[("match", "client_id=a.*, client_source_port=9+"), ("metrics", "a,a, b")]).unwrap();
        assert_eq!((&read.metrics[..], read.interval_ms), (&["a".to_owned(), "b".to_owned()][..], 300_000));
        let wants = |id: &'static str, port: &'static str| {
            read.wants(
                |name| if name == "client_id" { Some(id) } else { Some(port).filter(|_| name.ends_with("port")) },
            )
        };
        assert!(wants("abc", "99"));
        assert!(!wants("xabc", "99") && !wants("abc", "98"));
        assert!(!read.wants(|_| None));
    }
}
