use super::*;
use crate::config::{Config, LiveSettings};

/// The rows of a broker on which nothing was set since it started.
fn broker_rows(config: &Config) -> Vec<ConfigEntry> {
    let nothing = BTreeMap::new();
    describe_broker(&config.settings, &LiveSettings::new(config, &nothing, &nothing))
}

fn synonyms(entry: &ConfigEntry) -> Vec<(&str, &str, ConfigSource)> {
    entry.synonyms.iter().map(|s| (&*s.name, s.value.as_deref().unwrap_or("null"), s.source)).collect()
}

#[test]
fn a_topics_rows_name_value_source_and_synonyms() {
    use ConfigSource::{Default, DynamicTopic};
    let config = Config::from_overrides(&[("log.retention.minutes", "6000"), ("log.retention.hours", "100")]).unwrap();
    let rows = describe_topic([("segment.ms", "1000")], &config.log_defaults);
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let set = row("segment.ms");
    assert_eq!((set.value.as_deref(), set.source), (Some("1000"), DynamicTopic));
    assert_eq!(synonyms(set), [("segment.ms", "1000", DynamicTopic)]);
    // Kafka finds no synonym of retention.ms unless log.retention.ms itself is set.
    let by_broker = row("retention.ms");
    assert_eq!((by_broker.value.as_deref(), by_broker.source), (Some("360000000"), Default));
    assert_eq!(synonyms(by_broker), []);
    let plain = row("segment.bytes");
    assert_eq!((plain.value.as_deref(), plain.source), (Some("1073741824"), Default));
    assert!(rows.is_sorted_by(|a, b| a.name < b.name));
    assert!(rows.iter().all(|row| !row.read_only && !row.sensitive));
}

#[test]
fn a_brokers_rows_hide_what_is_sensitive() {
    let config = Config::from_overrides(&[("num.partitions", "3")]).unwrap();
    let rows = broker_rows(&config);
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let set = row("num.partitions");
    assert_eq!((set.value.as_deref(), set.source), (Some("3"), ConfigSource::StaticBroker));
    assert_eq!(
        synonyms(set),
        [("num.partitions", "3", ConfigSource::StaticBroker), ("num.partitions", "1", ConfigSource::Default)]
    );
    assert!(row("ssl.key.password").sensitive && row("ssl.key.password").value.is_none());
    assert_eq!(row("log.dirs").value.as_deref(), Some("./data"));
}

/// What `kafka-configs.sh --describe --all` of Apache Kafka 4.3.1 showed for these settings.
#[test]
fn synonyms_are_those_kafka_shows() {
    use ConfigSource::{Default, StaticBroker};
    let given =
        [("log.retention.minutes", "6000"), ("log.retention.hours", "100"), ("log.roll.hours", "5"), ("node.id", "1")];
    let config = Config::from_overrides(&given).unwrap();
    let rows = broker_rows(&config);
    type Row = (&'static str, &'static str, &'static [(&'static str, &'static str, ConfigSource)]);
    let table: &[Row] = &[
        ("log.retention.ms", "null", &[]),
        (
            "log.retention.minutes",
            "6000",
            &[
                ("log.retention.minutes", "6000", StaticBroker),
                ("log.retention.hours", "100", StaticBroker),
                ("log.retention.hours", "168", Default),
            ],
        ),
        (
            "log.retention.hours",
            "100",
            &[("log.retention.hours", "100", StaticBroker), ("log.retention.hours", "168", Default)],
        ),
        ("log.roll.ms", "null", &[]),
        ("log.roll.hours", "5", &[("log.roll.hours", "5", StaticBroker), ("log.roll.hours", "168", Default)]),
        ("log.flush.interval.ms", "null", &[]),
        ("broker.id", "1", &[("broker.id", "1", StaticBroker), ("broker.id", "-1", Default)]),
        ("node.id", "1", &[("node.id", "1", StaticBroker)]),
        ("ssl.key.password", "null", &[]),
    ];
    for (name, value, want) in table {
        let row = rows.iter().find(|row| row.name == *name).unwrap();
        assert_eq!(row.value.as_deref().unwrap_or("null"), *value, "{name}");
        assert_eq!(synonyms(row), *want, "{name}");
        assert_eq!(row.source, want.first().map_or(Default, |first| first.2), "{name}");
    }
}
