//! Who may commit and read a streams group's offsets (`StreamsGroup.validateOffsetCommit`, `validateOffsetFetch`).

use super::entry::Current;
use super::{StreamsGroup, topology};
use crate::base::ErrorCode;
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::protocol::messages::{OffsetCommitRequest, TxnOffsetCommitRequest};

/// Since this version a commit can carry a member epoch.
const MEMBER_EPOCH_FROM: i16 = 9;

impl StreamsGroup {
    /// Whether the commit's member is one, in its epoch; or in an earlier one in which it had all the tasks already:
    /// 25, 113, 35.
    pub fn check_commit(&self, api_version: i16, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let epoch = request.generation_id_or_member_epoch;
        if epoch < 0 && self.is_empty() {
            return Ok(());
        }
        let current = self.committer(&request.member_id)?;
        if api_version < MEMBER_EPOCH_FROM {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let partitions = request
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (&*topic.name, partition.partition_index)));
        if self.fits(&current, epoch, partitions) { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }

    /// The same for offsets in a transaction; a wrong epoch is 22 there. A producer that names no member may commit.
    pub fn check_txn_commit(&self, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
        let epoch = request.generation_id;
        let nameless = epoch == -1 && request.member_id.is_empty() && request.group_instance_id.is_none();
        if nameless || (epoch < 0 && self.is_empty()) {
            return Ok(());
        }
        let current = self.committer(&request.member_id)?;
        let partitions = request
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (&*topic.name, partition.partition_index)));
        if self.fits(&current, epoch, partitions) { Ok(()) } else { Err(ErrorCode::IllegalGeneration) }
    }

    /// Whether the reader, where it says that it is a member, is one, in its epoch: 25, 113.
    pub fn check_fetch(&self, request: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
        let Some(member_id) = request.member_id.as_deref() else {
            return if request.member_epoch < 0 { Ok(()) } else { Err(ErrorCode::UnknownMemberId) };
        };
        let current = self.committer(member_id)?;
        if current.epoch == request.member_epoch { Ok(()) } else { Err(ErrorCode::StaleMemberEpoch) }
    }

    fn committer(&self, member_id: &str) -> Result<Current, ErrorCode> {
        if !self.members.contains_key(member_id) {
            return Err(ErrorCode::UnknownMemberId);
        }
        Ok(self.current_of(member_id))
    }

    /// The member's epoch, or an earlier one in which it had all the tasks already.
    fn fits<'a>(&self, current: &Current, epoch: i32, mut partitions: impl Iterator<Item = (&'a str, i32)>) -> bool {
        let had = |topic: &str, partition: i32| {
            let topology = self.topology.as_deref()?;
            let subtopology = topology::reader_of(topology, topic)?;
            let epochs = [&current.assigned, &current.revoking].map(|held| {
                held.active.get(&*subtopology.subtopology_id).and_then(|epochs| epochs.get(&partition)).copied()
            });
            epochs.into_iter().flatten().next()
        };
        epoch == current.epoch
            || (epoch < current.epoch
                && partitions.all(|(topic, partition)| had(topic, partition).is_some_and(|since| epoch >= since)))
    }
}
