use super::*;
use crate::config::Config;

fn synonyms(entry: &ConfigEntry) -> Vec<(&str, &str, ConfigSource)> {
    entry.synonyms.iter().map(|s| (s.name, s.value.as_deref().unwrap_or("null"), s.source)).collect()
}

#[test]
fn a_topics_rows_name_value_source_and_synonyms() {
    use ConfigSource::{Default, DynamicTopic, StaticBroker};
    let config = Config::from_overrides(&[("log.retention.minutes", "6000"), ("log.retention.hours", "100")]).unwrap();
    let rows = describe_topic([("segment.ms", "1000")], &config.log_defaults);
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let set = row("segment.ms");
    assert_eq!((set.value.as_deref(), set.source), (Some("1000"), DynamicTopic));
    assert_eq!(synonyms(set), [("segment.ms", "1000", DynamicTopic), ("log.roll.hours", "168", Default)]);
    let by_broker = row("retention.ms");
    assert_eq!((by_broker.value.as_deref(), by_broker.source), (Some("360000000"), StaticBroker));
    assert_eq!(
        synonyms(by_broker),
        [
            ("log.retention.minutes", "6000", StaticBroker),
            ("log.retention.hours", "100", StaticBroker),
            ("log.retention.hours", "168", Default)
        ]
    );
    let plain = row("segment.bytes");
    assert_eq!((plain.value.as_deref(), plain.source), (Some("1073741824"), Default));
    assert!(rows.is_sorted_by(|a, b| a.name < b.name));
    assert!(rows.iter().all(|row| !row.read_only && !row.sensitive));
}

#[test]
fn a_brokers_rows_hide_what_is_sensitive() {
    let config = Config::from_overrides(&[("num.partitions", "3")]).unwrap();
    let rows = describe_broker(&config.settings);
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
