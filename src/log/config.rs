//! The numbers a log runs by. Plain values: whoever opens a log resolves topic and broker settings into these.

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
    /// `segment.jitter.ms`: up to this much is taken off `segment_ms`, at random, by whoever opens the log.
    pub segment_jitter_ms: i64,
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

impl Default for LogConfig {
    /// Kafka's defaults (`LogConfig`).
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3600 * 1000,
            segment_jitter_ms: 0,
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
