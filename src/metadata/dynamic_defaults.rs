//! Topic-level defaults that were set for brokers while they ran (`DynamicBrokerConfig`): they stand in the metadata
//! log, above the properties file and below what a topic itself sets.

use super::image::{MetadataImage, ResourceType};
use crate::base::BrokerId;
use crate::config::table::Table;
use crate::config::topic::broker_keys;
use crate::config::{ConfigEntry, ConfigSource, Synonym, TopicDefaults, describe};

/// One such default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicDefault {
    /// The topic's key, `retention.ms`.
    pub topic_key: &'static str,
    /// The broker's key it was set by, `log.retention.hours`.
    pub broker_key: &'static str,
    /// The value in the topic key's unit.
    pub value: String,
    /// Set for this broker or for all.
    pub source: ConfigSource,
}

/// What was set for `node`, then what was set for all brokers, the strongest first for each topic key.
pub fn dynamic_defaults(image: &MetadataImage, node: BrokerId) -> Vec<DynamicDefault> {
    let own = image.config(ResourceType::Broker, &node.to_string());
    let all = image.config(ResourceType::Broker, "");
    if own.is_empty() && all.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for key in Table::topic().keys() {
        for (broker_key, unit) in broker_keys(key.name) {
            for (map, source) in [(&own, ConfigSource::DynamicBroker), (&all, ConfigSource::DynamicDefaultBroker)] {
                let Some(text) = map.get(*broker_key) else { continue };
                let value = in_unit(text, *unit);
                found.push(DynamicDefault { topic_key: key.name, broker_key, value, source });
            }
        }
    }
    found
}

/// The DescribeConfigs rows of a topic with these overrides: the topic's own, what was set for brokers while they ran,
/// the properties file's, the defaults.
pub fn describe_topic<'a>(
    image: &MetadataImage,
    node: BrokerId,
    overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
    defaults: &TopicDefaults,
) -> Vec<ConfigEntry> {
    let mut entries = describe::describe_topic(overrides, defaults);
    let set = dynamic_defaults(image, node);
    for entry in &mut entries {
        let at = usize::from(entry.source == ConfigSource::DynamicTopic);
        for default in set.iter().rev().filter(|default| default.topic_key == entry.name) {
            let value = Some(default.value.clone());
            let synonym = Synonym { name: default.broker_key, value: value.clone(), source: default.source };
            entry.synonyms.insert(at, synonym);
            if at == 0 {
                (entry.value, entry.source) = (value, default.source);
            }
        }
    }
    entries
}

/// "No limit" (a negative number) is the same in every unit.
fn in_unit(text: &str, unit: i64) -> String {
    match text.trim().parse::<i64>() {
        Ok(n) if unit > 1 && n < 0 => "-1".to_owned(),
        Ok(n) if unit > 1 => n.saturating_mul(unit).to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::MetadataRecord;
    use crate::metadata::image::Provenance;
    use crate::metadata::loader::Loader;
    use crate::protocol::messages::ConfigRecord;

    #[test]
    fn what_was_set_for_one_broker_comes_before_what_was_set_for_all() {
        let set = |broker: &str, key: &str, value: &str| {
            MetadataRecord::from(ConfigRecord {
                resource_type: 4,
                resource_name: broker.into(),
                name: key.into(),
                value: Some(value.into()),
            })
        };
        let records = [
            set("", "log.retention.hours", "2"),
            set("1", "log.retention.ms", "5"),
            set("2", "log.segment.bytes", "1"),
            set("", "min.insync.replicas", "3"),
        ];
        let mut loader = Loader::default();
        loader.apply(&records, Provenance::default()).unwrap();
        let found = dynamic_defaults(loader.image(), BrokerId(1));
        let found: Vec<_> = found.iter().map(|d| (d.topic_key, d.broker_key, d.value.as_str())).collect();
        assert_eq!(
            found,
            [
                ("min.insync.replicas", "min.insync.replicas", "3"),
                ("retention.ms", "log.retention.ms", "5"),
                ("retention.ms", "log.retention.hours", "7200000"),
            ]
        );
    }
}
