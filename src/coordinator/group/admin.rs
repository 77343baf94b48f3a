//! ListGroups, DescribeGroups, DeleteGroups, and the end of topics.

use super::classic::ClassicGroup;
use super::in_flight::{Removed, Then};
use super::member::Member;
use super::offsets::Key;
use super::request::{Caller, Request};
use super::state::State;
use super::{Groups, Step, str_of};
use crate::base::{ErrorCode, Uuid};
use crate::protocol::Str;
use crate::protocol::messages::ListGroupsRequest;
use crate::protocol::messages::delete_groups_response::DeletableGroupResult;
use crate::protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use crate::protocol::messages::list_groups_response::ListedGroup;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The types of groups as ListGroups v5 calls them.
const CLASSIC: &str = "classic";
const CONSUMER: &str = "consumer";
const SHARE: &str = "share";
const STREAMS: &str = "streams";
/// Since this version DescribeGroups says that a group does not exist (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;

impl Groups {
    pub(super) fn list(&self, request: &ListGroupsRequest) -> Vec<ListedGroup> {
        let states: Vec<String> = request.states_filter.iter().map(|s| s.trim().to_lowercase()).collect();
        let types = &request.types_filter;
        let of_type = |kind: &str| types.is_empty() || types.iter().any(|t| t.trim().eq_ignore_ascii_case(kind));
        let listed = |id: &str, protocol_type: &str, state: &'static str, kind: &'static str| {
            let name = state.to_lowercase();
            // Kafka knows NotReady by another name here.
            let also = (state == "NotReady").then_some("not_ready");
            let is_in = |state: &String| *state == name || Some(state.as_str()) == also;
            let wanted = states.is_empty() || states.iter().any(is_in);
            wanted.then(|| ListedGroup {
                group_id: str_of(id),
                protocol_type: str_of(protocol_type),
                group_state: Str::from_static(state),
                group_type: Str::from_static(kind),
            })
        };
        let classic = self.groups.values().filter(|_| of_type(CLASSIC)).filter_map(|group| {
            listed(&group.id, group.protocol_type.as_deref().unwrap_or(""), group.state().name(), CLASSIC)
        });
        let consumers =
            self.consumers.keys().filter(|_| of_type(CONSUMER)).filter_map(|id| self.committed_consumer(id));
        let consumers = consumers.filter_map(|group| listed(&group.id, CONSUMER, group.state().name(), CONSUMER));
        let shares = self.shares.iter().filter(|(_, group)| of_type(SHARE) && group.is_written());
        let shares = shares.filter_map(|(id, group)| listed(id, SHARE, group.state_name(), SHARE));
        let streams = self.streams.keys().filter(|_| of_type(STREAMS)).filter_map(|id| self.committed_streams(id));
        let streams = streams.filter_map(|group| listed(&group.id, STREAMS, group.state().name(), STREAMS));
        classic.chain(consumers).chain(shares).chain(streams).collect()
    }

    pub(super) fn describe(&self, caller: &Caller, groups: &[Str]) -> Vec<DescribedGroup> {
        groups
            .iter()
            .map(|id| match self.groups.get(&**id) {
                Some(group) => described(group),
                None => self.not_found(id, caller.api_version),
            })
            .collect()
    }

    fn not_found(&self, id: &Str, api_version: i16) -> DescribedGroup {
        let mut answer = DescribedGroup {
            group_id: id.clone(),
            group_state: Str::from_static(State::Dead.name()),
            ..Default::default()
        };
        if api_version >= NOT_FOUND_FROM {
            let exists = self.is_other_kind(id) || self.shares.contains_key(&**id);
            let what = if exists { "is not a classic group" } else { "not found" };
            answer.error_code = ErrorCode::GroupIdNotFound as i16;
            answer.error_message = Some(format!("Group {id} {what}.").into());
        }
        answer
    }

    pub(super) fn delete(&mut self, groups: Vec<Str>, step: &mut Step) {
        let mut removed = Removed::default();
        let mut records = Vec::new();
        let mut results = Vec::with_capacity(groups.len());
        let next = self.next_append();
        for id in &groups {
            let outcome = self.deletable(id);
            if let Ok(id) = &outcome
                && self.consumers.contains_key(id)
            {
                self.remove_offsets(self.all_keys(id), step);
                self.end_consumer(id, step);
            } else if let Ok(id) = &outcome
                && self.streams.contains_key(id)
            {
                self.remove_offsets(self.all_keys(id), step);
                self.end_streams(id, step);
            } else if let Ok(id) = &outcome
                && self.shares.contains_key(id)
            {
                self.end_share(id, step);
            } else if let Ok(id) = &outcome {
                let keys = self.all_keys(id);
                records.extend(keys.iter().map(super::records::offset_tombstone));
                records.push(super::records::group_tombstone(id));
                removed.offsets.extend(keys);
                removed.groups.push(id.clone());
                self.bury(id, step);
            }
            results.push(DeletableGroupResult {
                group_id: id.clone(),
                error_code: outcome.err().unwrap_or(ErrorCode::None) as i16,
            });
        }
        if !records.is_empty() {
            self.append(records, Then::Removed(removed), step.fx);
        }
        if self.next_append() == next {
            return step.answer(results);
        }
        self.answer_after(next, step.token, results, Request::Delete(groups));
    }

    fn deletable(&self, id: &str) -> Result<Arc<str>, ErrorCode> {
        if let Some(group) = self.consumers.get(id) {
            return match group.is_empty() {
                true if self.is_writing(id) => Err(ErrorCode::CoordinatorNotAvailable),
                true => Ok(group.id.clone()),
                false => Err(ErrorCode::NonEmptyGroup),
            };
        }
        if let Some(group) = self.streams.get(id) {
            return match group.is_empty() {
                true if self.is_writing(id) => Err(ErrorCode::CoordinatorNotAvailable),
                true => Ok(group.id.clone()),
                false => Err(ErrorCode::NonEmptyGroup),
            };
        }
        if let Some((id, group)) = self.shares.get_key_value(id) {
            return if group.is_empty() { Ok(id.clone()) } else { Err(ErrorCode::NonEmptyGroup) };
        }
        if self.is_busy(id) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let group = self.groups.get(id).ok_or(ErrorCode::GroupIdNotFound)?;
        match group.state() {
            State::Empty => Ok(group.id.clone()),
            State::Dead => Err(ErrorCode::GroupIdNotFound),
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => Err(ErrorCode::NonEmptyGroup),
        }
    }

    /// Committed, about to be committed, and in open transactions.
    fn all_keys(&self, group: &Arc<str>) -> Vec<Key> {
        let topics = self.offsets.group(group).into_iter().flatten();
        let committed = topics.flat_map(|(topic, p)| p.keys().map(move |&i| (topic.clone(), i)));
        let pending = self.offsets.pending_keys(group).into_iter().chain(self.commits_in_flight(group));
        let all: BTreeSet<(Arc<str>, i32)> = committed.chain(pending.map(|k| (k.topic, k.partition))).collect();
        all.into_iter().map(|(topic, partition)| Key { group: group.clone(), topic, partition }).collect()
    }

    /// Dead until the tombstones are in the log: requests are told to come again.
    pub(super) fn bury(&mut self, id: &Arc<str>, step: &mut Step) {
        let pending = self.groups.get(id).map(|g| g.pending_join.iter().cloned().collect::<Vec<_>>());
        for member_id in pending.unwrap_or_default() {
            self.evict(id, &member_id, step);
        }
        if let Some(group) = self.groups.get_mut(id) {
            group.transition(State::Dead, step.now);
        }
    }

    /// The tombstones are in the log, or could not be written.
    pub(super) fn removal_done(&mut self, removed: Removed, outcome: Result<(), ErrorCode>) {
        if outcome.is_err() {
            for id in removed.groups {
                if let Some(group) = self.groups.get_mut(&id) {
                    group.revive();
                }
            }
            return;
        }
        self.counts.offsets_removed += removed.offsets.len() as u64;
        for key in &removed.offsets {
            self.offsets.remove(key);
        }
        for id in removed.groups {
            self.groups.remove(&id);
        }
    }

    /// These topics are gone, and the offsets in them with them.
    pub fn topics_deleted(&mut self, topics: &[(String, Uuid)], step: &mut Step) {
        let keys = self.offsets.keys_of_topics(|name, id| {
            topics.iter().any(|(gone, gone_id)| gone == name && (id.is_zero() || id == *gone_id))
        });
        self.remove_offsets(keys, step);
        self.share_topics_deleted(&topics.iter().map(|(_, id)| *id).collect(), step);
    }

    /// Writes tombstones for offsets, in appends of a bounded size.
    pub(super) fn remove_offsets(&mut self, keys: Vec<Key>, step: &mut Step) {
        for chunk in keys.chunks(TOMBSTONES_PER_APPEND) {
            let records = chunk.iter().map(super::records::offset_tombstone).collect();
            let removed = Removed { offsets: chunk.to_vec(), groups: Vec::new() };
            self.append(records, Then::Removed(removed), step.fx);
        }
    }
}

/// A key is at most some 500 bytes: these fit a batch.
pub(super) const TOMBSTONES_PER_APPEND: usize = 1_000;

fn described(group: &ClassicGroup) -> DescribedGroup {
    let protocol = group.protocol_name.as_deref().filter(|_| group.state() == State::Stable);
    let member = |m: &Member| DescribedGroupMember {
        member_id: str_of(&m.id),
        group_instance_id: m.instance_id.as_deref().map(str_of),
        client_id: str_of(&m.client_id),
        client_host: str_of(&m.client_host),
        member_metadata: protocol.and_then(|p| m.metadata(p)).cloned().unwrap_or_default(),
        member_assignment: m.assignment.clone(),
    };
    DescribedGroup {
        group_id: str_of(&group.id),
        group_state: Str::from_static(group.state().name()),
        protocol_type: str_of(group.protocol_type.as_deref().unwrap_or("")),
        protocol_data: str_of(protocol.unwrap_or("")),
        members: group.members().map(member).collect(),
        ..Default::default()
    }
}
