//! Offsets nobody needs any more (`GroupCoordinatorShard.cleanupGroupMetadata`,
//! `OffsetMetadataManager.cleanupExpiredOffsets`). Their age is counted by the wall clock, as the
//! timestamps in the log are.

use super::classic::ClassicGroup;
use super::in_flight::{Removed, Then};
use super::offsets::{Key, OffsetAndMetadata};
use super::state::State;
use super::timers::Timer;
use super::{Groups, Step};
use crate::base::TimestampMs;
use std::sync::Arc;

/// From when an offset's age counts, by kind of group (KIP-211).
#[derive(Clone, Copy)]
enum AgeFrom {
    /// Since the group became Empty, where that is known.
    StateChange,
    /// Since its commit.
    Commit,
}

impl Groups {
    pub(super) fn expire_offsets(&mut self, step: &mut Step) {
        let mut offsets = Vec::new();
        let mut groups = Vec::new();
        for group in self.groups.values() {
            if group.state() == State::Dead || group.commits_in_flight > 0 {
                continue;
            }
            let before = offsets.len();
            let all = self.expired(group, step.now.wall, &mut offsets);
            if all && group.state() == State::Empty && group.pending_join.is_empty() {
                groups.push(group.id.clone());
            }
            if offsets.len() > before {
                tracing::debug!(group = %group.id, count = offsets.len() - before, "offsets expire");
            }
        }
        let consumers = self.expired_consumers(step.now.wall, &mut offsets);
        let streams = self.expired_streams(step.now.wall, &mut offsets);
        let count = groups.len() + consumers.len() + streams.len();
        if !offsets.is_empty() || count > 0 {
            let groups = count;
            tracing::info!(offsets = offsets.len(), groups, "expired offsets and groups are removed");
        }
        self.remove_offsets(offsets, step);
        self.remove_groups(&groups, step);
        consumers.iter().for_each(|id| self.end_consumer(id, step));
        streams.iter().for_each(|id| self.end_streams(id, step));
        self.schedule_expiry(step.now);
    }

    pub(super) fn schedule_expiry(&mut self, now: crate::base::Now) {
        let interval_ms = self.config.offsets_retention_check_interval_ms.max(1);
        self.timers.schedule(Timer::Expiry, now.mono.plus_ms(interval_ms));
    }

    fn remove_groups(&mut self, groups: &[Arc<str>], step: &mut Step) {
        for chunk in groups.chunks(super::admin::TOMBSTONES_PER_APPEND) {
            for id in chunk {
                self.bury(id, step);
            }
            let records = chunk.iter().map(|id| super::records::group_tombstone(id)).collect();
            let removed = Removed { offsets: Vec::new(), groups: chunk.to_vec() };
            self.append(records, Then::Removed(removed), step.fx);
        }
    }

    /// Collects the expired offsets of consumer groups, and returns those groups that have neither members nor offsets
    /// left. Offsets in topics that members ask for stay.
    fn expired_consumers(&self, now: TimestampMs, expired: &mut Vec<Key>) -> Vec<Arc<str>> {
        let groups = self.consumers.values();
        let mut groups: Vec<_> = groups.filter(|g| g.commits_in_flight == 0 && !self.is_writing(&g.id)).collect();
        groups.retain(|group| {
            let all = self.expired_unread(&group.id, |topic| group.is_subscribed(topic), now, expired);
            all && group.is_empty()
        });
        groups.into_iter().map(|group| group.id.clone()).collect()
    }

    /// The same of streams groups: offsets in topics that members read stay.
    fn expired_streams(&self, now: TimestampMs, expired: &mut Vec<Key>) -> Vec<Arc<str>> {
        let groups = self.streams.values();
        let mut groups: Vec<_> = groups.filter(|g| g.commits_in_flight == 0 && !self.is_writing(&g.id)).collect();
        groups.retain(|group| {
            let all = self.expired_unread(&group.id, |topic| group.is_subscribed(topic), now, expired);
            all && group.is_empty()
        });
        groups.into_iter().map(|group| group.id.clone()).collect()
    }

    /// Collects a group's expired offsets but for those in topics that are read; true when none is left over.
    fn expired_unread(
        &self,
        id: &Arc<str>,
        is_read: impl Fn(&str) -> bool,
        now: TimestampMs,
        expired: &mut Vec<Key>,
    ) -> bool {
        let mut all = self.offsets.pending_keys(id).is_empty();
        for (topic, partitions) in self.offsets.group(id).into_iter().flatten() {
            let is_read = is_read(topic);
            for (&partition, offset) in partitions {
                let old = match offset.expires_at {
                    Some(at) => now >= at,
                    None => now.0.saturating_sub(offset.committed_at.0) >= self.config.offsets_retention_ms,
                };
                if old && !is_read && !self.offsets.is_unstable(id, topic, partition) {
                    expired.push(Key::new(id, topic, partition));
                } else {
                    all = false;
                }
            }
        }
        all
    }

    /// Collects the group's expired offsets; true when none is left over.
    fn expired(&self, group: &ClassicGroup, now: TimestampMs, expired: &mut Vec<Key>) -> bool {
        let mut all = self.offsets.pending_keys(&group.id).is_empty();
        let Some(topics) = self.offsets.group(&group.id) else { return all };
        let Some(age_from) = age_from(group) else { return false };
        for (topic, partitions) in topics {
            let subscribed = group.is_subscribed(topic);
            for (&partition, offset) in partitions {
                if !subscribed
                    && self.is_expired(group, offset, age_from, now)
                    && !self.offsets.is_unstable(&group.id, topic, partition)
                {
                    expired.push(Key::new(&group.id, topic, partition));
                } else {
                    all = false;
                }
            }
        }
        all
    }

    fn is_expired(&self, group: &ClassicGroup, offset: &OffsetAndMetadata, from: AgeFrom, now: TimestampMs) -> bool {
        if let Some(at) = offset.expires_at {
            return now >= at;
        }
        let since = match from {
            AgeFrom::StateChange => group.state_since.unwrap_or(offset.committed_at),
            AgeFrom::Commit => offset.committed_at,
        };
        now.0.saturating_sub(since.0) >= self.config.offsets_retention_ms
    }
}

fn age_from(group: &ClassicGroup) -> Option<AgeFrom> {
    match group.state() {
        _ if group.protocol_type.is_none() => Some(AgeFrom::Commit),
        State::Empty => Some(AgeFrom::StateChange),
        // A consumer group's offsets in topics no member wants any more.
        State::Stable if group.is_consumer_group() && group.subscribed_topics.is_some() => Some(AgeFrom::Commit),
        _ => None,
    }
}
