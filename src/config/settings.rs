//! Every broker key with its value, its type and where the value came from.

use super::table::{KeyDef, Table};
use super::value::Value;
use std::collections::BTreeMap;

/// Where a configuration's value comes from (`ConfigEntry.ConfigSource`, KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Set for the topic.
    DynamicTopic,
    /// Set for one broker while it runs.
    DynamicBroker,
    /// Set for all brokers while they run.
    DynamicDefaultBroker,
    /// From server.properties or the command line.
    StaticBroker,
    /// Nobody set it.
    Default,
    /// Set for the group.
    Group,
    /// Set for the client metrics resource.
    ClientMetrics,
    /// The level of a logger.
    BrokerLogger,
}

impl ConfigSource {
    /// The source's number in DescribeConfigs.
    pub fn wire(self) -> i8 {
        match self {
            Self::DynamicTopic => 1,
            Self::DynamicBroker => 2,
            Self::DynamicDefaultBroker => 3,
            Self::StaticBroker => 4,
            Self::Default => 5,
            Self::BrokerLogger => 6,
            Self::ClientMetrics => 7,
            Self::Group => 8,
        }
    }
}

/// One broker key's present value.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The key's row in the table.
    pub key: &'static KeyDef,
    /// The value as written, or the default's text; `None` for none.
    pub text: Option<String>,
    /// The value, typed and checked.
    pub value: Value,
    /// [`ConfigSource::StaticBroker`] or [`ConfigSource::Default`].
    pub source: ConfigSource,
}

/// All keys of [`Table::broker`], and the unknown ones that were given.
#[derive(Clone, Debug)]
pub struct Settings {
    known: Vec<Setting>,
    /// Keys no table knows, with their values: a plugin's, or spelling errors.
    pub unknown: BTreeMap<String, String>,
}

impl Settings {
    /// Types and checks `given`; the error holds one sentence for each wrong value.
    pub fn new(given: &BTreeMap<String, String>) -> Result<Self, Vec<String>> {
        let mut errors = Vec::new();
        let known = Table::broker().keys().iter().map(|key| match given.get(key.name) {
            Some(text) => {
                let value = key.parse(text).unwrap_or_else(|error| {
                    errors.push(error);
                    Value::Null
                });
                Setting { key, text: Some(text.clone()), value, source: ConfigSource::StaticBroker }
            }
            None => Setting {
                key,
                text: key.default.map(str::to_owned),
                value: key.default_value(),
                source: ConfigSource::Default,
            },
        });
        let known: Vec<_> = known.collect();
        let foreign = given.iter().filter(|(name, _)| Table::broker().index(name).is_none());
        let unknown = foreign.map(|(name, text)| (name.clone(), text.clone())).collect();
        if errors.is_empty() { Ok(Self { known, unknown }) } else { Err(errors) }
    }

    /// The setting of a known key.
    pub fn get(&self, name: &str) -> Option<&Setting> {
        Table::broker().index(name).and_then(|at| self.known.get(at))
    }

    /// All known keys in the table's order.
    pub fn all(&self) -> &[Setting] {
        &self.known
    }

    /// True when somebody set the key to something.
    pub fn is_given(&self, name: &str) -> bool {
        self.get(name).is_some_and(|s| s.source == ConfigSource::StaticBroker)
    }

    /// Replaces a value by the program's own decision, e.g. a lowered replication factor.
    pub(super) fn put(&mut self, name: &str, text: &str) -> Result<(), String> {
        let at = Table::broker().index(name).ok_or_else(|| format!("Unknown configuration {name}"))?;
        let setting = &mut self.known[at];
        setting.value = setting.key.parse(text)?;
        setting.text = Some(text.to_owned());
        Ok(())
    }

    /// Puts a value set while the broker runs over what there is.
    pub(super) fn overlay(&mut self, name: &str, text: &str, value: Value, source: ConfigSource) {
        if let Some(setting) = Table::broker().index(name).and_then(|at| self.known.get_mut(at)) {
            (setting.text, setting.value, setting.source) = (Some(text.to_owned()), value, source);
        }
    }

    /// An integer key's value, `None` when it has none.
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Value::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// An integer key's value as the width its type promises; a key without a value reads as 0.
    pub fn number<T: TryFrom<i64> + Default>(&self, name: &str) -> T {
        self.int(name).and_then(|n| T::try_from(n).ok()).unwrap_or_default()
    }

    /// A boolean key's value.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Value::Bool(true))
    }

    /// A text key's value; empty and absent are both `None`.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name) {
            Value::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// A list key's elements; an absent list is empty.
    pub fn list(&self, name: &str) -> &[String] {
        match self.value(name) {
            Value::List(list) => list,
            _ => &[],
        }
    }

    /// A floating-point key's value.
    pub fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Double(n) => *n,
            _ => 0.0,
        }
    }

    pub(super) fn value(&self, name: &str) -> &Value {
        let setting = self.get(name);
        debug_assert!(setting.is_some(), "{name} is no key of the table");
        setting.map_or(&Value::Null, |s| &s.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn given_values_win_over_defaults_and_say_so() {
        let settings = Settings::new(&given(&[("num.partitions", "7"), ("my.plugin.key", "x")])).unwrap();
        assert_eq!(settings.int("num.partitions"), Some(7));
        assert_eq!(settings.get("num.partitions").unwrap().source, ConfigSource::StaticBroker);
        assert_eq!(settings.int("log.segment.bytes"), Some(1 << 30));
        assert_eq!(settings.get("log.segment.bytes").unwrap().source, ConfigSource::Default);
        assert_eq!(settings.unknown.keys().collect::<Vec<_>>(), ["my.plugin.key"]);
    }

    #[test]
    fn every_wrong_value_is_told_at_once() {
        let errors = Settings::new(&given(&[("num.partitions", "0"), ("log.preallocate", "maybe")])).unwrap_err();
        assert_eq!(errors.len(), 2, "{errors:?}");
    }
}
