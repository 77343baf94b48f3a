//! Groups: which there are, who is in them, and the offsets they have committed.

use super::cluster::{At, Cluster, Coordinates};
use super::error::ClientError;
use super::options::Endpoint;
use crate::base::{ErrorCode, TopicPartition};
use crate::protocol::messages::consumer_group_describe_response as consumer;
use crate::protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use crate::protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use crate::protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use crate::protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use crate::protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DeleteGroupsRequest, DescribeGroupsRequest,
    ListGroupsRequest, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest,
};
use crate::protocol::{Decoder, Message};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};

/// A group of a list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listing {
    /// Its id.
    pub id: String,
    /// `Classic`, `Consumer`, `Share`, `Streams`; `Unknown` by brokers before 3.7.
    pub kind: String,
    /// What its members speak: `consumer`, `connect` and so on; empty when it has none.
    pub protocol: String,
    /// `Stable`, `Empty` and so on; `Unknown` by brokers before 2.6.
    pub state: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// `Classic` or `Consumer`.
    pub kind: &'static str,
    /// `Stable`, `Empty` and so on.
    pub state: String,
    /// The broker that coordinates it.
    pub coordinator: (i32, Endpoint),
    /// How partitions are assigned.
    pub assignor: String,
    /// Of a consumer group (KIP-848): how often its members or their subscriptions changed.
    pub epoch: Option<i32>,
    /// Of a consumer group: the epoch its target assignment was made for.
    pub target_epoch: Option<i32>,
    /// Its members.
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The id the coordinator gave it.
    pub id: String,
    /// The id it keeps over restarts.
    pub instance_id: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// What it has.
    pub assignment: BTreeSet<TopicPartition>,
    /// What it is to have, in a consumer group.
    pub target: BTreeSet<TopicPartition>,
    /// Its epoch, in a consumer group.
    pub epoch: Option<i32>,
    /// In a consumer group: true for a member of the new protocol, false for one of the classic.
    pub upgraded: Option<bool>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next record to read.
    pub offset: i64,
    /// The term of the leader it was read from; `None` where it was not told.
    pub leader_epoch: Option<i32>,
}

fn partitions<'a>(topics: impl Iterator<Item = (&'a str, &'a [i32])>) -> BTreeSet<TopicPartition> {
    let of_topic = |(topic, partitions): (&str, &[i32])| {
        partitions.iter().map(|index| TopicPartition::new(topic, *index)).collect::<Vec<_>>()
    };
    topics.flat_map(of_topic).collect()
}

impl From<&DescribedGroupMember> for Member {
    fn from(member: &DescribedGroupMember) -> Self {
        // An assignment that cannot be read is none of the consumer protocol.
        let assignment = read_assignment(&member.member_assignment).unwrap_or_default();
        Self {
            id: member.member_id.to_string(),
            instance_id: member.group_instance_id.as_deref().map(str::to_owned),
            client_id: member.client_id.to_string(),
            host: member.client_host.to_string(),
            assignment,
            target: BTreeSet::new(),
            epoch: None,
            upgraded: None,
        }
    }
}

impl From<&consumer::Member> for Member {
    fn from(member: &consumer::Member) -> Self {
        let of = |assignment: &consumer::Assignment| {
            partitions(assignment.topic_partitions.iter().map(|topic| (&*topic.topic_name, &topic.partitions[..])))
        };
        Self {
            id: member.member_id.to_string(),
            instance_id: member.instance_id.as_deref().map(str::to_owned),
            client_id: member.client_id.to_string(),
            host: member.client_host.to_string(),
            assignment: of(&member.assignment),
            target: of(&member.target_assignment),
            epoch: Some(member.member_epoch),
            upgraded: (member.member_type >= 0).then_some(member.member_type == 1),
        }
    }
}

/// What a leader of the consumer protocol assigned: a version, then `ConsumerProtocolAssignment`. Nothing is nothing.
///
/// # Errors
/// Other bytes.
pub fn read_assignment(bytes: &Bytes) -> Result<BTreeSet<TopicPartition>, ClientError> {
    if bytes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut decoder = Decoder::new(bytes.clone());
    let version = decoder.i16()?.min(*ConsumerProtocolAssignment::VERSIONS.end());
    let assignment = ConsumerProtocolAssignment::decode(&mut decoder, version)?;
    Ok(partitions(assignment.assigned_partitions.iter().map(|topic| (&*topic.topic, &topic.partitions[..]))))
}

impl Cluster {
    /// All groups of all brokers, by id.
    ///
    /// # Errors
    /// As of a call.
    pub fn list_groups(&mut self) -> Result<Vec<Listing>, ClientError> {
        let or_unknown = |text: &str| if text.is_empty() { "Unknown".to_owned() } else { kafka_case(text) };
        let mut found = self.call(|cluster| {
            cluster.metadata(Some(&[]))?;
            let mut found = Vec::new();
            for id in cluster.brokers().keys().copied().collect::<Vec<_>>() {
                let answer = cluster.ask(At::Broker(id), &ListGroupsRequest::default())?;
                ClientError::check(answer.error_code, None)?;
                found.extend(answer.groups.iter().map(|group| Listing {
                    id: group.group_id.to_string(),
                    kind: or_unknown(&group.group_type),
                    protocol: group.protocol_type.to_string(),
                    state: or_unknown(&group.group_state),
                }));
            }
            Ok(found)
        })?;
        found.sort();
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    /// The groups of consumers, of the classic protocol and of KIP-848.
    ///
    /// # Errors
    /// As of [`Self::list_groups`].
    pub fn list_consumer_groups(&mut self) -> Result<Vec<Listing>, ClientError> {
        let mut groups = self.list_groups()?;
        groups.retain(|group| {
            matches!(&*group.kind, "Classic" | "Consumer" | "Unknown") && matches!(&*group.protocol, "" | "consumer")
        });
        Ok(groups)
    }

    /// One group of consumers.
    ///
    /// # Errors
    /// `GroupIdNotFound` and what else the coordinator answers.
    pub fn describe_consumer_group(&mut self, id: &str) -> Result<Group, ClientError> {
        self.call(|cluster| {
            let coordinator = cluster.coordinator(Coordinates::Group, id)?;
            match cluster.describe_new_group(id, coordinator) {
                Err(ClientError::Unsupported(_) | ClientError::Broker(ErrorCode::GroupIdNotFound, _)) => {
                    cluster.describe_classic_group(id, coordinator)
                }
                done => done,
            }
        })
    }

    fn endpoint(&self, id: i32) -> (i32, Endpoint) {
        let unknown = || Endpoint { host: String::new(), port: 0 };
        (id, self.brokers().get(&id).cloned().unwrap_or_else(unknown))
    }

    fn describe_new_group(&mut self, id: &str, coordinator: i32) -> Result<Group, ClientError> {
        let request = ConsumerGroupDescribeRequest { group_ids: vec![id.into()], ..Default::default() };
        let answer = self.ask(At::Broker(coordinator), &request)?;
        let none = || ClientError::Broker(ErrorCode::GroupIdNotFound, None);
        let group = answer.groups.first().ok_or_else(none)?;
        ClientError::check(group.error_code, group.error_message.as_deref())?;
        Ok(Group {
            id: id.to_owned(),
            kind: "Consumer",
            state: group.group_state.to_string(),
            coordinator: self.endpoint(coordinator),
            assignor: group.assignor_name.to_string(),
            epoch: Some(group.group_epoch),
            target_epoch: Some(group.assignment_epoch),
            members: group.members.iter().map(Member::from).collect(),
        })
    }

    fn describe_classic_group(&mut self, id: &str, coordinator: i32) -> Result<Group, ClientError> {
        let request = DescribeGroupsRequest { groups: vec![id.into()], ..Default::default() };
        let answer = self.ask(At::Broker(coordinator), &request)?;
        let none = || ClientError::Broker(ErrorCode::GroupIdNotFound, None);
        let group: &DescribedGroup = answer.groups.first().ok_or_else(none)?;
        ClientError::check(group.error_code, group.error_message.as_deref())?;
        if !matches!(&*group.protocol_type, "" | "consumer") {
            let why = format!("GroupId {id} is not a consumer group ({}).", group.protocol_type);
            return Err(ClientError::Unsupported(why));
        }
        Ok(Group {
            id: id.to_owned(),
            kind: "Classic",
            state: group.group_state.to_string(),
            coordinator: self.endpoint(coordinator),
            assignor: group.protocol_data.to_string(),
            epoch: None,
            target_epoch: None,
            members: group.members.iter().map(Member::from).collect(),
        })
    }

    /// All offsets a group has committed.
    ///
    /// # Errors
    /// As of a call.
    pub fn committed(&mut self, id: &str) -> Result<BTreeMap<TopicPartition, Committed>, ClientError> {
        let group = OffsetFetchRequestGroup { group_id: id.into(), topics: None, ..Default::default() };
        let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
        let answer = self.ask_coordinator(Coordinates::Group, id, &request, |answer| {
            answer.groups.iter().try_for_each(|group| ClientError::check(group.error_code, None))
        })?;
        let mut found = BTreeMap::new();
        for topic in answer.groups.iter().flat_map(|group| &group.topics) {
            for partition in topic.partitions.iter().filter(|one| one.error_code == 0 && one.committed_offset >= 0) {
                let epoch = partition.committed_leader_epoch;
                let committed =
                    Committed { offset: partition.committed_offset, leader_epoch: (epoch >= 0).then_some(epoch) };
                found.insert(TopicPartition::new(&*topic.name, partition.partition_index), committed);
            }
        }
        Ok(found)
    }

    /// Commits offsets for a group without members.
    ///
    /// # Errors
    /// Also the first partition's that was refused.
    pub fn commit_for_group(&mut self, id: &str, offsets: &BTreeMap<TopicPartition, i64>) -> Result<(), ClientError> {
        let request =
            OffsetCommitRequest { group_id: id.into(), topics: topics_to_commit(offsets), ..Default::default() };
        self.ask_coordinator(Coordinates::Group, id, &request, |answer| {
            let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.try_for_each(|partition| ClientError::check(partition.error_code, None))
        })?;
        Ok(())
    }

    /// Deletes a group without members.
    ///
    /// # Errors
    /// As of a call.
    pub fn delete_group(&mut self, id: &str) -> Result<(), ClientError> {
        let request = DeleteGroupsRequest { groups_names: vec![id.into()] };
        self.ask_coordinator(Coordinates::Group, id, &request, |answer| {
            answer.results.iter().try_for_each(|group| ClientError::check(group.error_code, None))
        })?;
        Ok(())
    }

    /// Deletes committed offsets; what became of each.
    ///
    /// # Errors
    /// Of the group as a whole.
    pub fn delete_offsets(
        &mut self,
        id: &str,
        partitions: &BTreeSet<TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, Result<(), ClientError>>, ClientError> {
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for at in partitions {
            let partition = OffsetDeleteRequestPartition { partition_index: at.partition };
            topics.entry(&*at.topic).or_default().push(partition);
        }
        let topic = |(name, partitions): (&str, _)| OffsetDeleteRequestTopic { name: name.into(), partitions };
        let request = OffsetDeleteRequest { group_id: id.into(), topics: topics.into_iter().map(topic).collect() };
        let answer = self
            .ask_coordinator(Coordinates::Group, id, &request, |answer| ClientError::check(answer.error_code, None))?;
        let mut done = BTreeMap::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let at = TopicPartition::new(&*topic.name, partition.partition_index);
                done.insert(at, ClientError::check(partition.error_code, None));
            }
        }
        Ok(done)
    }
}

/// `classic` as `Classic`: brokers differ in how they write it.
fn kafka_case(text: &str) -> String {
    match text.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => text.to_owned(),
    }
}

/// `topics` of an OffsetCommit.
pub(super) fn topics_to_commit(offsets: &BTreeMap<TopicPartition, i64>) -> Vec<OffsetCommitRequestTopic> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (at, offset) in offsets {
        topics.entry(&*at.topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: at.partition,
            committed_offset: *offset,
            committed_metadata: Some("".into()),
            ..Default::default()
        });
    }
    let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
        name: name.into(),
        partitions,
        ..Default::default()
    };
    topics.into_iter().map(topic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_behind_its_version() {
        let bytes = [0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        let read = read_assignment(&Bytes::copy_from_slice(&bytes)).unwrap();
        assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>(), ["t-0", "t-1"]);
        assert_eq!(read_assignment(&Bytes::new()).unwrap().len(), 0);
        assert!(read_assignment(&Bytes::from_static(&[0, 0, 9])).is_err());
    }
}
