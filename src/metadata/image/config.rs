//! Dynamic configurations, by resource.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What a configuration belongs to (`ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic.
    Topic = 2,
    /// A broker, or all brokers where the name is empty.
    Broker = 4,
    /// A broker's loggers.
    BrokerLogger = 8,
    /// A client metrics subscription.
    ClientMetrics = 16,
    /// A group.
    Group = 32,
}

impl ResourceType {
    /// The kind with this number.
    pub fn of(id: i8) -> Option<Self> {
        Some(match id {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            32 => Self::Group,
            _ => return None,
        })
    }

    /// Its number on the wire and in records.
    pub fn id(self) -> i8 {
        self as i8
    }
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// What it is.
    pub kind: ResourceType,
    /// Its name; empty for the default of all brokers.
    pub name: Arc<str>,
}

/// The keys of one resource that somebody set.
pub type ConfigMap = BTreeMap<String, String>;

/// All dynamic configurations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigsImage(BTreeMap<ResourceType, BTreeMap<Arc<str>, Arc<ConfigMap>>>);

impl ConfigsImage {
    pub(in crate::metadata) fn get(&self, kind: ResourceType, name: &str) -> Option<&Arc<ConfigMap>> {
        self.0.get(&kind)?.get(name)
    }

    /// The names of the resources of one kind.
    pub(super) fn names(&self, kind: ResourceType) -> impl Iterator<Item = &str> {
        self.0.get(&kind).into_iter().flat_map(|resources| resources.keys().map(|name| &**name))
    }

    /// All resources that have a configuration.
    pub fn iter(&self) -> impl Iterator<Item = (ConfigResource, &Arc<ConfigMap>)> {
        self.0.iter().flat_map(|(kind, resources)| {
            resources.iter().map(|(name, map)| (ConfigResource { kind: *kind, name: name.clone() }, map))
        })
    }

    /// Sets a key, or removes it where the value is `None`.
    pub(super) fn set(&mut self, kind: ResourceType, name: &str, key: &str, value: Option<&str>) {
        let resources = self.0.entry(kind).or_default();
        match value {
            Some(value) => {
                let map = match resources.get_mut(name) {
                    Some(map) => map,
                    None => resources.entry(name.into()).or_default(),
                };
                Arc::make_mut(map).insert(key.into(), value.into());
            }
            None => {
                let Some(map) = resources.get_mut(name) else { return };
                Arc::make_mut(map).remove(key);
                if map.is_empty() {
                    resources.remove(name);
                }
            }
        }
    }

    /// Forgets a resource.
    pub(super) fn remove(&mut self, kind: ResourceType, name: &str) {
        if let Some(resources) = self.0.get_mut(&kind) {
            resources.remove(name);
        }
    }
}
