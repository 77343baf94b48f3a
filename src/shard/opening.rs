//! Opening the logs of the partitions this core gained.

use super::Shard;
use super::stay::PARTITION_PATIENCE;
use crate::base::{TopicIdPartition, TopicPartition};
use crate::config::TopicConfig;
use crate::log::Log;
use crate::log::dir::LogDir;
use crate::log::dirs::Wanted;
use crate::metadata::{MetadataDelta, MetadataImage, PartitionRegistration};
use crate::partition::{Askers, Counts, Partition};
use crate::ring::{errno, runtime};
use std::rc::Rc;
use std::sync::Arc;

/// A partition of which this node has a replica.
pub(super) type Gained = (TopicIdPartition, TopicPartition, Arc<PartitionRegistration>);

impl Shard {
    /// Every log of this node that `image` knows, whichever core will own it: what a start opens.
    pub fn wanted_logs(&self, image: &MetadataImage) -> Vec<Wanted> {
        let node = self.shared.identity.node_id;
        // Logs are opened before this core takes the image.
        self.settle(image);
        let all = MetadataDelta::all_of(image);
        let here = all.changed_partitions(image).filter(|(_, _, r)| r.replicas.contains(&node)).collect();
        self.with_settings(image, here).into_iter().map(|(gained, settings)| self.wanted(&gained, &settings)).collect()
    }

    /// Opens logs side by side on the blocking pool, those that are not open already.
    pub(super) async fn open(self: &Rc<Self>, image: &MetadataImage, gained: Vec<Gained>) {
        let mut opening = Vec::new();
        for (gained, settings) in self.with_settings(image, gained) {
            if let Some(log) = self.shared.log_dirs.take_opened(&gained.0) {
                self.insert(gained, &settings, log);
                continue;
            }
            let wanted = self.wanted(&gained, &settings);
            let (dirs, now) = (self.shared.log_dirs.clone(), self.now());
            let open = runtime::blocking(move || dirs.open_or_create(&wanted, now));
            opening.push((gained, settings, open));
        }
        for (gained, settings, open) in opening {
            match open.await {
                Ok(log) => self.insert(gained, &settings, log),
                Err(e) => {
                    let (id, name, _) = gained;
                    let dir = self.shared.log_dirs.of_partition(&name);
                    if let Some(dir) = dir.filter(|_| errno::is_disk_full(&e)) {
                        let text = format!("partition {name} waits for space: {e}");
                        self.shared.log_limits.warn("waits-for-space", &text, self.now().mono);
                        self.waits_for_space(id, dir);
                    } else {
                        tracing::error!("partition {name} cannot be opened: {e}");
                        // Nobody checked its files: a clean stop of the others must not vouch for them.
                        dir.into_iter().for_each(LogDir::leave_unclean);
                    }
                    self.offline.borrow_mut().insert(id);
                }
            }
        }
    }

    /// Opens what found no space before, now that there is some. True when nothing is left.
    pub(super) async fn reopen(self: Rc<Self>) -> bool {
        let waiting = std::mem::take(&mut *self.without_space.borrow_mut());
        if waiting.is_empty() {
            return true;
        }
        let (image, node) = (self.image(), self.shared.identity.node_id);
        let all = MetadataDelta::all_of(&image);
        let here = |(id, _, r): &Gained| waiting.contains(id) && r.replicas.contains(&node);
        let gained = all.changed_partitions(&image).filter(here).collect();
        self.open(&image, gained).await;
        self.follow_leadership();
        self.without_space.borrow().is_empty()
    }

    /// With each the settings of its topic, resolved once per topic: the partitions of one stand together.
    fn with_settings(&self, image: &MetadataImage, gained: Vec<Gained>) -> Vec<(Gained, Rc<TopicConfig>)> {
        let mut last: Option<(TopicIdPartition, Rc<TopicConfig>)> = None;
        let with = |gained: Gained| {
            let known = last.as_ref().filter(|(id, _)| id.topic_id == gained.0.topic_id).map(|(_, s)| s.clone());
            let settings = known.unwrap_or_else(|| Rc::new(self.topic_config(image, &gained.1.topic)));
            last = Some((gained.0, settings.clone()));
            (gained, settings)
        };
        gained.into_iter().map(with).collect()
    }

    fn wanted(&self, (id, name, registration): &Gained, settings: &TopicConfig) -> Wanted {
        let directory = registration.directory_of(self.shared.identity.node_id);
        let is_new = registration.partition_epoch.0 == 0;
        Wanted { id: *id, name: name.clone(), directory, is_new, config: self.log_config(settings) }
    }

    fn insert(&self, gained: Gained, settings: &TopicConfig, log: Log) {
        let counts = Counts::new(log.end_offset());
        self.insert_counted(gained, settings, log, (counts, Askers::new(0, PARTITION_PATIENCE)));
    }

    fn insert_counted(
        &self,
        (id, name, registration): Gained,
        settings: &TopicConfig,
        log: Log,
        counts: (Counts, Askers),
    ) -> Rc<Partition> {
        let partition = Rc::new(Partition::new(id, name, log, settings.min_insync_replicas, counts));
        partition.apply(registration, self.shared.identity.node_id);
        self.offline.borrow_mut().remove(&id);
        self.partitions.borrow_mut().insert(id, partition.clone());
        partition
    }

    /// Takes a partition that was open on another core. `None` where the image does not know it.
    pub(super) fn insert_moved(
        &self,
        id: TopicIdPartition,
        log: Log,
        counts: (Counts, Askers),
    ) -> Option<Rc<Partition>> {
        let image = self.image();
        let topic = image.topic_by_id(&id.topic_id)?;
        let registration = topic.partition(id.partition)?.clone();
        let settings = self.topic_config(&image, &topic.name);
        let name = TopicPartition::new(topic.name.clone(), id.partition);
        Some(self.insert_counted((id, name, registration), &settings, log, counts))
    }
}
