//! What differs between two images. Shards act on it; the image says what is.

use super::image::{ConfigMap, ConfigResource, MetadataImage, PartitionRegistration, ResourceType, TopicImage};
use crate::base::{BrokerId, TopicIdPartition, TopicPartition, Uuid};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The changes from one published image to the next. Whatever happened in between and was undone does not show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetadataDelta {
    /// Topics that are new or have changed partitions, by id.
    pub topics: BTreeMap<Uuid, TopicDelta>,
    /// Topics that are gone, as they were.
    pub deleted: Vec<Arc<TopicImage>>,
    /// Resources whose dynamic configuration changed. A deleted topic's is not among them.
    pub configs: BTreeSet<ConfigResource>,
    /// Brokers that registered, went, or changed their state.
    pub brokers: BTreeSet<BrokerId>,
    /// A finalized feature changed.
    pub features_changed: bool,
}

/// The changes of one topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicDelta {
    /// It did not exist before.
    pub created: bool,
    /// Partitions that are new or changed.
    pub partitions: BTreeSet<i32>,
}

impl MetadataDelta {
    /// Compares two images; what they share is skipped unread.
    pub fn between(old: &MetadataImage, new: &MetadataImage) -> Self {
        let mut delta = Self { features_changed: !old.features().eq(new.features()), ..Self::default() };
        delta.compare_topics(old, new);
        delta.compare_configs(old, new);
        let changed = |a: &MetadataImage, b: &MetadataImage| -> Vec<BrokerId> {
            a.brokers().filter(|broker| b.broker(broker.id) != Some(*broker)).map(|broker| broker.id).collect()
        };
        delta.brokers.extend(changed(old, new));
        delta.brokers.extend(changed(new, old));
        delta
    }

    fn compare_topics(&mut self, old: &MetadataImage, new: &MetadataImage) {
        if Arc::ptr_eq(old.topics_image(), new.topics_image()) {
            return;
        }
        self.deleted = old.topics().filter(|topic| new.topic_by_id(&topic.id).is_none()).cloned().collect();
        for topic in new.topics() {
            let before = old.topic_by_id(&topic.id);
            if before.is_some_and(|before| Arc::ptr_eq(before, topic)) {
                continue;
            }
            let same = |index: i32, now: &Arc<PartitionRegistration>| {
                let then = before.and_then(|before| before.partition(index));
                then.is_some_and(|then| Arc::ptr_eq(then, now) || then == now)
            };
            let changed = topic.partitions.iter().filter(|(index, now)| !same(**index, now)).map(|(index, _)| *index);
            let change = TopicDelta { created: before.is_none(), partitions: changed.collect() };
            if change.created || !change.partitions.is_empty() {
                self.topics.insert(topic.id, change);
            }
        }
    }

    fn compare_configs(&mut self, old: &MetadataImage, new: &MetadataImage) {
        if Arc::ptr_eq(old.configs_image(), new.configs_image()) {
            return;
        }
        let differs = |other: &MetadataImage, resource: &ConfigResource, map: &Arc<ConfigMap>| {
            other.configs_image().get(resource.kind, &resource.name) != Some(map)
        };
        let gone = old.configs_image().iter().filter(|(resource, map)| differs(new, resource, map));
        let came = new.configs_image().iter().filter(|(resource, map)| differs(old, resource, map));
        let changed: BTreeSet<_> = gone.chain(came).map(|(resource, _)| resource).collect();
        let deleted = |r: &ConfigResource| r.kind == ResourceType::Topic && new.topic_by_name(&r.name).is_none();
        self.configs = changed.into_iter().filter(|resource| !deleted(resource)).collect();
    }

    /// True where nothing changed that anybody acts on.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Everything in `image` as if it were new: what a core takes first.
    pub fn all_of(image: &MetadataImage) -> Self {
        Self::between(&MetadataImage::default(), image)
    }

    /// Every partition that is new or changed, as `image` (the one this delta led to) has it.
    pub fn changed_partitions<'a>(
        &'a self,
        image: &'a MetadataImage,
    ) -> impl Iterator<Item = (TopicIdPartition, TopicPartition, Arc<PartitionRegistration>)> + 'a {
        self.topics.iter().flat_map(move |(topic_id, change)| {
            let topic = image.topic_by_id(topic_id);
            change.partitions.iter().filter_map(move |partition| {
                let topic = topic?;
                let id = TopicIdPartition { topic_id: *topic_id, partition: *partition };
                let name = TopicPartition::new(topic.name.clone(), *partition);
                Some((id, name, topic.partition(*partition)?.clone()))
            })
        })
    }

    /// Topics that are gone, by id and name.
    pub fn deleted_topics(&self) -> impl Iterator<Item = (Uuid, &Arc<str>)> {
        self.deleted.iter().map(|topic| (topic.id, &topic.name))
    }

    /// Every partition that went with its topic.
    pub fn deleted_partitions(&self) -> impl Iterator<Item = (TopicIdPartition, TopicPartition)> + '_ {
        self.deleted.iter().flat_map(|topic| {
            topic.partitions.keys().map(|partition| {
                let id = TopicIdPartition { topic_id: topic.id, partition: *partition };
                (id, TopicPartition::new(topic.name.clone(), *partition))
            })
        })
    }

    /// Resources of which a configuration changed.
    pub fn changed_configs(&self) -> impl Iterator<Item = (ResourceType, &str)> {
        self.configs.iter().map(|resource| (resource.kind, &*resource.name))
    }
}
