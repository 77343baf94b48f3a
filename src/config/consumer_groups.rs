//! The numbers of consumer groups (KIP-848), `group.consumer.*`.

use super::group_numbers::GroupNumbers;
use super::settings::Settings;

const PREFIX: &str = "group.consumer.";

/// The group coordinator's limits for the new protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroupConfig {
    /// `group.coordinator.rebalance.protocols` has `consumer`: the protocol is served.
    pub enabled: bool,
    /// `group.consumer.session.timeout.ms`, and the least and most that a group may have.
    pub session_timeout_ms: [i32; 3],
    /// `group.consumer.heartbeat.interval.ms`, and the least and most that a group may have.
    pub heartbeat_interval_ms: [i32; 3],
    /// `group.consumer.assignment.interval.ms`, and the least and most that a group may have.
    pub assignment_interval_ms: [i32; 3],
    /// `group.consumer.max.size`: members.
    pub max_size: i32,
    /// `group.consumer.assignors`: the first is the default.
    pub assignors: Vec<String>,
    /// `group.consumer.migration.policy`.
    pub migration_policy: String,
    /// `group.consumer.regex.refresh.interval.ms`.
    pub regex_refresh_interval_ms: i32,
}

impl ConsumerGroupConfig {
    /// As the settings have it.
    pub fn new(s: &Settings) -> Self {
        let numbers = GroupNumbers::new(s, PREFIX);
        Self {
            enabled: s.list("group.coordinator.rebalance.protocols").iter().any(|protocol| protocol == "consumer"),
            session_timeout_ms: numbers.bounded("session.timeout.ms"),
            heartbeat_interval_ms: numbers.bounded("heartbeat.interval.ms"),
            assignment_interval_ms: numbers.bounded("assignment.interval.ms"),
            max_size: s.number("group.consumer.max.size"),
            assignors: s.list("group.consumer.assignors").to_vec(),
            migration_policy: s.text("group.consumer.migration.policy").unwrap_or("bidirectional").to_owned(),
            regex_refresh_interval_ms: s.number("group.consumer.regex.refresh.interval.ms"),
        }
    }
}

/// What contradicts itself among the numbers (`GroupCoordinatorConfig`).
pub(super) fn contradictions(s: &Settings) -> Vec<String> {
    const ASSIGNORS: &str = "group.consumer.assignors";
    let mut numbers = GroupNumbers::new(s, PREFIX);
    numbers.intervals_within_bounds();
    let mut told = numbers.told();
    let assignors = s.list(ASSIGNORS);
    if let Some(unknown) = assignors.iter().find(|name| !KNOWN_ASSIGNORS.contains(&name.as_str())) {
        told.push(format!(
            "Invalid value {unknown} for configuration {ASSIGNORS}: corelog has uniform and range, and loads no Java class"
        ));
    }
    if assignors.is_empty() {
        told.push(format!("{ASSIGNORS} must contain at least one assignor"));
    }
    told
}

/// By name, and by the name of the Java class.
const KNOWN_ASSIGNORS: [&str; 4] = [
    "uniform",
    "range",
    "org.apache.kafka.coordinator.group.assignor.UniformAssignor",
    "org.apache.kafka.coordinator.group.assignor.RangeAssignor",
];

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn numbers_that_do_not_fit_together_refuse_the_start() {
        for (pairs, told) in [
            (
                &[("group.consumer.session.timeout.ms", "44000")][..],
                "group.consumer.session.timeout.ms must be greater",
            ),
            (&[("group.consumer.heartbeat.interval.ms", "20000")], "group.consumer.heartbeat.interval.ms must be less"),
            (&[("group.consumer.max.assignment.interval.ms", "10")], "must be less than or equal to"),
            (
                &[
                    ("group.consumer.max.heartbeat.interval.ms", "90000"),
                    ("group.consumer.heartbeat.interval.ms", "80000"),
                ],
                "group.consumer.heartbeat.interval.ms must be less than group.consumer.session.timeout.ms",
            ),
            (&[("group.consumer.assignors", "com.example.Best")], "loads no Java class"),
            (&[("group.consumer.migration.policy", "sometimes")], "group.consumer.migration.policy"),
        ] {
            let error = Config::from_overrides(pairs).unwrap_err();
            assert!(error.to_string().contains(told), "{pairs:?}: {error}");
        }
        let config = Config::from_overrides(&[("group.consumer.migration.policy", "UPGRADE")]).unwrap();
        assert_eq!(config.groups.consumer.migration_policy, "UPGRADE");
    }
}
