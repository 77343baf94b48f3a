//! The image: everything the metadata log says up to one offset. Immutable once published; a copy shares whatever did
//! not change, so a shard keeps one as long as it likes.

mod apply;
mod broker;
mod config;
mod partition;
mod retained;
mod snapshot;
#[cfg(test)]
mod tests;
mod topic;

pub use apply::ApplyError;
pub use broker::{BrokerEndpoint, BrokerRegistration, FeatureRange};
pub use config::{ConfigMap, ConfigResource, ConfigsImage, ResourceType};
pub use partition::{LeaderRecoveryState, PartitionRegistration};
pub use topic::{TopicImage, TopicsImage};

use crate::base::{BrokerId, LeaderEpoch, Offset, ProducerId, TimestampMs, TopicIdPartition, Uuid};
use crate::metadata::record::MetadataRecord;
use crate::protocol::messages::UserScramCredentialRecord;
pub use retained::{Kept, QuotaRow};
use retained::{Retained, RetainedKey};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of the feature that says which records may be written.
pub const METADATA_VERSION: &str = "metadata.version";

/// How far into the metadata log an image reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The offset of the last record it contains; -1 for none.
    pub offset: Offset,
    /// The leader epoch of that record.
    pub epoch: LeaderEpoch,
    /// When it was appended.
    pub timestamp: TimestampMs,
}

impl Default for Provenance {
    fn default() -> Self {
        Self { offset: Offset(-1), epoch: LeaderEpoch::UNKNOWN, timestamp: TimestampMs::NONE }
    }
}

/// The state of the cluster after one offset of the metadata log. `Send + Sync`; a clone costs a few reference counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetadataImage {
    provenance: Provenance,
    features: Arc<BTreeMap<Arc<str>, i16>>,
    brokers: Arc<BTreeMap<BrokerId, Arc<BrokerRegistration>>>,
    topics: Arc<TopicsImage>,
    configs: Arc<ConfigsImage>,
    next_producer_id: Option<ProducerIdBlock>,
    retained: Arc<Retained>,
}

/// The last allocation of producer ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// Who got the block that ends before `next`.
    pub broker: BrokerId,
    /// Its epoch then.
    pub broker_epoch: i64,
    /// The first id nobody has.
    pub next: ProducerId,
}

impl MetadataImage {
    /// The offset of the last record it contains, -1 for none: feeds the heartbeat and FinalizedFeaturesEpoch.
    pub fn offset(&self) -> Offset {
        self.provenance.offset
    }

    /// How far it reaches.
    pub fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// The same content, said to reach to `provenance`.
    pub(super) fn at(mut self, provenance: Provenance) -> Self {
        self.provenance = provenance;
        self
    }

    /// The finalized level of a feature; 0 where it was never set.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// All finalized features but those at level 0, by name.
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (&**name, *level))
    }

    /// `metadata.version`: which record versions may be written.
    pub fn metadata_version(&self) -> i16 {
        self.feature(METADATA_VERSION)
    }

    /// A topic by name.
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.topics.by_name(name)
    }

    /// A topic by id.
    pub fn topic_by_id(&self, id: &Uuid) -> Option<&Arc<TopicImage>> {
        self.topics.by_id(id)
    }

    /// A partition's registration.
    pub fn partition(&self, id: &TopicIdPartition) -> Option<&Arc<PartitionRegistration>> {
        self.topic_by_id(&id.topic_id)?.partition(id.partition)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.topics.iter()
    }

    /// How many topics there are.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// All topics, for comparing images.
    pub(super) fn topics_image(&self) -> &Arc<TopicsImage> {
        &self.topics
    }

    /// A registered broker, fenced or not.
    pub fn broker(&self, id: BrokerId) -> Option<&Arc<BrokerRegistration>> {
        self.brokers.get(&id)
    }

    /// All registered brokers, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<BrokerRegistration>> {
        self.brokers.values()
    }

    /// The brokers that serve: registered and not fenced.
    pub fn live_brokers(&self) -> impl Iterator<Item = &Arc<BrokerRegistration>> {
        self.brokers().filter(|broker| !broker.fenced)
    }

    /// The overrides of one resource, by key; empty where nothing is set.
    pub fn config(&self, kind: ResourceType, name: &str) -> Arc<ConfigMap> {
        self.configs.get(kind, name).cloned().unwrap_or_default()
    }

    /// The overrides of a topic, as `config::topic::resolve` takes them.
    pub fn topic_overrides(&self, name: &str) -> impl Iterator<Item = (&str, &str)> {
        let map = self.configs.get(ResourceType::Topic, name);
        map.into_iter().flat_map(|map| map.iter().map(|(key, value)| (key.as_str(), value.as_str())))
    }

    /// What is set for one broker, and for all.
    pub fn broker_configs(&self, broker: BrokerId) -> (Arc<ConfigMap>, Arc<ConfigMap>) {
        (self.config(ResourceType::Broker, &broker.to_string()), self.config(ResourceType::Broker, ""))
    }

    /// The names of the resources of one kind that have a configuration.
    pub fn configured(&self, kind: ResourceType) -> impl Iterator<Item = &str> {
        self.configs.names(kind)
    }

    /// All configurations, for comparing images.
    pub(super) fn configs_image(&self) -> &Arc<ConfigsImage> {
        &self.configs
    }

    /// How much is kept that corelog does not act on yet.
    pub fn kept(&self) -> Kept {
        Kept::of(&self.retained)
    }

    /// All client quotas, by entity.
    pub fn client_quotas(&self) -> impl Iterator<Item = QuotaRow<'_>> {
        retained::quotas(&self.retained)
    }

    /// One quota of one entity.
    pub fn client_quota(&self, entity: &BTreeMap<String, Option<String>>, key: &str) -> Option<f64> {
        let entity = entity.iter().map(|(kind, name)| (kind.clone(), name.clone())).collect();
        match self.retained.get(&RetainedKey::Quota(entity, key.to_owned())) {
            Some(MetadataRecord::ClientQuota(record)) => Some(record.value),
            _ => None,
        }
    }

    /// All SCRAM credentials, by user and mechanism.
    pub fn scram_credentials(&self) -> impl Iterator<Item = &UserScramCredentialRecord> {
        self.retained.values().filter_map(|record| match record {
            MetadataRecord::UserScramCredential(record) => Some(record),
            _ => None,
        })
    }

    /// The last allocation of producer ids; `None` before the first.
    pub fn producer_ids(&self) -> Option<ProducerIdBlock> {
        self.next_producer_id
    }
}
