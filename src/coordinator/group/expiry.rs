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

/// Groups and offsets that one step looks at; of the last group all offsets.
const LOOKED_AT_ONCE: usize = 1_000;
/// Between two steps others have their turn.
const BETWEEN_STEPS_MS: i64 = 1;

/// A look over all groups, in steps. What comes while it runs is for the next one.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    left: Vec<Arc<str>>,
    offsets: usize,
    groups: usize,
}

/// What a step found.
#[derive(Default)]
struct Expired {
    offsets: Vec<Key>,
    classic: Vec<Arc<str>>,
    consumers: Vec<Arc<str>>,
    streams: Vec<Arc<str>>,
}

impl Groups {
    pub(super) fn expire_offsets(&mut self, step: &mut Step) {
        let mut sweep = self.sweep.take().unwrap_or_else(|| {
            let ids = self.groups.keys().chain(self.consumers.keys()).chain(self.streams.keys());
            Sweep { left: ids.cloned().collect(), ..Sweep::default() }
        });
        let mut expired = Expired::default();
        let mut looked_at = 0;
        while looked_at < LOOKED_AT_ONCE
            && let Some(id) = sweep.left.pop()
        {
            let topics = self.offsets.group(&id).into_iter().flat_map(|topics| topics.values());
            looked_at += 1 + topics.map(|partitions| partitions.len()).sum::<usize>();
            self.look_at(&id, step.now.wall, &mut expired);
        }
        let Expired { offsets, classic, consumers, streams } = expired;
        sweep.offsets += offsets.len();
        self.counts.offsets_expired += offsets.len() as u64;
        sweep.groups += classic.len() + consumers.len() + streams.len();
        self.remove_offsets(offsets, step);
        self.remove_groups(&classic, step);
        consumers.iter().for_each(|id| self.end_consumer(id, step));
        streams.iter().for_each(|id| self.end_streams(id, step));
        if !sweep.left.is_empty() {
            self.sweep = Some(sweep);
            return self.timers.schedule(Timer::Expiry, step.now.mono.plus_ms(BETWEEN_STEPS_MS));
        }
        let Sweep { offsets, groups, .. } = sweep;
        if offsets + groups > 0 {
            tracing::info!(offsets, groups, "expired offsets and groups were removed");
        }
        self.schedule_expiry(step.now);
    }

    /// Collects the expired offsets of a group, and the group if it has neither members nor offsets left. Offsets in topics
    /// that members ask for stay.
    fn look_at(&self, id: &Arc<str>, now: TimestampMs, expired: &mut Expired) {
        let before = expired.offsets.len();
        if let Some(group) = self.groups.get(id) {
            if group.state() == State::Dead || group.commits_in_flight > 0 {
                return;
            }
            let all = self.expired(group, now, &mut expired.offsets);
            if all && group.state() == State::Empty && group.pending_join.is_empty() {
                expired.classic.push(id.clone());
            }
        } else if let Some(group) = self.consumers.get(id) {
            if group.commits_in_flight > 0 || self.is_writing(id) {
                return;
            }
            let all = self.expired_unread(id, |topic| group.is_subscribed(topic), now, &mut expired.offsets);
            if all && group.is_empty() {
                expired.consumers.push(id.clone());
            }
        } else if let Some(group) = self.streams.get(id) {
            if group.commits_in_flight > 0 || self.is_writing(id) {
                return;
            }
            let all = self.expired_unread(id, |topic| group.is_subscribed(topic), now, &mut expired.offsets);
            if all && group.is_empty() {
                expired.streams.push(id.clone());
            }
        }
        if expired.offsets.len() > before {
            tracing::debug!(group = %id, count = expired.offsets.len() - before, "offsets expire");
        }
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

    /// Collects a group's expired offsets but for those in topics that are read; true when none is left over.
    fn expired_unread(
        &self,
        id: &Arc<str>,
        is_read: impl Fn(&str) -> bool,
        now: TimestampMs,
        expired: &mut Vec<Key>,
    ) -> bool {
        let mut all = !self.offsets.has_pending(id);
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
