//! Offsets in transactions: TxnOffsetCommit and the markers that make them count or not
//! (`OffsetMetadataManager.commitTransactionalOffset`, `replayEndTransactionMarker`).

use super::classic::ClassicGroup;
use super::commit::Committer;
use super::in_flight::{Commit, Then};
use super::offsets::{Key, OffsetAndMetadata};
use super::request::{Caller, Request, TxnEnd, txn_commit_error};
use super::{Groups, Step};
use crate::base::{ErrorCode, Offset, ProducerEpoch, ProducerId, TimestampMs, Uuid};
use crate::coordinator::machine::{Batch, Token, append_error};
use crate::log::Verification;
use crate::protocol::messages::TxnOffsetCommitRequest;
use crate::protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestPartition;
use std::sync::Arc;

impl Groups {
    /// Writes the offsets as part of the producer's transaction; they count once its marker says so.
    pub(super) fn txn_commit(
        &mut self,
        caller: Caller,
        request: TxnOffsetCommitRequest,
        sure: Verification,
        step: &mut Step,
    ) {
        if let Some(id) = self.busy_id(&request.group_id) {
            return self.defer(&id, Request::TxnCommit(caller, request, sure), step);
        }
        if let Err(error) = self.check_txn_commit(&request) {
            return step.answer(txn_commit_error(&request, error));
        }
        let group: Arc<str> = Arc::from(&*request.group_id);
        let mut response = txn_commit_error(&request, ErrorCode::None);
        let (mut records, mut entries) = (Vec::new(), Vec::new());
        for (topic, answers) in request.topics.iter().zip(&mut response.topics) {
            let name: Arc<str> = Arc::from(&*topic.name);
            for (partition, answer) in topic.partitions.iter().zip(&mut answers.partitions) {
                if self.is_too_long(partition.committed_metadata.as_deref()) {
                    answer.error_code = ErrorCode::OffsetMetadataTooLarge.code();
                    continue;
                }
                let pending = pending_offset(partition, step.now.wall);
                records.push(super::records::offset(&group, &name, partition.partition_index, &pending));
                entries.push((name.clone(), partition.partition_index, pending));
            }
        }
        if records.is_empty() {
            return step.answer(response);
        }
        self.count_commit(&group, true);
        let producer = ProducerId(request.producer_id);
        let batch = Batch::Transactional(producer, ProducerEpoch(request.producer_epoch), sure);
        self.append_as(batch, records, Then::Pending(producer, Commit { group, entries }), step.fx);
        let refused = Request::TxnCommit(caller, request, sure);
        self.answer_after(self.last_append, step.token, response, refused);
    }

    fn check_txn_commit(&self, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        if self.shares.contains_key(&*request.group_id) {
            // Members of other kinds of groups cannot be checked here; administrators may commit.
            return if request.generation_id < 0 { Ok(()) } else { Err(ErrorCode::IllegalGeneration) };
        }
        if let Some(group) = self.consumers.get(&*request.group_id) {
            return group.check_txn_commit(request, &self.image);
        }
        if let Some(group) = self.streams.get(&*request.group_id) {
            return group.check_txn_commit(request);
        }
        match self.groups.get(&*request.group_id) {
            Some(group) => validate(group, request),
            None if request.generation_id >= 0 => Err(ErrorCode::IllegalGeneration),
            None if self.len() >= self.config.groups_max => Err(ErrorCode::CoordinatorNotAvailable),
            None => Ok(()),
        }
    }

    /// The records are in the log, the first at `outcome`; or they could not be written.
    pub(super) fn txn_commit_done(
        &mut self,
        producer: ProducerId,
        commit: Commit,
        outcome: Result<Offset, ErrorCode>,
        now: TimestampMs,
    ) {
        self.count_commit(&commit.group, false);
        let Ok(Offset(first)) = outcome else { return };
        self.hold_group(&commit.group, now);
        self.counts.offset_commits += commit.entries.len() as u64;
        for (record, (topic, partition, mut pending)) in (first..).zip(commit.entries) {
            pending.record_offset = Offset(record);
            self.offsets.put_pending(producer.0, Key { group: commit.group.clone(), topic, partition }, pending);
        }
    }

    /// Writes the marker behind all that was asked before.
    pub(super) fn end_transaction(&mut self, end: TxnEnd, step: &mut Step) {
        let batch = Batch::Marker(end.producer, end.epoch, end.marker, end.raised);
        self.append_as(batch, Vec::new(), Then::Ended(step.token, end), step.fx);
    }

    pub(super) fn transaction_ended(
        &mut self,
        token: Token,
        end: TxnEnd,
        outcome: Result<(), ErrorCode>,
        step: &mut Step,
    ) {
        if outcome.is_ok() {
            self.offsets.end_transaction(end.producer.0, end.marker.commit);
        }
        step.fx.answer(token, outcome.map_or_else(append_error, |()| ErrorCode::None));
    }
}

/// As of an OffsetCommit, but that the group's state does not matter, and that clients up to v2 name no member.
fn validate(group: &ClassicGroup, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
    let instance_id = request.group_instance_id.as_deref();
    Committer { generation: request.generation_id, member_id: &request.member_id, instance_id }.validate(group)
}

fn pending_offset(partition: &TxnOffsetCommitRequestPartition, now: TimestampMs) -> OffsetAndMetadata {
    OffsetAndMetadata {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch.max(-1),
        metadata: Arc::from(partition.committed_metadata.as_deref().unwrap_or("")),
        committed_at: now,
        expires_at: None,
        // As Kafka: the request names no ids.
        topic_id: Uuid::ZERO,
        record_offset: Offset(-1),
    }
}
