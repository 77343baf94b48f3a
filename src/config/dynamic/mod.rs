//! What is set for brokers while they run, and what it makes of the settings (`DynamicBrokerConfig`).
//!
//! Order of precedence: set for this broker, set for all brokers, given at the start, default.

mod check;
mod keys;
#[cfg(test)]
mod tests;

pub use check::check_change;
pub use keys::is_dynamic;
pub(super) use keys::kind_of;

use super::broker::Config;
use super::cleaner::CleanerConfig;
use super::group_numbers;
use super::log_dirs::LogDirSettings;
use super::settings::{ConfigSource, Settings};
use super::table::Table;
use super::topic::TopicDefaults;
use std::borrow::Cow;
use std::collections::BTreeMap;

type Map = BTreeMap<String, String>;

static EMPTY: Map = Map::new();

/// What was set for one broker, and for all. What a broker ignores is left out: keys that cannot change while it runs
/// (a log that another version wrote may hold them), values that are not valid.
#[derive(Clone, Copy, Debug)]
pub struct Dynamic<'a> {
    own: &'a Map,
    all: &'a Map,
}

impl<'a> Dynamic<'a> {
    /// Nothing is set.
    pub const NONE: Dynamic<'static> = Dynamic { own: &EMPTY, all: &EMPTY };

    /// The maps, the stronger first, with what DescribeConfigs calls them.
    pub(super) fn levels(self) -> [(&'a Map, ConfigSource); 2] {
        [(self.own, ConfigSource::DynamicBroker), (self.all, ConfigSource::DynamicDefaultBroker)]
    }
}

/// The settings in force on one broker: those of its start and what is set since. Replaced as a whole with each change.
#[derive(Clone, Debug)]
pub struct LiveSettings {
    /// Every key with its value in force.
    pub settings: Settings,
    /// What topics have that set nothing themselves.
    pub topic_defaults: TopicDefaults,
    /// How logs are compacted.
    pub cleaner: CleanerConfig,
    /// Which log directories are cordoned, and how logs move between them.
    pub log_dirs: LogDirSettings,
    /// A sentence for each number that was set within bounds which the broker has no longer.
    pub capped: Vec<String>,
    own: Map,
    all: Map,
}

impl LiveSettings {
    /// What `own` (set for this broker) and `all` (set for all brokers) make of the configuration at the start.
    pub fn new(config: &Config, own: &Map, all: &Map) -> Self {
        let (own, all) = (heeded(own, false), heeded(all, true));
        let dynamic = Dynamic { own: &own, all: &all };
        let mut settings = overlaid(&config.settings, dynamic);
        let capped = group_numbers::cap(&mut settings);
        let topic_defaults = TopicDefaults::in_force(&settings, &config.settings, dynamic)
            // Each value by itself is valid; what contradicts itself was refused, or another version let it in.
            .unwrap_or_else(|_| config.log_defaults.clone());
        let cleaner = CleanerConfig::of(&settings);
        let log_dirs = LogDirSettings::of(&config.log_dirs, &settings, dynamic);
        Self { settings, topic_defaults, cleaner, log_dirs, capped, own, all }
    }

    /// What is set for this broker, or for all, and heeded.
    pub fn set_for(&self, all: bool) -> &Map {
        if all { &self.all } else { &self.own }
    }

    /// What of the settings was set since the start.
    pub fn dynamic(&self) -> Dynamic<'_> {
        Dynamic { own: &self.own, all: &self.all }
    }
}

/// The topic-level defaults in force; those of the start themselves where nothing is set since.
pub fn topic_defaults<'a>(config: &'a Config, own: &Map, all: &Map) -> Cow<'a, TopicDefaults> {
    if own.is_empty() && all.is_empty() {
        return Cow::Borrowed(&config.log_defaults);
    }
    Cow::Owned(LiveSettings::new(config, own, all).topic_defaults)
}

/// The settings of the start with what is set since over them.
fn overlaid(start: &Settings, dynamic: Dynamic<'_>) -> Settings {
    let mut settings = start.clone();
    for (map, source) in dynamic.levels().into_iter().rev() {
        for (name, text) in map {
            if let Some(Ok(value)) = Table::broker().get(name).map(|key| key.parse(text)) {
                settings.overlay(name, text, value, source);
            }
        }
    }
    settings
}

/// What a broker heeds of a map in the metadata log.
fn heeded(map: &Map, for_all: bool) -> Map {
    let valid = |name: &str, text: &str| {
        !keys::not_dynamic(name)
            && !keys::needs_listener(name)
            && !(for_all && keys::is_per_broker(name))
            && keys::parse(name, text).is_ok()
    };
    map.iter().filter(|(name, text)| valid(name, text)).map(|(name, text)| (name.clone(), text.clone())).collect()
}
