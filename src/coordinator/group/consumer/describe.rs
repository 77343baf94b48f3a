//! ConsumerGroupDescribe (`ConsumerGroup.asDescribedGroup`): what is committed, as Kafka answers.

use super::ConsumerGroup;
use super::member::ConsumerMember;
use super::partitions::{self, Owned, Partitions};
use crate::coordinator::group::{Groups, str_of};
use crate::metadata::MetadataImage;
use crate::protocol::Str;
use crate::protocol::messages::consumer_group_describe_response::{
    Assignment, DescribedGroup, Member, TopicPartitions,
};

/// The members' type as the response has it.
const CLASSIC_MEMBER: i8 = 0;
const CONSUMER_MEMBER: i8 = 1;

impl Groups {
    pub(in crate::coordinator::group) fn consumer_describe(&self, groups: &[Str]) -> Vec<DescribedGroup> {
        groups.iter().map(|id| self.described_consumer_group(id)).collect()
    }

    fn described_consumer_group(&self, id: &Str) -> DescribedGroup {
        let Some(group) = self.committed_consumer(id) else {
            let refusal = self.no_consumer_group(id);
            return DescribedGroup {
                group_id: id.clone(),
                error_code: refusal.code as i16,
                error_message: Some(refusal.message.into()),
                ..Default::default()
            };
        };
        let assignor = group.wanted_assignor().unwrap_or(self.config.consumer.default_assignor());
        DescribedGroup {
            group_id: id.clone(),
            group_state: Str::from_static(group.state().name()),
            group_epoch: group.epoch.epoch,
            assignment_epoch: group.target_epoch.epoch,
            assignor_name: Str::from_static(assignor.name()),
            members: group.members().map(|member| described_member(&group, member, &self.image)).collect(),
            ..Default::default()
        }
    }
}

fn described_member(group: &ConsumerGroup, member: &ConsumerMember, image: &MetadataImage) -> Member {
    let mut held = Owned::clone(&member.assigned);
    partitions::merge(&mut held, &member.revoking);
    let target = group.target_of(&member.id);
    Member {
        member_id: str_of(&member.id),
        instance_id: member.instance_id.as_deref().map(str_of),
        rack_id: member.rack_id.as_deref().map(str_of),
        member_epoch: member.epoch,
        client_id: str_of(&member.client_id),
        client_host: str_of(&member.client_host),
        subscribed_topic_names: member.topics.iter().map(|topic| str_of(topic)).collect(),
        subscribed_topic_regex: Some(str_of(&member.regex)),
        assignment: named(&partitions::without_epochs(&held), image),
        target_assignment: target.map_or_else(Assignment::default, |target| named(target, image)),
        member_type: if member.classic.is_some() { CLASSIC_MEMBER } else { CONSUMER_MEMBER },
    }
}

/// Topics that are gone are left out.
fn named(partitions: &Partitions, image: &MetadataImage) -> Assignment {
    let topics = partitions.iter().filter_map(|(id, all)| {
        let topic = image.topic_by_id(id)?;
        Some(TopicPartitions {
            topic_id: *id,
            topic_name: str_of(&topic.name),
            partitions: all.iter().copied().collect(),
        })
    });
    Assignment { topic_partitions: topics.collect() }
}
