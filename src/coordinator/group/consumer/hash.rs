//! The hash by which a group notices that its topics have changed: id, name, partitions and racks of each, in the
//! numbers that Apache Kafka writes (`Utils.computeTopicHash`, `computeGroupHash`: XXH3 over hash4j's stream).

use crate::metadata::{MetadataImage, TopicImage};
use std::collections::HashMap;
use std::sync::Arc;
use twox_hash::XxHash3_64;

/// The version of what goes into the hash.
const MAGIC: u8 = 0;

/// The hashes of topics, as long as they hold.
#[derive(Default)]
pub struct TopicHashes(HashMap<Arc<str>, i64>);

impl TopicHashes {
    /// The topic has changed or gone.
    pub fn forget(&mut self, topic: &str) {
        self.0.remove(topic);
    }

    /// Brokers, and with them racks, have changed.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The hash over those of `topics` (in order of their names) that exist; 0 for none.
    pub fn of_group<'a>(&mut self, topics: impl Iterator<Item = &'a Arc<str>>, image: &MetadataImage) -> i64 {
        let mut bytes = Vec::new();
        for name in topics {
            let Some(topic) = image.topic_by_name(name) else { continue };
            let hash = *self.0.entry(name.clone()).or_insert_with(|| of_topic(topic, image));
            bytes.extend(hash.to_le_bytes());
        }
        if bytes.is_empty() { 0 } else { XxHash3_64::oneshot(&bytes) as i64 }
    }
}

fn of_topic(topic: &TopicImage, image: &MetadataImage) -> i64 {
    let mut bytes = vec![MAGIC];
    let (high, low) = topic.id.0.split_at(8);
    // Numbers are written with the low byte first.
    bytes.extend(high.iter().rev().chain(low.iter().rev()));
    put_string(&mut bytes, &topic.name);
    bytes.extend(topic.partition_count().to_le_bytes());
    for index in 0..topic.partition_count() {
        bytes.extend(index.to_le_bytes());
        let replicas = topic.partition(index).map_or(&[][..], |partition| &partition.replicas);
        let mut racks: Vec<&str> = replicas.iter().filter_map(|id| image.broker(*id)?.rack.as_deref()).collect();
        racks.sort_unstable();
        for rack in racks {
            bytes.extend(units(rack).to_le_bytes());
            put_string(&mut bytes, rack);
        }
    }
    XxHash3_64::oneshot(&bytes) as i64
}

fn units(text: &str) -> i32 {
    i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX)
}

/// UTF-16, then the length in units.
fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    bytes.extend(units(text).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values computed with hash4j 0.22, as Apache Kafka 4.3.1 ships it.
    #[test]
    fn streams_are_hashed_as_hash4j_does() {
        let mut bytes = Vec::new();
        put_string(&mut bytes, "abc");
        assert_eq!(XxHash3_64::oneshot(&bytes) as i64, 302_853_435_608_707_132);
        let mut bytes = vec![MAGIC];
        bytes.extend(1i64.to_le_bytes());
        bytes.extend(2i64.to_le_bytes());
        put_string(&mut bytes, "topic-é");
        bytes.extend(3i32.to_le_bytes());
        assert_eq!(XxHash3_64::oneshot(&bytes) as i64, -6_651_420_862_798_433_129);
        let pair: Vec<u8> = [5i64, -6].into_iter().flat_map(i64::to_le_bytes).collect();
        assert_eq!(XxHash3_64::oneshot(&pair) as i64, -8_035_532_103_161_863_932);
    }
}
