//! Following the metadata: opening the partitions this core gained, closing those it lost.

use super::Shard;
use super::stop::{RELEASE_TRIES, into_log};
use crate::base::{ErrorCode, Uuid};
use crate::config::TopicConfig;
use crate::log::close::delete_dir;
use crate::metadata::{MetadataDelta, MetadataImage, ResourceType};
use crate::partition::Partition;
use crate::ring::runtime;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Partitions that take new settings before others have their turn on this core.
const RECONFIGURED_AT_ONCE: usize = 100;

impl Shard {
    /// Takes a newer image: `delta` says what differs from the one before.
    pub async fn take_image(self: &Rc<Self>, image: Arc<MetadataImage>, delta: &MetadataDelta) {
        let node = self.shared.identity.node_id;
        let resettled = self.take_settings(&image, delta).await;
        let mut gained = Vec::new();
        for (id, name, registration) in delta.changed_partitions(&image) {
            if self.owner_of(&id) != self.index || !registration.replicas.contains(&node) {
                continue;
            }
            match self.partition(&id) {
                Some(partition) => partition.apply(registration, node),
                None => gained.push((id, name, registration)),
            }
        }
        self.open(&image, gained).await;
        let gone = delta.deleted_topics().map(|(id, _)| id).collect::<Vec<_>>();
        let version = self.transaction_version();
        *self.image.borrow_mut() = image;
        if version != self.transaction_version() {
            self.configure_transactions();
        }
        if resettled {
            self.configure_groups();
        }
        self.reconfigure(delta, resettled).await;
        self.drop_topics(&gone).await;
        self.forget_places(&gone);
        self.follow_leadership();
        self.tell_coordinators(delta);
        self.image_taken.notify();
    }

    /// Changed settings of topics, and the broker's where topics take theirs from it, hold from the next append on.
    async fn reconfigure(self: &Rc<Self>, delta: &MetadataDelta, all: bool) {
        let topics: HashSet<&str> =
            delta.changed_configs().filter(|(kind, _)| *kind == ResourceType::Topic).map(|(_, name)| name).collect();
        if topics.is_empty() && !all {
            return;
        }
        let image = self.image();
        let mut known: HashMap<Arc<str>, TopicConfig> = HashMap::new();
        // By id: a partition that the stop closes meanwhile must not be held.
        let ids: Vec<_> = self.open_partitions().iter().map(|partition| partition.id).collect();
        for (done, id) in ids.into_iter().enumerate() {
            let Some(partition) = self.partition(&id) else { continue };
            let topic = &partition.name.topic;
            if all || topics.contains(&**topic) {
                let settings = known.entry(topic.clone()).or_insert_with(|| self.topic_config(&image, topic));
                partition.reconfigure(self.log_config(settings), settings.min_insync_replicas);
                self.flush_as_asked(&partition);
            }
            drop(partition);
            if done % RECONFIGURED_AT_ONCE == RECONFIGURED_AT_ONCE - 1 {
                runtime::yield_now().await;
            }
        }
        self.wake_cleaner();
    }

    /// Closes the partitions of deleted topics; their directories are renamed at once and deleted
    /// after `file.delete.delay.ms`.
    async fn drop_topics(self: &Rc<Self>, topics: &[Uuid]) {
        if topics.is_empty() {
            return;
        }
        let gone: Vec<Rc<Partition>> =
            self.open_partitions().into_iter().filter(|p| topics.contains(&p.id.topic_id)).collect();
        for partition in gone {
            self.partitions.borrow_mut().remove(&partition.id);
            partition.close(ErrorCode::UnknownTopicOrPartition);
            self.delete_partition(partition).await;
        }
        if !topics.is_empty() {
            self.write_checkpoints().await;
        }
        self.offline.borrow_mut().retain(|id| !topics.contains(&id.topic_id));
        self.without_space.borrow_mut().retain(|id| !topics.contains(&id.topic_id));
    }

    /// Renames the directory at once; its files go later, in the background.
    async fn delete_partition(self: &Rc<Self>, partition: Rc<Partition>) {
        let id = partition.id;
        let delay = self.topic_config(&self.image(), &partition.name.topic).file_delete_delay_ms;
        let Some(log) = into_log(partition, &mut RELEASE_TRIES.clone()).await else { return };
        let name = log.partition().clone();
        let dirs = self.shared.log_dirs.clone();
        match runtime::blocking(move || dirs.delete(log)).await {
            Ok(path) => {
                let delay = Duration::from_millis(u64::try_from(delay).unwrap_or(0));
                runtime::spawn_background(async move {
                    runtime::sleep(delay).await;
                    if let Err(e) = runtime::blocking(move || delete_dir(&path)).await {
                        tracing::warn!("the files of deleted partition {name} remain: {e}");
                    }
                })
                .detach();
            }
            Err(e) => tracing::error!("partition {name} ({id:?}) cannot be deleted: {e}"),
        }
    }
}
