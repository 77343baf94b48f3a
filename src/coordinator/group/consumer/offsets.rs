//! Who may commit and read a consumer group's offsets (`ConsumerGroup.validateOffsetCommit`, `validateOffsetFetch`).

use super::ConsumerGroup;
use super::member::ConsumerMember;
use crate::base::{ErrorCode, Uuid};
use crate::metadata::MetadataImage;
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::protocol::messages::{OffsetCommitRequest, TxnOffsetCommitRequest};

/// Since this version a commit can carry a member epoch.
const MEMBER_EPOCH_FROM: i16 = 9;

impl ConsumerGroup {
    /// Whether the commit's member is one, in its epoch; or in an earlier one in which it had all the partitions
    /// already (KIP-1251): 25, 113, 22 for members of the classic protocol, 35.
    pub fn check_commit(&self, api_version: i16, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let epoch = request.generation_id_or_member_epoch;
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let member = self.member(&request.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if member.classic.is_none() && api_version < MEMBER_EPOCH_FROM {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let partitions = request.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t.topic_id, p)));
        let partitions = partitions.map(|(topic, partition)| (topic, partition.partition_index));
        if fits(member, epoch, partitions) { Ok(()) } else { Err(wrong_epoch(member)) }
    }

    /// The same for offsets in a transaction, whose request names no topic ids; a wrong epoch is 22 there. A producer
    /// that names no member may commit.
    pub fn check_txn_commit(&self, request: &TxnOffsetCommitRequest, image: &MetadataImage) -> Result<(), ErrorCode> {
        let epoch = request.generation_id;
        let nameless = epoch == -1 && request.member_id.is_empty() && request.group_instance_id.is_none();
        if nameless || (epoch < 0 && self.is_empty()) {
            return Ok(());
        }
        let member = self.member(&request.member_id).ok_or(ErrorCode::UnknownMemberId)?;
        let partitions = request.topics.iter().flat_map(|topic| {
            let id = image.topic_by_name(&topic.name).map_or(Uuid::ZERO, |topic| topic.id);
            topic.partitions.iter().map(move |partition| (id, partition.partition_index))
        });
        if fits(member, epoch, partitions) { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// Whether the reader, where it says that it is a member, is one, in its epoch: 25, 113, 22.
    pub fn check_fetch(&self, request: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
        let Some(member_id) = request.member_id.as_deref() else {
            return if request.member_epoch < 0 { Ok(()) } else { Err(ErrorCode::UnknownMemberId) };
        };
        let member = self.member(member_id).ok_or(ErrorCode::UnknownMemberId)?;
        if member.epoch == request.member_epoch { Ok(()) } else { Err(wrong_epoch(member)) }
    }
}

/// The member's epoch, or an earlier one in which it had all the partitions already.
fn fits(member: &ConsumerMember, epoch: i32, mut partitions: impl Iterator<Item = (Uuid, i32)>) -> bool {
    let had = |topic: Uuid, partition: i32| {
        let owned = |side: &super::Owned| side.get(&topic).and_then(|epochs| epochs.get(&partition)).copied();
        owned(&member.assigned).or_else(|| owned(&member.revoking)).is_some_and(|since| epoch >= since)
    };
    epoch == member.epoch || (epoch < member.epoch && partitions.all(|(topic, partition)| had(topic, partition)))
}

fn wrong_epoch(member: &ConsumerMember) -> ErrorCode {
    if member.classic.is_some() { ErrorCode::IllegalGeneration } else { ErrorCode::StaleMemberEpoch }
}
