//! Reading the log back (`GroupMetadataManager.replay`, `OffsetMetadataManager.replay`), and what
//! follows when it has been read, or when the partition goes elsewhere.

use super::classic::ClassicGroup;
use super::consumer::{ConsumerGroup, Entry};
use super::effects::Effects;
use super::member::{Member, Protocol};
use super::offsets::{Key, OffsetAndMetadata};
use super::records::{self, Replayed};
use super::state::State;
use super::streams::StreamsGroup;
use super::timers::Timer;
use super::{Groups, Step};
use crate::base::{ErrorCode, Now, Offset, ProducerId, TimestampMs};
use crate::coordinator::machine::Unreadable;
use crate::protocol::messages::group_metadata_value::MemberMetadata;
use crate::protocol::messages::{GroupMetadataValue, OffsetCommitValue};
use bytes::Bytes;
use std::sync::Arc;

impl Groups {
    /// Takes a record of the log. Unknown types are counted and passed over, as Kafka does: they belong to kinds
    /// of groups that are not served here, or to an upgrade that was taken back.
    ///
    /// # Errors
    /// A record of a known type that cannot be read.
    pub fn replay(
        &mut self,
        at: Offset,
        producer: ProducerId,
        key: &Bytes,
        value: Option<&Bytes>,
        now: Now,
    ) -> Result<(), Unreadable> {
        match records::read(key, value) {
            Ok(Replayed::Offset(key, value)) => self.replay_offset(at, producer, key, value, now.wall),
            Ok(Replayed::Group(id, value)) => self.replay_group(id, value),
            Ok(Replayed::Consumer(id, entry)) => self.replay_consumer(id, &entry),
            Ok(Replayed::Share(id, entry)) => self.replay_share(id, &entry),
            Ok(Replayed::Streams(id, entry)) => self.replay_streams(id, &entry),
            Ok(Replayed::Other(_)) => self.passed_over += 1,
            Err(error) => return Err(Unreadable { offset: at, why: error.to_string() }),
        }
        Ok(())
    }

    /// A transaction's marker: its offsets count from here, or never.
    pub fn replay_marker(&mut self, producer: ProducerId, committed: bool) {
        self.offsets.end_transaction(producer.0, committed);
    }

    fn replay_offset(
        &mut self,
        at: Offset,
        producer: ProducerId,
        key: Key,
        value: Option<OffsetCommitValue>,
        now: TimestampMs,
    ) {
        let Some(value) = value else { return self.offsets.remove(&key) };
        self.hold_group(&key.group, now);
        let committed = OffsetAndMetadata {
            offset: value.offset,
            leader_epoch: value.leader_epoch.max(-1),
            metadata: Arc::from(&*value.metadata),
            committed_at: TimestampMs(value.commit_timestamp),
            expires_at: (value.expire_timestamp != -1).then_some(TimestampMs(value.expire_timestamp)),
            topic_id: value.topic_id,
            record_offset: at,
        };
        if producer == ProducerId::NONE {
            self.offsets.put(key, committed);
        } else {
            self.offsets.put_pending(producer.0, key, committed);
        }
    }

    fn replay_consumer(&mut self, id: Arc<str>, entry: &Entry) {
        if matches!(entry, Entry::Epoch(None)) {
            self.consumers.remove(&id);
            return;
        }
        if !self.consumers.contains_key(&id) {
            if !entry.is_value() {
                return;
            }
            // What only held offsets until now has become a group.
            self.groups.remove(&id);
            self.shares.remove(&id);
            self.streams.remove(&id);
            self.consumers.insert(id.clone(), ConsumerGroup::new(id.clone()));
        }
        if let Some(group) = self.consumers.get_mut(&id) {
            group.apply(entry);
        }
    }

    fn replay_share(&mut self, id: Arc<str>, entry: &super::share::Entry) {
        if *entry == super::share::Entry::Epoch(None) {
            self.shares.remove(&id);
            return;
        }
        if !self.shares.contains_key(&id) {
            if !entry.is_value() {
                return;
            }
            self.groups.remove(&id);
            self.consumers.remove(&id);
            self.streams.remove(&id);
        }
        self.shares.entry(id).or_default().replay(entry);
    }

    fn replay_streams(&mut self, id: Arc<str>, entry: &super::streams::Entry) {
        if *entry == super::streams::Entry::Epoch(None) {
            self.streams.remove(&id);
            return;
        }
        if !self.streams.contains_key(&id) {
            if !entry.is_value() {
                return;
            }
            self.groups.remove(&id);
            self.consumers.remove(&id);
            self.shares.remove(&id);
            self.streams.insert(id.clone(), StreamsGroup::new(id.clone()));
        }
        if let Some(group) = self.streams.get_mut(&id) {
            group.apply(entry);
        }
    }

    fn replay_group(&mut self, id: Arc<str>, value: Option<GroupMetadataValue>) {
        let Some(value) = value else {
            self.groups.remove(&id);
            return;
        };
        self.shares.remove(&id);
        self.consumers.remove(&id);
        self.streams.remove(&id);
        let protocol = value.protocol.as_deref().map(Arc::from);
        let members = value.members.iter().map(|m| loaded_member(m, protocol.as_ref())).collect();
        let protocol_type = Some(&*value.protocol_type).filter(|t| !t.is_empty()).map(Arc::from);
        let mut group = ClassicGroup::loaded(id.clone(), members, protocol_type);
        group.generation = value.generation;
        group.protocol_name = protocol;
        group.leader = value.leader.as_deref().map(Arc::from);
        group.state_since = (value.current_state_timestamp != -1).then_some(TimestampMs(value.current_state_timestamp));
        group.subscribed_topics = group.read_subscriptions();
        self.groups.insert(id, group);
    }

    /// The log has been read to its end: the members' sessions begin.
    pub fn loaded(&mut self, step: &mut Step) {
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in &ids {
            let Some(group) = self.groups.get(id) else { continue };
            for member in group.members() {
                let until = step.now.mono.plus_ms(i64::from(member.session_timeout_ms));
                self.timers.schedule(Timer::Session(id.clone(), member.id.clone()), until);
            }
            if group.members().len() > self.config.members_per_group_max {
                tracing::info!(group = %id, "a loaded group is over group.max.size and rebalances");
                self.prepare_rebalance(id, step);
            }
        }
        let ids: Vec<Arc<str>> = self.consumers.keys().cloned().collect();
        ids.iter().for_each(|id| self.schedule_members(id, step.now));
        self.share_loaded(step);
        let ids: Vec<Arc<str>> = self.streams.keys().cloned().collect();
        ids.iter().for_each(|id| self.schedule_streams(id, step.now));
        self.schedule_expiry(step.now);
        if self.passed_over > 0 {
            tracing::info!(records = self.passed_over, "records of types that are not served were passed over");
        }
    }

    /// The partition is led elsewhere, or lost: everybody who waits is told so (16).
    pub fn resign(&mut self, now: Now, fx: &mut Effects) {
        // First those who wait for their group: what they ask for would go nowhere.
        self.refuse_deferred(ErrorCode::NotCoordinator, fx);
        let outcome = Err(ErrorCode::NotLeaderOrFollower);
        let last = self.last_append;
        self.on_append(last, outcome, &mut Step::timer(now, fx));
        for group in self.groups.values_mut() {
            group.transition(State::Dead, now);
            answer_parked(group, ErrorCode::NotCoordinator, fx);
        }
        // What a rebalance set off by the failures wanted to write goes nowhere.
        fx.appends.clear();
        self.in_flight.clear();
        self.writing.clear();
        self.timers.clear();
    }
}

/// Answers every parked request of the group with `error`.
pub(super) fn answer_parked(group: &mut ClassicGroup, error: ErrorCode, fx: &mut Effects) {
    let ids: Vec<Arc<str>> = group.members().map(|m| m.id.clone()).collect();
    for id in ids {
        if let Some(token) = group.unpark_join(&id) {
            fx.answer(token, super::join::join_error(&id, error));
        }
        if let Some(token) = group.member_mut(&id).and_then(|m| m.awaiting_sync.take()) {
            fx.answer(token, super::sync::sync_error(error));
        }
    }
}

fn loaded_member(member: &MemberMetadata, protocol: Option<&Arc<str>>) -> Member {
    let rebalance = member.rebalance_timeout;
    let metadata = Bytes::copy_from_slice(&member.subscription);
    Member {
        id: Arc::from(&*member.member_id),
        instance_id: member.group_instance_id.as_deref().map(Arc::from),
        client_id: Arc::from(&*member.client_id),
        client_host: Arc::from(&*member.client_host),
        rebalance_timeout_ms: if rebalance == -1 { member.session_timeout } else { rebalance },
        session_timeout_ms: member.session_timeout,
        protocols: protocol.map(|name| Protocol { name: name.clone(), metadata }).into_iter().collect(),
        assignment: Bytes::copy_from_slice(&member.assignment),
        awaiting_join: None,
        awaiting_sync: None,
        is_new: false,
    }
}
