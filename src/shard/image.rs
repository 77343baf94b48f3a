//! Following the metadata: opening the partitions this core gained, closing those it lost.

use super::Shard;
use crate::base::{ErrorCode, TopicIdPartition, TopicPartition};
use crate::log::dir::PartitionPlace;
use crate::log::{Log, LogConfig};
use crate::metadata::{MetadataDelta, MetadataImage, PartitionRegistration};
use crate::partition::Partition;
use crate::ring::runtime;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

impl Shard {
    /// Takes a newer image: `delta` says what differs from the one before.
    pub async fn take_image(self: &Rc<Self>, image: Arc<MetadataImage>, delta: &MetadataDelta) {
        let node = self.shared.identity.node_id;
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
        let gone: Vec<_> = delta.deleted_topics().collect();
        *self.image.borrow_mut() = image;
        self.reconfigure(delta);
        self.drop_topics(&gone).await;
        self.image_taken.notify();
    }

    /// Opens logs side by side on the blocking pool.
    async fn open(
        self: &Rc<Self>,
        image: &MetadataImage,
        gained: Vec<(TopicIdPartition, TopicPartition, Arc<PartitionRegistration>)>,
    ) {
        let node = self.shared.identity.node_id;
        let mut opening = Vec::new();
        for (id, name, registration) in gained {
            let config = self.log_config(image, &name.topic);
            let directory = registration.directory_of(node);
            let (dirs, place_name) = (self.shared.log_dirs.clone(), name.clone());
            let open = runtime::blocking(move || dirs.open_or_create(&id, &place_name, directory, config));
            opening.push((id, name, registration, open));
        }
        for (id, name, registration, open) in opening {
            match open.await {
                Ok(log) => self.insert(id, name, &registration, log),
                Err(e) => {
                    tracing::error!("partition {name} cannot be opened: {e}");
                    self.offline.borrow_mut().insert(id);
                }
            }
        }
    }

    fn insert(&self, id: TopicIdPartition, name: TopicPartition, registration: &Arc<PartitionRegistration>, log: Log) {
        let partition = Rc::new(Partition::new(id, name, log));
        partition.apply(registration.clone(), self.shared.identity.node_id);
        self.offline.borrow_mut().remove(&id);
        self.partitions.borrow_mut().insert(id, partition);
    }
}
