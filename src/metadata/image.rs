//! [`MetadataImage`]: what the metadata log says, up to one offset. Immutable and cheap to clone;
//! each core holds the newest it has taken.

use super::registration::PartitionRegistration;
use crate::base::{BrokerId, LeaderEpoch, Offset, TopicIdPartition, Uuid};
use crate::protocol::messages as m;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A topic and its partitions, by index.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicImage {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: Arc<str>,
    /// Its partitions.
    pub partitions: BTreeMap<i32, Arc<PartitionRegistration>>,
}

/// What a configuration belongs to (`ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceType {
    /// A topic.
    Topic,
    /// A broker; the empty name is the cluster's default.
    Broker,
    /// A client-metrics subscription.
    ClientMetrics,
    /// A group.
    Group,
}

impl ResourceType {
    /// Kafka's number.
    pub const fn id(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }

    /// The type with Kafka's number.
    pub const fn from_id(id: i8) -> Option<Self> {
        match id {
            2 => Some(Self::Topic),
            4 => Some(Self::Broker),
            16 => Some(Self::ClientMetrics),
            32 => Some(Self::Group),
            _ => None,
        }
    }
}

/// The keys set on one resource.
pub type ConfigMap = BTreeMap<String, String>;

/// The metadata at one offset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetadataImage {
    pub(super) offset: Offset,
    pub(super) epoch: LeaderEpoch,
    pub(super) by_name: HashMap<Arc<str>, Arc<TopicImage>>,
    pub(super) names: HashMap<Uuid, Arc<str>>,
    pub(super) configs: BTreeMap<(ResourceType, String), Arc<ConfigMap>>,
    pub(super) brokers: BTreeMap<BrokerId, Arc<m::RegisterBrokerRecord>>,
    pub(super) controllers: BTreeMap<i32, Arc<m::RegisterControllerRecord>>,
    pub(super) features: BTreeMap<String, i16>,
    pub(super) next_producer_id: i64,
    pub(super) security: super::security::SecurityImage,
}

impl MetadataImage {
    /// The offset of the last record applied; -1 before the first.
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// The leader epoch of that record's batch.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// The topic with this name.
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_name.get(name)
    }

    /// The topic with this id.
    pub fn topic_by_id(&self, id: &Uuid) -> Option<&Arc<TopicImage>> {
        self.names.get(id).and_then(|name| self.by_name.get(name))
    }

    /// All topics, in no order.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name.values()
    }

    /// One partition's registration.
    pub fn partition(&self, id: &TopicIdPartition) -> Option<&Arc<PartitionRegistration>> {
        self.topic_by_id(&id.topic_id).and_then(|topic| topic.partitions.get(&id.partition))
    }

    /// How many partitions there are in all.
    pub fn partition_count(&self) -> usize {
        self.by_name.values().map(|topic| topic.partitions.len()).sum()
    }

    /// What is set on a resource; empty where nothing is.
    pub fn config(&self, kind: ResourceType, name: &str) -> Arc<ConfigMap> {
        self.configs.get(&(kind, name.to_owned())).cloned().unwrap_or_default()
    }

    /// All resources that have something set.
    pub fn configs(&self) -> impl Iterator<Item = (ResourceType, &str, &Arc<ConfigMap>)> {
        self.configs.iter().map(|((kind, name), map)| (*kind, name.as_str(), map))
    }

    /// A broker's registration.
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<m::RegisterBrokerRecord>> {
        self.brokers.get(&id)
    }

    /// All registered brokers.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<m::RegisterBrokerRecord>> {
        self.brokers.values()
    }

    /// Brokers that serve: registered and not fenced.
    pub fn live_brokers(&self) -> impl Iterator<Item = &Arc<m::RegisterBrokerRecord>> {
        self.brokers.values().filter(|b| !b.fenced)
    }

    /// The controllers' registrations.
    pub fn controllers(&self) -> impl Iterator<Item = &Arc<m::RegisterControllerRecord>> {
        self.controllers.values()
    }

    /// Finalized features and their levels.
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (name.as_str(), *level))
    }

    /// The first producer id not handed out yet.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// What the security work will act on, kept as it is.
    pub fn security(&self) -> &super::security::SecurityImage {
        &self.security
    }
}
