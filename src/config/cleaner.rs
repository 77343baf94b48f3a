//! How logs are compacted (`CleanerConfig`).

use super::settings::Settings;
use super::value::Value;

/// The `log.cleaner.*` keys of the broker. What topics may override is in their configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanerConfig {
    /// `log.cleaner.enable`.
    pub enable: bool,
    /// `log.cleaner.threads`: logs cleaned at once.
    pub threads: usize,
    /// `log.cleaner.dedupe.buffer.size`: memory for the last offsets of keys, of all cleaners together.
    pub dedupe_buffer_bytes: usize,
    /// `log.cleaner.io.buffer.load.factor`: how full that may be.
    pub load_factor: f64,
    /// `log.cleaner.io.buffer.size`: memory for reading and writing, of all cleaners together.
    pub io_buffer_bytes: usize,
    /// `log.cleaner.io.max.bytes.per.second`, read and written by all cleaners together.
    pub io_max_bytes_per_second: f64,
    /// `log.cleaner.backoff.ms`: how long to wait when there was nothing to clean.
    pub backoff_ms: i64,
}

impl CleanerConfig {
    pub(super) fn of(s: &Settings) -> Self {
        let double = |name| match s.value(name) {
            Value::Double(number) => *number,
            _ => 0.0,
        };
        Self {
            enable: s.flag("log.cleaner.enable"),
            threads: s.number("log.cleaner.threads"),
            dedupe_buffer_bytes: s.number("log.cleaner.dedupe.buffer.size"),
            load_factor: double("log.cleaner.io.buffer.load.factor"),
            io_buffer_bytes: s.number("log.cleaner.io.buffer.size"),
            io_max_bytes_per_second: double("log.cleaner.io.max.bytes.per.second"),
            backoff_ms: s.number("log.cleaner.backoff.ms"),
        }
    }

    /// Memory for one cleaner's map. Kafka's ends at 2 GiB too.
    pub fn map_bytes(&self) -> usize {
        (self.dedupe_buffer_bytes / self.threads.max(1)).min(i32::MAX as usize)
    }

    /// What one cleaner reads at once; half of its share is for writing.
    pub fn window_bytes(&self) -> usize {
        self.io_buffer_bytes / self.threads.max(1) / 2
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn buffers_are_shared_by_the_cleaners() {
        let config = Config::from_overrides(&[("log.cleaner.threads", "2")]).unwrap().cleaner;
        assert_eq!((config.map_bytes(), config.window_bytes()), (64 << 20, 128 << 10));
        assert!(config.enable && config.load_factor == 0.9 && config.io_max_bytes_per_second == f64::MAX);
        let none = Config::from_overrides(&[("log.cleaner.threads", "0"), ("log.cleaner.enable", "false")]).unwrap();
        assert_eq!((none.cleaner.threads, none.cleaner.enable), (0, false));
    }
}
