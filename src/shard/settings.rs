//! From a topic's configuration to what its logs run by.

use super::Shard;
use crate::config::{TopicConfig, topic};
use crate::log::{LogConfig, TimestampType};
use crate::metadata::{MetadataImage, dynamic_defaults};

impl Shard {
    /// A topic's settings: its own over what was set for brokers while they ran over the broker's defaults.
    pub fn topic_config(&self, image: &MetadataImage, name: &str) -> TopicConfig {
        let dynamic = dynamic_defaults(image, self.shared.identity.node_id);
        // The strongest comes first there and last here.
        let dynamic = dynamic.iter().rev().map(|default| (default.topic_key, default.value.as_str()));
        topic::resolve(dynamic.chain(image.topic_overrides(name)), &self.shared.config.log_defaults)
    }

    /// The part of them that a log acts on.
    pub(super) fn log_config(&self, topic: &TopicConfig) -> LogConfig {
        let jitter = topic.segment_jitter_ms.min(topic.segment_ms).max(0);
        // Kafka draws it anew for each log, so that segments do not all roll at once.
        let jitter = if jitter == 0 { 0 } else { (self.random_u64() % jitter as u64) as i64 };
        LogConfig {
            segment_bytes: topic.segment_bytes.unsigned_abs(),
            segment_ms: topic.segment_ms,
            segment_jitter_ms: jitter,
            segment_index_bytes: topic.segment_index_bytes.unsigned_abs(),
            index_interval_bytes: topic.index_interval_bytes.unsigned_abs(),
            max_message_bytes: topic.max_message_bytes.unsigned_abs(),
            timestamp_type: match topic.message_timestamp_type {
                topic::TimestampType::CreateTime => TimestampType::CreateTime,
                topic::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
            },
            timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
            timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
            compact: topic.cleanup_compact,
            producer_id_expiration_ms: i64::from(self.shared.config.transactions.producer_id_expiration_ms),
            preallocate: topic.preallocate,
        }
    }
}
