//! The numbers the group coordinator works with.

use crate::record::Compression;

/// Group settings, Kafka's defaults.
#[derive(Clone, Debug)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`.
    pub session_timeout_ms_min: i32,
    /// `group.max.session.timeout.ms`.
    pub session_timeout_ms_max: i32,
    /// `group.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i64,
    /// `group.max.size`, in members.
    pub members_per_group_max: usize,
    /// `offset.metadata.max.bytes`; counted in UTF-16 units, as Java does.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`, in ms.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub offsets_retention_check_interval_ms: i64,
    /// `offsets.topic.compression.codec`.
    pub compression: Compression,
    /// Members and pending members one coordinator partition holds; Kafka knows no such bound.
    pub members_max: usize,
    /// Groups one coordinator partition creates for clients; what is in the log is always loaded.
    pub groups_max: usize,
    /// Bytes of all protocols of one member; more would not fit a record either.
    pub member_metadata_bytes_max: usize,
}

impl From<&crate::config::GroupConfig> for GroupConfig {
    fn from(config: &crate::config::GroupConfig) -> Self {
        Self {
            session_timeout_ms_min: config.min_session_timeout_ms,
            session_timeout_ms_max: config.max_session_timeout_ms,
            initial_rebalance_delay_ms: i64::from(config.initial_rebalance_delay_ms),
            members_per_group_max: usize::try_from(config.max_size).unwrap_or(0),
            offset_metadata_max: usize::try_from(config.offset_metadata_max_bytes).unwrap_or(0),
            offsets_retention_ms: config.offsets_retention_ms,
            offsets_retention_check_interval_ms: config.offsets_retention_check_interval_ms,
            compression: i16::try_from(config.offsets_topic_compression_codec)
                .ok()
                .and_then(Compression::from_id)
                .unwrap_or(Compression::None),
            ..Self::default()
        }
    }
}

/// How long a JoinGroup request of a new member may be parked, in ms
/// (`GroupCoordinatorConfig.CLASSIC_GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS`).
pub const NEW_MEMBER_JOIN_TIMEOUT_MS: i64 = 5 * 60 * 1000;

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms_min: 6_000,
            session_timeout_ms_max: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            members_per_group_max: i32::MAX as usize,
            offset_metadata_max: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
            offsets_retention_check_interval_ms: 600_000,
            compression: Compression::None,
            members_max: 100_000,
            groups_max: 100_000,
            member_metadata_bytes_max: 4 << 20,
        }
    }
}
