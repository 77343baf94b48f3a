//! Share groups: the broker's `group.share.*` and `share.coordinator.*` keys, and what a group's own configuration
//! makes of them (`ShareGroupConfig`, `ShareCoordinatorConfig`, `GroupConfig`).

use super::group_numbers::GroupNumbers;
use super::settings::Settings;
use crate::base::duration::iso_8601_ms;
use std::collections::BTreeMap;

/// The broker's numbers for share groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareConfig {
    /// `group.share.session.timeout.ms`, with its bounds.
    pub session_timeout_ms: Bounded,
    /// `group.share.heartbeat.interval.ms`, with its bounds.
    pub heartbeat_interval_ms: Bounded,
    /// `group.share.delivery.count.limit`, with its bounds.
    pub delivery_count_limit: Bounded,
    /// `group.share.record.lock.duration.ms`, with its bounds.
    pub record_lock_duration_ms: Bounded,
    /// `group.share.partition.max.record.locks`, with its bounds.
    pub partition_max_record_locks: Bounded,
    /// `group.share.assignment.interval.ms`, with its bounds.
    pub assignment_interval_ms: Bounded,
    /// `group.share.max.size`: members.
    pub max_size: i32,
    /// `group.share.max.share.sessions`.
    pub sessions_max: i32,
    /// `share.coordinator.state.topic.num.partitions`.
    pub state_topic_partitions: i32,
    /// `share.coordinator.state.topic.replication.factor`, lowered to the number of brokers there are.
    pub state_topic_replication_factor: i16,
    /// `share.coordinator.state.topic.min.isr`.
    pub state_topic_min_isr: i32,
    /// `share.coordinator.state.topic.segment.bytes`.
    pub state_topic_segment_bytes: i32,
    /// `share.coordinator.state.topic.compression.codec`: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    pub state_topic_compression_codec: i32,
    /// `share.coordinator.snapshot.update.records.per.snapshot`.
    pub updates_per_snapshot: i32,
    /// `share.coordinator.write.timeout.ms`.
    pub write_timeout_ms: i32,
}

impl Default for ShareConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            session_timeout_ms: Bounded { default: 45_000, min: 45_000, max: 60_000 },
            heartbeat_interval_ms: Bounded { default: 5_000, min: 5_000, max: 15_000 },
            delivery_count_limit: Bounded { default: 5, min: 2, max: 10 },
            record_lock_duration_ms: Bounded { default: 30_000, min: 15_000, max: 60_000 },
            partition_max_record_locks: Bounded { default: 2_000, min: 100, max: 4_000 },
            assignment_interval_ms: Bounded { default: 1_000, min: 0, max: 15_000 },
            max_size: 200,
            sessions_max: 2_000,
            state_topic_partitions: 50,
            state_topic_replication_factor: 1,
            state_topic_min_isr: 2,
            state_topic_segment_bytes: 100 << 20,
            state_topic_compression_codec: 0,
            updates_per_snapshot: 500,
            write_timeout_ms: 5_000,
        }
    }
}

/// A number groups may set for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounded {
    /// Where the group says nothing.
    pub default: i32,
    /// At least.
    pub min: i32,
    /// At most.
    pub max: i32,
}

impl Bounded {
    fn of(s: &Settings, what: &str) -> Self {
        Self {
            default: s.number(&format!("group.share.{what}")),
            min: s.number(&format!("group.share.min.{what}")),
            max: s.number(&format!("group.share.max.{what}")),
        }
    }

    /// What the group asks for, inside the bounds.
    fn with(self, own: Option<&String>) -> i32 {
        let own = own.and_then(|text| text.trim().parse::<i32>().ok());
        own.map_or(self.default, |number| number.max(self.min).min(self.max))
    }
}

/// `share.auto.offset.reset`: where consumption of a partition begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareOffsetReset {
    /// Behind what is there.
    Latest,
    /// At the first record.
    Earliest,
    /// At the first record not older than so many milliseconds.
    ByDuration(i64),
}

impl ShareOffsetReset {
    /// `latest`, `earliest`, or `by_duration:` and a span of time that is not negative.
    pub(super) fn of(text: &str) -> Option<Self> {
        Some(match text {
            "latest" => Self::Latest,
            "earliest" => Self::Earliest,
            _ => Self::ByDuration(iso_8601_ms(text.strip_prefix("by_duration:")?).filter(|ms| *ms >= 0)?),
        })
    }
}

/// One group's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroupSettings {
    /// `share.session.timeout.ms`.
    pub session_timeout_ms: i32,
    /// `share.heartbeat.interval.ms`.
    pub heartbeat_interval_ms: i32,
    /// `share.assignment.interval.ms`: between two targets of the group.
    pub assignment_interval_ms: i32,
    /// `share.delivery.count.limit`.
    pub delivery_count_limit: i32,
    /// `share.record.lock.duration.ms`.
    pub record_lock_duration_ms: i32,
    /// `share.partition.max.record.locks`.
    pub partition_max_record_locks: i32,
    /// `share.auto.offset.reset`.
    pub auto_offset_reset: ShareOffsetReset,
    /// `share.isolation.level` is `read_committed`.
    pub read_committed: bool,
    /// `share.renew.acknowledge.enable`.
    pub renew_enabled: bool,
}

impl ShareConfig {
    pub(super) fn of(s: &Settings, state_topic_replication_factor: i16) -> Self {
        Self {
            session_timeout_ms: Bounded::of(s, "session.timeout.ms"),
            heartbeat_interval_ms: Bounded::of(s, "heartbeat.interval.ms"),
            delivery_count_limit: Bounded::of(s, "delivery.count.limit"),
            record_lock_duration_ms: Bounded::of(s, "record.lock.duration.ms"),
            partition_max_record_locks: Bounded::of(s, "partition.max.record.locks"),
            assignment_interval_ms: Bounded::of(s, "assignment.interval.ms"),
            max_size: s.number("group.share.max.size"),
            sessions_max: s.number("group.share.max.share.sessions"),
            state_topic_partitions: s.number("share.coordinator.state.topic.num.partitions"),
            state_topic_replication_factor,
            state_topic_min_isr: s.number("share.coordinator.state.topic.min.isr"),
            state_topic_segment_bytes: s.number("share.coordinator.state.topic.segment.bytes"),
            state_topic_compression_codec: s.number("share.coordinator.state.topic.compression.codec"),
            updates_per_snapshot: s.number("share.coordinator.snapshot.update.records.per.snapshot"),
            write_timeout_ms: s.number("share.coordinator.write.timeout.ms"),
        }
    }

    /// The numbers of a group that has set `own`.
    pub fn for_group(&self, own: &BTreeMap<String, String>) -> ShareGroupSettings {
        let get = |key: &str| own.get(key);
        // Kept as they were given, with what Kafka does not mind around them.
        let trimmed = |key: &str| get(key).map(|text| text.trim());
        let reset = trimmed("share.auto.offset.reset").and_then(ShareOffsetReset::of);
        ShareGroupSettings {
            session_timeout_ms: self.session_timeout_ms.with(get("share.session.timeout.ms")),
            heartbeat_interval_ms: self.heartbeat_interval_ms.with(get("share.heartbeat.interval.ms")),
            assignment_interval_ms: self.assignment_interval_ms.with(get("share.assignment.interval.ms")),
            delivery_count_limit: self.delivery_count_limit.with(get("share.delivery.count.limit")),
            record_lock_duration_ms: self.record_lock_duration_ms.with(get("share.record.lock.duration.ms")),
            partition_max_record_locks: self.partition_max_record_locks.with(get("share.partition.max.record.locks")),
            auto_offset_reset: reset.unwrap_or(ShareOffsetReset::Latest),
            read_committed: trimmed("share.isolation.level") == Some("read_committed"),
            renew_enabled: trimmed("share.renew.acknowledge.enable")
                .is_none_or(|text| !text.eq_ignore_ascii_case("false")),
        }
    }
}

/// What contradicts itself among the numbers (`GroupCoordinatorConfig`, `ShareGroupConfig`).
pub(super) fn contradictions(s: &Settings) -> Vec<String> {
    let mut numbers = GroupNumbers::new(s, "group.share.");
    numbers.intervals_within_bounds();
    for (least, most) in [
        ("delivery.count.limit", "max.delivery.count.limit"),
        ("min.delivery.count.limit", "delivery.count.limit"),
        ("partition.max.record.locks", "max.partition.max.record.locks"),
        ("min.partition.max.record.locks", "partition.max.record.locks"),
        ("min.record.lock.duration.ms", "record.lock.duration.ms"),
        ("record.lock.duration.ms", "max.record.lock.duration.ms"),
        ("max.size", "max.share.sessions"),
    ] {
        numbers.at_least(most, least);
    }
    numbers.told()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_group_has_the_brokers_numbers_unless_it_set_its_own() {
        let config = Config::from_overrides(&[("group.share.delivery.count.limit", "3")]).unwrap().share;
        let plain = config.for_group(&BTreeMap::new());
        assert_eq!((plain.delivery_count_limit, plain.record_lock_duration_ms), (3, 30_000));
        assert_eq!((plain.auto_offset_reset, plain.read_committed), (ShareOffsetReset::Latest, false));
        assert_eq!((plain.partition_max_record_locks, plain.renew_enabled), (2000, true));
        let own = [
            ("share.assignment.interval.ms", "16000"),
            ("share.delivery.count.limit", "99"),
            ("share.record.lock.duration.ms", "20000"),
            ("share.auto.offset.reset", "by_duration:P1DT2H3M4.5S"),
            ("share.isolation.level", " read_committed "),
            ("share.renew.acknowledge.enable", "FALSE "),
        ];
        let own = own.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let own = config.for_group(&own);
        assert_eq!((plain.assignment_interval_ms, own.assignment_interval_ms), (1_000, 15_000));
        assert_eq!((own.delivery_count_limit, own.record_lock_duration_ms), (10, 20_000), "inside the bounds");
        assert_eq!(own.auto_offset_reset, ShareOffsetReset::ByDuration(93_784_500));
        assert!(own.read_committed && !own.renew_enabled);
    }

    #[test]
    fn numbers_that_do_not_fit_together_refuse_the_start() {
        for (key, text, told) in [
            ("session.timeout.ms", "44000", "session.timeout.ms must be greater than or equal to group.share.min."),
            ("heartbeat.interval.ms", "15001", "heartbeat.interval.ms must be less than or equal to group.share.max."),
            (
                "assignment.interval.ms",
                "15001",
                "assignment.interval.ms must be less than or equal to group.share.max.",
            ),
            ("max.delivery.count.limit", "5", ""),
            ("delivery.count.limit", "10", ""),
            ("min.record.lock.duration.ms", "30000", ""),
            ("record.lock.duration.ms", "60001", "max.record.lock.duration.ms must be greater than or equal to"),
            ("record.lock.duration.ms", "14999", "record.lock.duration.ms must be greater than or equal to"),
            ("partition.max.record.locks", "4001", "max.partition.max.record.locks must be greater than or equal to"),
            ("max.share.sessions", "199", "max.share.sessions must be greater than or equal to group.share.max.size"),
        ] {
            let key = format!("group.share.{key}");
            let why = Config::from_overrides(&[(&key, text)]).err().map(|error| error.to_string());
            match why {
                None => assert_eq!(told, "", "{key}={text}"),
                Some(why) => assert!(!told.is_empty() && why.contains(&format!("group.share.{told}")), "{key}: {why}"),
            }
        }
    }
}
