//! ShareGroupDescribe (`GroupMetadataManager.shareGroupDescribe`): what is committed.

use super::Partitions;
use super::state::{Member, State};
use crate::base::ErrorCode;
use crate::coordinator::group::Groups;
use crate::metadata::MetadataImage;
use crate::protocol::Str;
use crate::protocol::messages::share_group_describe_response::{
    Assignment, DescribedGroup as DescribedShareGroup, Member as DescribedMember, TopicPartitions,
};
use std::sync::Arc;

/// The only assignor there is.
const ASSIGNOR: &str = "simple";

impl Groups {
    pub(in crate::coordinator::group) fn share_describe(&self, groups: &[Str]) -> Vec<DescribedShareGroup> {
        groups
            .iter()
            .map(|id| match self.shares.get(&**id).filter(|share| share.is_written()) {
                Some(share) => described(id, &share.committed, &self.image),
                None => {
                    let what = if self.is_other_kind(id) { "is not a share group" } else { "not found" };
                    DescribedShareGroup {
                        group_id: id.clone(),
                        error_code: ErrorCode::GroupIdNotFound.code(),
                        error_message: Some(format!("Group {id} {what}.").into()),
                        ..Default::default()
                    }
                }
            })
            .collect()
    }
}

fn described(id: &Str, state: &State, image: &MetadataImage) -> DescribedShareGroup {
    DescribedShareGroup {
        group_id: id.clone(),
        group_state: Str::from_static(if state.members.is_empty() { "Empty" } else { "Stable" }),
        group_epoch: state.epoch,
        assignment_epoch: state.target_epoch,
        assignor_name: Str::from_static(ASSIGNOR),
        members: state.members.iter().map(|(id, member)| described_member(id, member, image)).collect(),
        ..Default::default()
    }
}

fn described_member(id: &Arc<str>, member: &Member, image: &MetadataImage) -> DescribedMember {
    DescribedMember {
        member_id: Str::from(&**id),
        rack_id: member.rack.as_deref().map(Str::from),
        member_epoch: member.epoch,
        client_id: Str::from(&*member.client_id),
        client_host: Str::from(&*member.client_host),
        subscribed_topic_names: member.topics.iter().map(|topic| Str::from(&**topic)).collect(),
        assignment: assignment(&member.assigned, image),
    }
}

fn assignment(partitions: &Partitions, image: &MetadataImage) -> Assignment {
    let topics = partitions.iter().filter_map(|(id, partitions)| {
        let topic = image.topic_by_id(id)?;
        Some(TopicPartitions {
            topic_id: *id,
            topic_name: Str::from(&*topic.name),
            partitions: partitions.iter().copied().collect(),
        })
    });
    Assignment { topic_partitions: topics.collect() }
}
