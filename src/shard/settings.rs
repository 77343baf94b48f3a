//! The settings in force: the broker's, a topic's, and what a log runs by.

use super::connection_limits::Bounds;
use super::{CONTROLLER, Shard};
use crate::config::{LiveSettings, TopicConfig, topic};
use crate::log::{LogConfig, TimestampType};
use crate::metadata::{MetadataDelta, MetadataImage, ResourceType};
use crate::ring::runtime;
use std::rc::Rc;
use std::sync::Arc;

impl Shard {
    /// The broker's settings in force on this core.
    pub fn live(&self) -> Arc<LiveSettings> {
        self.live.borrow().clone()
    }

    /// Takes the broker's settings that changed with `image`; true where any did.
    pub(super) async fn take_settings(self: &Rc<Self>, image: &MetadataImage, delta: &MetadataDelta) -> bool {
        let node = self.shared.identity.node_id;
        let own = node.to_string();
        let changed =
            |(kind, name): (ResourceType, &str)| kind == ResourceType::Broker && (name.is_empty() || name == own);
        if !delta.changed_configs().any(changed) {
            return false;
        }
        let before = self.live();
        self.settle(image);
        if self.index == CONTROLLER {
            self.limit_connections(&before).await;
            if before.log_dirs.cordoned != self.live().log_dirs.cordoned {
                self.cordon();
            }
        }
        true
    }

    /// Puts the broker's settings in force as `image` has them.
    pub(super) fn settle(&self, image: &MetadataImage) {
        let (own, all) = image.broker_configs(self.shared.identity.node_id);
        let live = LiveSettings::new(&self.shared.config, &own, &all);
        if self.index == CONTROLLER && live.capped != self.live.borrow().capped {
            live.capped.iter().for_each(|told| tracing::warn!("{told}"));
        }
        *self.live.borrow_mut() = Arc::new(live);
    }

    /// Lets in as many connections as the settings say now. Those that are open stay.
    async fn limit_connections(&self, before: &LiveSettings) {
        let live = self.live();
        let differs = |key| before.settings.get(key).map(|s| &s.text) != live.settings.get(key).map(|s| &s.text);
        if ["max.connections", "max.connections.per.ip", "max.connections.per.ip.overrides"].into_iter().any(differs) {
            let bounds = runtime::blocking(move || Bounds::of(&live.settings)).await;
            self.shared.connection_limits.set(bounds);
        }
    }

    /// A topic's settings: its own over the broker's in force.
    pub fn topic_config(&self, image: &MetadataImage, name: &str) -> TopicConfig {
        topic::resolve(image.topic_overrides(name), &self.live.borrow().topic_defaults)
    }

    /// The part of them that a log acts on.
    pub(super) fn log_config(&self, topic: &TopicConfig) -> LogConfig {
        LogConfig {
            segment_bytes: topic.segment_bytes.unsigned_abs(),
            // A compacted log closes its segments in time for max.compaction.lag.ms.
            segment_ms: match topic.max_compaction_lag_ms {
                lag if topic.cleanup_compact && lag > 0 => topic.segment_ms.min(lag),
                _ => topic.segment_ms,
            },
            segment_jitter_ms: topic.segment_jitter_ms,
            jitter_seed: if topic.segment_jitter_ms > 0 { self.random_u64() } else { 0 },
            segment_index_bytes: topic.segment_index_bytes.unsigned_abs(),
            index_interval_bytes: topic.index_interval_bytes.unsigned_abs(),
            max_message_bytes: topic.max_message_bytes.unsigned_abs(),
            timestamp_type: match topic.message_timestamp_type {
                topic::TimestampType::CreateTime => TimestampType::CreateTime,
                topic::TimestampType::LogAppendTime => TimestampType::LogAppendTime,
            },
            timestamp_before_max_ms: topic.message_timestamp_before_max_ms,
            timestamp_after_max_ms: topic.message_timestamp_after_max_ms,
            delete: topic.cleanup_delete,
            compact: topic.cleanup_compact,
            retention_ms: topic.retention_ms,
            retention_bytes: topic.retention_bytes,
            min_compaction_lag_ms: topic.min_compaction_lag_ms,
            max_compaction_lag_ms: topic.max_compaction_lag_ms,
            min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio,
            delete_retention_ms: topic.delete_retention_ms,
            file_delete_delay_ms: topic.file_delete_delay_ms,
            flush_messages: topic.flush_messages,
            flush_ms: topic.flush_ms,
            compression: topic.compression,
            compression_gzip_level: topic.compression_gzip_level,
            compression_lz4_level: topic.compression_lz4_level,
            compression_zstd_level: topic.compression_zstd_level,
            trust_compressed: self.shared.config.trust_compressed,
            min_insync_replicas: topic.min_insync_replicas,
            producer_id_expiration_ms: self.live.borrow().settings.number("producer.id.expiration.ms"),
            preallocate: topic.preallocate,
        }
    }
}
