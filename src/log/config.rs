//! The numbers a log runs by. Plain values: whoever opens a log resolves topic and broker settings into these.

use crate::base::Offset;
pub use crate::config::topic::CompressionChoice;

/// What stands in a batch's max timestamp (`message.timestamp.type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TimestampType {
    /// The producer's time.
    #[default]
    CreateTime,
    /// The broker's time at the append.
    LogAppendTime,
}

/// One partition's settings, under the names of Kafka's topic configurations.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: a segment rolls before it would grow past this.
    pub segment_bytes: u32,
    /// `segment.ms`: a segment rolls when a batch is this much later than its first.
    pub segment_ms: i64,
    /// `segment.jitter.ms`: less than this is taken off `segment_ms`, for each segment anew ([`Self::jitter_of`]).
    pub segment_jitter_ms: i64,
    /// A random number of whoever opens the log: what the jitter is drawn from.
    pub jitter_seed: u64,
    /// `segment.index.bytes`: a segment rolls when its offset index would grow past this.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: an index entry about every so many bytes of log.
    pub index_interval_bytes: u32,
    /// `max.message.bytes`: the largest batch taken from a client, as sent, header included.
    pub max_message_bytes: u32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far in the past a record may be dated.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far in the future a record may be dated.
    pub timestamp_after_max_ms: i64,
    /// `cleanup.policy` contains `delete`: old segments go by `retention_ms` and `retention_bytes`. With neither this
    /// nor `compact` (`cleanup.policy` is empty) everything is kept but what DeleteRecords removes.
    pub delete: bool,
    /// `cleanup.policy` contains `compact`: records need keys.
    pub compact: bool,
    /// `retention.ms`; -1 means no limit.
    pub retention_ms: i64,
    /// `retention.bytes`; -1 means no limit.
    pub retention_bytes: i64,
    /// `min.compaction.lag.ms`: records younger than this are not compacted.
    pub min_compaction_lag_ms: i64,
    /// `max.compaction.lag.ms`: records older than this make the log due for compaction whatever its dirty ratio.
    pub max_compaction_lag_ms: i64,
    /// `min.cleanable.dirty.ratio`: how much of the log has to be uncompacted before it is compacted, from 0 to 1.
    pub min_cleanable_dirty_ratio: f64,
    /// `delete.retention.ms`: how long tombstones and transaction markers outlive their first compaction.
    pub delete_retention_ms: i64,
    /// `file.delete.delay.ms`: how long a file keeps its `.deleted` name before it goes.
    pub file_delete_delay_ms: i64,
    /// `flush.messages`: fdatasync after so many records; 1 means before each acknowledgement.
    pub flush_messages: i64,
    /// `flush.ms`: fdatasync when a record has waited so long.
    pub flush_ms: i64,
    /// `compression.type`: how batches are kept.
    pub compression: CompressionChoice,
    /// `compression.gzip.level`; -1 is gzip's own default.
    pub compression_gzip_level: i32,
    /// `compression.lz4.level`.
    pub compression_lz4_level: i32,
    /// `compression.zstd.level`.
    pub compression_zstd_level: i32,
    /// `corelog.produce.trust.compressed`: compressed batches are not looked into where the header decides.
    pub trust_compressed: bool,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `producer.id.expiration.ms`: a silent producer's state is forgotten after this.
    pub producer_id_expiration_ms: i64,
    /// `preallocate`: segment files get their full size at once.
    pub preallocate: bool,
}

impl LogConfig {
    /// How much earlier than `segment_ms` the segment that begins at `base` rolls, so that logs filled alike do not all
    /// roll at once (`LogConfig.randomSegmentJitter`).
    pub fn jitter_of(&self, base: Offset) -> i64 {
        let Ok(below @ 1..) = u64::try_from(self.segment_jitter_ms.min(self.segment_ms)) else { return 0 };
        // A step of SplitMix64.
        let mut x = self.jitter_seed.wrapping_add((base.0 as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) % below) as i64
    }
}

impl Default for LogConfig {
    /// Kafka's defaults (`LogConfig`).
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3600 * 1000,
            segment_jitter_ms: 0,
            jitter_seed: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            max_message_bytes: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            delete: true,
            compact: false,
            retention_ms: 7 * 24 * 3600 * 1000,
            retention_bytes: -1,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
            delete_retention_ms: 24 * 3600 * 1000,
            file_delete_delay_ms: 60_000,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            compression: CompressionChoice::Producer,
            compression_gzip_level: -1,
            compression_lz4_level: 9,
            compression_zstd_level: 3,
            trust_compressed: false,
            min_insync_replicas: 1,
            producer_id_expiration_ms: 86_400_000,
            preallocate: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_drawn_for_each_segment_and_log_and_stays_below_its_limits() {
        let config = LogConfig { segment_ms: 1000, segment_jitter_ms: 400, jitter_seed: 7, ..LogConfig::default() };
        let drawn: Vec<i64> = (0..1000).map(|n| config.jitter_of(Offset(n * 77))).collect();
        assert!(drawn.iter().all(|jitter| (0..400).contains(jitter)));
        assert!(drawn.iter().any(|j| *j < 40) && drawn.iter().any(|j| *j >= 360), "spread over the range");
        assert_eq!(config.jitter_of(Offset(77)), drawn[1], "a segment keeps its own");
        let other = LogConfig { jitter_seed: 8, ..config.clone() };
        assert!((0..1000).filter(|n| other.jitter_of(Offset(n * 77)) == drawn[*n as usize]).count() < 20);
        assert_eq!(LogConfig { segment_jitter_ms: 0, ..config.clone() }.jitter_of(Offset(5)), 0);
        let longer = LogConfig { segment_jitter_ms: i64::MAX, ..config };
        assert!((0..1000).all(|n| longer.jitter_of(Offset(n)) < 1000), "no more than segment.ms");
    }
}
