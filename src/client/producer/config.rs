//! The producer's properties.

use crate::client::ClientError;
use crate::record::Compression;
use crate::record::rebuild::Packing;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// What holds for a producer; Kafka's names and defaults.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// `acks`: -1 all, 1 the leader, 0 nobody.
    pub acks: i16,
    /// `enable.idempotence`.
    pub idempotence: bool,
    /// `batch.size` in bytes.
    pub batch_size: usize,
    /// `linger.ms`.
    pub linger: Duration,
    /// `compression.type` and its level.
    pub packing: Packing,
    /// `retries`.
    pub retries: u32,
    /// `retry.backoff.ms`.
    pub retry_backoff: Duration,
    /// `request.timeout.ms`.
    pub request_timeout: Duration,
    /// `delivery.timeout.ms`.
    pub delivery_timeout: Duration,
    /// `max.request.size` in bytes.
    pub max_request_size: usize,
    /// `buffer.memory` in bytes.
    pub buffer_memory: usize,
    /// `max.in.flight.requests.per.connection`; with idempotence at most 5.
    pub in_flight_max: usize,
}

/// The most an idempotent producer may have in flight: brokers remember five batches.
const IN_FLIGHT_IDEMPOTENT: usize = 5;

impl ProducerConfig {
    /// Reads what is given; Kafka's defaults for the rest.
    ///
    /// # Errors
    /// A value that is none, or values that contradict each other.
    pub fn of(properties: &BTreeMap<String, String>) -> Result<Self, ClientError> {
        let acks = match properties.get("acks").map_or("all", |text| text.trim()) {
            "all" | "-1" => -1,
            "1" => 1,
            "0" => 0,
            other => return Err(wrong("acks", other, "must be one of: all, -1, 0, 1")),
        };
        let in_flight_max: usize = number(properties, "max.in.flight.requests.per.connection", 5)?;
        let retries: u32 = number(properties, "retries", i32::MAX as u32)?;
        let fits = acks == -1 && in_flight_max <= IN_FLIGHT_IDEMPOTENT && retries > 0;
        let idempotence = match properties.get("enable.idempotence").map(|text| text.trim().to_ascii_lowercase()) {
            None => fits,
            Some(text) if text == "false" => false,
            Some(_) if fits => true,
            Some(text) => {
                let why = "needs acks=all, retries above 0 and at most 5 requests in flight";
                return Err(wrong("enable.idempotence", &text, why));
            }
        };
        let ms = |key: &str, default: u64| number(properties, key, default).map(Duration::from_millis);
        Ok(Self {
            acks,
            idempotence,
            batch_size: number(properties, "batch.size", 16 << 10)?,
            linger: ms("linger.ms", 5)?,
            packing: packing(properties)?,
            retries,
            retry_backoff: ms("retry.backoff.ms", 100)?,
            request_timeout: ms("request.timeout.ms", 30_000)?,
            delivery_timeout: ms("delivery.timeout.ms", 120_000)?,
            max_request_size: number(properties, "max.request.size", 1 << 20)?,
            buffer_memory: number(properties, "buffer.memory", 32 << 20)?,
            in_flight_max: in_flight_max.max(1),
        })
    }
}

fn packing(properties: &BTreeMap<String, String>) -> Result<Packing, ClientError> {
    let name = properties.get("compression.type").map_or("none", |text| text.trim());
    let codec = match name {
        "none" => Compression::None,
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        other => return Err(wrong("compression.type", other, "must be one of: none, gzip, snappy, lz4, zstd")),
    };
    let key = format!("compression.{name}.level");
    let level = properties.contains_key(&key).then(|| number::<i32>(properties, &key, 0)).transpose()?;
    Ok(Packing { codec, level })
}

fn number<T: FromStr>(properties: &BTreeMap<String, String>, key: &str, default: T) -> Result<T, ClientError> {
    match properties.get(key) {
        None => Ok(default),
        Some(text) => text.trim().parse().map_err(|_| wrong(key, text, "not a number that it can have")),
    }
}

fn wrong(key: &str, value: &str, why: &str) -> ClientError {
    ClientError::Config(format!("Invalid value {value} for configuration {key}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<ProducerConfig, ClientError> {
        ProducerConfig::of(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_producer_is_idempotent_unless_something_stands_against_it() {
        assert!(config(&[]).unwrap().idempotence);
        for against in [("acks", "1"), ("retries", "0"), ("enable.idempotence", "false")] {
            assert!(!config(&[against]).unwrap().idempotence, "{against:?}");
        }
        assert!(config(&[("acks", "1"), ("enable.idempotence", "true")]).is_err());
    }

    #[test]
    fn wrong_values_are_named() {
        for (key, value) in [("acks", "2"), ("batch.size", "x"), ("compression.type", "brotli")] {
            assert!(config(&[(key, value)]).unwrap_err().to_string().contains(key), "{key}");
        }
        assert_eq!(
            config(&[("compression.type", "zstd"), ("compression.zstd.level", "7")]).unwrap().packing.level,
            Some(7)
        );
    }
}
