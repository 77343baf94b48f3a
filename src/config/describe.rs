//! What DescribeConfigs answers: each key with its value, source and synonyms (KIP-226).

use super::settings::{ConfigSource, Settings};
use super::synonyms::{Synonym, of_broker_key};
use super::table::{Table, Treatment};
use super::topic::TopicDefaults;
use super::value::ConfigType;

/// One row of a DescribeConfigs answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The present value; `None` when there is none or it is sensitive.
    pub value: Option<String>,
    /// The type.
    pub kind: ConfigType,
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
        let set = overrides.iter().find(|(name, _)| *name == key.name).map(|(_, value)| (*value).to_owned());
        let mut synonyms = defaults.synonyms(key.name).to_vec();
        if let Some(value) = &set {
            let own = Synonym { name: key.name, value: Some(value.clone()), source: ConfigSource::DynamicTopic };
            synonyms.insert(0, own);
        }
        ConfigEntry {
            name: key.name.to_owned(),
            value: set.or_else(|| defaults.text(key.name).map(str::to_owned)),
            kind: key.kind,
            source: synonyms.first().map_or(ConfigSource::Default, |first| first.source),
            read_only: false,
            sensitive: false,
            synonyms,
        }
    });
    rows.collect()
}

/// The DescribeConfigs rows of a broker, sorted by name.
pub fn describe_broker(settings: &Settings) -> Vec<ConfigEntry> {
    let shown = settings.all().iter().filter(|setting| setting.key.treatment != Treatment::Internal);
    let rows = shown.map(|setting| {
        let sensitive = setting.key.sensitive();
        let value = setting.text.clone().filter(|_| !sensitive);
        let mut synonyms = of_broker_key(setting.key.name, settings);
        if sensitive {
            synonyms.iter_mut().for_each(|synonym| synonym.value = None);
        }
        ConfigEntry {
            name: setting.key.name.to_owned(),
            value,
            kind: setting.key.kind,
            source: setting.source,
            read_only: true,
            sensitive,
            synonyms,
        }
    });
    rows.collect()
}

#[cfg(test)]
mod tests;
