//! The numbers of streams groups (KIP-1071), `group.streams.*`.

use super::group_numbers::GroupNumbers;
use super::settings::Settings;

const PREFIX: &str = "group.streams.";

/// The group coordinator's limits for streams groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamsGroupConfig {
    /// `group.coordinator.rebalance.protocols` has `streams`: the protocol is served.
    pub enabled: bool,
    /// `group.streams.session.timeout.ms`, and the least and most that a group may have.
    pub session_timeout_ms: [i32; 3],
    /// `group.streams.heartbeat.interval.ms`, and the least and most that a group may have.
    pub heartbeat_interval_ms: [i32; 3],
    /// `group.streams.assignment.interval.ms`, and the least and most that a group may have.
    pub assignment_interval_ms: [i32; 3],
    /// `group.streams.num.standby.replicas`.
    pub standby_replicas: i32,
    /// `group.streams.max.standby.replicas`: the most that a group may have.
    pub standby_replicas_max: i32,
    /// `group.streams.initial.rebalance.delay.ms`.
    pub initial_rebalance_delay_ms: i32,
    /// `group.streams.max.size`: members.
    pub max_size: i32,
}

impl StreamsGroupConfig {
    /// As the settings have it.
    pub fn new(s: &Settings) -> Self {
        let numbers = GroupNumbers::new(s, PREFIX);
        Self {
            enabled: s.list("group.coordinator.rebalance.protocols").iter().any(|protocol| protocol == "streams"),
            session_timeout_ms: numbers.bounded("session.timeout.ms"),
            heartbeat_interval_ms: numbers.bounded("heartbeat.interval.ms"),
            assignment_interval_ms: numbers.bounded("assignment.interval.ms"),
            standby_replicas: s.number("group.streams.num.standby.replicas"),
            standby_replicas_max: s.number("group.streams.max.standby.replicas"),
            initial_rebalance_delay_ms: s.number("group.streams.initial.rebalance.delay.ms"),
            max_size: s.number("group.streams.max.size"),
        }
    }
}

/// What contradicts itself among the numbers (`GroupCoordinatorConfig`).
pub(super) fn contradictions(s: &Settings) -> Vec<String> {
    let mut numbers = GroupNumbers::new(s, PREFIX);
    numbers.intervals_within_bounds();
    numbers.at_most("num.standby.replicas", "max.standby.replicas");
    numbers.told()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn numbers_that_do_not_fit_together_refuse_the_start() {
        for (pairs, told) in [
            (&[("group.streams.session.timeout.ms", "44000")][..], "group.streams.session.timeout.ms must be greater"),
            (&[("group.streams.heartbeat.interval.ms", "20000")], "group.streams.heartbeat.interval.ms must be less"),
            (&[("group.streams.num.standby.replicas", "3")], "group.streams.num.standby.replicas must be less"),
        ] {
            let error = Config::from_overrides(pairs).unwrap_err();
            assert!(error.to_string().contains(told), "{pairs:?}: {error}");
        }
        let config = Config::from_overrides(&[("group.coordinator.rebalance.protocols", "classic,consumer")]).unwrap();
        assert!(!config.groups.streams.enabled);
        let config = Config::from_overrides(&[("group.streams.num.standby.replicas", "1")]).unwrap();
        assert!(config.groups.streams.enabled);
        assert_eq!(config.groups.streams.standby_replicas, 1);
    }
}
