//! Which broker keys are a topic key's defaults, and what DescribeConfigs tells of them.

use super::dynamic::Dynamic;
use super::settings::{ConfigSource, Settings};
use std::borrow::Cow;

/// One value a key would have if nothing above it were set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The key at that level, e.g. `log.retention.hours`.
    pub name: Cow<'static, str>,
    /// Its value as text.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
}

/// Topic keys and the broker keys that are their defaults, the first that is set wins
/// (`ServerTopicConfigSynonyms`). The number turns the broker key's unit into the topic key's.
pub(super) const SYNONYMS: &[(&str, &[(&str, i64)])] = &[
    ("cleanup.policy", &[("log.cleanup.policy", 1)]),
    ("compression.gzip.level", &[("compression.gzip.level", 1)]),
    ("compression.lz4.level", &[("compression.lz4.level", 1)]),
    ("compression.type", &[("compression.type", 1)]),
    ("compression.zstd.level", &[("compression.zstd.level", 1)]),
    ("delete.retention.ms", &[("log.cleaner.delete.retention.ms", 1)]),
    ("file.delete.delay.ms", &[("log.segment.delete.delay.ms", 1)]),
    ("flush.messages", &[("log.flush.interval.messages", 1)]),
    ("flush.ms", &[("log.flush.interval.ms", 1), ("log.flush.scheduler.interval.ms", 1)]),
    ("index.interval.bytes", &[("log.index.interval.bytes", 1)]),
    ("local.retention.bytes", &[("log.local.retention.bytes", 1)]),
    ("local.retention.ms", &[("log.local.retention.ms", 1)]),
    ("max.compaction.lag.ms", &[("log.cleaner.max.compaction.lag.ms", 1)]),
    ("max.message.bytes", &[("message.max.bytes", 1)]),
    ("message.timestamp.after.max.ms", &[("log.message.timestamp.after.max.ms", 1)]),
    ("message.timestamp.before.max.ms", &[("log.message.timestamp.before.max.ms", 1)]),
    ("message.timestamp.type", &[("log.message.timestamp.type", 1)]),
    ("min.cleanable.dirty.ratio", &[("log.cleaner.min.cleanable.ratio", 1)]),
    ("min.compaction.lag.ms", &[("log.cleaner.min.compaction.lag.ms", 1)]),
    ("min.insync.replicas", &[("min.insync.replicas", 1)]),
    ("preallocate", &[("log.preallocate", 1)]),
    ("retention.bytes", &[("log.retention.bytes", 1)]),
    ("retention.ms", &[("log.retention.ms", 1), ("log.retention.minutes", MINUTE), ("log.retention.hours", HOUR)]),
    ("segment.bytes", &[("log.segment.bytes", 1)]),
    ("segment.index.bytes", &[("log.index.size.max.bytes", 1)]),
    ("segment.jitter.ms", &[("log.roll.jitter.ms", 1), ("log.roll.jitter.hours", HOUR)]),
    ("segment.ms", &[("log.roll.ms", 1), ("log.roll.hours", HOUR)]),
    ("unclean.leader.election.enable", &[("unclean.leader.election.enable", 1)]),
];
const MINUTE: i64 = 60_000;
const HOUR: i64 = 3_600_000;

/// The values behind one broker key, the one in force first: what was set for this broker while it ran, what was set
/// for all, what was given at start, defaults, each in order of precedence. As in Kafka (`ConfigHelper.configSynonyms`)
/// those that precede the key itself are left out, so a key that nobody set and that has no default has none. `settings`
/// are those of the start.
pub(super) fn of_broker_key(name: &str, settings: &Settings, dynamic: Dynamic<'_>) -> Vec<Synonym> {
    let alone = [(name, 1)];
    let chains = SYNONYMS.iter().map(|(_, chain)| *chain);
    let chain = chains.filter(|chain| chain.len() > 1).find(|chain| chain.iter().any(|(key, _)| *key == name));
    let chain: Vec<_> = chain.unwrap_or(&alone).iter().filter_map(|(key, _)| settings.get(key)).collect();
    let dynamic = dynamic.levels().into_iter().flat_map(|(map, source)| {
        chain.iter().filter_map(move |s| {
            Some(Synonym { name: s.key.name.into(), value: Some(map.get(s.key.name)?.clone()), source })
        })
    });
    let given = chain.iter().filter(|s| s.source == ConfigSource::StaticBroker);
    let given = given.map(|s| Synonym { name: s.key.name.into(), value: s.text.clone(), source: s.source });
    let defaults = chain.iter().filter_map(|s| {
        // Without a properties file some defaults are the program's own.
        let own = if s.source == ConfigSource::Default { s.text.as_deref() } else { None };
        let value = Some(own.or(s.key.default)?.to_owned());
        Some(Synonym { name: s.key.name.into(), value, source: ConfigSource::Default })
    });
    dynamic.chain(given).chain(defaults).skip_while(|synonym| synonym.name != name).collect()
}
