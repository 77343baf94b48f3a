//! Topic-level configuration: overrides over the broker's defaults.

use super::dynamic::Dynamic;
use super::settings::Settings;
use super::synonyms::{SYNONYMS, Synonym, of_broker_key};
use super::table::{KeyDef, Table};
use super::value::Value;

/// Everything a log is told about its topic; integers in the units their names end in.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicConfig {
    /// `cleanup.policy` contains `delete`.
    pub cleanup_delete: bool,
    /// `cleanup.policy` contains `compact`.
    pub cleanup_compact: bool,
    /// `compression.type`.
    pub compression: CompressionChoice,
    /// `compression.gzip.level`; -1 means the codec's own default.
    pub compression_gzip_level: i32,
    /// `compression.lz4.level`.
    pub compression_lz4_level: i32,
    /// `compression.zstd.level`.
    pub compression_zstd_level: i32,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`; 1 means fdatasync before the acknowledgement.
    pub flush_messages: i64,
    /// `flush.ms`.
    pub flush_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: i32,
    /// `max.compaction.lag.ms`.
    pub max_compaction_lag_ms: i64,
    /// `max.message.bytes`: the largest batch as sent.
    pub max_message_bytes: i32,
    /// `message.timestamp.after.max.ms`.
    pub message_timestamp_after_max_ms: i64,
    /// `message.timestamp.before.max.ms`.
    pub message_timestamp_before_max_ms: i64,
    /// `message.timestamp.type`.
    pub message_timestamp_type: TimestampType,
    /// `min.cleanable.dirty.ratio`.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`.
    pub min_compaction_lag_ms: i64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `preallocate`.
    pub preallocate: bool,
    /// `retention.bytes`; -1 means no limit.
    pub retention_bytes: i64,
    /// `retention.ms`; -1 means no limit.
    pub retention_ms: i64,
    /// `segment.bytes`.
    pub segment_bytes: i32,
    /// `segment.index.bytes`.
    pub segment_index_bytes: i32,
    /// `segment.jitter.ms`.
    pub segment_jitter_ms: i64,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `unclean.leader.election.enable`.
    pub unclean_leader_election_enable: bool,
}

/// `compression.type` of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionChoice {
    /// Batches stay as the producer sent them.
    Producer,
    /// No compression.
    Uncompressed,
    /// gzip.
    Gzip,
    /// snappy.
    Snappy,
    /// lz4.
    Lz4,
    /// zstd.
    Zstd,
}

/// `message.timestamp.type` of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the append.
    LogAppendTime,
}

/// The broker keys that are the default of a topic key, the strongest first, each with the number that turns its unit
/// into the topic key's.
fn broker_keys(topic_key: &str) -> &'static [(&'static str, i64)] {
    SYNONYMS.iter().find(|(name, _)| *name == topic_key).map(|(_, chain)| *chain).unwrap_or_default()
}

/// The topic-level defaults of one broker, with where each came from.
#[derive(Clone, Debug)]
pub struct TopicDefaults {
    /// In the order of [`Table::topic`].
    rows: Vec<DefaultRow>,
}

#[derive(Clone, Debug)]
struct DefaultRow {
    text: Option<String>,
    value: Value,
    /// What DescribeConfigs tells of the broker keys behind it.
    synonyms: Vec<Synonym>,
}

impl TopicDefaults {
    /// Takes the defaults out of the broker's settings at its start; the error is a sentence naming the broker key.
    pub fn from_settings(settings: &Settings) -> Result<Self, String> {
        Self::in_force(settings, settings, Dynamic::NONE)
    }

    /// Takes the defaults out of the settings in force, which are those of the `start` and what is set since.
    pub(super) fn in_force(settings: &Settings, start: &Settings, dynamic: Dynamic<'_>) -> Result<Self, String> {
        let rows = Table::topic().keys().iter().map(|key| {
            let first = broker_keys(key.name).first();
            let synonyms = first.map(|(name, _)| of_broker_key(name, start, dynamic)).unwrap_or_default();
            default_row(key, settings, synonyms)
        });
        Ok(Self { rows: rows.collect::<Result<_, _>>()? })
    }

    /// The configuration of a topic without overrides.
    pub fn config(&self) -> TopicConfig {
        resolve::<[(&str, &str); 0], _, _>([], self)
    }

    /// The default of one key as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.row(name).and_then(|row| row.text.as_deref())
    }

    /// Where the default of one key comes from, the value in force first.
    pub(super) fn synonyms(&self, name: &str) -> &[Synonym] {
        self.row(name).map_or(&[], |row| &row.synonyms)
    }

    fn row(&self, name: &str) -> Option<&DefaultRow> {
        Table::topic().index(name).and_then(|at| self.rows.get(at))
    }
}

fn default_row(key: &'static KeyDef, settings: &Settings, synonyms: Vec<Synonym>) -> Result<DefaultRow, String> {
    let chain = broker_keys(key.name);
    // All but the last of a chain have no default, so what is given wins by its order alone.
    let mut set = chain.iter().filter_map(|(name, unit)| Some((settings.get(name)?, *unit)));
    let present = set.find(|(setting, _)| setting.value != Value::Null);
    let present = present.map(|(s, unit)| (s.key.name, in_unit(&s.value, unit)));
    let Some((name, value)) = present else {
        let (value, text) = (key.default_value(), key.default.map(str::to_owned));
        return Ok(DefaultRow { text, value, synonyms });
    };
    let text = value.text();
    if let Some(text) = &text {
        key.parse(text).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(DefaultRow { text, value, synonyms })
}

/// Times of -1 hours or minutes mean "no limit" in every unit.
fn in_unit(value: &Value, unit: i64) -> Value {
    match value {
        Value::Int(n) if *n < 0 && unit > 1 => Value::Int(-1),
        Value::Int(n) => Value::Int(n.saturating_mul(unit)),
        other => other.clone(),
    }
}

/// Checks all overrides of a topic, each by itself and together (`LogConfig.validate`). The error is Kafka's sentence
/// for INVALID_CONFIG.
pub fn validate(overrides: &[(&str, &str)], defaults: &TopicDefaults) -> Result<(), String> {
    for (name, value) in overrides {
        let key = Table::topic().get(name).ok_or_else(|| format!("Unknown topic config name: {name}"))?;
        let value = key.parse(value)?;
        if *name == "remote.storage.enable" && value == Value::Bool(true) {
            return Err("Tiered Storage functionality is disabled in the broker. \
                        Topic cannot be configured with remote log storage."
                .into());
        }
    }
    let config = resolve(overrides.iter().copied(), defaults);
    if config.min_compaction_lag_ms > config.max_compaction_lag_ms {
        return Err(format!(
            "conflict topic config setting min.compaction.lag.ms ({}) > max.compaction.lag.ms ({})",
            config.min_compaction_lag_ms, config.max_compaction_lag_ms
        ));
    }
    Ok(())
}

/// The configuration of a topic with `overrides` over the broker's `defaults`. An override that is
/// unknown or not valid (a newer Kafka wrote it) leaves the default.
pub fn resolve<I, N, V>(overrides: I, defaults: &TopicDefaults) -> TopicConfig
where
    I: IntoIterator<Item = (N, V)>,
    N: AsRef<str>,
    V: AsRef<str>,
{
    let mut values: Vec<Value> = defaults.rows.iter().map(|row| row.value.clone()).collect();
    for (name, text) in overrides {
        let Some(at) = Table::topic().index(name.as_ref()) else { continue };
        if let (Some(slot), Some(Ok(value))) =
            (values.get_mut(at), Table::topic().keys().get(at).map(|key| key.parse(text.as_ref())))
        {
            *slot = value;
        }
    }
    Resolved(&values).config()
}

/// Values in the order of [`Table::topic`].
struct Resolved<'a>(&'a [Value]);

impl Resolved<'_> {
    fn value(&self, name: &str) -> &Value {
        let at = Table::topic().index(name);
        debug_assert!(at.is_some(), "{name} is no key of the table");
        at.and_then(|at| self.0.get(at)).unwrap_or(&Value::Null)
    }

    fn long(&self, name: &str) -> i64 {
        if let Value::Int(n) = self.value(name) { *n } else { 0 }
    }

    fn int(&self, name: &str) -> i32 {
        self.long(name).clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Value::Bool(true))
    }

    fn text(&self, name: &str) -> &str {
        if let Value::Text(text) = self.value(name) { text } else { "" }
    }

    fn has(&self, name: &str, element: &str) -> bool {
        matches!(self.value(name), Value::List(list) if list.iter().any(|e| e == element))
    }

    fn config(&self) -> TopicConfig {
        TopicConfig {
            cleanup_delete: self.has("cleanup.policy", "delete"),
            cleanup_compact: self.has("cleanup.policy", "compact"),
            compression: match self.text("compression.type") {
                "uncompressed" => CompressionChoice::Uncompressed,
                "gzip" => CompressionChoice::Gzip,
                "snappy" => CompressionChoice::Snappy,
                "lz4" => CompressionChoice::Lz4,
                "zstd" => CompressionChoice::Zstd,
                _ => CompressionChoice::Producer,
            },
            compression_gzip_level: self.int("compression.gzip.level"),
            compression_lz4_level: self.int("compression.lz4.level"),
            compression_zstd_level: self.int("compression.zstd.level"),
            delete_retention_ms: self.long("delete.retention.ms"),
            file_delete_delay_ms: self.long("file.delete.delay.ms"),
            flush_messages: self.long("flush.messages"),
            flush_ms: self.long("flush.ms"),
            index_interval_bytes: self.int("index.interval.bytes"),
            max_compaction_lag_ms: self.long("max.compaction.lag.ms"),
            max_message_bytes: self.int("max.message.bytes"),
            message_timestamp_after_max_ms: self.long("message.timestamp.after.max.ms"),
            message_timestamp_before_max_ms: self.long("message.timestamp.before.max.ms"),
            message_timestamp_type: match self.text("message.timestamp.type") {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            min_cleanable_dirty_ratio: match self.value("min.cleanable.dirty.ratio") {
                Value::Double(n) => *n,
                _ => 0.0,
            },
            min_compaction_lag_ms: self.long("min.compaction.lag.ms"),
            min_insync_replicas: self.int("min.insync.replicas"),
            preallocate: self.flag("preallocate"),
            retention_bytes: self.long("retention.bytes"),
            retention_ms: self.long("retention.ms"),
            segment_bytes: self.int("segment.bytes"),
            segment_index_bytes: self.int("segment.index.bytes"),
            segment_jitter_ms: self.long("segment.jitter.ms"),
            segment_ms: self.long("segment.ms"),
            unclean_leader_election_enable: self.flag("unclean.leader.election.enable"),
        }
    }
}

#[cfg(test)]
mod tests;
