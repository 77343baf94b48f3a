use super::*;
use crate::config::Config;

fn defaults(pairs: &[(&str, &str)]) -> TopicDefaults {
    Config::from_overrides(pairs).unwrap().log_defaults
}

#[test]
fn without_anything_set_kafkas_defaults_hold() {
    let config = defaults(&[]).config();
    // The table of topic defaults and the broker keys they are made of must agree.
    let plain: Vec<Value> = Table::topic().keys().iter().map(KeyDef::default_value).collect();
    assert_eq!(config, Resolved(&plain).config());
    assert_eq!((config.segment_bytes, config.retention_ms), (1 << 30, 604_800_000));
    assert!(config.cleanup_delete && !config.cleanup_compact);
}

#[test]
fn broker_keys_become_topic_defaults_in_kafkas_order_of_precedence() {
    let table: &[(&[(&str, &str)], i64)] = &[
        (&[("log.retention.hours", "2")], 7_200_000),
        (&[("log.retention.minutes", "2")], 120_000),
        (&[("log.retention.ms", "2")], 2),
        (&[("log.retention.hours", "2"), ("log.retention.minutes", "3")], 180_000),
        (&[("log.retention.hours", "2"), ("log.retention.minutes", "3"), ("log.retention.ms", "-1")], -1),
        (&[("log.retention.hours", "-1")], -1),
    ];
    for (pairs, want) in table {
        assert_eq!(defaults(pairs).config().retention_ms, *want, "{pairs:?}");
    }
    let config = defaults(&[
        ("log.roll.hours", "1"),
        ("log.roll.jitter.ms", "5"),
        ("log.roll.jitter.hours", "1"),
        ("log.flush.scheduler.interval.ms", "9"),
        ("message.max.bytes", "1000"),
        ("log.cleanup.policy", "compact"),
        ("log.message.timestamp.type", "LogAppendTime"),
        ("compression.type", "zstd"),
        ("log.cleaner.min.cleanable.ratio", "0.1"),
    ])
    .config();
    assert_eq!((config.segment_ms, config.segment_jitter_ms, config.flush_ms), (3_600_000, 5, 9));
    assert_eq!(config.max_message_bytes, 1000);
    assert!(config.cleanup_compact && !config.cleanup_delete);
    assert_eq!(config.message_timestamp_type, TimestampType::LogAppendTime);
    assert_eq!(config.compression, CompressionChoice::Zstd);
    assert!((config.min_cleanable_dirty_ratio - 0.1).abs() < 1e-9);
}

#[test]
fn overrides_win_and_what_is_not_valid_leaves_the_default() {
    let defaults = defaults(&[("log.retention.ms", "5")]);
    let overrides =
        [("retention.ms", "7"), ("segment.bytes", "1"), ("key.of.a.newer.kafka", "x"), ("preallocate", "true")];
    let config = resolve(overrides, &defaults);
    assert_eq!((config.retention_ms, config.segment_bytes, config.preallocate), (7, 1 << 30, true));
    assert_eq!(resolve::<[(&str, &str); 0], _, _>([], &defaults).retention_ms, 5);
}

#[test]
fn every_topic_key_with_a_broker_synonym_finds_it() {
    for (name, chain) in SYNONYMS {
        assert!(Table::topic().get(name).is_some(), "{name}");
        for (broker, _) in *chain {
            assert!(Table::broker().get(broker).is_some(), "{broker}");
        }
    }
    let without: Vec<_> = Table::topic()
        .keys()
        .iter()
        .map(|key| key.name)
        .filter(|name| !SYNONYMS.iter().any(|(with, _)| with == name))
        .collect();
    assert_eq!(
        without,
        [
            "follower.replication.throttled.replicas",
            "leader.replication.throttled.replicas",
            "remote.log.copy.disable",
            "remote.log.delete.on.disable",
            "remote.storage.enable",
        ]
    );
}

#[test]
fn overrides_are_validated_in_kafkas_words() {
    let table = [
        ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
        ("segment.bytes", "100", "Invalid value 100 for configuration segment.bytes: Value must be at least 1048576"),
        (
            "compression.type",
            "foo",
            "Invalid value foo for configuration compression.type: String must be one of: uncompressed, zstd, lz4, \
             snappy, gzip, producer",
        ),
        ("foo.bar", "1", "Unknown topic config name: foo.bar"),
    ];
    let defaults = defaults(&[]);
    let check = |pairs: &[(&str, &str)]| validate(pairs, &defaults);
    for (name, value, told) in table {
        assert_eq!(check(&[(name, value)]), Err(told.into()));
    }
    let table = [("min.insync.replicas", "x"), ("max.message.bytes", "3000000000")];
    for (name, value) in table {
        let told = check(&[(name, value)]).unwrap_err();
        assert_eq!(told, format!("Invalid value {value} for configuration {name}: Not a number of type INT"));
    }
    for policy in ["compact,delete", "delete", ""] {
        assert_eq!(check(&[("cleanup.policy", policy)]), Ok(()));
    }
    assert!(check(&[("cleanup.policy", "delete,")]).is_err());
    assert!(check(&[("remote.storage.enable", "true")]).unwrap_err().starts_with("Tiered Storage functionality"));
    assert_eq!(check(&[("remote.storage.enable", "false"), ("remote.log.copy.disable", "true")]), Ok(()));
    let lags = [("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")];
    assert_eq!(
        check(&lags),
        Err("conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)".into())
    );
}

#[test]
fn with_no_cleanup_policy_nothing_is_deleted_and_nothing_compacted() {
    let config = resolve([("cleanup.policy", "")], &defaults(&[]));
    assert!(!config.cleanup_delete && !config.cleanup_compact);
}
