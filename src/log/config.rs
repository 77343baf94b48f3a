//! The numbers a log runs by. Plain values: whoever opens a log resolves topic and broker settings into these.

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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// `cleanup.policy` contains `compact`: records need keys.
    pub compact: bool,
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
            compact: false,
            producer_id_expiration_ms: 86_400_000,
            preallocate: false,
        }
    }
}
