//! An image as the records that make it (`MetadataImage.write`): what a snapshot file holds.

use super::{METADATA_VERSION, MetadataImage};
use crate::metadata::record::MetadataRecord;
use crate::protocol::messages::*;

impl MetadataImage {
    /// Records that build this image from nothing. `metadata.version` comes first: it says how to read the rest.
    pub fn records(&self) -> Vec<MetadataRecord> {
        let version = self.metadata_version();
        let mut records = Vec::new();
        let level = |name: &str, level: i16| {
            MetadataRecord::from(FeatureLevelRecord { name: name.into(), feature_level: level })
        };
        if version != 0 {
            records.push(level(METADATA_VERSION, version));
        }
        records.extend(self.features().filter(|(name, _)| *name != METADATA_VERSION).map(|(n, l)| level(n, l)));
        records.extend(self.brokers().map(|broker| broker.record(version).into()));
        for topic in self.topics() {
            records.push(TopicRecord { name: (&*topic.name).into(), topic_id: topic.id }.into());
            records.extend(topic.partitions.iter().map(|(index, p)| p.record(topic.id, *index, version).into()));
        }
        for (resource, map) in self.configs.iter() {
            records.extend(map.iter().map(|(key, value)| {
                MetadataRecord::from(ConfigRecord {
                    resource_type: resource.kind.id(),
                    resource_name: (&*resource.name).into(),
                    name: key.into(),
                    value: Some(value.into()),
                })
            }));
        }
        records.extend(self.next_producer_id.map(|block| {
            MetadataRecord::from(ProducerIdsRecord {
                broker_id: block.broker.0,
                broker_epoch: block.broker_epoch,
                next_producer_id: block.next.0,
            })
        }));
        records.extend(self.retained.values().cloned());
        records
    }
}
