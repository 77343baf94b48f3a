//! Patterns of topics (KIP-848's SubscribedTopicRegex, RE2 syntax): what they stand for is looked up in the metadata
//! image a piece at a time, so that a hundred thousand topics keep no core from its work (`TopicRegexResolver`).

use super::ConsumerGroup;
use super::entry::{Entry, GroupEpoch, Resolved};
use super::hash::TopicHashes;
use super::subscription::{Counts, count_regex};
use crate::base::{Now, TimestampMs};
use crate::coordinator::group::refresh::Refresh;
use crate::metadata::MetadataImage;
use regex::{Regex, RegexBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// A compiled pattern takes no more memory than this.
const COMPILED_BYTES_MAX: usize = 1 << 20;
/// Topics looked at in one piece.
pub const TOPICS_AT_ONCE: usize = 2_000;

/// A compiled pattern: it matches a whole name.
pub struct Expression(Regex);

impl Expression {
    /// Compiles a pattern; the error says what is wrong with it.
    pub fn compile(pattern: &str) -> Result<Self, String> {
        let whole = format!(r"\A(?:{pattern})\z");
        // By itself first: a pattern may not close the group around it.
        let compile = |text: &str| RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build();
        let compiled = compile(pattern).and_then(|_| compile(&whole));
        compiled.map(Self).map_err(|error| {
            // The error draws the place on lines of its own; its last line says what is wrong.
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("SubscribedTopicRegex `{pattern}` is not a valid regular expression: {why}")
        })
    }

    /// True for a topic the pattern stands for.
    pub fn matches(&self, topic: &str) -> bool {
        self.0.is_match(topic)
    }
}

/// A look-up of a group's patterns under way.
pub struct RegexScan {
    image: Arc<MetadataImage>,
    began: TimestampMs,
    expressions: Vec<(Arc<str>, Option<Expression>, BTreeSet<Arc<str>>)>,
    position: usize,
}

impl RegexScan {
    /// Looks up all patterns of `group` in `image`.
    pub fn new(group: &ConsumerGroup, image: &Arc<MetadataImage>, now: Now) -> Self {
        // What does not compile any more, or came from a broker with other rules, stands for nothing.
        let compile = |pattern: &Arc<str>| (pattern.clone(), Expression::compile(pattern).ok(), BTreeSet::new());
        let expressions = group.patterns.keys().map(compile).collect();
        Self { image: image.clone(), began: now.wall, expressions, position: 0 }
    }

    /// The next piece; the outcome once all topics have been looked at.
    pub fn go_on(&mut self) -> Option<BTreeMap<Arc<str>, Resolved>> {
        for topic in self.image.topics().skip(self.position).take(TOPICS_AT_ONCE) {
            for (_, expression, found) in &mut self.expressions {
                if expression.as_ref().is_some_and(|expression| expression.matches(&topic.name)) {
                    found.insert(topic.name.clone());
                }
            }
        }
        self.position += TOPICS_AT_ONCE;
        if self.position < self.image.topic_count() {
            return None;
        }
        let (version, timestamp) = (self.image.offset().0, self.began.0);
        let found = std::mem::take(&mut self.expressions).into_iter();
        Some(found.map(|(pattern, _, topics)| (pattern, Resolved { topics, version, timestamp })).collect())
    }
}

impl ConsumerGroup {
    /// What the outcome of a look-up changes: the patterns, and the group's epoch where the topics differ.
    pub fn take_resolved(
        &mut self,
        found: BTreeMap<Arc<str>, Resolved>,
        image: &MetadataImage,
        hashes: &mut TopicHashes,
        now: Now,
    ) -> Vec<Entry> {
        let mut topics: Counts = self.subscribed.clone();
        let mut entries = Vec::new();
        let mut bump = false;
        for (pattern, new) in found {
            if !self.patterns.contains_key(&pattern) {
                continue;
            }
            let old = self.resolved.get(&pattern);
            let none = BTreeSet::new();
            let before = old.map_or(&none, |old| &old.topics);
            if *before != new.topics {
                bump = true;
                before.iter().for_each(|topic| count_regex(&mut topics, topic, false));
                new.topics.iter().for_each(|topic| count_regex(&mut topics, topic, true));
            }
            entries.push(Entry::Regex(pattern, Some(Rc::new(new))));
        }
        let hash = hashes.of_group(topics.keys(), image);
        if bump || hash != self.epoch.hash {
            let epoch = self.epoch.epoch.saturating_add(1);
            entries.push(Entry::Epoch(Some(GroupEpoch { epoch, hash })));
            self.refresh = Some(Refresh::begin(now, epoch));
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        let expression = Expression::compile("foo|ba+r").unwrap();
        for (name, expected) in [("foo", true), ("baaar", true), ("foo1", false), ("xfoo", false), ("barfoo", false)] {
            assert_eq!(expression.matches(name), expected, "{name}");
        }
    }

    #[test]
    fn patterns_that_cannot_be_used_are_refused() {
        for pattern in ["(", "a)|(b", "[z-a]", "(?P<n", r"(a)\1", "((a{500}){500}){500}"] {
            let why = Expression::compile(pattern).err().expect(pattern);
            assert!(why.contains(pattern), "{why}");
        }
    }
}
