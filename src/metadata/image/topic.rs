//! Topics by name and by id.

use super::PartitionRegistration;
use crate::base::Uuid;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicImage {
    /// Its name.
    pub name: Arc<str>,
    /// Its id: another one after a delete and re-create.
    pub id: Uuid,
    /// Its partitions, by index.
    pub partitions: BTreeMap<i32, Arc<PartitionRegistration>>,
}

impl TopicImage {
    /// One partition.
    pub fn partition(&self, index: i32) -> Option<&Arc<PartitionRegistration>> {
        self.partitions.get(&index)
    }

    /// How many partitions there are.
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

/// All topics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicsImage {
    ids: BTreeMap<Arc<str>, Uuid>,
    topics: HashMap<Uuid, Arc<TopicImage>>,
}

impl TopicsImage {
    pub(super) fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_id(self.ids.get(name)?)
    }

    pub(super) fn by_id(&self, id: &Uuid) -> Option<&Arc<TopicImage>> {
        self.topics.get(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.ids.values().filter_map(|id| self.topics.get(id))
    }

    pub(super) fn len(&self) -> usize {
        self.topics.len()
    }

    pub(super) fn insert(&mut self, topic: TopicImage) {
        self.ids.insert(topic.name.clone(), topic.id);
        self.topics.insert(topic.id, Arc::new(topic));
    }

    pub(super) fn by_id_mut(&mut self, id: &Uuid) -> Option<&mut TopicImage> {
        self.topics.get_mut(id).map(Arc::make_mut)
    }

    pub(super) fn remove(&mut self, id: &Uuid) -> Option<Arc<TopicImage>> {
        let topic = self.topics.remove(id)?;
        if self.ids.get(&topic.name) == Some(id) {
            self.ids.remove(&topic.name);
        }
        Some(topic)
    }
}
