//! What the numbers of consumer groups (`group.consumer.*`) and streams groups (`group.streams.*`) have in common: each
//! interval has a least and a most that a group may set for itself.

use super::settings::Settings;

/// The intervals that both have.
const INTERVALS: [&str; 3] = ["session.timeout.ms", "heartbeat.interval.ms", "assignment.interval.ms"];

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

    /// `least` must not be above `most`.
    pub(super) fn at_most(&mut self, least: &str, most: &str) {
        if self.number(least) > self.number(most) {
            self.told.push(format!("{} must be greater than or equal to {}", self.key(most), self.key(least)));
        }
    }

    /// Each interval must lie within its bounds.
    pub(super) fn intervals_within_bounds(&mut self) {
        for name in INTERVALS {
            let (min, max) = (format!("min.{name}"), format!("max.{name}"));
            self.at_most(&min, &max);
            self.at_most(&min, name);
            self.at_most(name, &max);
        }
    }

    /// A member must be able to send several heartbeats in its session.
    pub(super) fn heartbeat_below_session(&mut self) {
        let (heartbeat, session) = ("heartbeat.interval.ms", "session.timeout.ms");
        if self.number(heartbeat) >= self.number(session) {
            self.told.push(format!("{} must be less than {}", self.key(heartbeat), self.key(session)));
        }
    }

    /// All contradictions found.
    pub(super) fn told(self) -> Vec<String> {
        self.told
    }
}
