//! What the numbers of consumer groups (`group.consumer.*`), share groups (`group.share.*`) and streams groups
//! (`group.streams.*`) have in common: each interval has a least and a most that a group may set for itself.

use super::settings::Settings;

/// Kinds of groups, as their keys begin.
pub(super) const KINDS: [&str; 3] = ["consumer", "share", "streams"];
const HEARTBEAT: &str = "heartbeat.interval.ms";
const SESSION: &str = "session.timeout.ms";
/// The intervals that all have, in the order in which Kafka looks at them.
const INTERVALS: [&str; 3] = [HEARTBEAT, SESSION, "assignment.interval.ms"];

/// The keys below one prefix, and what contradicts itself among them (`GroupCoordinatorConfig`).
pub(super) struct GroupNumbers<'s> {
    settings: &'s Settings,
    prefix: &'static str,
    told: Vec<String>,
}

impl<'s> GroupNumbers<'s> {
    /// Of the keys that begin with `prefix`, its dot included.
    pub(super) fn new(settings: &'s Settings, prefix: &'static str) -> Self {
        Self { settings, prefix, told: Vec::new() }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn number(&self, name: &str) -> i64 {
        self.settings.int(&self.key(name)).unwrap_or_default()
    }

    /// A number, and the least and most that a group may have.
    pub(super) fn bounded(&self, name: &str) -> [i32; 3] {
        ["", "min.", "max."].map(|bound| self.settings.number(&self.key(&format!("{bound}{name}"))))
    }

    /// `most` must not be below `least`.
    pub(super) fn at_least(&mut self, most: &str, least: &str) {
        if self.number(most) < self.number(least) {
            self.told.push(format!("{} must be greater than or equal to {}", self.key(most), self.key(least)));
        }
    }

    /// The same, told the other way round.
    pub(super) fn at_most(&mut self, least: &str, most: &str) {
        if self.number(least) > self.number(most) {
            self.told.push(format!("{} must be less than or equal to {}", self.key(least), self.key(most)));
        }
    }

    /// Each interval must lie within its bounds, and a member must be able to send several heartbeats in its session.
    pub(super) fn intervals_within_bounds(&mut self) {
        for name in INTERVALS {
            let (min, max) = (format!("min.{name}"), format!("max.{name}"));
            self.at_least(&max, &min);
            self.at_least(name, &min);
            self.at_most(name, &max);
            if name == SESSION && self.number(HEARTBEAT) >= self.number(SESSION) {
                self.told.push(format!("{} must be less than {}", self.key(HEARTBEAT), self.key(SESSION)));
            }
        }
    }

    /// All contradictions found.
    pub(super) fn told(self) -> Vec<String> {
        self.told
    }
}

/// Brings what was set while the broker ran within bounds that have changed since; a sentence for each that was without.
pub(super) fn cap(settings: &mut Settings) -> Vec<String> {
    let mut told = Vec::new();
    for kind in KINDS {
        let key = |bound: &str| format!("group.{kind}.{bound}assignment.interval.ms");
        let [Some(value), Some(min), Some(max)] = ["", "min.", "max."].map(|bound| settings.int(&key(bound))) else {
            continue;
        };
        let within = value.min(max).max(min);
        // A bound is as valid as what it bounds.
        if within != value && settings.put(&key(""), &within.to_string()).is_ok() {
            told.push(format!("{} is {value}, outside of its bounds {min} to {max}: {within} holds", key("")));
        }
    }
    told
}
