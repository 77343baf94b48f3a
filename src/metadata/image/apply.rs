//! What each record does to an image (`MetadataDelta.replay`).

use super::retained;
use super::{BrokerRegistration, MetadataImage, PartitionRegistration, ProducerIdBlock, ResourceType, TopicImage};
use crate::base::{BrokerId, ProducerId, Uuid};
use crate::metadata::record::MetadataRecord;
use crate::protocol::messages::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A record that does not fit what came before it: the log is not one Kafka wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplyError {
    /// It speaks of a topic that does not exist.
    UnknownTopic(&'static str, Uuid),
    /// It changes a partition that does not exist.
    UnknownPartition(Uuid, i32),
    /// It creates a topic whose name another topic has.
    TopicExists(String),
    /// It speaks of a broker that never registered.
    UnknownBroker(&'static str, i32),
    /// Begin, end or abort of a transaction out of place.
    Transaction(&'static str),
}

impl std::fmt::Display for ApplyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownTopic(record, id) => write!(f, "{record} for topic id {id}, which does not exist"),
            Self::UnknownPartition(id, index) => {
                write!(f, "change of partition {index} of topic id {id}, which does not exist")
            }
            Self::TopicExists(name) => write!(f, "second creation of topic {name}"),
            Self::UnknownBroker(record, id) => write!(f, "{record} for broker {id}, which never registered"),
            Self::Transaction(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ApplyError {}

impl MetadataImage {
    /// Applies one record in place. The parts of the image that others share are copied first, so an image that was
    /// published never changes. Records of transactions belong to the loader.
    pub(in crate::metadata) fn apply(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        use MetadataRecord as R;
        match record {
            R::RegisterBroker(r) => self.register_broker(r),
            R::UnregisterBroker(r) => {
                Arc::make_mut(&mut self.brokers).remove(&BrokerId(r.broker_id));
            }
            R::FenceBroker(r) => self.broker_mut("FenceBrokerRecord", r.id)?.fenced = true,
            R::UnfenceBroker(r) => self.broker_mut("UnfenceBrokerRecord", r.id)?.fenced = false,
            R::BrokerRegistrationChange(r) => self.change_broker(r)?,
            R::Topic(r) => self.create_topic(r)?,
            R::Partition(r) => self.create_partition(r)?,
            R::PartitionChange(r) => self.change_partition(r)?,
            R::RemoveTopic(r) => self.remove_topic(r)?,
            R::ClearElr(r) => self.clear_elr(&r.topic_name),
            R::Config(r) => self.set_config(r),
            R::FeatureLevel(r) => {
                let features = Arc::make_mut(&mut self.features);
                match r.feature_level {
                    0 => features.remove(&*r.name),
                    level => features.insert(Arc::from(&*r.name), level),
                };
            }
            R::ProducerIds(r) => {
                self.next_producer_id = Some(ProducerIdBlock {
                    broker: BrokerId(r.broker_id),
                    broker_epoch: r.broker_epoch,
                    next: ProducerId(r.next_producer_id),
                });
            }
            R::NoOp(_) => {}
            R::BeginTransaction(_) | R::EndTransaction(_) | R::AbortTransaction(_) => {
                return Err(ApplyError::Transaction("a transaction's record reached the image"));
            }
            R::DelegationToken(_)
            | R::UserScramCredential(_)
            | R::ClientQuota(_)
            | R::AccessControlEntry(_)
            | R::RemoveAccessControlEntry(_)
            | R::ZkMigrationState(_)
            | R::RemoveUserScramCredential(_)
            | R::RemoveDelegationToken(_)
            | R::RegisterController(_) => {
                retained::keep(Arc::make_mut(&mut self.retained), record);
            }
        }
        Ok(())
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord) {
        let broker = BrokerRegistration::of(record);
        Arc::make_mut(&mut self.brokers).insert(broker.id, Arc::new(broker));
    }

    fn broker_mut(&mut self, record: &'static str, id: i32) -> Result<&mut BrokerRegistration, ApplyError> {
        let broker = Arc::make_mut(&mut self.brokers).get_mut(&BrokerId(id));
        broker.map(Arc::make_mut).ok_or(ApplyError::UnknownBroker(record, id))
    }

    fn change_broker(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<(), ApplyError> {
        let broker = self.broker_mut("BrokerRegistrationChangeRecord", record.broker_id)?;
        match record.fenced {
            0 => {}
            change => broker.fenced = change > 0,
        }
        if record.in_controlled_shutdown > 0 {
            broker.in_controlled_shutdown = true;
        }
        if !record.log_dirs.is_empty() {
            broker.log_dirs = record.log_dirs.clone();
        }
        if let Some(cordoned) = &record.cordoned_log_dirs {
            broker.cordoned_log_dirs = Some(cordoned.clone());
        }
        Ok(())
    }

    fn create_topic(&mut self, record: &TopicRecord) -> Result<(), ApplyError> {
        if self.topic_by_name(&record.name).is_some() {
            return Err(ApplyError::TopicExists(record.name.to_string()));
        }
        let topic = TopicImage { name: Arc::from(&*record.name), id: record.topic_id, partitions: BTreeMap::new() };
        Arc::make_mut(&mut self.topics).insert(topic);
        Ok(())
    }

    fn topic_mut(&mut self, record: &'static str, id: Uuid) -> Result<&mut TopicImage, ApplyError> {
        let topic = Arc::make_mut(&mut self.topics).by_id_mut(&id);
        topic.ok_or(ApplyError::UnknownTopic(record, id))
    }

    fn create_partition(&mut self, record: &PartitionRecord) -> Result<(), ApplyError> {
        let topic = self.topic_mut("PartitionRecord", record.topic_id)?;
        topic.partitions.insert(record.partition_id, Arc::new(PartitionRegistration::of(record)));
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), ApplyError> {
        let topic = self.topic_mut("PartitionChangeRecord", record.topic_id)?;
        let partition = topic.partitions.get_mut(&record.partition_id);
        let partition = partition.ok_or(ApplyError::UnknownPartition(record.topic_id, record.partition_id))?;
        *partition = Arc::new(partition.merged(record));
        Ok(())
    }

    fn remove_topic(&mut self, record: &RemoveTopicRecord) -> Result<(), ApplyError> {
        let removed = Arc::make_mut(&mut self.topics).remove(&record.topic_id);
        let topic = removed.ok_or(ApplyError::UnknownTopic("RemoveTopicRecord", record.topic_id))?;
        if self.configs.get(ResourceType::Topic, &topic.name).is_some() {
            Arc::make_mut(&mut self.configs).remove(ResourceType::Topic, &topic.name);
        }
        Ok(())
    }

    /// Drops the eligible leaders of one topic, or of all where the name is empty.
    fn clear_elr(&mut self, name: &str) {
        let named = |topic: &TopicImage| name.is_empty() || *topic.name == *name;
        let ids: Vec<Uuid> = self.topics().filter(|topic| named(topic)).map(|topic| topic.id).collect();
        let topics = Arc::make_mut(&mut self.topics);
        for topic in ids.iter() {
            let Some(topic) = topics.by_id_mut(topic) else { continue };
            for partition in topic.partitions.values_mut() {
                if !partition.elr.is_empty() || !partition.last_known_elr.is_empty() {
                    let partition = Arc::make_mut(partition);
                    partition.elr.clear();
                    partition.last_known_elr.clear();
                }
            }
        }
    }

    fn set_config(&mut self, record: &ConfigRecord) {
        // A kind of resource nobody knows yet is dropped rather than refused, as it changes nothing we act on.
        let Some(kind) = ResourceType::of(record.resource_type) else { return };
        let value = record.value.as_deref();
        Arc::make_mut(&mut self.configs).set(kind, &record.resource_name, &record.name, value);
    }
}
