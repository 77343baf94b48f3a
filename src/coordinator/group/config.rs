//! The numbers the group coordinator works with.

use super::consumer::assignor::Assignor;
use crate::config::{ShareConfig, ShareGroupSettings};
use crate::metadata::{ConfigMap, MetadataImage, ResourceType};
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
    /// The numbers of the new protocol.
    pub consumer: ConsumerConfig,
    /// The numbers of share groups.
    pub share: ShareGroups,
    /// The numbers of streams groups.
    pub streams: StreamsConfig,
    /// Members and pending members one coordinator partition holds; Kafka knows no such bound.
    pub members_max: usize,
    /// Groups one coordinator partition creates for clients; what is in the log is always loaded.
    pub groups_max: usize,
    /// Bytes of all protocols of one member; more would not fit a record either.
    pub member_metadata_bytes_max: usize,
    /// Bytes of the topology of a streams group.
    pub topology_bytes_max: usize,
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
            consumer: ConsumerConfig::from(&config.consumer),
            streams: StreamsConfig::from(&config.streams),
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
            consumer: ConsumerConfig::default(),
            share: ShareGroups::default(),
            streams: StreamsConfig::default(),
            members_max: 100_000,
            groups_max: 100_000,
            member_metadata_bytes_max: 4 << 20,
            topology_bytes_max: 512 << 10,
        }
    }
}

/// Share groups' numbers.
#[derive(Clone, Debug)]
pub struct ShareGroups {
    /// `group.share.max.size`, in members.
    pub max_size: usize,
    /// What each group may have its own of.
    pub numbers: ShareConfig,
}

impl ShareGroups {
    /// The numbers out of the broker's configuration.
    pub fn new(numbers: &ShareConfig) -> Self {
        Self { max_size: usize::try_from(numbers.max_size).unwrap_or(0), numbers: numbers.clone() }
    }
}

impl Default for ShareGroups {
    fn default() -> Self {
        Self::new(&ShareConfig::default())
    }
}

impl GroupConfig {
    /// The numbers of one share group.
    pub fn share_settings(&self, image: &MetadataImage, group: &str) -> ShareGroupSettings {
        self.share.numbers.for_group(&image.config(ResourceType::Group, group))
    }
}

/// A number that each group may have its own of, within bounds.
#[derive(Clone, Copy, Debug)]
pub struct Bounded {
    /// Without a setting of the group.
    pub default: i32,
    /// What a group may have at least.
    pub min: i32,
    /// What a group may have at most.
    pub max: i32,
}

impl Bounded {
    /// The number of a group with these settings. One out of bounds is brought within them, as after the bounds have
    /// changed.
    pub fn of(self, settings: &ConfigMap, key: &str) -> i32 {
        let own = settings.get(key).and_then(|text| text.trim().parse::<i32>().ok());
        own.map_or(self.default, |own| own.max(self.min).min(self.max))
    }
}

/// Which kinds of groups become the other kind while members are there (`group.consumer.migration.policy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// A classic group becomes a consumer group when a member of the new protocol comes.
    pub upgrade: bool,
    /// A consumer group becomes a classic group when the last member of the new protocol goes.
    pub downgrade: bool,
}

impl Migration {
    /// `disabled`, `upgrade`, `downgrade` or `bidirectional`, in any case.
    pub fn of(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        let is = |name: &str| text == name || text == "bidirectional";
        Self { upgrade: is("upgrade"), downgrade: is("downgrade") }
    }

    /// Members of both protocols share no group.
    pub fn is_disabled(self) -> bool {
        !self.upgrade && !self.downgrade
    }
}

/// The numbers of consumer groups, Kafka's defaults.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// How long a member may be silent, in ms.
    pub session_timeout_ms: Bounded,
    /// How often members are told to send heartbeats, in ms.
    pub heartbeat_interval_ms: Bounded,
    /// The least time between two targets of a group, in ms.
    pub assignment_interval_ms: Bounded,
    /// `group.consumer.max.size`, in members.
    pub members_per_group_max: usize,
    /// `group.consumer.assignors`, the default first.
    pub assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`.
    pub migration: Migration,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub regex_refresh_interval_ms: i64,
}

impl ConsumerConfig {
    /// The assignor of groups whose members have no wish.
    pub fn default_assignor(&self) -> Assignor {
        self.assignors.first().copied().unwrap_or(Assignor::Uniform)
    }
}

impl From<&crate::config::ConsumerGroupConfig> for ConsumerConfig {
    fn from(config: &crate::config::ConsumerGroupConfig) -> Self {
        let bounded = |[default, min, max]: [i32; 3]| Bounded { default, min, max };
        Self {
            session_timeout_ms: bounded(config.session_timeout_ms),
            heartbeat_interval_ms: bounded(config.heartbeat_interval_ms),
            assignment_interval_ms: bounded(config.assignment_interval_ms),
            members_per_group_max: usize::try_from(config.max_size).unwrap_or(0),
            assignors: config.assignors.iter().filter_map(|name| Assignor::of(name)).collect(),
            migration: Migration::of(&config.migration_policy),
            regex_refresh_interval_ms: i64::from(config.regex_refresh_interval_ms),
        }
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms: Bounded { default: 45_000, min: 45_000, max: 60_000 },
            heartbeat_interval_ms: Bounded { default: 5_000, min: 5_000, max: 15_000 },
            assignment_interval_ms: Bounded { default: 1_000, min: 0, max: 15_000 },
            members_per_group_max: i32::MAX as usize,
            assignors: vec![Assignor::Uniform, Assignor::Range],
            migration: Migration { upgrade: true, downgrade: true },
            regex_refresh_interval_ms: 600_000,
        }
    }
}

/// The numbers of streams groups, Kafka's defaults.
#[derive(Clone, Debug)]
pub struct StreamsConfig {
    /// How long a member may be silent, in ms.
    pub session_timeout_ms: Bounded,
    /// How often members are told to send heartbeats, in ms.
    pub heartbeat_interval_ms: Bounded,
    /// The least time between two targets of a group, in ms.
    pub assignment_interval_ms: Bounded,
    /// How many standby tasks each task with state has.
    pub standby_replicas: Bounded,
    /// How long a group without members waits for more of them before its first target, in ms.
    pub initial_rebalance_delay_ms: Bounded,
    /// `group.streams.max.size`, in members.
    pub members_per_group_max: usize,
}

/// The numbers of one streams group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamsSettings {
    /// `streams.session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// `streams.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i32,
    /// `streams.assignment.interval.ms`.
    pub assignment_interval_ms: i32,
    /// `streams.num.standby.replicas`.
    pub standby_replicas: i32,
    /// `streams.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
}

impl GroupConfig {
    /// The numbers of one streams group.
    pub fn streams_settings(&self, image: &MetadataImage, group: &str) -> StreamsSettings {
        let own = image.config(ResourceType::Group, group);
        let of = |number: Bounded, key: &str| number.of(&own, key);
        let config = &self.streams;
        StreamsSettings {
            session_timeout_ms: of(config.session_timeout_ms, "streams.session.timeout.ms"),
            heartbeat_interval_ms: of(config.heartbeat_interval_ms, "streams.heartbeat.interval.ms"),
            assignment_interval_ms: of(config.assignment_interval_ms, "streams.assignment.interval.ms"),
            standby_replicas: of(config.standby_replicas, "streams.num.standby.replicas"),
            initial_rebalance_delay_ms: of(config.initial_rebalance_delay_ms, "streams.initial.rebalance.delay.ms"),
        }
    }
}

impl From<&crate::config::StreamsGroupConfig> for StreamsConfig {
    fn from(config: &crate::config::StreamsGroupConfig) -> Self {
        let bounded = |[default, min, max]: [i32; 3]| Bounded { default, min, max };
        Self {
            session_timeout_ms: bounded(config.session_timeout_ms),
            heartbeat_interval_ms: bounded(config.heartbeat_interval_ms),
            assignment_interval_ms: bounded(config.assignment_interval_ms),
            standby_replicas: Bounded { default: config.standby_replicas, min: 0, max: config.standby_replicas_max },
            initial_rebalance_delay_ms: Bounded { default: config.initial_rebalance_delay_ms, min: 0, max: i32::MAX },
            members_per_group_max: usize::try_from(config.max_size).unwrap_or(0),
        }
    }
}

impl Default for StreamsConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms: Bounded { default: 45_000, min: 45_000, max: 60_000 },
            heartbeat_interval_ms: Bounded { default: 5_000, min: 5_000, max: 15_000 },
            assignment_interval_ms: Bounded { default: 1_000, min: 0, max: 15_000 },
            standby_replicas: Bounded { default: 0, min: 0, max: 2 },
            initial_rebalance_delay_ms: Bounded { default: 3_000, min: 0, max: i32::MAX },
            members_per_group_max: i32::MAX as usize,
        }
    }
}
