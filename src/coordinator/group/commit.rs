//! OffsetCommit (`OffsetMetadataManager.commitOffset`, `ClassicGroup.validateOffsetCommit`).

use super::classic::ClassicGroup;
use super::in_flight::{Commit, Then};
use super::offsets::{Key, OffsetAndMetadata};
use super::request::{Caller, Request};
use super::state::State;
use super::{Groups, Step};
use crate::base::{ErrorCode, Offset, TimestampMs};
use crate::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use crate::protocol::messages::{OffsetCommitRequest, OffsetCommitResponse};
use std::sync::Arc;

/// Since this version an unknown group is called that (69); before, its generation is wrong (22).
const GROUP_ID_NOT_FOUND_FROM: i16 = 9;

impl Groups {
    pub(super) fn commit(&mut self, caller: Caller, request: OffsetCommitRequest, step: &mut Step) {
        if let Some(id) = self.busy_id(&request.group_id) {
            return self.defer(&id, Request::Commit(caller, request), step);
        }
        if let Err(error) = self.check_commit(&caller, &request, step) {
            return step.answer(super::request::commit_error(&request, error));
        }
        let group: Arc<str> = Arc::from(&*request.group_id);
        let mut records = Vec::new();
        let mut entries = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let name: Arc<str> = Arc::from(&*topic.name);
            let mut answers = Vec::with_capacity(topic.partitions.len());
            for partition in &topic.partitions {
                let error = self.check_metadata(partition);
                if error == ErrorCode::None {
                    let committed = committed_offset(&request, topic, partition, step.now.wall);
                    records.push(super::records::offset(&group, &name, partition.partition_index, &committed));
                    entries.push((name.clone(), partition.partition_index, committed));
                }
                answers.push(OffsetCommitResponsePartition {
                    partition_index: partition.partition_index,
                    error_code: error as i16,
                });
            }
            topics.push(OffsetCommitResponseTopic {
                name: topic.name.clone(),
                topic_id: topic.topic_id,
                partitions: answers,
            });
        }
        let response = OffsetCommitResponse { topics, ..Default::default() };
        if records.is_empty() {
            return step.answer(response);
        }
        self.count_commit(&group, true);
        self.append(records, Then::Commit(Commit { group, entries }), step.fx);
        let refused = Request::Commit(caller, request);
        self.answer_after(self.last_append, step.token, response, refused);
    }

    fn check_commit(&mut self, caller: &Caller, request: &OffsetCommitRequest, step: &Step) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        if self.shares.contains_key(&*request.group_id) {
            // Members of other kinds of groups cannot be checked here; administrators may commit.
            return if generation < 0 { Ok(()) } else { Err(ErrorCode::UnknownMemberId) };
        }
        if let Some(group) = self.consumers.get(&*request.group_id) {
            return group.check_commit(caller.api_version, request);
        }
        if let Some(group) = self.streams.get(&*request.group_id) {
            return group.check_commit(caller.api_version, request);
        }
        let Some((id, group)) = self.groups.get_key_value(&*request.group_id) else {
            return match generation {
                ..0 if self.len() >= self.config.groups_max => Err(ErrorCode::CoordinatorNotAvailable),
                ..0 => Ok(()),
                _ if caller.api_version >= GROUP_ID_NOT_FOUND_FROM => Err(ErrorCode::GroupIdNotFound),
                _ => Err(ErrorCode::IllegalGeneration),
            };
        };
        let id = id.clone();
        validate(group, request)?;
        if matches!(group.state(), State::Stable | State::PreparingRebalance) {
            self.restart_session(&id, &request.member_id, step.now);
        }
        Ok(())
    }

    fn check_metadata(&self, partition: &OffsetCommitRequestPartition) -> ErrorCode {
        let too_long = self.is_too_long(partition.committed_metadata.as_deref());
        if too_long { ErrorCode::OffsetMetadataTooLarge } else { ErrorCode::None }
    }

    pub(super) fn is_too_long(&self, metadata: Option<&str>) -> bool {
        metadata.map_or(0, |m| m.encode_utf16().count()) > self.config.offset_metadata_max
    }

    /// The commit's records are in the log, the first at `outcome`; or they could not be written.
    pub(super) fn commit_done(&mut self, commit: Commit, outcome: Result<Offset, ErrorCode>, now: TimestampMs) {
        self.count_commit(&commit.group, false);
        let Ok(Offset(first)) = outcome else { return };
        self.hold_group(&commit.group, now);
        self.counts.offset_commits += commit.entries.len() as u64;
        for (record, (topic, partition, mut committed)) in (first..).zip(commit.entries) {
            committed.record_offset = Offset(record);
            self.offsets.put(Key { group: commit.group.clone(), topic, partition }, committed);
        }
    }

    /// A group is not deleted below the commits it has on their way.
    pub(super) fn count_commit(&mut self, id: &str, up: bool) {
        let classic = self.groups.get_mut(id).map(|group| &mut group.commits_in_flight);
        let consumer = self.consumers.get_mut(id).map(|group| &mut group.commits_in_flight);
        let streams = self.streams.get_mut(id).map(|group| &mut group.commits_in_flight);
        let Some(count) = classic.or(consumer).or(streams) else { return };
        *count = if up { *count + 1 } else { count.saturating_sub(1) };
    }

    /// Offsets belong to a group: without any, a simple one comes into being.
    pub(super) fn hold_group(&mut self, id: &Arc<str>, now: TimestampMs) {
        if !self.shares.contains_key(id) && !self.is_other_kind(id) {
            self.groups.insert(id.clone(), ClassicGroup::new(id.clone(), now));
        }
    }
}

fn validate(group: &ClassicGroup, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
    let committer = Committer {
        generation: request.generation_id_or_member_epoch,
        member_id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
    };
    committer.validate(group)?;
    if !committer.is_named() && group.state() != State::Empty {
        return Err(ErrorCode::UnknownMemberId);
    }
    if group.state() == State::CompletingRebalance {
        return Err(ErrorCode::RebalanceInProgress);
    }
    Ok(())
}

/// Who commits offsets to a classic group, as the request says it.
pub(super) struct Committer<'a> {
    pub(super) generation: i32,
    pub(super) member_id: &'a str,
    pub(super) instance_id: Option<&'a str>,
}

impl Committer<'_> {
    /// Some request fields name a member. Administrators and consumers that assign partitions themselves have none.
    fn is_named(&self) -> bool {
        self.generation >= 0 || !self.member_id.is_empty() || self.instance_id.is_some()
    }

    /// Whether it is a member of the generation, where it says so and the group has any.
    ///
    /// # Errors
    /// 15, 22, 25, 82.
    pub(super) fn validate(&self, group: &ClassicGroup) -> Result<(), ErrorCode> {
        if group.state() == State::Dead {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        if self.generation < 0 && group.state() == State::Empty {
            return Ok(());
        }
        if self.is_named() {
            group.validate_member(self.member_id, self.instance_id)?;
            if self.generation != group.generation {
                return Err(ErrorCode::IllegalGeneration);
            }
        }
        Ok(())
    }
}

fn committed_offset(
    request: &OffsetCommitRequest,
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
    now: TimestampMs,
) -> OffsetAndMetadata {
    let retention = request.retention_time_ms;
    OffsetAndMetadata {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch.max(-1),
        metadata: Arc::from(partition.committed_metadata.as_deref().unwrap_or("")),
        committed_at: now,
        expires_at: (retention != -1).then(|| TimestampMs(now.0.saturating_add(retention))),
        topic_id: topic.topic_id,
        record_offset: Offset(-1),
    }
}
