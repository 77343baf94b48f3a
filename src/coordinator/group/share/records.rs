//! Records 10 to 15 in Kafka's bytes (`GroupCoordinatorRecordHelpers.newShareGroup...`).

use super::Partitions;
use super::state::{Current, Entry, Named, Progress, Subscription};
use crate::base::Uuid;
use crate::coordinator::codec::{prefixed, read_value};
use crate::coordinator::machine::Record;
use crate::protocol::messages::{
    ShareGroupCurrentMemberAssignmentKey, ShareGroupCurrentMemberAssignmentValue, ShareGroupMemberMetadataKey,
    ShareGroupMemberMetadataValue, ShareGroupMetadataKey, ShareGroupMetadataValue, ShareGroupStatePartitionMetadataKey,
    ShareGroupStatePartitionMetadataValue, ShareGroupTargetAssignmentMemberKey, ShareGroupTargetAssignmentMemberValue,
    ShareGroupTargetAssignmentMetadataKey, ShareGroupTargetAssignmentMetadataValue,
    share_group_current_member_assignment_value as current_value,
    share_group_state_partition_metadata_value as progress_value,
    share_group_target_assignment_member_value as target_value,
};
use crate::protocol::{DecodeError, Decoder, Message, Str};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

const MEMBER: i16 = 10;
const EPOCH: i16 = 11;
const TARGET_EPOCH: i16 = 12;
const TARGET: i16 = 13;
const CURRENT: i16 = 14;
const PROGRESS: i16 = 15;

/// The only state of a member: there is nothing to give up.
const STABLE: i8 = 0;

/// The record of an entry.
pub fn record(group: &str, entry: &Entry) -> Record {
    let group_id = Str::from(group);
    let member = |id: &Arc<str>| Str::from(&**id);
    let (key, value) = match entry {
        Entry::Epoch(value) => (
            prefixed(EPOCH, &ShareGroupMetadataKey { group_id }, 0),
            value.map(|(epoch, metadata_hash)| prefixed(0, &ShareGroupMetadataValue { epoch, metadata_hash }, 0)),
        ),
        Entry::Subscription(id, value) => (
            prefixed(MEMBER, &ShareGroupMemberMetadataKey { group_id, member_id: member(id) }, 0),
            value.as_ref().map(|value| prefixed(0, &subscription_value(value), 0)),
        ),
        Entry::TargetEpoch(value) => (
            prefixed(TARGET_EPOCH, &ShareGroupTargetAssignmentMetadataKey { group_id }, 0),
            value.map(|(assignment_epoch, assignment_timestamp)| {
                let value = ShareGroupTargetAssignmentMetadataValue { assignment_epoch, assignment_timestamp };
                prefixed(0, &value, 0)
            }),
        ),
        Entry::Target(id, value) => (
            prefixed(TARGET, &ShareGroupTargetAssignmentMemberKey { group_id, member_id: member(id) }, 0),
            value.as_ref().map(|value| prefixed(0, &target_of(value), 0)),
        ),
        Entry::Current(id, value) => (
            prefixed(CURRENT, &ShareGroupCurrentMemberAssignmentKey { group_id, member_id: member(id) }, 0),
            value.as_ref().map(|value| prefixed(0, &current_of(value), 0)),
        ),
        Entry::Progress(value) => (
            prefixed(PROGRESS, &ShareGroupStatePartitionMetadataKey { group_id }, 0),
            value.as_ref().map(|value| prefixed(0, &progress_of(value), 0)),
        ),
    };
    Record { key, value }
}

/// Reads a record whose key begins with type `kind`; `None` where it is none of a share group.
pub fn read(kind: i16, key: &mut Decoder, value: Option<&Bytes>) -> Result<Option<(Arc<str>, Entry)>, DecodeError> {
    let own = |text: &Str| Arc::<str>::from(&**text);
    Ok(Some(match kind {
        EPOCH => {
            let key = ShareGroupMetadataKey::decode(key, 0)?;
            let value = value.map(read_value::<ShareGroupMetadataValue>).transpose()?;
            (own(&key.group_id), Entry::Epoch(value.map(|v| (v.epoch, v.metadata_hash))))
        }
        MEMBER => {
            let key = ShareGroupMemberMetadataKey::decode(key, 0)?;
            let value = value.map(read_value::<ShareGroupMemberMetadataValue>).transpose()?;
            let value = value.map(|v| Subscription {
                rack: v.rack_id.as_ref().map(own),
                client_id: own(&v.client_id),
                client_host: own(&v.client_host),
                topics: v.subscribed_topic_names.iter().map(own).collect(),
            });
            (own(&key.group_id), Entry::Subscription(own(&key.member_id), value))
        }
        TARGET_EPOCH => {
            let key = ShareGroupTargetAssignmentMetadataKey::decode(key, 0)?;
            let value = value.map(read_value::<ShareGroupTargetAssignmentMetadataValue>).transpose()?;
            let value = value.map(|v| (v.assignment_epoch, v.assignment_timestamp));
            (own(&key.group_id), Entry::TargetEpoch(value))
        }
        TARGET => {
            let key = ShareGroupTargetAssignmentMemberKey::decode(key, 0)?;
            let value = value.map(read_value::<ShareGroupTargetAssignmentMemberValue>).transpose()?;
            let value = value.map(|v| partitions(v.topic_partitions.iter().map(|t| (t.topic_id, &t.partitions[..]))));
            (own(&key.group_id), Entry::Target(own(&key.member_id), value))
        }
        CURRENT => {
            let key = ShareGroupCurrentMemberAssignmentKey::decode(key, 0)?;
            let value = value.map(read_value::<ShareGroupCurrentMemberAssignmentValue>).transpose()?;
            let value = value.map(|v| Current {
                epoch: v.member_epoch,
                previous_epoch: v.previous_member_epoch,
                assigned: partitions(v.assigned_partitions.iter().map(|t| (t.topic_id, &t.partitions[..]))),
            });
            (own(&key.group_id), Entry::Current(own(&key.member_id), value))
        }
        PROGRESS => {
            let key = ShareGroupStatePartitionMetadataKey::decode(key, 0)?;
            let value = value.map(read_value::<ShareGroupStatePartitionMetadataValue>).transpose()?;
            (own(&key.group_id), Entry::Progress(value.as_ref().map(read_progress)))
        }
        _ => return Ok(None),
    }))
}

fn partitions<'a>(topics: impl Iterator<Item = (Uuid, &'a [i32])>) -> Partitions {
    topics.map(|(id, partitions)| (id, partitions.iter().copied().collect())).collect()
}

fn subscription_value(value: &Subscription) -> ShareGroupMemberMetadataValue {
    ShareGroupMemberMetadataValue {
        rack_id: value.rack.as_deref().map(Str::from),
        client_id: Str::from(&*value.client_id),
        client_host: Str::from(&*value.client_host),
        subscribed_topic_names: value.topics.iter().map(|topic| Str::from(&**topic)).collect(),
    }
}

fn target_of(value: &Partitions) -> ShareGroupTargetAssignmentMemberValue {
    let topic = |(id, partitions): (&Uuid, &std::collections::BTreeSet<i32>)| target_value::TopicPartition {
        topic_id: *id,
        partitions: partitions.iter().copied().collect(),
    };
    ShareGroupTargetAssignmentMemberValue { topic_partitions: value.iter().map(topic).collect() }
}

fn current_of(value: &Current) -> ShareGroupCurrentMemberAssignmentValue {
    let topic = |(id, partitions): (&Uuid, &std::collections::BTreeSet<i32>)| current_value::TopicPartitions {
        topic_id: *id,
        partitions: partitions.iter().copied().collect(),
    };
    ShareGroupCurrentMemberAssignmentValue {
        member_epoch: value.epoch,
        previous_member_epoch: value.previous_epoch,
        state: STABLE,
        assigned_partitions: value.assigned.iter().map(topic).collect(),
    }
}

fn progress_of(value: &Progress) -> ShareGroupStatePartitionMetadataValue {
    let topics = |topics: &BTreeMap<Uuid, Named>| {
        topics
            .iter()
            .map(|(id, named)| progress_value::TopicPartitionsInfo {
                topic_id: *id,
                topic_name: Str::from(&*named.name),
                partitions: named.partitions.iter().copied().collect(),
            })
            .collect()
    };
    ShareGroupStatePartitionMetadataValue {
        initializing_topics: topics(&value.initializing),
        initialized_topics: topics(&value.initialized),
        deleting_topics: value
            .deleting
            .iter()
            .map(|(id, name)| progress_value::TopicInfo { topic_id: *id, topic_name: Str::from(&**name) })
            .collect(),
    }
}

fn read_progress(value: &ShareGroupStatePartitionMetadataValue) -> Progress {
    let topics = |topics: &[progress_value::TopicPartitionsInfo]| {
        topics
            .iter()
            .map(|t| {
                let named =
                    Named { name: Arc::from(&*t.topic_name), partitions: t.partitions.iter().copied().collect() };
                (t.topic_id, named)
            })
            .collect()
    };
    Progress {
        initializing: topics(&value.initializing_topics),
        initialized: topics(&value.initialized_topics),
        deleting: value.deleting_topics.iter().map(|t| (t.topic_id, Arc::from(&*t.topic_name))).collect(),
    }
}
