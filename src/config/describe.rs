//! What DescribeConfigs answers: each key with its value, source and synonyms (KIP-226).

use super::dynamic::{Dynamic, LiveSettings, is_dynamic, kind_of};
use super::settings::{ConfigSource, Setting, Settings};
use super::synonyms::{Synonym, of_broker_key};
use super::table::{Table, Treatment};
use super::topic::TopicDefaults;
use super::value::ConfigType;
use std::collections::BTreeMap;

/// One row of a DescribeConfigs answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The present value; `None` when there is none or it is sensitive.
    pub value: Option<String>,
    /// The type; `None` for a key that only a plugin knows.
    pub kind: Option<ConfigType>,
    /// Where the present value comes from.
    pub source: ConfigSource,
    /// True when it cannot be changed while the broker runs.
    pub read_only: bool,
    /// True when the value must not be shown.
    pub sensitive: bool,
    /// The value at each level, the one in force first.
    pub synonyms: Vec<Synonym>,
}

/// The DescribeConfigs rows of a topic, sorted by name.
pub fn describe_topic<'a, I>(overrides: I, defaults: &TopicDefaults) -> Vec<ConfigEntry>
where
    I: IntoIterator<Item = (&'a str, &'a str)>,
{
    let overrides: Vec<_> = overrides.into_iter().collect();
    let rows = Table::topic().keys().iter().map(|key| {
        let set = overrides.iter().find(|(name, _)| *name == key.name).map(|(_, value)| *value);
        let set = set.map(|text| key.parse(text).ok().and_then(|value| value.text()).unwrap_or(text.to_owned()));
        let mut synonyms = defaults.synonyms(key.name).to_vec();
        if let Some(value) = &set {
            let own = Synonym { name: key.name.into(), value: Some(value.clone()), source: ConfigSource::DynamicTopic };
            synonyms.insert(0, own);
        }
        ConfigEntry {
            name: key.name.to_owned(),
            value: set.or_else(|| defaults.text(key.name).map(str::to_owned)),
            kind: Some(key.kind),
            source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
            read_only: false,
            sensitive: false,
            synonyms,
        }
    });
    rows.collect()
}

/// The DescribeConfigs rows of a broker, sorted by name: all keys it knows and all that somebody set. `start` are the
/// settings it started with, `live` those in force.
pub fn describe_broker(start: &Settings, live: &LiveSettings) -> Vec<ConfigEntry> {
    let dynamic = live.dynamic();
    let shown = live.settings.all().iter().filter(|setting| setting.key.treatment != Treatment::Internal);
    let mut rows: BTreeMap<&str, ConfigEntry> =
        shown.map(|setting| (setting.key.name, known(setting, start, dynamic))).collect();
    let given = start.unknown.iter().map(|(name, text)| (name, text, ConfigSource::StaticBroker));
    let set = dynamic.levels().into_iter().rev();
    let set = set.flat_map(|(map, source)| map.iter().map(move |(name, text)| (name, text, source)));
    for (name, text, source) in given.chain(set).filter(|(name, ..)| Table::broker().index(name).is_none()) {
        let row = rows.entry(name).or_insert_with(|| foreign(name));
        put(row, name, text, source);
    }
    rows.into_values().collect()
}

/// The DescribeConfigs rows of what is set for all brokers, with the values as they were set.
pub fn describe_all_brokers(live: &LiveSettings) -> Vec<ConfigEntry> {
    let [_, (all, source)] = live.dynamic().levels();
    let row = |(name, text): (&String, &String)| {
        let mut row = foreign(name);
        put(&mut row, name, text, source);
        row
    };
    all.iter().map(row).collect()
}

fn known(setting: &Setting, start: &Settings, dynamic: Dynamic<'_>) -> ConfigEntry {
    let sensitive = setting.key.sensitive();
    let mut synonyms = of_broker_key(setting.key.name, start, dynamic);
    if sensitive {
        synonyms.iter_mut().for_each(|synonym| synonym.value = None);
    }
    ConfigEntry {
        name: setting.key.name.to_owned(),
        value: setting.value.text().filter(|_| !sensitive),
        kind: Some(setting.key.kind),
        source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
        read_only: !is_dynamic(setting.key.name),
        sensitive,
        synonyms,
    }
}

/// A row for a key that may have no place in the table. What nobody knows the type of may be a secret.
fn foreign(name: &str) -> ConfigEntry {
    let kind = kind_of(name);
    ConfigEntry {
        name: name.to_owned(),
        value: None,
        kind,
        source: ConfigSource::Default,
        read_only: !is_dynamic(name),
        sensitive: kind.is_none_or(|kind| kind == ConfigType::Password),
        synonyms: Vec::new(),
    }
}

/// Puts a value of a stronger level over a row.
fn put(row: &mut ConfigEntry, name: &str, text: &str, source: ConfigSource) {
    let value = (!row.sensitive).then(|| text.to_owned());
    row.synonyms.insert(0, Synonym { name: name.to_owned().into(), value: value.clone(), source });
    (row.value, row.source) = (value, source);
}

#[cfg(test)]
mod tests;
