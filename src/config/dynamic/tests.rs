use super::*;
use crate::config::ConfigSource::{Default, DynamicBroker, DynamicDefaultBroker, StaticBroker};
use crate::config::describe::{ConfigEntry, describe_all_brokers, describe_broker, describe_topic};

fn map(pairs: &[(&str, &str)]) -> Map {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn live(start: &[(&str, &str)], own: &[(&str, &str)], all: &[(&str, &str)]) -> (Config, LiveSettings) {
    let config = Config::from_overrides(start).unwrap();
    let live = LiveSettings::new(&config, &map(own), &map(all));
    (config, live)
}

fn synonyms(entry: &ConfigEntry) -> Vec<(&str, &str, ConfigSource)> {
    entry.synonyms.iter().map(|s| (&*s.name, s.value.as_deref().unwrap_or("null"), s.source)).collect()
}

fn row<'a>(rows: &'a [ConfigEntry], name: &str) -> &'a ConfigEntry {
    rows.iter().find(|row| row.name == name).unwrap()
}

#[test]
fn this_broker_comes_before_all_brokers_and_those_before_the_file() {
    let start = [("log.retention.hours", "1"), ("log.segment.bytes", "1048577"), ("message.max.bytes", "1000")];
    let (_, live) = live(
        &start,
        &[("log.retention.ms", "5")],
        &[("log.retention.ms", "6"), ("log.segment.bytes", " 2097152 "), ("compression.type", "zstd")],
    );
    let config = live.topic_defaults.config();
    assert_eq!((config.retention_ms, config.segment_bytes, config.max_message_bytes), (5, 2_097_152, 1000));
    assert_eq!(live.settings.int("log.segment.bytes"), Some(2_097_152));
}

#[test]
fn what_cannot_change_or_is_not_valid_or_stands_at_the_wrong_level_is_not_heeded() {
    let (_, live) = live(
        &[],
        &[("log.dirs", "/x"), ("log.retention.hours", "3"), ("log.segment.bytes", "x"), ("ssl.keystore.type", "JKS")],
        &[("cordoned.log.dirs", "*"), ("log.retention.bytes", "7")],
    );
    assert!(live.set_for(false).is_empty(), "{:?}", live.set_for(false));
    assert_eq!(live.set_for(true), &map(&[("log.retention.bytes", "7")]));
    let config = live.topic_defaults.config();
    assert_eq!((config.retention_ms, config.retention_bytes, config.segment_bytes), (604_800_000, 7, 1 << 30));
}

/// What DescribeConfigs of Apache Kafka 4.3.1 answered after the same changes.
#[test]
fn rows_of_a_broker_are_kafkas() {
    let (config, live) = live(
        &[],
        &[
            ("log.retention.ms", "5000"),
            ("my.plugin.key", "5"),
            ("log.cleanup.policy", "delete,compact"),
            ("leader.replication.throttled.rate", "9"),
            ("log.cleaner.min.cleanable.ratio", "0.50"),
            ("log.roll.jitter.ms", "7"),
        ],
        &[("log.retention.ms", "6000"), ("log.segment.bytes", " 2097152 "), ("my.plugin.key", "6")],
    );
    let rows = describe_broker(&config.settings, &live);
    type Row = (&'static str, &'static str, i8, bool, bool, &'static [(&'static str, &'static str, ConfigSource)]);
    let table: &[Row] = &[
        (
            "my.plugin.key",
            "null",
            0,
            true,
            true,
            &[("my.plugin.key", "null", DynamicBroker), ("my.plugin.key", "null", DynamicDefaultBroker)],
        ),
        (
            "leader.replication.throttled.rate",
            "9",
            5,
            false,
            false,
            &[("leader.replication.throttled.rate", "9", DynamicBroker)],
        ),
        (
            "log.segment.bytes",
            "2097152",
            3,
            false,
            false,
            &[("log.segment.bytes", " 2097152 ", DynamicDefaultBroker), ("log.segment.bytes", "1073741824", Default)],
        ),
        ("log.retention.minutes", "null", 3, true, false, &[]),
        ("log.retention.hours", "168", 3, true, false, &[("log.retention.hours", "168", Default)]),
        (
            "log.cleaner.min.cleanable.ratio",
            "0.5",
            6,
            false,
            false,
            &[
                ("log.cleaner.min.cleanable.ratio", "0.50", DynamicBroker),
                ("log.cleaner.min.cleanable.ratio", "0.5", Default),
            ],
        ),
        (
            "log.retention.ms",
            "5000",
            5,
            false,
            false,
            &[
                ("log.retention.ms", "5000", DynamicBroker),
                ("log.retention.ms", "6000", DynamicDefaultBroker),
                ("log.retention.hours", "168", Default),
            ],
        ),
        (
            "log.roll.jitter.ms",
            "7",
            5,
            false,
            false,
            &[("log.roll.jitter.ms", "7", DynamicBroker), ("log.roll.jitter.hours", "0", Default)],
        ),
    ];
    for (name, value, kind, read_only, sensitive, want) in table {
        let row = row(&rows, name);
        assert_eq!(row.value.as_deref().unwrap_or("null"), *value, "{name}");
        assert_eq!(row.kind.map_or(0, |kind| kind.wire()), *kind, "{name}");
        assert_eq!((row.read_only, row.sensitive), (*read_only, *sensitive), "{name}");
        assert_eq!(synonyms(row), *want, "{name}");
        assert_eq!(row.source, want.first().map_or(Default, |first| first.2), "{name}");
    }
    let all = describe_all_brokers(&live);
    let all: Vec<_> = all.iter().map(|row| (&*row.name, row.value.as_deref(), synonyms(row))).collect();
    let of = |name, value| vec![(name, value, DynamicDefaultBroker)];
    assert_eq!(
        all,
        [
            ("log.retention.ms", Some("6000"), of("log.retention.ms", "6000")),
            ("log.segment.bytes", Some(" 2097152 "), of("log.segment.bytes", " 2097152 ")),
            ("my.plugin.key", None, of("my.plugin.key", "null")),
        ]
    );
}

#[test]
fn rows_of_a_topic_are_kafkas() {
    let (_, live) = live(
        &[("log.segment.bytes", "1048577")],
        &[("log.retention.ms", "5000")],
        &[("log.retention.ms", "6000"), ("log.flush.interval.ms", "700"), ("message.max.bytes", "2000000")],
    );
    let rows = describe_topic([("retention.ms", " 77 "), ("min.cleanable.dirty.ratio", "0.50")], &live.topic_defaults);
    let retention = row(&rows, "retention.ms");
    assert_eq!((retention.value.as_deref(), retention.source), (Some("77"), ConfigSource::DynamicTopic));
    assert_eq!(
        synonyms(retention),
        [
            ("retention.ms", "77", ConfigSource::DynamicTopic),
            ("log.retention.ms", "5000", DynamicBroker),
            ("log.retention.ms", "6000", DynamicDefaultBroker),
            ("log.retention.hours", "168", Default),
        ]
    );
    assert_eq!(row(&rows, "min.cleanable.dirty.ratio").value.as_deref(), Some("0.5"));
    assert_eq!(
        synonyms(row(&rows, "flush.ms")),
        [
            ("log.flush.interval.ms", "700", DynamicDefaultBroker),
            ("log.flush.scheduler.interval.ms", "9223372036854775807", Default),
        ]
    );
    assert_eq!(row(&rows, "max.message.bytes").value.as_deref(), Some("2000000"));
    assert_eq!(
        synonyms(row(&rows, "segment.bytes")),
        [("log.segment.bytes", "1048577", StaticBroker), ("log.segment.bytes", "1073741824", Default)]
    );
}

/// Changes that Apache Kafka 4.3.1 refused, and what it said.
#[test]
fn a_change_is_checked_as_kafka_checks_it() {
    let (config, live) = live(&[("log.dirs", "/a,/b")], &[], &[]);
    let check = |pairs: &[(&str, &str)], for_all| check_change(&config, &live, &map(pairs), for_all);
    let level = "Cannot update these configs at default cluster level, broker id must be specified";
    let prefix = "These security configs can be dynamically updated only per-listener using the listener prefix";
    let threads = "Dynamic thread count update validation failed for";
    let refused: &[(&str, &str, &str)] = &[
        ("log.retention.hours", "5", "Cannot update these configs dynamically: [log.retention.hours]"),
        ("corelog.cores", "1", "Cannot update these configs dynamically: [corelog.cores]"),
        ("log.retention.ms", "x", "Invalid value x for configuration log.retention.ms: Not a number of type LONG"),
        (
            "log.segment.bytes",
            "5",
            "Invalid value 5 for configuration log.segment.bytes: Value must be at least 1048576",
        ),
        ("leader.replication.throttled.rate", "-1", "Value must be at least 0"),
        ("log.retention.ms", "0", "log.retention.ms"),
        ("log.roll.ms", "0", "log.roll.ms"),
        ("log.roll.jitter.ms", "-1", "log.roll.jitter.ms must be greater than or equal to 0"),
        ("ssl.keystore.location", "/x", prefix),
        ("listener.name.external.ssl.keystore.location", "/x", "guards a listener"),
        ("sasl.enabled.mechanisms", "PLAIN", "guards a listener"),
        ("listeners", "PLAINTEXT://:9", "cannot change while corelog runs"),
        ("metric.reporters", "a.Class", "corelog loads no Java classes"),
        ("num.io.threads", "100", threads),
        ("num.io.threads", "1", threads),
        ("log.cleaner.threads", "0", threads),
        ("log.cleaner.dedupe.buffer.size", "10", "at least 1MB per cleaner thread"),
        ("max.connections.per.ip", "0", "max.connections.per.ip can be set to zero only"),
        ("max.connections.per.ip.overrides", "zz:x", "zz:x is not host:limit"),
        ("cordoned.log.dirs", "/nope", "Missing entries : /nope"),
        (
            "group.share.assignment.interval.ms",
            "15001",
            "group.share.assignment.interval.ms must be less than or equal to group.share.max.assignment.interval.ms",
        ),
        ("log.local.retention.ms", "-1", "Value must not be -1 as log.retention.ms value is set as 604800000."),
        ("log.local.retention.ms", "999999999999", "Value must not be more than log.retention.ms property value"),
    ];
    for (name, value, told) in refused {
        let said = check(&[(name, value)], false).unwrap_err();
        assert!(said.contains(told), "{name}={value}: {said}");
    }
    for name in ["listeners", "cordoned.log.dirs", "listener.name.external.ssl.keystore.location"] {
        assert_eq!(check(&[(name, "*")], true), Err(format!("{level}: [{name}]")));
    }
    let taken = [
        ("log.retention.ms", "-1"),
        ("num.io.threads", "9"),
        ("my.plugin.key", "5"),
        ("log.cleanup.policy", ""),
        ("max.connections.per.ip.overrides", "127.0.0.1:100"),
        ("follower.replication.throttled.rate", "1000"),
        ("listener.name.external.max.connections", "5"),
        ("unclean.leader.election.enable", "true"),
        ("metric.reporters", ""),
    ];
    for (name, value) in taken {
        assert_eq!(check(&[(name, value)], true), Ok(()), "{name}");
        assert_eq!(check(&[(name, value)], false), Ok(()), "{name}");
    }
    assert_eq!(check(&[("cordoned.log.dirs", "/b")], false), Ok(()));
}

/// What Apache Kafka 4.3.1 makes of it when it starts with a lower maximum.
#[test]
fn an_interval_set_within_earlier_bounds_is_brought_within_todays() {
    let key = "group.consumer.assignment.interval.ms";
    let start = &[("group.consumer.max.assignment.interval.ms", "9000")];
    let (config, live) = live(start, &[], &[(key, "15000"), ("group.share.assignment.interval.ms", "15000")]);
    assert_eq!(live.settings.int(key), Some(9_000));
    assert_eq!(live.settings.int("group.share.assignment.interval.ms"), Some(15_000));
    assert_eq!(live.capped.len(), 1, "{:?}", live.capped);
    let rows = describe_broker(&config.settings, &live);
    let row = row(&rows, key);
    assert_eq!((row.value.as_deref(), row.source), (Some("9000"), DynamicDefaultBroker));
    assert_eq!(synonyms(row), [(key, "15000", DynamicDefaultBroker), (key, "1000", Default)]);
}

#[test]
fn the_list_of_dynamic_keys_is_sorted_and_known() {
    let rates = ["follower.replication.throttled.rate", "leader.replication.throttled.rate"];
    let known = Table::broker().keys().iter().filter(|key| is_dynamic(key.name)).count();
    assert_eq!(keys::dynamic_count(), known + rates.len() + 1);
    for rate in rates {
        assert!(is_dynamic(rate) && kind_of(rate).is_some(), "{rate}");
    }
}
