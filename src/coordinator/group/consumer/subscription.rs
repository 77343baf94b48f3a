//! Who asks for what: counts by topic and by pattern, and whether all members ask for the same.

use super::ConsumerGroup;
use super::member::ConsumerMember;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a topic is asked for (`SubscriptionCount`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// By so many members by its name.
    pub names: usize,
    /// By so many patterns.
    pub patterns: usize,
}

/// Topics and how often they are asked for.
pub type Counts = BTreeMap<Arc<str>, Count>;

/// Whether all members ask for the same topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionType {
    /// They do.
    Homogeneous,
    /// They may not.
    Heterogeneous,
}

fn change(counts: &mut Counts, topic: &Arc<str>, f: impl FnOnce(&mut Count)) {
    let count = counts.entry(topic.clone()).or_default();
    f(count);
    if *count == Count::default() {
        counts.remove(topic);
    }
}

fn step(number: usize, up: bool) -> usize {
    if up { number + 1 } else { number.saturating_sub(1) }
}

/// One member more or less asks for the topic.
pub fn count_name(counts: &mut Counts, topic: &Arc<str>, up: bool) {
    change(counts, topic, |count| count.names = step(count.names, up));
}

/// One pattern more or less stands for the topic.
pub fn count_regex(counts: &mut Counts, topic: &Arc<str>, up: bool) {
    change(counts, topic, |count| count.patterns = step(count.patterns, up));
}

/// One more or less of `key`.
pub fn count(counts: &mut BTreeMap<Arc<str>, usize>, key: &Arc<str>, up: bool) {
    let count = counts.entry(key.clone()).or_default();
    *count = step(*count, up);
    if *count == 0 {
        counts.remove(key);
    }
}

/// What a group's members ask for, as it will be.
pub struct Subscriptions {
    /// Topics.
    pub topics: Counts,
    /// Patterns and how many members have each.
    pub patterns: BTreeMap<Arc<str>, usize>,
}

impl ConsumerGroup {
    /// The subscriptions after `new` has taken the place of `old`.
    pub fn subscriptions_with(&self, old: &ConsumerMember, new: &ConsumerMember) -> Subscriptions {
        let mut topics = self.subscribed.clone();
        for topic in old.topics.difference(&new.topics) {
            count_name(&mut topics, topic, false);
        }
        for topic in new.topics.difference(&old.topics) {
            count_name(&mut topics, topic, true);
        }
        let mut patterns = self.patterns.clone();
        if old.regex != new.regex {
            if let Some(regex) = old.regex() {
                if self.patterns.get(regex) == Some(&1) {
                    self.forget_regex(&mut topics, regex);
                }
                count(&mut patterns, regex, false);
            }
            if let Some(regex) = new.regex() {
                count(&mut patterns, regex, true);
            }
        }
        Subscriptions { topics, patterns }
    }

    /// The topics after `members`, and with them the patterns `regexes`, have gone.
    pub fn topics_without<'a>(
        &self,
        members: impl Iterator<Item = &'a ConsumerMember>,
        regexes: &[Arc<str>],
    ) -> Counts {
        let mut topics = self.subscribed.clone();
        for member in members {
            for topic in &*member.topics {
                count_name(&mut topics, topic, false);
            }
        }
        for regex in regexes {
            self.forget_regex(&mut topics, regex);
        }
        topics
    }

    fn forget_regex(&self, topics: &mut Counts, regex: &str) {
        for topic in self.resolved.get(regex).iter().flat_map(|resolved| &resolved.topics) {
            count_regex(topics, topic, false);
        }
    }
}

impl Subscriptions {
    /// Whether `members` members all ask for the same.
    pub fn kind(&self, members: usize) -> SubscriptionType {
        let same = if self.patterns.is_empty() {
            self.topics.values().all(|count| count.names == members)
        } else {
            // One pattern for all, and nobody asks for a topic by its name.
            self.patterns.len() == 1
                && self.patterns.values().all(|count| *count == members)
                && self.topics.values().all(|count| count.patterns == 1 && count.names == 0)
        };
        if same { SubscriptionType::Homogeneous } else { SubscriptionType::Heterogeneous }
    }
}
