//! [`MetadataDelta`]: records on their way into an image, and what they change.

use super::image::{ConfigMap, MetadataImage, ResourceType, TopicImage};
use super::record::Record;
use super::registration::PartitionRegistration;
use crate::base::{BrokerId, LeaderEpoch, Offset, TopicIdPartition, TopicPartition, Uuid};
use crate::protocol::messages as m;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// A record that contradicts the image it is applied to: the log is damaged or written by something
/// newer than Kafka 4.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inconsistent(pub String);

impl std::fmt::Display for Inconsistent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Inconsistent {}

/// What differs between an image and the one it was made from.
#[derive(Clone, Debug, Default)]
pub struct MetadataDelta {
    changed_partitions: BTreeSet<TopicIdPartition>,
    deleted_topics: BTreeMap<Uuid, Arc<str>>,
    changed_configs: HashSet<(ResourceType, String)>,
}

impl MetadataDelta {
    /// Everything in `image` as if it were new: what a core takes first, or from a snapshot.
    pub fn all_of(image: &MetadataImage) -> Self {
        let partitions = image.topics().flat_map(|topic| {
            topic.partitions.keys().map(|p| TopicIdPartition { topic_id: topic.id, partition: *p })
        });
        Self {
            changed_partitions: partitions.collect(),
            deleted_topics: BTreeMap::new(),
            changed_configs: image.configs.keys().cloned().collect(),
        }
    }

    /// Partitions created or changed, as `image` (the one this delta led to) has them.
    pub fn changed_partitions<'a>(
        &'a self,
        image: &'a MetadataImage,
    ) -> impl Iterator<Item = (TopicIdPartition, TopicPartition, Arc<PartitionRegistration>)> + 'a {
        self.changed_partitions.iter().filter_map(|id| {
            let topic = image.topic_by_id(&id.topic_id)?;
            let registration = topic.partitions.get(&id.partition)?.clone();
            Some((*id, TopicPartition::new(topic.name.clone(), id.partition), registration))
        })
    }

    /// Topics deleted, by id and name.
    pub fn deleted_topics(&self) -> impl Iterator<Item = (Uuid, &Arc<str>)> {
        self.deleted_topics.iter().map(|(id, name)| (*id, name))
    }

    /// Resources of which a configuration changed.
    pub fn changed_configs(&self) -> impl Iterator<Item = (ResourceType, &str)> {
        self.changed_configs.iter().map(|(kind, name)| (*kind, name.as_str()))
    }
}

impl MetadataImage {
    /// The image after `records`, whose last stands at `offset` in a batch of `epoch`, and what
    /// changed. Metadata transactions are the reader's business: only committed records come here.
    ///
    /// # Errors
    /// Where a record names what does not exist.
    pub fn apply<'a>(
        &self,
        records: impl IntoIterator<Item = &'a Record>,
        offset: Offset,
        epoch: LeaderEpoch,
    ) -> Result<(Self, MetadataDelta), Inconsistent> {
        let mut image = self.clone();
        let mut delta = MetadataDelta::default();
        for record in records {
            image.apply_one(record, &mut delta)?;
        }
        image.offset = offset;
        image.epoch = epoch;
        Ok((image, delta))
    }

    fn apply_one(&mut self, record: &Record, delta: &mut MetadataDelta) -> Result<(), Inconsistent> {
        match record {
            Record::Topic(r) => self.add_topic(r, delta),
            Record::Partition(r) => {
                let registration = PartitionRegistration::from(r);
                self.put_partition(r.topic_id, r.partition_id, registration, delta)?;
            }
            Record::PartitionChange(r) => {
                let id = TopicIdPartition { topic_id: r.topic_id, partition: r.partition_id };
                let current = self.partition(&id).ok_or_else(|| Inconsistent(format!("no partition {id:?} to change")))?;
                let merged = current.merge(r);
                self.put_partition(r.topic_id, r.partition_id, merged, delta)?;
            }
            Record::RemoveTopic(r) => self.remove_topic(r.topic_id, delta)?,
            Record::Config(r) => self.set_config(r, delta)?,
            Record::FeatureLevel(r) => {
                if r.feature_level == 0 {
                    self.features.remove(&*r.name);
                } else {
                    self.features.insert(r.name.to_string(), r.feature_level);
                }
            }
            Record::ProducerIds(r) => self.next_producer_id = r.next_producer_id,
            Record::RegisterController(r) => {
                self.controllers.insert(r.controller_id, Arc::new(r.clone()));
            }
            Record::RegisterBroker(_)
            | Record::UnregisterBroker(_)
            | Record::FenceBroker(_)
            | Record::UnfenceBroker(_)
            | Record::BrokerRegistrationChange(_) => self.apply_broker(record)?,
            Record::ClearElr(r) => self.clear_elr(r, delta)?,
            Record::NoOp(_) | Record::BeginTransaction(_) | Record::EndTransaction(_) | Record::AbortTransaction(_) => {}
            Record::DelegationToken(_)
            | Record::UserScramCredential(_)
            | Record::ClientQuota(_)
            | Record::AccessControlEntry(_)
            | Record::RemoveAccessControlEntry(_)
            | Record::ZkMigrationState(_)
            | Record::RemoveUserScramCredential(_)
            | Record::RemoveDelegationToken(_) => {
                self.security.apply(record);
            }
        }
        Ok(())
    }

    fn add_topic(&mut self, r: &m::TopicRecord, delta: &mut MetadataDelta) {
        let name: Arc<str> = Arc::from(&*r.name);
        let topic = TopicImage { id: r.topic_id, name: name.clone(), partitions: BTreeMap::new() };
        self.names.insert(r.topic_id, name.clone());
        self.by_name.insert(name, Arc::new(topic));
        delta.deleted_topics.remove(&r.topic_id);
    }

    fn put_partition(
        &mut self,
        topic_id: Uuid,
        partition: i32,
        registration: PartitionRegistration,
        delta: &mut MetadataDelta,
    ) -> Result<(), Inconsistent> {
        let topic = self
            .names
            .get(&topic_id)
            .and_then(|name| self.by_name.get_mut(name))
            .ok_or_else(|| Inconsistent(format!("no topic {topic_id} for partition {partition}")))?;
        Arc::make_mut(topic).partitions.insert(partition, Arc::new(registration));
        delta.changed_partitions.insert(TopicIdPartition { topic_id, partition });
        Ok(())
    }

    fn remove_topic(&mut self, id: Uuid, delta: &mut MetadataDelta) -> Result<(), Inconsistent> {
        let name = self.names.remove(&id).ok_or_else(|| Inconsistent(format!("no topic {id} to remove")))?;
        if self.by_name.get(&name).is_some_and(|topic| topic.id == id) {
            self.by_name.remove(&name);
        }
        let config = (ResourceType::Topic, name.to_string());
        if self.configs.remove(&config).is_some() {
            delta.changed_configs.insert(config);
        }
        delta.changed_partitions.retain(|p| p.topic_id != id);
        delta.deleted_topics.insert(id, name);
        Ok(())
    }

    fn set_config(&mut self, r: &m::ConfigRecord, delta: &mut MetadataDelta) -> Result<(), Inconsistent> {
        let kind = ResourceType::from_id(r.resource_type)
            .ok_or_else(|| Inconsistent(format!("configuration of resource type {}", r.resource_type)))?;
        let key = (kind, r.resource_name.to_string());
        let map: &mut ConfigMap = Arc::make_mut(self.configs.entry(key.clone()).or_default());
        match &r.value {
            Some(value) => map.insert(r.name.to_string(), value.to_string()),
            None => map.remove(&*r.name),
        };
        if map.is_empty() {
            self.configs.remove(&key);
        }
        delta.changed_configs.insert(key);
        Ok(())
    }

    fn apply_broker(&mut self, record: &Record) -> Result<(), Inconsistent> {
        let (id, change): (i32, Box<dyn Fn(&mut m::RegisterBrokerRecord)>) = match record {
            Record::RegisterBroker(r) => {
                self.brokers.insert(BrokerId(r.broker_id), Arc::new(r.clone()));
                return Ok(());
            }
            Record::UnregisterBroker(r) => {
                self.brokers.remove(&BrokerId(r.broker_id));
                return Ok(());
            }
            Record::FenceBroker(r) => (r.id, Box::new(|b| b.fenced = true)),
            Record::UnfenceBroker(r) => (r.id, Box::new(|b| b.fenced = false)),
            Record::BrokerRegistrationChange(r) => {
                let r = r.clone();
                (r.broker_id, Box::new(move |b| merge_registration(b, &r)))
            }
            _ => return Ok(()),
        };
        let broker =
            self.brokers.get_mut(&BrokerId(id)).ok_or_else(|| Inconsistent(format!("no broker {id} to change")))?;
        change(Arc::make_mut(broker));
        Ok(())
    }

    fn clear_elr(&mut self, r: &m::ClearElrRecord, delta: &mut MetadataDelta) -> Result<(), Inconsistent> {
        let ids: Vec<TopicIdPartition> = self
            .topics()
            .filter(|t| r.topic_name.is_empty() || *t.name == *r.topic_name)
            .flat_map(|t| t.partitions.keys().map(|p| TopicIdPartition { topic_id: t.id, partition: *p }))
            .collect();
        for id in ids {
            let Some(current) = self.partition(&id).cloned() else { continue };
            let cleared = PartitionRegistration { elr: Vec::new(), last_known_elr: Vec::new(), ..(*current).clone() };
            self.put_partition(id.topic_id, id.partition, cleared, delta)?;
        }
        Ok(())
    }
}

/// Each field says -1 "no", 0 "as it is", 1 "yes" (`BrokerRegistrationFencingChange`).
fn merge_registration(broker: &mut m::RegisterBrokerRecord, change: &m::BrokerRegistrationChangeRecord) {
    match change.fenced {
        1 => broker.fenced = true,
        -1 => broker.fenced = false,
        _ => {}
    }
    if change.in_controlled_shutdown == 1 {
        broker.in_controlled_shutdown = true;
    }
    if !change.log_dirs.is_empty() {
        broker.log_dirs = change.log_dirs.clone();
    }
    if change.cordoned_log_dirs.is_some() {
        broker.cordoned_log_dirs = change.cordoned_log_dirs.clone();
    }
}
